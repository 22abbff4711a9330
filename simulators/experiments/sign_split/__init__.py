"""The experiment `sign-split`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
