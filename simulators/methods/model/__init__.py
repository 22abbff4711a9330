"""Define what a rule is, find it by name, make the estimators of ``qae_theory`` rules, and measure entropy."""
