"""Give the ledger evidence about training engines, from the engines' own code."""
