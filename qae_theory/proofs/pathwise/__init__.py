"""Hold the evidence of the catalogue's page on single sampled groups: paired laws, unsampled logits, clip sides."""
