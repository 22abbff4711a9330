"""Dumped responses of a run: read into batches, measured again by sums of our own, and held against the log."""
