"""Guaranteed bounds held against ball arithmetic; `python -m tests.qae_theory.enclosure` is the long run."""
