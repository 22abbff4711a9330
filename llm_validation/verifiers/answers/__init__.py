"""What an answer may be, and how one is read from tokens: one module a kind."""
