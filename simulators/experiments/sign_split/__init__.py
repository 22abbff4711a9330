"""The experiment `sign-split`: ``cells`` does the work and reads it, ``sizes.toml`` gives the sizes."""
