"""``qae cluster``: plan, check, launch and collect runs of verl. Each subcommand is in a module of its own."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    cluster = typer.Typer(help="Plan, check, launch and collect full-scale runs with verl.", no_args_is_help=True)
    app.add_typer(cluster, name="cluster")
