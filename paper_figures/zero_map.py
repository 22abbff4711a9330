"""Which share of QAE's advantages is zero: exactly, by K and difficulty; and over difficulties, in training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory._exact import Array
from qae_theory.group_expectation import binomial_mean, mixed_probability, outcome_advantages

TITLE = "Zero advantages under QAE: K against difficulty"
SHAPE = (1, 3)
SIZE = (3.7, 2.9)
GROUP = 16  # of the laboratory's experiments; the paper does not say its own
LEVELS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9")
SUCCESS = ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95")


def zero_shares(k: str, success: Array, group_size: int, *, mixed_only: bool = False) -> Array:
    """Expected share of a group's advantages that are zero, ``[...]``: binomial over the number of correct ones.

    With ``mixed_only`` over the groups that have both outcomes, which dynamic sampling keeps.
    """
    correct, wrong = outcome_advantages(group_size, "qae", k=k)
    m = np.arange(group_size + 1)
    zeros = (m * (correct == 0) + (group_size - m) * (wrong == 0)) / group_size
    if not mixed_only:
        return binomial_mean(success, zeros)
    zeros[[0, -1]] = 0  # all of a degenerate group's are zero, and it is not counted
    return binomial_mean(success, zeros) / mixed_probability(success, group_size)


def exact_map(mixed_only: bool, title: str, results: Results) -> Panel:
    """The expected share at every level and success probability."""
    del results
    p = np.array([float(one) for one in SUCCESS])
    shares = np.array([zero_shares(k, p, GROUP, mixed_only=mixed_only) for k in LEVELS])
    most, least = (np.unravel_index(place, shares.shape) for place in (shares.argmax(), shares.argmin()))
    said = " and ".join(
        f"{name} {shares[at]:.2f}, at K = {LEVELS[at[0]]} and p = {SUCCESS[at[1]]}"
        for name, at in (("at most", most), ("at least", least))
    )
    return Panel(
        f"{title}; line: p = 1 - K",
        f"Expected share of zeros, {title}, groups of {GROUP}: {said}; the black line is p = 1 - K, hard queries left "
        "of it.",
        partial(_draw_map, shares=shares),
    )


def _draw_map(axes: Any, *, shares: Array) -> None:
    texts = [[f"{share:.2f}".removeprefix("0") for share in row] for row in shares]
    draw_cells(axes, shares, texts, rows=LEVELS, columns=[one.removeprefix("0") for one in SUCCESS])
    draw_gate(axes)
    axes.set(xlabel="success probability p of the query", ylabel="quantile level K")


def draw_gate(axes: Any) -> None:
    """The line p = 1 - K on a map with these levels and probabilities."""
    across, up = gate_stairs()
    axes.plot(across, up, color="white", linewidth=3.5, linestyle="-", marker="")
    axes.plot(across, up, color="black", linewidth=1.5, linestyle="-", marker="", label="p = 1 - K")


def gate_stairs() -> tuple[list[float], list[float]]:
    """Corners of the border between the cells with p <= 1 - K, on its left, and the others."""
    hard = [sum(Fraction(p) <= 1 - Fraction(k) for p in SUCCESS) for k in LEVELS]
    across = [cell - 0.5 for count in hard for cell in (count, count)]
    up = [edge for row in range(len(LEVELS)) for edge in (row - 0.5, row + 0.5)]
    return across, up


def measured(results: Results) -> Panel:
    """Zeros of the whole batch at each K and distribution of difficulty: expected at the start, and in training."""
    run = results.run("sparsity", command="qae simulate sparsity")
    analysis = run.analysis
    rows = [row for row in analysis["table"] if row["reading"] == "all groups" and _is_number(row["k"])]
    expected = {(one["difficulty"], one["k"]): one["all groups"] for one in analysis["expected_start"]}
    names = list(dict.fromkeys(row["difficulty"] for row in rows))
    table = {name: [row for row in rows if row["difficulty"] == name] for name in names}
    low, high = analysis["band"]
    level = rows[0]["shares"][0]["level"]
    said = "; ".join(_said(name, table[name], expected) for name in names)
    return Panel(
        "over a batch, at the start and after training",
        f"Share of zeros over a batch by K ({level:.2%} intervals over {rows[0]['shares'][0]['draws']} seeds): {said}. "
        f"The band from {low} to {high} is what the paper calls {_about((low, high))}.",
        partial(_draw_measured, table=table, expected=expected, band=(low, high)),
        sources=(run,),
        stand_in="softmax bandits",
    )


def _about(band: tuple[float, float]) -> str:
    return f"about {sum(band) / 2:.0%}"


def _is_number(k: str) -> bool:
    try:
        Fraction(k)
    except ValueError:
        return False  # a rule without K, GRPO
    return True


def _said(name: str, rows: Sequence[Mapping[str, Any]], expected: Mapping[tuple[str, str], float]) -> str:
    first = [expected[name, row["k"]] for row in rows]
    last = [row["shares"][-1]["estimate"] for row in rows]
    return (
        f"{name} difficulty, expected from {min(first):.2f} to {max(first):.2f} at the start, measured from "
        f"{min(last):.2f} to {max(last):.2f} at step {rows[0]['steps'][-1]}"
    )


def _draw_measured(
    axes: Any,
    *,
    table: Mapping[str, Sequence[Mapping[str, Any]]],
    expected: Mapping[tuple[str, str], float],
    band: tuple[float, float],
) -> None:
    axes.axhspan(*band, color="0.9", label="the paper")
    first = sorted({float(row["k"]) for rows in table.values() for row in rows})[:2]
    axes.text(np.mean(first), np.mean(band), f"the paper:\n{_about(band)}", fontsize=6.5, ha="center", va="center")
    for number, (name, rows) in enumerate(table.items()):
        k = np.array([float(row["k"]) for row in rows])
        (line,) = axes.plot(k, [expected[name, row["k"]] for row in rows], marker="", label=f"{name}: expected")
        for place, shift, face in ((0, -1, None), (-1, 1, "white")):
            found = [row["shares"][place] for row in rows]
            middle = np.array([one["estimate"] for one in found])
            ends = np.array([[one["low"] for one in found], [one["high"] for one in found]]).clip(0, 1)
            axes.errorbar(
                k + 0.012 * shift,
                middle,
                np.abs(ends - middle),
                fmt="os^Dv"[number % 5],
                color=line.get_color(),
                markerfacecolor=face,
                label=f"{name}: step {rows[0]['steps'][place]}",
            )
    axes.set(xlabel="quantile level K", ylabel="share of zero advantages", ylim=(0, 1))
    found_labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    shown = {label: found_labels[label] for name in table for label in found_labels if label.startswith(f"{name}: ")}
    axes.legend(shown.values(), shown.keys(), ncols=len(table), loc="lower left", fontsize=6)


PANELS = (
    ("all groups; line: p = 1 - K", partial(exact_map, False, "all groups")),
    ("mixed groups only; line: p = 1 - K", partial(exact_map, True, "mixed groups only")),
    ("over a batch, at the start and after training", measured),
)
