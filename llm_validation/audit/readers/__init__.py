"""Readers of logs: one module a format. Which one reads a file is decided by what stands in it, not by its name."""
