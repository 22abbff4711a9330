"""Hold the checks that need sums over the tokens of each response."""
