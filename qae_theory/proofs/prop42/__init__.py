"""Hold the evidence of the catalogue's page on Proposition 4.2, one update at a time."""
