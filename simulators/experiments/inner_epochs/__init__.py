"""The experiment `inner-epochs`: ``cells`` does the work, ``sizes.toml`` says how much of it."""
