"""Statistics of the study, from its tables: the ladder of predictions, bounds, the chain rule, lines by condition."""
