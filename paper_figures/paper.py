"""What the paper itself prints: its numbers, and how they are drawn as reference marks that nobody takes for ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qae_theory.paper import paper_facts
from qae_theory.runs.stored import MissingError

GREY = "0.35"


class Mark(NamedTuple):
    """A number of the paper: the text that names it, and how it is drawn."""

    text: str
    draw: Callable[[Any], None]


def default_k() -> str:
    """Return the paper's K as text."""
    return f"{paper_facts()['training']['k_default']:g}"


def table_1() -> dict[str, float]:
    """Return Table 1: AIME24 accuracy in per cent by epsilon_high."""
    stated = paper_facts()["table_1_dapo_epsilon_high"]
    return {level: float(value) for level, value in stated.items() if level != "metric"}


def table_2() -> dict[tuple[str, str], dict[str, float]]:
    """Return Table 2: per cent by column, ``"AIME24 pass@1"`` for example, of each model and method."""
    table = paper_facts()["table_2"]
    stated = {}
    for model, method, *values in table["rows"]:
        stated[model, method] = dict(zip(table["columns"], values, strict=True))
    return stated


def spike() -> tuple[int, int]:
    """Return the first and the last step of DAPO's entropy spike in Figure 1."""
    first, last = _numbers(r"steps (\d+)-(\d+)", paper_facts()["figures"]["1"])
    return first, last


def zero_share() -> float:
    """Return the share of advantages that is zero in Figure 5, which the paper gives roughly."""
    return _numbers(r"about (\d+)% zero", paper_facts()["figures"]["5"])[0] / 100


def level(value: float, text: str, *, shown: bool = True, left: bool = False) -> Mark:
    """Return a line across the panel at a value of the y axis, with the value written on it.

    Args:
        value: where the line is drawn.
        text: what it is.
        shown: whether the legend has it.
        left: whether the value is written at the left end of the line, not at its right end.
    """
    name = f"paper: {text}"

    def draw(axes: Any) -> None:
        label = name if shown else None
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

    return Mark(name, draw)


def steps(first: float, last: float, text: str) -> Mark:
    """Return a grey span of the x axis, as high as what was drawn before it.

    Args:
        first: where the span begins.
        last: where it ends.
        text: what it is.
    """
    name = f"paper: {text}"

    def draw(axes: Any) -> None:
        # Setting the limits to what they are keeps the span from widening them.
        axes.set_ylim(axes.get_ylim())
        low, high = axes.get_ylim()
        axes.fill_between(
            [first, last], low, high, facecolor="0.88", edgecolor="0.6", hatch="...", linewidth=0, zorder=0, label=name
        )

    return Mark(name, draw)


def remark(text: str) -> Mark:
    """Return a mark that only the caption has, for something that has no place on these axes."""

    def draw(axes: Any) -> None:
        del axes

    return Mark(f"paper: {text}", draw)


def draw_marks(axes: Any, marks: Sequence[Mark]) -> None:
    """Draw all marks on the axes."""
    for mark in marks:
        mark.draw(axes)


def marks_text(marks: Sequence[Mark]) -> str:
    """Return a sentence for the caption that names the marks; nothing without marks."""
    return f" Reference marks: {'; '.join(mark.text for mark in marks)}." if marks else ""


def _numbers(pattern: str, text: str) -> tuple[int, ...]:
    """Return the numbers that a pattern finds in a sentence of the paper's facts.

    Raises:
        MissingError: the sentence has no such numbers.
    """
    match = re.search(pattern, text)
    if match is None:
        raise MissingError(f"qae_theory/paper/facts.toml does not say {pattern!r}: {text!r}")
    return tuple(map(int, match.groups()))
