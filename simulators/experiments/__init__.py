"""The named experiments, one module each."""
