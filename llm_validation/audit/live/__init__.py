"""The same checks while a run is trained, logged as metrics: a callback for TRL, a hook for verl's trainer."""
