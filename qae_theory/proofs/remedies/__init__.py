"""Hold the evidence of the catalogue's page on other remedies for entropy: what their papers state, checked."""
