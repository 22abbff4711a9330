"""From the text of an answer to tokens: characters of Unicode, LaTeX, numerals, styling. Nothing here is evaluated."""
