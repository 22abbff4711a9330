"""The experiment `masks`: ``cells`` does the work and reads it, ``sizes.toml`` gives the sizes."""
