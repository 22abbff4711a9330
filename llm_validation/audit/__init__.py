"""``qae audit``: what the logs of a GRPO-family run say of its advantages and its entropy, and what they do not say."""
