"""Group sizes and levels at which the released code's quantile is not Eq. 3, found with the shipped baselines.

Linear interpolation, computed exactly (claims `eq4-released-code`); how `torch.quantile` rounds comes on top of that.
A leaky baseline lies between 0 and 1, and both outcomes of its group get an advantage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.zero_map import LEVELS
from qae_theory import quantile_baseline
from qae_theory.arrays import Array
from qae_theory.group_expectation import binomial_mean

TITLE = "Where the released code's gate leaks"
SHAPE = (1, 3)
SIZE = (3.7, 3.3)
COMMON = (4, 5, 6, 8, 10, 11, 12, 16, 21, 32, 64, 128)
ALL_SIZES = range(2, 65)
FINE = tuple(f"{step * 5 / 100:.2f}" for step in range(1, 20))
K = "0.4"
SHOWN = (8, 16, 32, 64)  # group sizes whose leaky groups are counted
GRID = np.arange(1, 200) / 200


class Leak(NamedTuple):
    """The one group at which the two quantiles differ: its number of correct responses, and both baselines."""

    correct: int
    released: float
    exact: float

    @property
    def size(self) -> float:
        """How far apart they are."""
        return abs(self.released - self.exact)


def leak(group_size: int, k: str) -> Leak | None:
    """Where linear interpolation differs from Eq. 3 on groups of 0/1 rewards; None where nowhere.

    Raises:
        AssertionError: at more than one number of correct responses, which the proof excludes.
    """
    groups = (np.arange(group_size) < np.arange(group_size + 1)[:, None]).astype(float)
    released, exact = (quantile_baseline(groups, k, method=method) for method in ("linear", "inverted_cdf"))
    found = np.flatnonzero(released != exact)
    if len(found) > 1:
        raise AssertionError(f"G = {group_size}, K = {k}: {len(found)} leaky groups")
    return Leak(int(found[0]), float(released[found[0]]), float(exact[found[0]])) if len(found) else None


def leaks(sizes: Sequence[int], levels: Sequence[str]) -> dict[tuple[int, str], Leak | None]:
    """By group size and level."""
    return {(size, k): leak(size, k) for size in sizes for k in levels}


def common(results: Results) -> Panel:
    """The leaky group and its baseline, at group sizes in use."""
    del results
    found = leaks(COMMON, LEVELS)
    exact = [str(size) for (size, k), one in found.items() if one is None and k == K]
    leaky = sum(one is not None for one in found.values())
    return Panel(
        "common G: leaky m, and its baseline",
        f"Of {len(found)} common pairs {leaky} leak, each at one number m of correct responses, where right and "
        f"wrong both get an advantage; at K = {K} exact: G = {', '.join(exact) or 'none'}.",
        partial(_draw_common, found=found),
    )


def _draw_common(axes: Any, *, found: Mapping[tuple[int, str], Leak | None]) -> None:
    values = _sizes(found, COMMON, LEVELS)
    texts = [[_text(found[size, k]) for k in LEVELS] for size in COMMON]
    draw_cells(axes, values, texts, rows=[str(size) for size in COMMON], columns=LEVELS, fontsize=5.5)
    axes.set(xlabel="quantile level K", ylabel="group size G (responses)")


def _text(one: Leak | None) -> str:
    return "exact" if one is None else f"m={one.correct}\n" + f"b={one.released:.2f}".replace("=0.", "=.")


def _sizes(found: Mapping[tuple[int, str], Leak | None], sizes: Sequence[int], levels: Sequence[str]) -> Array:
    leaks_at = ((found[size, k] for k in levels) for size in sizes)
    return np.array([[0.0 if one is None else one.size for one in row] for row in leaks_at])


def every(results: Results) -> Panel:
    """All pairs on a finer grid, those without a leak marked."""
    del results
    found = leaks(ALL_SIZES, FINE)
    exact = [pair for pair, one in found.items() if one is None]
    always = sorted({size for size in ALL_SIZES if all((size, k) in exact for k in FINE)})
    return Panel(
        "dots: exact pairs; shade: size of the leak",
        f"Of {len(found)} pairs with G from {ALL_SIZES[0]} to {ALL_SIZES[-1]} and K in steps of "
        f"{float(FINE[1]) - float(FINE[0]):.2g}, {len(exact)} do not leak, those where (G - 1) K is an integer; at G = "
        f"{' and '.join(map(str, always)) or 'none'} no K of these leaks.",
        partial(_draw_every, found=found),
    )


def _draw_every(axes: Any, *, found: Mapping[tuple[int, str], Leak | None]) -> None:
    values = _sizes(found, ALL_SIZES, FINE)
    image = axes.pcolormesh(
        [float(k) for k in FINE], list(ALL_SIZES), values, cmap="Blues", vmin=0, vmax=1, shading="nearest"
    )
    axes.figure.colorbar(image, ax=axes, label="|released baseline - Eq. 3|", pad=0.02)
    exact = [(float(k), size) for (size, k), one in found.items() if one is None]
    axes.plot(*zip(*exact, strict=True), "o", color="black", markersize=2.2, label="exact")
    axes.set(xlabel="quantile level K", ylabel="group size G (responses)", yticks=[2, *range(8, 65, 8)])
    axes.grid(visible=False)


def shares(results: Results) -> Panel:
    """How many of a query's groups leak, by its success probability."""
    del results
    curves, exact = {}, []
    for size in SHOWN:
        one = leak(size, K)
        if one is None:
            exact.append(f"G = {size}")
        else:
            curves[size, one.correct] = binomial_mean(GRID, (np.arange(size + 1) == one.correct).astype(float))
    said = "; ".join(
        f"G = {size} at most {found.max():.0%} (p = {GRID[found.argmax()]:.2f}, m = {m})"
        for (size, m), found in curves.items()
    )
    none = f"; {' and '.join(exact)} none" if exact else ""
    return Panel(
        f"K = {K}: share of groups that leak",
        f"Share of a query's groups that leak at K = {K}: {said}{none}.",
        partial(_draw_shares, curves=curves, exact=exact),
    )


def _draw_shares(axes: Any, *, curves: Mapping[tuple[int, int], Array], exact: Sequence[str]) -> None:
    for (size, m), found in curves.items():
        axes.plot(GRID, found, marker="", label=f"G = {size}, leak at m = {m}")
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
