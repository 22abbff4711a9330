"""Hold what several experiments need: training conditions, types of fields, counts as shares, recorded curves."""
