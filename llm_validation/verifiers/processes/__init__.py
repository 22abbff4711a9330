"""Processes that may hang, die or be killed: a pool of them, the wall around each, and what only they do."""
