"""Find when a run began to go another way: a changepoint of several series at once, with an error rate."""
