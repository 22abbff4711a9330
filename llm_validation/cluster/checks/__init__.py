"""Check everything that can be known about a run before it costs anything, for ``qae cluster check``."""
