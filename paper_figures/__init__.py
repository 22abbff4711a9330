"""The paper's figures and tables, and pictures of this project's own: a module each, drawn from result files."""
