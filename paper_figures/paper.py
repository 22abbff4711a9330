"""What the paper itself prints: its numbers, and how they are drawn, as reference marks that nobody takes for ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qae_theory.paper import paper_facts
from qae_theory.runs.stored import MissingError

GREY = "0.35"


class Mark(NamedTuple):
    """A number of the paper: what it says, and how it is drawn."""

    text: str
    draw: Callable[[Any], None]


def default_k() -> str:
    """The paper's K."""
    return f"{paper_facts()['training']['k_default']:g}"


def table_1() -> dict[str, float]:
    """AIME24 accuracy in per cent by epsilon_high."""
    stated = paper_facts()["table_1_dapo_epsilon_high"]
    return {level: float(value) for level, value in stated.items() if level != "metric"}


def table_2() -> dict[tuple[str, str], dict[str, float]]:
    """Per cent by column, ``"AIME24 pass@1"`` for example, of each model and method."""
    table = paper_facts()["table_2"]
    return {(row[0], row[1]): dict(zip(table["columns"], row[2:], strict=True)) for row in table["rows"]}


def spike() -> tuple[int, int]:
    """First and last step of the entropy spike of DAPO in Figure 1."""
    first, last = _numbers(r"steps (\d+)-(\d+)", paper_facts()["figures"]["1"])
    return first, last


def zero_share() -> float:
    """Share of advantages that Figure 5 has as zero, about."""
    return _numbers(r"about (\d+)% zero", paper_facts()["figures"]["5"])[0] / 100


def level(value: float, text: str, *, shown: bool = True, left: bool = False) -> Mark:
    """A line across the panel at a value of the y axis, with the value on it at its right end, or its ``left``.

    ``shown`` in the legend, or not.
    """
    said = f"paper: {text}"

    def draw(axes: Any) -> None:
        label = said if shown else None
        axes.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (1, 1.5)), marker="", label=label)
        axes.annotate(
            f"{value:g}",
            (0 if left else 1, value),
            xycoords=("axes fraction", "data"),
            xytext=(2 if left else -2, 1.5),
            textcoords="offset points",
            ha="left" if left else "right",
            fontsize=6,
            color=GREY,
        )

    return Mark(said, draw)


def steps(first: float, last: float, text: str) -> Mark:
    """A grey span of the x axis, as high as what was drawn before it."""
    said = f"paper: {text}"

    def draw(axes: Any) -> None:
        axes.set_ylim(axes.get_ylim())
        low, high = axes.get_ylim()
        axes.fill_between(
            [first, last], low, high, facecolor="0.88", edgecolor="0.6", hatch="...", linewidth=0, zorder=0, label=said
        )

    return Mark(said, draw)


def words(text: str) -> Mark:
    """Something that has no place on these axes: an entry of the legend without a line."""
    said = f"paper: {text}"

    def draw(axes: Any) -> None:
        axes.plot([], [], color=GREY, linestyle="", marker="", label=said)

    return Mark(said, draw)


def draw_marks(axes: Any, marks: Sequence[Mark]) -> None:
    """All of them."""
    for mark in marks:
        mark.draw(axes)


def marks_said(marks: Sequence[Mark]) -> str:
    """A sentence for the caption; nothing without marks."""
    return f" Reference marks: {'; '.join(mark.text for mark in marks)}." if marks else ""


def _numbers(pattern: str, text: str) -> tuple[int, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise MissingError(f"qae_theory/paper/facts.toml does not say {pattern!r}: {text!r}")
    return tuple(map(int, match.groups()))
