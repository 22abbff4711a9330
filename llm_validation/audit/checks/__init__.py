"""The checks: pure functions from the log of a run to findings, one module a diagnosis."""
