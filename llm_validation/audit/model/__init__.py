"""Hold the logs of a run: responses and their groups, metrics by step, settings. Readers fill it."""
