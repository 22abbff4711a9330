"""Find out which named estimator made the logged advantages, by exact comparison over candidates."""
