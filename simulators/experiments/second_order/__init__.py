"""The experiment `second-order`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
