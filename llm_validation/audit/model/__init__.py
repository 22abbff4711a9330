"""What the logs of a run are held in: responses and their groups, metrics by step, settings. Readers fill it."""
