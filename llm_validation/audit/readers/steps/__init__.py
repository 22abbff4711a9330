"""Read metrics by step: loggers' files, consoles, TensorBoard and W&B."""
