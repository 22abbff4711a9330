"""The experiment `sparsity`: ``cells`` does the work and reads it, ``sizes.toml`` gives the sizes."""
