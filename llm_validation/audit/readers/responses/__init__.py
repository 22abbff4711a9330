"""Readers of responses: dumps of rollouts, completions, traces and score lists."""
