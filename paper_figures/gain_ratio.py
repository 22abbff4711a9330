"""Show all that the baseline does in expectation: QAE's step on a query as a multiple of GRPO's, w_QAE / w_GRPO.

The ratio is exact for one query, on-policy, unclipped and at first order (claim `neutrality`). What sampling noise,
clipping and the optimiser do is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paper_figures.colours import shades
from paper_figures.looks import looks
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.zero_map import GROUP, LEVELS, SUCCESS, cell_text, draw_map
from qae_theory import expected_gain
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K

TITLE = "QAE's expected step as a multiple of GRPO's"
SHAPE = (1, 3)
SIZE = (3.7, 2.9)
K = DEFAULT_K
GRID = np.arange(1, 200) / 200  # the success probabilities at which curves are drawn
SIZES = (4, 8, 16, 64, 256)
DEPTH_SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
DEPTH_LEVELS = ("0.4", "0.2", "0.1")
APART = 0.14  # of a doubling of G
NO_EASY = "lowest marks: K at most 1/G, every mixed group is hard"


def ratio(success: Array, group_size: int, k: str) -> Array:
    """Return w_QAE / w_GRPO at eps = 0, ``[...]``.

    It is the same over all groups and over mixed groups only, since degenerate groups move neither rule.

    Args:
        success: p, ``[...]`` in (0, 1).
        group_size: G.
        k: the level K of the gate.
    """
    qae = expected_gain(success, group_size, "qae", k=k, eps=0)
    grpo = expected_gain(success, group_size, "grpo", eps=0)
    return np.asarray(qae / grpo)


def by_size(results: Results) -> Panel:
    """Return the panel with the ratio against p at one K, a curve for each group size."""
    del results
    curves = {size: ratio(GRID, size, K) for size in SIZES}
    texts = []
    for size, ratios in curves.items():
        least = f"{ratios.min():.2f} (p = {GRID[ratios.argmin()]:.2g})"
        texts.append(f"G = {size} from {least} to {ratios.max():.2f}")
    return Panel(
        title=f"K = {K}, by group size G",
        caption=f"At K = {K}: {'; '.join(texts)}.",
        draw=partial(_draw_by_size, curves=curves),
    )


def _draw_by_size(axes: Any, *, curves: Mapping[int, Array]) -> None:
    _draw_same_step(axes)
    for (size, ratios), colour in zip(curves.items(), shades(len(curves)), strict=True):
        axes.plot(GRID, ratios, marker="", color=colour, linestyle="-", label=f"G = {size}")
    axes.axvline(1 - float(K), color="0.5", linewidth=0.8, linestyle=":", label="p = 1 - K")
    axes.set(xlabel="success probability p of the query", ylabel="step of QAE / step of GRPO", xlim=(0, 1))
    axes.legend(loc="upper center", ncols=2, fontsize=6)


def by_level(results: Results) -> Panel:
    """Return the panel with the ratio at every K and p, for one group size."""
    del results
    p = np.array([float(success) for success in SUCCESS])
    ratios = np.array([ratio(p, GROUP, k) for k in LEVELS])
    least, most = cell_text(ratios, int(ratios.argmin())), cell_text(ratios, int(ratios.argmax()))
    return Panel(
        title=f"G = {GROUP}; line: p = 1 - K",
        caption=f"For groups of {GROUP} the multiple is at least {least} and at most {most}.",
        draw=partial(_draw_by_level, ratios=ratios),
    )


def _draw_by_level(axes: Any, *, ratios: Array) -> None:
    draw_map(axes, ratios, limits=(0.7, 1.3), around=1)


def depth(results: Results) -> Panel:
    """Return the panel with the largest and the smallest ratio over p, by group size."""
    del results
    extremes = {k: _extremes(k) for k in DEPTH_LEVELS}
    texts = [f"K = {k} from {of_level[0, 0]:.2f} to {of_level[-1, 0]:.2f}" for k, of_level in extremes.items()]
    return Panel(
        title="extremes over p, by group size",
        caption=f"The smallest multiple over p from {GRID[0]:g} to {GRID[-1]:g}, for G from {DEPTH_SIZES[0]} to "
        f"{DEPTH_SIZES[-1]}: {'; '.join(texts)}; it tends to 1 as G grows.",
        draw=partial(_draw_depth, extremes=extremes),
    )


def _extremes(k: str) -> Array:
    """Return the smallest and the largest ratio over p at each group size, ``[sizes, 2]``."""
    by_size = [ratio(GRID, size, k) for size in DEPTH_SIZES]
    return np.array([[ratios.min(), ratios.max()] for ratios in by_size])


def _draw_depth(axes: Any, *, extremes: Mapping[str, Array]) -> None:
    """Draw the smallest ratio filled and the largest hollow, for each level, against the group size.

    No line joins them: between two group sizes there is no group. The levels stand a little apart, as their largest
    ratios are nearly one.
    """
    _draw_same_step(axes)
    apart = np.linspace(-1, 1, len(extremes)) * APART
    for (k, of_level), look, shift in zip(extremes.items(), looks([f"K = {k}" for k in extremes]), apart, strict=True):
        unjoined = {**look, "linestyle": ""}
        x = np.array(DEPTH_SIZES) * 2**shift
        axes.plot(x, of_level[:, 0], label=f"K = {k}: smallest", **unjoined)
        axes.plot(x, of_level[:, 1], label=f"K = {k}: largest", **{**unjoined, "markerfacecolor": "white"})
    axes.set_xscale("log", base=2)
    axes.set_xticks(DEPTH_SIZES, [str(size) for size in DEPTH_SIZES])
    axes.set(xlabel="group size G (responses)", ylabel="step of QAE / step of GRPO")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.11), ncols=2, fontsize=6)
    # At these group sizes the ratio has no easy side, and its extremes are of another kind.
    axes.text(1, 0.05, NO_EASY, transform=axes.transAxes, fontsize=6.5, ha="right")


def _draw_same_step(axes: Any) -> None:
    """Draw the line on which both rules take the same step."""
    axes.axhline(1, color="black", linewidth=0.8, label="the same step")


PANELS = (
    (f"K = {K}, by group size G", by_size),
    (f"G = {GROUP}; line: p = 1 - K", by_level),
    ("extremes over p, by group size", depth),
)
