"""The experiment `channels`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
