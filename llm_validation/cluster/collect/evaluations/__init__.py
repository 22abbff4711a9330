"""Evaluate a run, pass@k by benchmark and step, from validation dumps, logged means, or ``qae evaluate``."""
