"""The experiment `ace-sweep`: ``cells`` does the work and reads it, ``sizes.toml`` gives the sizes."""
