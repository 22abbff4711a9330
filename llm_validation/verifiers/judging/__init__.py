"""The decision about one response, and what may come of it. There are no processes here."""
