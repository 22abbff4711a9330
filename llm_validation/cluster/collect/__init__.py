"""``qae cluster collect``: logs and dumps of a run, read, compared with one another and stored as one result folder."""
