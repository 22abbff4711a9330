"""Hold the evidence of the catalogue's page on the objective: Prop. 4.1 and what is said around it."""
