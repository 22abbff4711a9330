"""Define what a rule is and where it is found by name, and make the estimators of ``qae_theory`` rules."""
