"""Define ``qae figures``, which makes every figure and table again from stored results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from qae_theory.commands.ending import FAILED, WRONG_USAGE, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import fitted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("figures", epilog="Examples: qae figures | qae figures figure_4 table_2 --out pictures")(figures)


def figures(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME ...]", help="Figures; all if none.")] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Results folder; $QAE_RESULTS or results.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to; <results>/figures.")] = None,
) -> None:
    """Draw PDF and PNG files with captions; a panel without data says which command makes them.

    Only what changed is drawn again. Exit status: 0; 1 when a file could not be read or written; 2 for wrong usage.
    """
    from paper_figures.catalogue import NAMES, figure
    from paper_figures.drawing import draw
    from paper_figures.ledger_file import with_ledger
    from qae_theory.runs.folders import results_folder

    root = results if results is not None else results_folder()
    folder = out if out is not None else root / "figures"
    try:
        wanted = [figure(name) for name in names or NAMES]
    except ValueError as error:
        fail("figures", str(error), WRONG_USAGE)
    require_folder("figures", folder)
    try:
        for drawn, entry, fresh in draw(wanted, with_ledger(root), folder):
            # A figure is drawn even if panels have no data, and the user should know which command would fill them.
            missing = [panel for panel in entry["panels"] if panel["missing"]]
            typer.echo(f"{drawn.name}: {'drawn' if fresh else 'unchanged'}, {folder / drawn.name}.pdf")
            for panel in missing:
                typer.echo(fitted(f"  no data for {panel['title']!r}: ", panel["missing"], sys.stdout))
    except (OSError, ValueError) as error:
        fail("figures", str(error), FAILED)
