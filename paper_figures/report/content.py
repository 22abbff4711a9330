"""Gather what the report shows, before it is laid out: from the ledger file, the figures and the runs behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from paper_figures.ledger_file import with_ledger
from paper_figures.report.commands import Made, of_runs
from paper_figures.report.entries import LedgerLine, ledger_lines
from paper_figures.report.limits import Limit, limits
from paper_figures.report.pictures import Picture, draw_all
from qae_theory.claims.ledger import Ledger, load_ledger, read_catalogue
from qae_theory.claims.model import Entry
from qae_theory.commands.ending import complain

TITLE = "Quantile Advantage Estimation: what is proved, what is refuted, what was measured"
WHAT_IT_IS = (
    "Quantile Advantage Estimation (QAE, arXiv 2509.22611) replaces the group mean of GRPO and DAPO by the group's "
    "K-quantile, to keep entropy in check.",
    "This page says, claim by claim, what of that is proved, what holds only under an assumption, what is refuted, and "
    "what nobody has run here; then it shows the paper's figures and tables again.",
    "Verdicts, captions and numbers are read from result files, and each line names the command that makes it again.",
)
SET_UP = (
    ("make verify", "every claim with its verdict"),
    ("make simulate", "every experiment of the simulators; the small sizes with `ARGS=--quick`"),
    ("make validate", "the study on a small Qwen3; the small size with `ARGS=--quick`"),
    ("qae verify --json results/ledger.json", "the ledger, with what the results allow"),
    ("qae figures", "every figure and table"),
    ("qae report", "this page"),
    ("qae cluster plan", "the full-scale runs, and what each needs"),
)


Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Content:
    """All that the report shows.

    ``ledger`` is the name of the ledger's file and the start of its SHA-256. ``made`` are the runs behind the figures,
    by the command that made them.
    """

    ledger_lines: Sequence[LedgerLine]
    pictures: Sequence[Picture]
    limits: Sequence[Limit]
    made: Sequence[Made]
    ledger: str

    @property
    def entries(self) -> list[Entry]:
        """Return the ledger's entries."""
        return [line.entry for line in self.ledger_lines]

    def commands_for(self, picture: Picture) -> list[str]:
        """Return the commands that made the runs behind a figure, and the one that draws it."""
        commands: dict[str, None] = {}  # a set that keeps the order
        for made in self.made:
            if any(run.id in picture.sources for run in made.runs):
                commands[made.command] = None
        return [*commands, f"qae figures {picture.name}"]


def gather(root: Path, ledger: Path, records: Records, *, out: Path, names: Sequence[str]) -> Content:
    """Draw the figures where something has changed, and collect what is said about them and about the claims.

    Args:
        root: the results folder.
        ledger: the ledger's file.
        records: the records in that file.
        out: the folder for the figures.
        names: of the figures.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
        OSError: something cannot be read or written.
    """
    lines = ledger_lines(records, registered())
    results = with_ledger(root, ledger)
    pictures = draw_all(results, out, names)
    return Content(
        ledger_lines=lines,
        pictures=pictures,
        limits=limits(lines, pictures),
        made=of_runs(results, chain.from_iterable(picture.sources for picture in pictures)),
        # The hash tells two reports apart whose ledgers have the same name.
        ledger=f"{ledger.name}, SHA-256 {hashlib.sha256(ledger.read_bytes()).hexdigest()[:12]}",
    )


def registered() -> Ledger:
    """Return the claims with the evidence of every installed package, or without any where a package's code fails."""
    try:
        return load_ledger()
    except Exception as error:  # a provider's import may raise anything; only the texts of steps are lost by it
        complain("report", f"steps are not shown, evidence could not be loaded: {type(error).__name__}: {error}")
        return Ledger(read_catalogue())
