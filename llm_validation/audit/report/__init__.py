"""How an audit is told: on a terminal, as JSON (a contract), HTML and Markdown."""
