"""The experiment `optimiser`: ``cells`` does the work, ``analysis`` reads it, ``sizes.toml`` gives the sizes."""
