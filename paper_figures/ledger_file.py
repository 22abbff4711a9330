"""Where the ledger lies that figures and the report show: a file that ``qae verify`` has written."""

from __future__ import annotations

from pathlib import Path

from paper_figures.runs import Results, Run
from qae_theory.runs.files import read_json
from qae_theory.runs.stored import AGAIN

NAME = "ledger.json"
COMMAND = "qae verify --json results/ledger.json"
EXPERIMENT = "verify"


def ledger_file(root: Path) -> Path | None:
    """``ledger.json`` in the results folder, else that of the newest run of ``qae verify`` over all claims.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    if (root / NAME).is_file():
        return root / NAME
    runs = [run for run in Results(root).runs(EXPERIMENT) if run.config.get("claims") == "all"]
    found = [run.folder / NAME for run in sorted(runs, key=_finished) if (run.folder / NAME).is_file()]
    return found[-1] if found else None


def with_ledger(root: Path, ledger: Path | None = None) -> Results:
    """The results folder with this ledger, or with the one that is found."""
    path = ledger or ledger_file(root)
    return Results(root, {NAME: path} if path else None)


def _finished(run: Run) -> tuple[str, str]:
    provenance = read_json(run.folder / "provenance.json", again=AGAIN)
    return str(provenance.get("finished", "")), run.folder.name
