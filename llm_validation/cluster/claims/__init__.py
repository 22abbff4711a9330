"""What collected runs say for the paper's tables and figures, by criteria fixed before any run."""
