"""Show the ledger: how many claims of each topic have which verdict, by condition too, and the claims about one update.

A claim about one update has a cell in that update's column. Claims whose ids differ only in the update's name share a
row. Ids of other claims would be more than a page can show: the report and the site list them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from paper_figures.colours import VERDICTS
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory.claims.ledger import read_catalogue
from qae_theory.claims.model import Claim, Verdict
from qae_theory.runs.stored import MissingError

TITLE = "The ledger: what is proved, what is refuted, and for which update"
SHAPE = (1, 3)
SIZE = (4.6, 5.2)
FILE = "ledger.json"
COMMAND = "qae verify --json results/ledger.json"

UPDATES = ("uncentred", "policy_gradient", "natural_gradient", "sampled_group")
OTHER = "Other"
LETTERS = 44  # of a line beside the bars
ROOM = 1.7  # the axis is longer than the longest bar, for the legend
LEAST_WRITTEN = 0.035  # of the longest bar: a shorter piece has no room for its number

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
    """A row of the matrix: its label, and verdicts by update."""

    label: str
    verdicts: dict[str, Verdict]


def counted(by_condition: bool, title: str, results: Results) -> Panel:
    """Return the panel with the number of claims by topic and verdict, or of lines by condition by their question."""
    path = results.file(FILE, command=COMMAND)
    records = [record for record in read_ledger(path) if bool(record.get("condition")) == by_condition]
    if not records:
        raise MissingError(f"{path.name} has no {title}; make it again: {COMMAND}")
    groups: dict[str, list[Verdict]] = {}
    for record in records:
        name = str(record.get("family")) if by_condition else _section(record["id"])
        groups.setdefault(name, []).append(record["verdict"])
    return Panel(
        title=f"{len(records)} {title}",
        caption=f"{len(records)} {title}: {_counts(records)}.",
        draw=partial(_draw_counts, groups=groups, of="lines" if by_condition else "claims"),
        files=(path,),
    )


def by_update(results: Results) -> Panel:
    """Return the panel with the claims about one of the four updates."""
    path = results.file(FILE, command=COMMAND)
    records = [record for record in read_ledger(path) if record["update"] in UPDATES and not record.get("condition")]
    return Panel(
        title=f"{len(records)} claims about one update",
        caption=f"{len(records)} claims are about one update: {_by_update(records)}.",
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
    """Return the rows of the matrix by the catalogue's sections, in the order of the records.

    Args:
        records: of claims about one update each.
    """
    sections: dict[str, dict[str, Row]] = {}
    for record in records:
        label = family(record["id"], record["update"])
        by_label = sections.setdefault(_section(record["id"]), {})
        by_label.setdefault(label, Row(label, {})).verdicts[record["update"]] = record["verdict"]
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
    known = _catalogue().get(claim)
    return OTHER if known is None else known.section


@cache  # the catalogue takes a while to read, and a ledger has hundreds of claims
def _catalogue() -> dict[str, Claim]:
    """Return the catalogue's claims by their ids."""
    return {known.id: known for known in read_catalogue()}


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


def _draw_counts(axes: Any, *, groups: Mapping[str, Sequence[Verdict]], of: str) -> None:
    """Draw a bar for each group, in pieces by verdict, each with its number where it has room."""
    longest = max(map(len, groups.values()))
    for row, verdicts in enumerate(groups.values()):
        left = 0
        for verdict, number in sorted(Counter(verdicts).items(), key=lambda pair: list(Verdict).index(pair[0])):
            axes.barh(row, number, left=left, height=0.72, label=verdict.value, **_face(verdict))
            if number >= LEAST_WRITTEN * longest:
                axes.text(left + number / 2, row, str(number), fontsize=6.5, ha="center", va="center", **_ink(verdict))
            left += number
    axes.set_yticks(range(len(groups)), [_label(name) for name in groups], fontsize=6)
    axes.set(xlim=(0, ROOM * longest), ylim=(len(groups) - 0.4, -0.6), xlabel=f"number of {of}")
    axes.grid(visible=False, axis="y")
    handles, labels = axes.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    shown = [verdict.value for verdict in Verdict if verdict.value in by_label]
    axes.legend([by_label[name] for name in shown], shown, loc="upper right", fontsize=6.5)


def _label(name: str) -> str:
    """Return the name of a section, or the statement of a family, on lines that fit beside the axes."""
    known = _catalogue().get(name)
    return fill(name if known is None else known.title, LETTERS, break_on_hyphens=False)


def _face(verdict: Verdict) -> dict[str, Any]:
    """Return how a cell or a piece of a verdict is filled; what was not run is empty."""
    edge = "0.55" if verdict is Verdict.NOT_RUN else VERDICTS[verdict.value]
    return {"facecolor": VERDICTS[verdict.value], "edgecolor": edge, "linewidth": 0.6}


def _ink(verdict: Verdict) -> dict[str, str]:
    return {"color": "black" if verdict in (Verdict.NOT_RUN, Verdict.UNDECIDED) else "white"}


def _draw(axes: Any, *, sections: Mapping[str, Sequence[Row]]) -> None:
    """Draw the sections one below the other, each with its heading and its rows."""
    y = 0.0
    labels: dict[float, str] = {}
    for section, of_section in sections.items():
        axes.text(-0.03, y, section, transform=axes.get_yaxis_transform(), fontsize=7, weight="bold", ha="right")
        y += 1
        for row in of_section:
            labels[y] = row.label
            for update, verdict in row.verdicts.items():
                _draw_cell(axes, y, row.label, column=UPDATES.index(update), verdict=verdict)
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


def _draw_cell(axes: Any, y: float, label: str, *, column: int, verdict: Verdict) -> None:
    """Draw a verdict in its column, in words too."""
    from matplotlib.patches import Rectangle

    gap = 0.03
    corner = (column + gap, y - 0.42)
    axes.add_patch(Rectangle(corner, 1 - 2 * gap, 0.84, label=f"{label}: {verdict.value}", **_face(verdict)))
    middle = (column + 0.5, y)
    axes.text(*middle, TEXTS_OF[verdict], fontsize=6, ha="center", va="center_baseline", **_ink(verdict))


PANELS = (
    ("claims by topic", partial(counted, False, "claims by topic")),
    ("lines by condition", partial(counted, True, "lines by condition")),
    ("claims about one update", by_update),
)
