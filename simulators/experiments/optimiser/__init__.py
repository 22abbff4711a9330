"""The experiment `optimiser`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
