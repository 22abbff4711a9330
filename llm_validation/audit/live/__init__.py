"""Run the checks while a run trains and log them as metrics: a callback for TRL, a hook for verl's trainer."""
