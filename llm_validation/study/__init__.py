"""``qae validate``: the study on a small Qwen3, its statistics, figures and report, and what they say for claims."""
