"""Which named estimator made the logged advantages: by exact comparison over the candidates of the registry."""
