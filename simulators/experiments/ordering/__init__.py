"""The experiment `ordering`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
