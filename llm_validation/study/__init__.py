"""``qae validate``: the study that trains, follows and probes a small Qwen3, and compares with predictions."""
