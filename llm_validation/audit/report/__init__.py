"""Write an audit: on a terminal, as JSON (a contract), HTML and Markdown."""
