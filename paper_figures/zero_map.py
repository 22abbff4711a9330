"""Show which share of QAE's advantages is zero: exactly, by K and difficulty, and over difficulties in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.colours import PAIR
from paper_figures.looks import stripes
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory.arrays import Array
from qae_theory.group_expectation import binomial_mean, mixed_probability, outcome_advantages

TITLE = "Zero advantages under QAE: K against difficulty"
SHAPE = (1, 3)
SIZE = (3.7, 2.9)
GROUP = 16  # the group size of the experiments; the paper does not state its own
LEVELS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9")
SUCCESS = ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95")


def zero_shares(k: str, success: Array, group_size: int, *, mixed_only: bool = False) -> Array:
    """Return the expected share of a group's advantages that are zero, ``[...]``.

    The number of correct responses is binomial.

    Args:
        k: the level K.
        success: p, ``[...]`` in (0, 1).
        group_size: G.
        mixed_only: whether only groups with both outcomes count, which dynamic sampling keeps.
    """
    correct, wrong = outcome_advantages(group_size, "qae", k=k)
    m = np.arange(group_size + 1)
    zeros = (m * (correct == 0) + (group_size - m) * (wrong == 0)) / group_size
    if not mixed_only:
        return binomial_mean(success, zeros)
    zeros[[0, -1]] = 0  # a degenerate group has nothing but zeros, and is not counted here
    return binomial_mean(success, zeros) / mixed_probability(success, group_size)


def exact_map(mixed_only: bool, title: str, results: Results) -> Panel:
    """Return the panel with the expected share at every level and success probability."""
    del results
    p = np.array([float(success) for success in SUCCESS])
    shares = np.array([zero_shares(k, p, GROUP, mixed_only=mixed_only) for k in LEVELS])
    most, least = cell_text(shares, int(shares.argmax())), cell_text(shares, int(shares.argmin()))
    return Panel(
        title=f"{title}; line: p = 1 - K",
        caption=f"Expected share of zeros, {title}, groups of {GROUP}: at most {most} and at least {least}; the black "
        "line is p = 1 - K, hard queries left of it.",
        draw=partial(draw_map, values=shares),
    )


def cell_text(values: Array, index: int) -> str:
    """Return the value at a flat index of a map ``[levels, probabilities]``, and where it is."""
    level, success = np.unravel_index(index, values.shape)
    return f"{values[level, success]:.2f}, at K = {LEVELS[level]} and p = {SUCCESS[success]}"


def draw_map(axes: Any, values: Array, *, limits: tuple[float, float] = (0, 1), around: float | None = None) -> None:
    """Draw a map over these levels and probabilities as shaded cells, with the border of the gate.

    Args:
        axes: Matplotlib's.
        values: ``[levels, probabilities]``.
        limits: values of the lightest and of the darkest shade.
        around: as in :func:`paper_figures.cells.draw_cells`.
    """
    texts = []
    for of_level in values:
        texts.append([f"{value:.2f}".removeprefix("0") for value in of_level])
    probabilities = [success.removeprefix("0") for success in SUCCESS]
    draw_cells(axes, values, texts, row_labels=LEVELS, column_labels=probabilities, limits=limits, around=around)
    draw_gate(axes)
    axes.set(xlabel="success probability p of the query", ylabel="quantile level K")


def draw_gate(axes: Any) -> None:
    """Draw the line p = 1 - K on a map with these levels and probabilities."""
    across, up = gate_stairs()
    # A white border below the black line keeps it visible on dark cells.
    axes.plot(across, up, color="white", linewidth=3.5, linestyle="-", marker="")
    axes.plot(across, up, color="black", linewidth=1.5, linestyle="-", marker="", label="p = 1 - K")


def gate_stairs() -> tuple[list[float], list[float]]:
    """Return the corners of the border between cells with p <= 1 - K, on its left, and the others."""
    across: list[float] = []
    up: list[float] = []
    for row, k in enumerate(LEVELS):
        hard = sum(Fraction(p) <= 1 - Fraction(k) for p in SUCCESS)  # exact: a float may fall on the wrong side
        across += [hard - 0.5, hard - 0.5]
        up += [row - 0.5, row + 0.5]
    return across, up


def measured(results: Results) -> Panel:
    """Return the panel with the zeros of the whole batch, by distribution of difficulty: expected, and in training."""
    run = results.run("sparsity", command="qae simulate sparsity")
    analysis = run.analysis
    in_training = {}
    for run_of_k in analysis["table"]:
        if run_of_k["reading"] == "all groups" and run_of_k["k"] == analysis["k"]:
            in_training[run_of_k["difficulty"]] = run_of_k
    expected: dict[str, list[float]] = {}
    for start in analysis["expected_start"]:
        expected.setdefault(start["difficulty"], []).append(start["all groups"])
    band = tuple(analysis["band"])
    any_run = next(iter(in_training.values()))
    steps, share = any_run["steps"], any_run["shares"][0]
    texts = []
    for name, of_difficulty in in_training.items():
        first, last = _text(of_difficulty["shares"][0]), _text(of_difficulty["shares"][-1])
        span = f"from {min(expected[name]):.2f} to {max(expected[name]):.2f}"
        texts.append(f"{name} {first} and {last}, expected at the start for other K too {span}")
    return Panel(
        title=f"over a batch, K = {analysis['k']}",
        caption=f"Share of zeros over a batch at K = {analysis['k']}, at step {steps[0]} and at step {steps[-1]} "
        f"({100 * share['level']:.6g}% intervals over {share['draws']} seeds): {'; '.join(texts)}. The band from "
        f"{band[0]} to {band[1]} is what the paper calls {_about(band)}.",
        draw=partial(_draw_measured, in_training=in_training, expected=expected, band=band),
        sources=(run,),
        stand_in="softmax bandits",
    )


def _about(band: tuple[float, ...]) -> str:
    return f"about {sum(band) / len(band):.0%}"


def _text(share: Mapping[str, float]) -> str:
    return f"{share['estimate']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"


def _draw_measured(
    axes: Any,
    *,
    in_training: Mapping[str, Mapping[str, Any]],
    expected: Mapping[str, Sequence[float]],
    band: tuple[float, ...],
) -> None:
    """Draw measured shares at the start and at the end for each distribution, over the range expected for any K."""
    axes.axvspan(band[0], band[-1], color="0.88", label="the paper")
    axes.text(sum(band) / len(band), -0.8, f"the paper:\n{_about(band)}", fontsize=6.5, ha="center", va="center")
    names = list(in_training)
    for row, name in enumerate(names):
        label = "expected at the start, any K" if row == 0 else None
        ends = [min(expected[name]), max(expected[name])]
        axes.plot(
            ends, [row, row], color="0.55", linewidth=5, marker="", linestyle="-", solid_capstyle="butt", label=label
        )
    steps = next(iter(in_training.values()))["steps"]
    for end, shift, colour in ((0, -0.17, PAIR[0]), (-1, 0.17, PAIR[1])):  # the first and the last record
        shares = [of_difficulty["shares"][end] for of_difficulty in in_training.values()]
        middle = np.array([share["estimate"] for share in shares])
        intervals = np.array([[share["low"], share["high"]] for share in shares]).T
        axes.errorbar(
            middle,
            np.arange(len(names)) + shift,
            # Student's interval of a share may reach below 0 or above 1.
            xerr=np.abs(intervals.clip(0, 1) - middle),
            fmt="o" if end == 0 else "s",
            color=colour,
            markerfacecolor=colour if end == 0 else "white",
            label=f"measured, step {steps[end]}",
        )
    stripes(axes, len(names))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelsize=6.5)
    axes.set(xlabel="share of zero advantages", xlim=(0, 1), ylim=(len(names) - 0.4, -1.25))
    axes.grid(visible=False, axis="y")
    handles, labels = axes.get_legend_handles_labels()
    # The band has its name beside it and needs no entry.
    shown = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label != "the paper"]
    axes.legend(*zip(*shown, strict=True), loc="lower left", fontsize=6)


PANELS = (
    ("all groups; line: p = 1 - K", partial(exact_map, False, "all groups")),
    ("mixed groups only; line: p = 1 - K", partial(exact_map, True, "mixed groups only")),
    ("over a batch", measured),
)
