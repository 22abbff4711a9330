"""Checks that need the advantages of a run."""
