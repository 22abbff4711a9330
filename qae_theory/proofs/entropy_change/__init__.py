"""Hold the evidence of the catalogue's page on the entropy change of one step: identity, bounds and certified steps."""
