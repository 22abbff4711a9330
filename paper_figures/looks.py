"""How a curve looks, read off its name: the colour of its rule, a style for its sign, a shade for its K.

Where two curves are one, the one below is drawn broader, so that both are seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from paper_figures.colours import BLACK, GREY, RULES, shades
from qae_theory.arrays import Array

MARKERS, STYLES = "os^Dv", ("-", "--", "-.", ":", (0, (6, 1, 1, 1)))
THIN, BROADER, MOST_ON_TOP = 1.4, 1.8, 2  # points; what a curve on top adds; how many of them count
NEAR = 0.012  # of what the axis has to show: closer, two lines of these widths are one
# In this order: "DAPO + QAE" is QAE, and a mask is named after QAE's objective.
NAMED = (("POS-MASK", "pos-mask"), ("NEG-MASK", "neg-mask"), ("QAE", "qae"), ("GRPO", "grpo"), ("DAPO", "grpo"))
_LEVEL = re.compile(r"\bK = ([\d.]+)")


def looks(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return colour, marker, line style and the marker's face for each curve of a panel, by their names."""
    levels = [_level(name) for name in names]
    known = sorted({level for level in levels if level is not None}, key=float)
    # A single level is no order: such a curve has its rule's colour.
    of_level = dict(zip(known, shades(len(known)), strict=True)) if len(known) > 1 else {}
    others = cycle((BLACK, GREY))
    made = []
    for number, (name, level) in enumerate(zip(names, levels, strict=True)):
        colour = of_level.get(level or "") or _of_rule(name) or next(others)
        negative, signed = "A < 0" in name, "A > 0" in name or "A < 0" in name
        made.append(
            {
                "color": colour,
                "marker": MARKERS[number % len(MARKERS)],
                "linestyle": ("--" if negative else "-") if signed else STYLES[number % len(STYLES)],
                "markerfacecolor": "white" if negative else colour,
            }
        )
    return made


def _level(name: str) -> str | None:
    """Return the K that a curve's name has, as text."""
    found = _LEVEL.search(name)
    return found.group(1) if found else None


def _of_rule(name: str) -> str | None:
    """Return the colour of the rule that a curve's name has; None for a name without one."""
    return next((RULES[rule] for word, rule in NAMED if word in name), None)


def widths(curves: Sequence[Mapping[float, float]], bands: Sequence[Array] = ()) -> list[float]:
    """Return the width of each line in points: broader for each later curve that it cannot be told from.

    Args:
        curves: y by x of each, in the order of drawing.
        bands: y of what else is drawn on the axis.
    """
    values = np.concatenate([*(np.array(list(curve.values())) for curve in curves), *bands])
    near = NEAR * float(np.ptp(values)) if len(values) else 0.0
    found = []
    for number, curve in enumerate(curves):
        on_top = sum(_near(curve, later, near) for later in curves[number + 1 :])
        found.append(THIN + BROADER * min(on_top, MOST_ON_TOP))
    return found


def _near(one: Mapping[float, float], other: Mapping[float, float], near: float) -> bool:
    """Return whether two curves are one at most of the places that both have."""
    both = sorted(one.keys() & other.keys())
    close = sum(abs(one[x] - other[x]) <= near for x in both)
    return bool(both) and close > len(both) / 2


def stripes(axes: Any, number: int) -> None:
    """Shade every other row, so that marks which stand apart within a row are seen to belong to it."""
    for row in range(0, number, 2):
        axes.axhspan(row - 0.5, row + 0.5, color="0.95", zorder=0, linewidth=0)
