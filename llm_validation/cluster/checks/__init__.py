"""``qae cluster check``: everything that can be known about a run before it costs anything, a module each."""
