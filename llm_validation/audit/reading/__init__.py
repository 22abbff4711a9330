"""What every reader of logs is made of: files found and opened, their beginnings, JSON lines, tokens, rows."""
