"""``qae cluster``: the group of commands that plan, check, launch and collect runs of verl.

Each subcommand has a module of its own.
"""

from __future__ import annotations

from importlib import import_module

import typer

SUBCOMMANDS = ("plan", "data", "check", "launch", "collect")  # in the order in which they are used


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    cluster = typer.Typer(help="Plan, check, launch and collect full-scale runs with verl.", no_args_is_help=True)
    for name in SUBCOMMANDS:
        import_module(f"llm_validation.cluster.commands.{name}").register(cluster)
    app.add_typer(cluster, name="cluster")
