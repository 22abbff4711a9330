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
from qae_theory.arrays import Array
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
    """Zeros of the whole batch, by distribution of difficulty: expected at the start, and in training."""
    run = results.run("sparsity", command="qae simulate sparsity")
    analysis = run.analysis
    found = {row["difficulty"]: row for row in analysis["table"] if _asked(row, analysis["k"])}
    expected: dict[str, list[float]] = {}
    for one in analysis["expected_start"]:
        expected.setdefault(one["difficulty"], []).append(one["all groups"])
    band = tuple(analysis["band"])
    one = next(iter(found.values()))
    share = one["shares"][0]
    said = "; ".join(
        f"{name} {_said(row['shares'][0])} and {_said(row['shares'][-1])}, expected at the start for other K too from "
        f"{min(expected[name]):.2f} to {max(expected[name]):.2f}"
        for name, row in found.items()
    )
    return Panel(
        f"over a batch, K = {analysis['k']}",
        f"Share of zeros over a batch at K = {analysis['k']}, at step {one['steps'][0]} and at step {one['steps'][-1]} "
        f"({100 * share['level']:.6g}% intervals over {share['draws']} seeds): {said}. The band from {band[0]} to "
        f"{band[1]} is what the paper calls {_about(band)}.",
        partial(_draw_measured, found=found, expected=expected, band=band),
        sources=(run,),
        stand_in="softmax bandits",
    )


def _asked(row: Mapping[str, Any], k: str) -> bool:
    return row["reading"] == "all groups" and row["k"] == k


def _about(band: tuple[float, ...]) -> str:
    return f"about {sum(band) / len(band):.0%}"


def _said(one: Mapping[str, float]) -> str:
    return f"{one['estimate']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


def _draw_measured(
    axes: Any,
    *,
    found: Mapping[str, Mapping[str, Any]],
    expected: Mapping[str, Sequence[float]],
    band: tuple[float, ...],
) -> None:
    axes.axvspan(band[0], band[-1], color="0.88", label="the paper")
    axes.text(sum(band) / len(band), -0.8, f"the paper:\n{_about(band)}", fontsize=6.5, ha="center", va="center")
    names = list(found)
    for row, name in enumerate(names):
        label = "expected at the start, any K" if row == 0 else None
        ends = [min(expected[name]), max(expected[name])]
        axes.plot(
            ends, [row, row], color="0.55", linewidth=5, marker="", linestyle="-", solid_capstyle="butt", label=label
        )
    for place, shift, face in ((0, -0.16, "#0072B2"), (-1, 0.16, "white")):
        shares = [row["shares"][place] for row in found.values()]
        middle, low, high = (np.array([one[end] for one in shares]) for end in ("estimate", "low", "high"))
        axes.errorbar(
            middle,
            np.arange(len(names)) + shift,
            xerr=np.abs(np.stack([low, high]).clip(0, 1) - middle),
            fmt="o" if place == 0 else "s",
            color="#0072B2" if place == 0 else "#D55E00",
            markerfacecolor=face,
            label=f"measured, step {next(iter(found.values()))['steps'][place]}",
        )
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelsize=6.5)
    axes.set(xlabel="share of zero advantages", xlim=(0, 1), ylim=(len(names) - 0.4, -1.25))
    axes.grid(visible=False, axis="y")
    handles, labels = axes.get_legend_handles_labels()
    shown = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label != "the paper"]
    axes.legend(*zip(*shown, strict=True), loc="lower left", fontsize=6)


PANELS = (
    ("all groups; line: p = 1 - K", partial(exact_map, False, "all groups")),
    ("mixed groups only; line: p = 1 - K", partial(exact_map, True, "mixed groups only")),
    ("over a batch", measured),
)
