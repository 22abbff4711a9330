"""``qae evaluate``: pass@k of a model on a source of questions."""
