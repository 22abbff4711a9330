"""The experiment `masks`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
