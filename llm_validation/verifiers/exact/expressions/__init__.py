"""Expressions as trees, what a decision about them may cost, and their rigorous enclosures."""
