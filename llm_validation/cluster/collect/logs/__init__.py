"""Logs of a run as they lie: lines, readers of each format, one record a step of all, and what the run was asked."""
