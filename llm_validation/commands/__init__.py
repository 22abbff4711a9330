"""The subcommands of ``qae`` that train, probe and evaluate. Each module is cheap to import: torch loads inside."""
