"""Show at which group sizes and levels the released code's quantile is not Eq. 3, computed with the shipped baselines.

The released code interpolates linearly, which is computed exactly here (claim `eq4-released-code`); how
`torch.quantile` rounds comes on top of that. A leaky baseline lies between 0 and 1, so that both outcomes of its group
get an advantage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.colours import shades
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.zero_map import LEVELS
from qae_theory import quantile_baseline
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from qae_theory.group_expectation import binomial_mean

TITLE = "Where the released code's gate leaks"
SHAPE = (1, 3)
SIZE = (3.7, 3.3)
COMMON = (4, 5, 6, 8, 10, 11, 12, 16, 21, 32, 64, 128)  # group sizes in use
ALL_SIZES = range(2, 65)
FINE = tuple(f"{step * 5 / 100:.2f}" for step in range(1, 20))  # levels K
K = DEFAULT_K
SHOWN = (8, 16, 32, 64)  # the group sizes whose leaky groups are counted
GRID = np.arange(1, 200) / 200  # the success probabilities at which curves are drawn


class Leak(NamedTuple):
    """The one group at which the two quantiles differ: its number of correct responses, and both baselines."""

    correct: int
    released: float
    exact: float

    @property
    def size(self) -> float:
        """Return the distance of the two baselines."""
        return abs(self.released - self.exact)


# By group size and level K: the leak, or None where the released code is exact.
Leaks = Mapping[tuple[int, str], Leak | None]


def leak(group_size: int, k: str) -> Leak | None:
    """Return where linear interpolation differs from Eq. 3 on groups of 0/1 rewards; None where it does not.

    Args:
        group_size: G.
        k: the level K.

    Raises:
        AssertionError: it differs at more than one number of correct responses, which the proof excludes.
    """
    # The group at index m has m correct responses.
    groups = (np.arange(group_size) < np.arange(group_size + 1)[:, None]).astype(float)
    released = quantile_baseline(groups, k, method="linear")
    exact = quantile_baseline(groups, k, method="inverted_cdf")
    leaky = np.flatnonzero(released != exact)
    if len(leaky) > 1:
        raise AssertionError(f"G = {group_size}, K = {k}: {len(leaky)} leaky groups")
    if not len(leaky):
        return None
    correct = int(leaky[0])
    return Leak(correct=correct, released=float(released[correct]), exact=float(exact[correct]))


def leaks(sizes: Sequence[int], levels: Sequence[str]) -> dict[tuple[int, str], Leak | None]:
    """Return the leak of every pair of group size and level."""
    return {pair: leak(*pair) for pair in product(sizes, levels)}


def common(results: Results) -> Panel:
    """Return the panel with the leaky group and its baseline, at group sizes in use."""
    del results
    by_pair = leaks(COMMON, LEVELS)
    exact = [str(size) for (size, k), of_pair in by_pair.items() if of_pair is None and k == K]
    leaky = sum(of_pair is not None for of_pair in by_pair.values())
    return Panel(
        title="common G: leaky m, and its baseline",
        caption=f"Of {len(by_pair)} common pairs {leaky} leak, each at one number m of correct responses, where right "
        f"and wrong both get an advantage; at K = {K} exact: G = {', '.join(exact) or 'none'}.",
        draw=partial(_draw_common, by_pair=by_pair),
    )


def _draw_common(axes: Any, *, by_pair: Leaks) -> None:
    """Draw the size of each leak as a shaded cell, with its m and its baseline."""
    values = _sizes_of_leaks(by_pair, COMMON, LEVELS)
    texts = []
    for size in COMMON:
        texts.append([_text(by_pair[size, k]) for k in LEVELS])
    sizes = [str(size) for size in COMMON]
    draw_cells(axes, values, texts, row_labels=sizes, column_labels=LEVELS, fontsize=5.5)
    axes.set(xlabel="quantile level K", ylabel="group size G (responses)")


def _text(of_pair: Leak | None) -> str:
    return "exact" if of_pair is None else f"m={of_pair.correct}\n" + f"b={of_pair.released:.2f}".replace("=0.", "=.")


def _sizes_of_leaks(by_pair: Leaks, sizes: Sequence[int], levels: Sequence[str]) -> Array:
    """Return how far the two baselines are apart, ``[sizes, levels]``; 0 for exact pairs."""
    values = np.zeros((len(sizes), len(levels)))
    for (row, size), (column, k) in product(enumerate(sizes), enumerate(levels)):
        of_pair = by_pair[size, k]
        values[row, column] = 0.0 if of_pair is None else of_pair.size
    return values


def every(results: Results) -> Panel:
    """Return the panel with all pairs on a finer grid, those without a leak marked."""
    del results
    by_pair = leaks(ALL_SIZES, FINE)
    exact = [pair for pair, of_pair in by_pair.items() if of_pair is None]
    leaky_sizes = {size for (size, _), of_pair in by_pair.items() if of_pair is not None}
    always = [str(size) for size in ALL_SIZES if size not in leaky_sizes]
    return Panel(
        title="dots: exact pairs; shade: size of the leak",
        caption=f"Of {len(by_pair)} pairs with G from {ALL_SIZES[0]} to {ALL_SIZES[-1]} and K in steps of "
        f"{float(FINE[1]) - float(FINE[0]):.2g}, {len(exact)} do not leak, those where (G - 1) K is an integer; at G = "
        f"{' and '.join(always) or 'none'} no K of these leaks.",
        draw=partial(_draw_every, by_pair=by_pair),
    )


def _draw_every(axes: Any, *, by_pair: Leaks) -> None:
    """Draw the size of each leak as a shade, and a dot on every exact pair."""
    values = _sizes_of_leaks(by_pair, ALL_SIZES, FINE)
    # Too many cells for a text in each: shades tell the size, and dots the exact pairs.
    image = axes.pcolormesh(
        [float(k) for k in FINE], list(ALL_SIZES), values, cmap="Blues", vmin=0, vmax=1, shading="nearest"
    )
    axes.figure.colorbar(image, ax=axes, label="|released baseline - Eq. 3|", pad=0.02)
    exact = [(float(k), size) for (size, k), of_pair in by_pair.items() if of_pair is None]
    axes.plot(*zip(*exact, strict=True), "o", color="black", markersize=2.2, label="exact")
    axes.set(xlabel="quantile level K", ylabel="group size G (responses)", yticks=[2, *range(8, 65, 8)])
    axes.grid(visible=False)


def shares(results: Results) -> Panel:
    """Return the panel with the share of a query's groups that leak, by its success probability."""
    del results
    curves, exact, texts = {}, [], []
    for size in SHOWN:
        of_size = leak(size, K)
        if of_size is None:
            exact.append(f"G = {size}")
            continue
        m = of_size.correct
        # The share of groups with m correct responses is the mean of their indicator.
        curves[size, m] = share = binomial_mean(GRID, (np.arange(size + 1) == m).astype(float))
        texts.append(f"G = {size} at most {share.max():.0%} (p = {GRID[share.argmax()]:.2f}, m = {m})")
    none = f"; {' and '.join(exact)} none" if exact else ""
    return Panel(
        title=f"K = {K}: share of groups that leak",
        caption=f"Share of a query's groups that leak at K = {K}: {'; '.join(texts)}{none}.",
        draw=partial(_draw_shares, curves=curves, exact=exact),
    )


def _draw_shares(axes: Any, *, curves: Mapping[tuple[int, int], Array], exact: Sequence[str]) -> None:
    """Draw the share of leaky groups against p; group sizes without a leak lie on zero."""
    for ((size, m), share), colour in zip(curves.items(), shades(len(curves)), strict=True):
        axes.plot(GRID, share, marker="", color=colour, linestyle="-", label=f"G = {size}, leak at m = {m}")
    for name in exact:
        axes.plot(GRID, np.zeros_like(GRID), marker="", label=f"{name}: exact", color="black", linewidth=1)
    axes.set(xlabel="success probability p of the query", ylabel="share of its groups", xlim=(0, 1))
    axes.set_ylim(bottom=-0.01)
    axes.legend(loc="upper left", fontsize=6.5)


PANELS = (
    ("common G: leaky m, and its baseline", common),
    ("dots: exact pairs; shade: size of the leak", every),
    (f"K = {K}: share of groups that leak", shares),
)
