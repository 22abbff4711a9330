"""Turn the log of a run into findings: pure functions, one module a diagnosis."""
