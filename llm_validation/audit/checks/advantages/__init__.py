"""Hold the checks that need the advantages of a run."""
