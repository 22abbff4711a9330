"""Show the ledger as a matrix of claim, update and verdict.

A claim about one update has a cell in that update's column. A claim about no update in particular has a bar across all
columns. Claims whose ids differ only in the update's name share a row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
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

# What stands is filled in blue and what does not in orange; texts and marks say the same without colour.
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
TEXTS_OF: Mapping[Verdict, str] = {
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
    """A row of the matrix: its label, and verdicts by column; the column None stands for all of them."""

    label: str
    verdicts: dict[str | None, Verdict]


def panel(theory: bool, title: str, results: Results) -> Panel:
    """Return the panel with the claims of the paper's theory, or with all the others."""
    path = results.file(FILE, command=COMMAND)
    records = [record for record in read_ledger(path) if _of_theory(record["id"]) == theory]
    return Panel(
        title=f"{title}: {len(records)} claims",
        caption=f"{title[0].upper()}{title[1:]}, {len(records)} claims: {_counts(records)}; {_by_update(records)}.",
        draw=partial(_draw, sections=in_sections(records)),
        files=(path,),
    )


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ledger file.

    Raises:
        MissingError: it cannot be read as a ledger; the message names the command that makes one.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        checked = []
        for record in records:
            checked.append({**record, "verdict": Verdict(record["verdict"]), "update": str(record["update"])})
        return checked
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingError(f"{path} is no ledger: {error!r}; make it again: {COMMAND}") from None


def in_sections(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """Return the rows of the matrix by the catalogue's sections, in the order of the records."""
    sections: dict[str, dict[str, Row]] = {}
    for record in records:
        # Claims about all updates, or about none of these, get the bar across all columns.
        column = record["update"] if record["update"] in UPDATES else None
        label = family(record["id"], column)
        by_label = sections.setdefault(_section(record["id"]), {})
        by_label.setdefault(label, Row(label, {})).verdicts[column] = record["verdict"]
    return {section: list(by_label.values()) for section, by_label in sections.items()}


def family(claim: str, update: str | None) -> str:
    """Return the claim's id with a star in place of the update's name at its end.

    >>> family("prop42-natural-gradient-strict", "natural_gradient"), family("safe-step", "uncentred")
    ('prop42-*-strict', 'safe-step')
    """
    name = (update or "").replace("_", "-")
    return f"-{claim}-".replace(f"-{name}-", "-*-").strip("-") if name else claim


def _section(claim: str) -> str:
    """Return the catalogue's section of a claim; a claim that the catalogue lacks is in a section of its own."""
    return _sections().get(claim, OTHER)


@cache  # the catalogue takes a quarter of a second to read, and a ledger has hundreds of claims
def _sections() -> dict[str, str]:
    """Return the catalogue's section of each claim."""
    return {known.id: known.section for known in read_catalogue()}


def _of_theory(claim: str) -> bool:
    """Return whether the claim is in one of the sections that the paper's theory has."""
    return _section(claim) in ("Quantile and gate", "Objective", "One-step entropy change")


def _counts(records: Iterable[Mapping[str, Any]]) -> str:
    """Return how many claims have each verdict, such as ``3 proved, 1 refuted``."""
    counts = Counter(record["verdict"] for record in records)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


def _by_update(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the verdicts of the claims about one update, or that there are none."""
    parts = []
    for update in UPDATES:
        counts = _counts(record for record in records if record["update"] == update)
        if counts:
            parts.append(f"of {update.replace('_', ' ')} {counts}")
    return "; ".join(parts) or "none about one update only"


def _draw(axes: Any, *, sections: Mapping[str, Sequence[Row]]) -> None:
    """Draw the sections one below the other, each with its heading and its rows."""
    y = 0.0
    labels: dict[float, str] = {}
    for section, of_section in sections.items():
        axes.text(-0.03, y, section, transform=axes.get_yaxis_transform(), fontsize=7, weight="bold", ha="right")
        y += 1
        for row in of_section:
            labels[y] = row.label
            for column, verdict in row.verdicts.items():
                _draw_cell(axes, y, row.label, column=column, verdict=verdict)
            y += 1
        y += 0.4
    # The axis points down, in the order in which the lines are read.
    axes.set(xlim=(0, len(UPDATES)), ylim=(y - 0.4, -1), yticks=list(labels))
    for text in axes.set_yticklabels(labels.values(), fontsize=6.5):
        text.set_weight("bold" if text.get_text().endswith("*") else "normal")
    axes.set_xticks([i + 0.5 for i in range(len(UPDATES))], [name.replace("_", "\n") for name in UPDATES], fontsize=6.5)
    axes.tick_params(length=0, bottom=False, top=False, labeltop=True, labelbottom=False)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_cell(axes: Any, y: float, label: str, *, column: str | None, verdict: Verdict) -> None:
    """Draw a verdict in its column, or across all columns."""
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
        TEXTS_OF[verdict],
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
