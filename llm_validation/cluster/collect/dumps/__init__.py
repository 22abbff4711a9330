"""Read dumped responses into batches, measure them again by sums of our own, and hold them against the log."""
