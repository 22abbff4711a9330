"""Checks that need the rewards of a run."""
