"""Hold the evidence of the catalogue's page on neutrality: what the baseline can and cannot do in expectation."""
