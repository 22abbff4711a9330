"""Evidence for claims about engines, from the engines' own code."""
