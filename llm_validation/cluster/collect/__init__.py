"""Read the logs and dumps of a run, compare them with one another and store them as one result folder."""
