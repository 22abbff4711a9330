"""The ledger as a matrix: claim x update x verdict.

A claim about one update has a cell in that update's column; one that is about no update in particular has a bar across
all columns. Claims whose ids differ only in the update's name share a row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory.claims.ledger import read_catalogue
from qae_theory.claims.model import Verdict
from qae_theory.runs.stored import MissingError

TITLE = "The ledger: what is proved, what is refuted, and for which update"
SHAPE = (1, 2)
SIZE = (4.9, 6.2)
FILE = "ledger.json"
COMMAND = "qae verify --json results/ledger.json"

UPDATES = ("uncentred", "policy_gradient", "natural_gradient", "sampled_group")
OTHER = "Other"

# Filled in blue what stands, in orange what does not; words and marks say the same without colour.
FACES: Mapping[Verdict, Mapping[str, Any]] = {
    Verdict.PROVED: {"facecolor": "#0072B2", "edgecolor": "#0072B2"},
    Verdict.UNDER_ASSUMPTION: {"facecolor": "#B9DDF3", "edgecolor": "#0072B2"},
    Verdict.SUPPORTED: {"facecolor": "#D9EDF8", "edgecolor": "#0072B2"},
    Verdict.REFUTED: {"facecolor": "#F5B041", "edgecolor": "black"},
    Verdict.ABSENT: {"facecolor": "#FDF0DA", "edgecolor": "#B26B00"},
    Verdict.OPPOSITE: {"facecolor": "#F8D7C9", "edgecolor": "#B23A00"},
    Verdict.UNDECIDED: {"facecolor": "white", "edgecolor": "#B26B00"},
    Verdict.NOT_RUN: {"facecolor": "white", "edgecolor": "0.6", "linestyle": ":"},
}
WORDS: Mapping[Verdict, str] = {
    Verdict.PROVED: "✓ proved",
    Verdict.UNDER_ASSUMPTION: "✓ holds if …",
    Verdict.SUPPORTED: "✓ supported",
    Verdict.REFUTED: "✗ refuted",
    Verdict.ABSENT: "– absent",
    Verdict.OPPOSITE: "↓ opposite",
    Verdict.UNDECIDED: "? undecided",
    Verdict.NOT_RUN: "not run",
}


class Row(NamedTuple):
    """A line of the matrix: its label, and verdicts by column; column None is all of them."""

    label: str
    verdicts: dict[str | None, Verdict]


def panel(theory: bool, title: str, results: Results) -> Panel:
    """The claims of the paper's theory, or all the others."""
    path = results.file(FILE, command=COMMAND)
    records = [one for one in read_ledger(path) if _of_theory(one["id"]) == theory]
    sections = in_sections(records)
    counts = Counter(Verdict(one["verdict"]) for one in records)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return Panel(
        f"{title}: {len(records)} claims",
        f"{title[0].upper()}{title[1:]}, {len(records)} claims: {said}; {_by_update(records)}.",
        partial(_draw, sections=sections),
        files=(path,),
    )


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """The records of a ledger file.

    Raises:
        MissingError: it cannot be read as a ledger.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return [{**one, "verdict": Verdict(one["verdict"]), "update": str(one["update"])} for one in records]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingError(f"{path} is no ledger: {error!r}; make it again: {COMMAND}") from None


def in_sections(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """Rows by the catalogue's sections, in the order of the records."""
    found: dict[str, dict[str, Row]] = {}
    for one in records:
        column = one["update"] if one["update"] in UPDATES else None
        label = family(one["id"], column)
        rows = found.setdefault(_section(one["id"]), {})
        rows.setdefault(label, Row(label, {})).verdicts[column] = one["verdict"]
    return {section: list(rows.values()) for section, rows in found.items()}


def family(claim: str, update: str | None) -> str:
    """The id with a star for the update's name.

    >>> family("prop42-natural-gradient-strict", "natural_gradient"), family("safe-step", "uncentred")
    ('prop42-*-strict', 'safe-step')
    """
    name = (update or "").replace("_", "-")
    return f"-{claim}-".replace(f"-{name}-", "-*-").strip("-") if name else claim


def _section(claim: str) -> str:
    return {one.id: one.section for one in read_catalogue()}.get(claim, OTHER)


def _of_theory(claim: str) -> bool:
    """Whether the claim is in one of the sections that the paper's theory has."""
    return _section(claim) in ("Quantile and gate", "Objective", "One-step entropy change")


def _by_update(records: Sequence[Mapping[str, Any]]) -> str:
    """Verdicts of the claims about one update, or that there are none."""
    parts = []
    for update in UPDATES:
        counts = Counter(one["verdict"] for one in records if one["update"] == update)
        if counts:
            listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
            parts.append(f"of {update.replace('_', ' ')} {listed}")
    return "; ".join(parts) or "none about one update only"


def _draw(axes: Any, *, sections: Mapping[str, Sequence[Row]]) -> None:
    y = 0.0
    labels: dict[float, str] = {}
    for section, rows in sections.items():
        axes.text(-0.03, y, section, transform=axes.get_yaxis_transform(), fontsize=7, weight="bold", ha="right")
        y += 1
        for row in rows:
            labels[y] = row.label
            for column, verdict in row.verdicts.items():
                _cell(axes, y, row.label, column, verdict)
            y += 1
        y += 0.4
    axes.set(xlim=(0, len(UPDATES)), ylim=(y - 0.4, -1), yticks=list(labels))
    for text in axes.set_yticklabels(labels.values(), fontsize=6.5):
        text.set_weight("bold" if text.get_text().endswith("*") else "normal")
    axes.set_xticks([i + 0.5 for i in range(len(UPDATES))], [name.replace("_", "\n") for name in UPDATES], fontsize=6.5)
    axes.tick_params(length=0, bottom=False, top=False, labeltop=True, labelbottom=False)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _cell(axes: Any, y: float, label: str, column: str | None, verdict: Verdict) -> None:
    from matplotlib.patches import Rectangle

    left, width = (0, len(UPDATES)) if column is None else (UPDATES.index(column), 1)
    gap = 0.04
    corner = (left + gap, y - 0.4)
    axes.add_patch(
        Rectangle(corner, width - 2 * gap, 0.8, linewidth=0.7, label=f"{label}: {verdict}", **FACES[verdict])
    )
    axes.text(
        left + width / 2,
        y,
        WORDS[verdict],
        fontsize=5.8,
        ha="center",
        va="center_baseline",
        color="white" if verdict is Verdict.PROVED else "black",
        weight="bold" if verdict in (Verdict.PROVED, Verdict.REFUTED) else "normal",
    )


PANELS = (
    ("the paper's theory", partial(panel, True, "the paper's theory")),
    ("new results, experiments", partial(panel, False, "new results, experiments")),
)
