"""Say what the logs of a GRPO-family run show of its advantages and its entropy, and what they cannot show."""
