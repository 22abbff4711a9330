"""Read logs: one module a format. What stands in a file decides which reads it, not its name."""
