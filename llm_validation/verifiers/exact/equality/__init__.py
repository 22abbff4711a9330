"""Decisions about two expressions: the same value, or which is larger; exact, or left undecided."""
