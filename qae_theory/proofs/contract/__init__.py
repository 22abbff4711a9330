"""Hold the evidence of the catalogue's page on the shipped code: what its functions refuse, and what they return."""
