"""Find the ledger that figures and the report show: a file that ``qae verify`` has written."""

from __future__ import annotations

from pathlib import Path

from paper_figures.runs import Results, Run
from qae_theory.runs.files import read_json
from qae_theory.runs.stored import AGAIN

NAME = "ledger.json"
COMMAND = "qae verify --json results/ledger.json"
EXPERIMENT = "verify"


def ledger_file(root: Path) -> Path | None:
    """Return ``ledger.json`` in the results folder, or that of the newest run of ``qae verify`` over all claims.

    Returns:
        The path, or None where there is no ledger.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    if (root / NAME).is_file():
        return root / NAME
    # A run over some claims only is no ledger.
    runs = [run for run in Results(root).runs(EXPERIMENT) if run.config.get("claims") == "all"]
    files = [run.folder / NAME for run in sorted(runs, key=_finished)]
    existing = [path for path in files if path.is_file()]
    return existing[-1] if existing else None


def with_ledger(root: Path, ledger: Path | None = None) -> Results:
    """Return the results folder with this ledger, or with the one that :func:`ledger_file` finds."""
    path = ledger or ledger_file(root)
    return Results(root, {NAME: path} if path else None)


def _finished(run: Run) -> tuple[str, str]:
    """Return when a run finished, and its id, so that runs of the same second have an order too."""
    provenance = read_json(run.folder / "provenance.json", again=AGAIN)
    return str(provenance.get("finished", "")), run.folder.name
