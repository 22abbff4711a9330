"""Open and parse what readers read: files and their beginnings, JSON lines, tokens, rows."""
