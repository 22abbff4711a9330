"""What a run logs besides what TRL logs: figures of the sampler and of the loss tokens."""
