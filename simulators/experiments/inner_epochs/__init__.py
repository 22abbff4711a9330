"""The experiment `inner-epochs`: ``cells`` does the work, ``analysis`` reads it, ``sizes.toml`` gives the sizes."""
