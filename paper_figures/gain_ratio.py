"""All that the baseline does in expectation: QAE's step on a query as a multiple of GRPO's, w_QAE / w_GRPO, exactly.

On-policy, unclipped, one query, at first order (claim `neutrality`). What sampling noise, clipping and the optimiser do
is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.zero_map import GROUP, LEVELS, SUCCESS, draw_gate
from qae_theory import expected_gain
from qae_theory.arrays import Array

TITLE = "QAE's expected step as a multiple of GRPO's"
SHAPE = (1, 3)
SIZE = (3.7, 2.9)
K = "0.4"
GRID = np.arange(1, 200) / 200  # success probabilities of the curves
SIZES = (4, 8, 16, 64, 256)
DEPTH_SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
DEPTH_LEVELS = ("0.4", "0.2", "0.1")
NO_EASY = "lowest marks: K at most 1/G, every mixed group is hard"


def ratio(success: Array, group_size: int, k: str) -> Array:
    """w_QAE / w_GRPO at eps = 0, ``[...]``; of all groups or of mixed ones only, which makes no difference."""
    qae = expected_gain(success, group_size, "qae", k=k, eps=0)
    grpo = expected_gain(success, group_size, "grpo", eps=0)
    return np.asarray(qae / grpo)


def by_size(results: Results) -> Panel:
    """Against p at one K, a line a group size."""
    del results
    curves = {size: ratio(GRID, size, K) for size in SIZES}
    said = "; ".join(
        f"G = {size} from {found.min():.2f} (p = {GRID[found.argmin()]:.2g}) to {found.max():.2f}"
        for size, found in curves.items()
    )
    return Panel(f"K = {K}, by group size G", f"At K = {K}: {said}.", partial(_draw_by_size, curves=curves))


def _draw_by_size(axes: Any, *, curves: Mapping[int, Array]) -> None:
    _one(axes)
    for size, found in curves.items():
        axes.plot(GRID, found, marker="", label=f"G = {size}")
    axes.axvline(1 - float(K), color="0.5", linewidth=0.8, linestyle=":", label="p = 1 - K")
    axes.set(xlabel="success probability p of the query", ylabel="step of QAE / step of GRPO", xlim=(0, 1))
    axes.legend(loc="upper center", ncols=2, fontsize=6)


def by_level(results: Results) -> Panel:
    """At every K and p, for one group size."""
    del results
    p = np.array([float(one) for one in SUCCESS])
    found = np.array([ratio(p, GROUP, k) for k in LEVELS])
    least = np.unravel_index(found.argmin(), found.shape)
    most = np.unravel_index(found.argmax(), found.shape)
    said = " and ".join(
        f"{name} {found[at]:.2f}, at K = {LEVELS[at[0]]} and p = {SUCCESS[at[1]]}"
        for name, at in (("at least", least), ("at most", most))
    )
    return Panel(
        f"G = {GROUP}; line: p = 1 - K",
        f"For groups of {GROUP} the multiple is {said}.",
        partial(_draw_by_level, found=found),
    )


def _draw_by_level(axes: Any, *, found: Array) -> None:
    texts = [[f"{one:.2f}".removeprefix("0") for one in row] for row in found]
    columns = [one.removeprefix("0") for one in SUCCESS]
    draw_cells(axes, found, texts, rows=LEVELS, columns=columns, limits=(0.7, 1.2))
    draw_gate(axes)
    axes.set(xlabel="success probability p of the query", ylabel="quantile level K")


def depth(results: Results) -> Panel:
    """The largest and the smallest multiple over p, by group size."""
    del results
    ends = {
        k: np.array([[found.min(), found.max()] for found in (ratio(GRID, size, k) for size in DEPTH_SIZES)])
        for k in DEPTH_LEVELS
    }
    last = {k: float(end[-1, 0]) for k, end in ends.items()}
    said = "; ".join(f"K = {k} from {end[0, 0]:.2f} to {last[k]:.2f}" for k, end in ends.items())
    return Panel(
        "extremes over p, by group size",
        f"The smallest multiple over p from {GRID[0]:g} to {GRID[-1]:g}, for G from {DEPTH_SIZES[0]} to "
        f"{DEPTH_SIZES[-1]}: {said}; it tends to 1 as G grows.",
        partial(_draw_depth, ends=ends),
    )


def _draw_depth(axes: Any, *, ends: Mapping[str, Array]) -> None:
    _one(axes)
    for k, end in ends.items():
        (line,) = axes.plot(DEPTH_SIZES, end[:, 0], label=f"K = {k}: smallest")
        axes.plot(
            DEPTH_SIZES,
            end[:, 1],
            color=line.get_color(),
            marker=line.get_marker(),
            linestyle=line.get_linestyle(),
            markerfacecolor="white",
            label=f"K = {k}: largest",
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(DEPTH_SIZES, [str(size) for size in DEPTH_SIZES])
    axes.set(xlabel="group size G (responses)", ylabel="step of QAE / step of GRPO")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.11), ncols=2, fontsize=6)
    axes.text(1, 0.05, NO_EASY, transform=axes.transAxes, fontsize=6.5, ha="right")


def _one(axes: Any) -> None:
    axes.axhline(1, color="black", linewidth=0.8, label="the same step")


PANELS = (
    (f"K = {K}, by group size G", by_size),
    (f"G = {GROUP}; line: p = 1 - K", by_level),
    ("extremes over p, by group size", depth),
)
