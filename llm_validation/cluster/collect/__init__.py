"""``qae cluster collect``: logs and dumps of a run, read, held against themselves and stored as one result folder."""
