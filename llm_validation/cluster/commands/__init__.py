"""The subcommands of ``qae cluster``: they read arguments and print; what they call is in the sibling folders."""
