"""The experiment `k-sweep`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
