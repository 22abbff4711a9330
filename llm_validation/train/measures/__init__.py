"""Measure what TRL does not log: how far the sampler is from the trainer, and means over the loss tokens."""
