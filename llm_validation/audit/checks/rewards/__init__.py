"""Hold the checks that need the rewards of a run."""
