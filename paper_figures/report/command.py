"""Define ``qae report``, which writes ledger, figures, limits and commands to one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qae_theory.commands.ending import FAILED, WRONG_USAGE, complain, fail
from qae_theory.commands.places import require_folder
from qae_theory.runs.checkout import applicable


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = applicable("Examples: qae report | qae report --ledger docs/ledger.json --out build")
    app.command("report", epilog=examples)(report)


def report(
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Results folder; $QAE_RESULTS or results.")
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", metavar="FILE", help="<results>/ledger.json, or the newest run of qae verify."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; the results folder if not given.")
    ] = None,
) -> None:
    """Write report.html, which is self-contained, and report.md with the folder figures beside it.

    Figures are drawn where something has changed. Exit status: 0; 1 when a run could not be read or a file not be
    written; 2 for wrong usage, no ledger included.
    """
    from paper_figures.catalogue import NAMES
    from paper_figures.ledger_file import COMMAND, ledger_file
    from paper_figures.report import markdown, page
    from paper_figures.report.content import gather
    from paper_figures.report.entries import read_ledger
    from qae_theory.runs.files import write_atomically
    from qae_theory.runs.folders import results_folder

    root = results if results is not None else results_folder()
    folder = out if out is not None else root
    require_folder("report", folder)
    try:
        # A report without a ledger would have nothing to say, so that its absence is wrong usage.
        ledger_path = ledger or ledger_file(root)
        if ledger_path is None:
            fail(
                "report",
                f"no ledger in {root}; make one: {COMMAND}, or name one: --ledger docs/ledger.json",
                WRONG_USAGE,
            )
        records = read_ledger(ledger_path)
    except ValueError as error:
        fail("report", str(error), WRONG_USAGE)
    try:
        content = gather(root, ledger_path, records, out=folder / markdown.FIGURES, names=NAMES)
        text, fallbacks = page.render(content)
        write_atomically(folder / "report.md", markdown.render(content))
        write_atomically(folder / "report.html", text)
    except (OSError, ValueError) as error:
        fail("report", str(error), FAILED)
    # A formula that has no MathML stands on the page as it was typed, which whoever runs this should know.
    for latex in fallbacks:
        complain("report", f"formula shown as LaTeX: {latex}")
    for name in ("report.html", "report.md"):
        typer.echo(f"wrote {folder / name}")
