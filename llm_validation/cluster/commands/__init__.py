"""``qae cluster`` and its subcommands, a module each; what they call stands in the folders beside this one."""
