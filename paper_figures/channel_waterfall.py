"""Show where the entropy gap between two rules comes from: Shapley values as a waterfall, and interactions.

That the parts add up to the gap is so by construction and no evidence. Which parts there are, and how large, is
measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paper_figures.cells import draw_cells
from paper_figures.colours import SIGNS
from paper_figures.panels import Panel
from paper_figures.runs import Results, Run

TITLE = "Where the entropy gap between two rules comes from"
SHAPE = (1, 3)
SIZE = (4.1, 3.0)
MILLI = 1000
ROUNDING = 1e-9  # in nats; the gaps are differences of entropies near 1
READINGS = {"gap": "after equally many steps", "gap_progress": "at equal gain of success"}
LABELS = {
    "weighting": "weighting of queries",
    "coupling": "finite groups",
    "noise": "noise x curvature",
    "clipping": "PPO clipping",
    "lengths": "length normalisation",
    "optimiser": "Adam",
    "norm_clip": "gradient clipping",
    "rewards": "length penalty",
    "tokens": "token weights",
}
SHORT = {"weighting": "weigh.", "coupling": "groups", "clipping": "clip", "lengths": "length", "optimiser": "Adam"} | {
    "noise": "noise", "norm_clip": "norm", "rewards": "penalty", "tokens": "tokens",
}  # fmt: skip

Estimate = Mapping[str, Any]


def read_run(results: Results) -> tuple[Run, str]:
    """Return the run, and which gap it is about."""
    run = results.run("channels", command="qae simulate channels")
    rules = [rule.replace("_", "-").upper() for rule in run.config["settings"]["rules"]]
    return run, f"entropy of {rules[0]} less that of {rules[1]}"


def waterfall(reading: str, results: Results) -> Panel:
    """Return the panel with the channels from the largest part to the smallest, and the whole gap."""
    run, gap = read_run(results)
    split = run.analysis[reading]
    whole = split["whole"]
    parts = {name: figures["shapley"] for name, figures in split["by_channel"].items()}
    ordered = dict(sorted(parts.items(), key=lambda part: -abs(part[1]["estimate"])))
    apart = [f"{_label(name)} {_text(part)}" for name, part in ordered.items() if part["found"]]
    others = [_label(name) for name, part in ordered.items() if not part["found"]]
    level = next(iter(parts.values()))["level"]
    return Panel(
        title=READINGS[reading],
        caption=f"{gap[0].upper()}{gap[1:]} {READINGS[reading]}, {_text(whole)} 1e-3 nats ({whole['level']:.0%} "
        f"interval over {whole['draws']} seeds), of which ({100 * level:.6g}% intervals) "
        f"{'; '.join(apart) or 'no part is told from 0'}; not told from 0: {', '.join(others) or 'none'}.",
        draw=partial(_draw_waterfall, parts=ordered, whole=whole, gap=gap),
        sources=(run,),
        stand_in="softmax bandits",
    )


def _label(channel: str) -> str:
    return LABELS.get(channel, channel)


def _text(estimate: Estimate) -> str:
    middle, low, high = (_number(estimate[end]) for end in ("estimate", "low", "high"))
    return f"{middle} [{low}, {high}]"


def _number(value: float) -> str:
    """Return a number in thousandths with its sign and one decimal.

    Where one decimal would show a zero there is one significant digit, and a rounding error has no sign.
    """
    text = f"{value * MILLI:+.1f}"
    if float(text) != 0:
        return text
    return "0" if abs(value) < ROUNDING else f"{value * MILLI:+.1g}"


def _draw_waterfall(axes: Any, *, parts: Mapping[str, Estimate], whole: Estimate, gap: str) -> None:
    """Draw each part from where the one above it ends, down to the whole gap, with the numbers at the right."""
    start = 0.0
    ends: list[float] = [0.0]
    for row, (name, part) in enumerate(parts.items()):
        value = part["estimate"] * MILLI
        _draw_bar(axes, row, part, start=start, label=name, facecolor=SIGNS["raises" if value > 0 else "lowers"])
        start += value
        axes.plot([start, start], [row - 0.3, row + 1.3], color="0.5", linewidth=0.7, linestyle="-", marker="")
        ends += [start + (part[end] - part["estimate"]) * MILLI for end in ("low", "high")]
    last = len(parts)
    _draw_bar(axes, last, whole, start=0.0, label="whole gap", facecolor="0.35")
    ends += [whole[end] * MILLI for end in ("low", "high")]
    spread = max(ends) - min(ends)
    for row, estimate in enumerate([*parts.values(), whole]):
        axes.text(max(ends) + 0.04 * spread, row, _text(estimate), fontsize=6, va="center")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(last + 1), [*map(_label, parts), "whole gap"])
    axes.set(xlabel=f"{gap} (10$^{{-3}}$ nats)", ylim=(last + 0.6, -0.6))
    axes.set_xlim(min(ends) - 0.03 * spread, max(ends) + 0.5 * spread)
    axes.grid(visible=False, axis="y")


def _draw_bar(axes: Any, row: int, part: Estimate, *, start: float, label: str, facecolor: str) -> None:
    """Draw a part from where the bars above it end, with its interval; a negative part is hatched."""
    width = part["estimate"] * MILLI
    axes.barh(
        row, width, left=start, height=0.6, label=label, facecolor=facecolor, edgecolor="black", linewidth=0.6,
        hatch="" if width > 0 else "////",
    )  # fmt: skip
    below, above = (part["estimate"] - part["low"]) * MILLI, (part["high"] - part["estimate"]) * MILLI
    axes.errorbar(start + width, row, xerr=[[below], [above]], fmt="none", ecolor="black", elinewidth=0.9)


def interactions(results: Results) -> Panel:
    """Return the panel with what two channels do together beyond what each does, in a triangle."""
    run, gap = read_run(results)
    # An idle channel has no interactions, and would only make the triangle larger.
    names = [name for name in run.analysis["channels"] if name not in run.analysis["idle"]]
    pairs = {}
    for pair, estimate in run.analysis["gap"]["interactions"].items():
        if set(_both(pair)) <= set(names):
            pairs[pair] = estimate
    apart = [pair for pair in pairs if pairs[pair]["found"]]
    largest = sorted(apart, key=lambda pair: -abs(pairs[pair]["estimate"]))[:3]
    texts = [f"{' with '.join(map(_label, _both(pair)))} {_text(pairs[pair])}" for pair in largest]
    level = next(iter(pairs.values()))["level"]
    return Panel(
        title="interactions of two; *: told from 0",
        caption=f"Largest interactions after equally many steps, in 1e-3 nats ({100 * level:.6g}% "
        f"intervals): {'; '.join(texts) or 'none is told from 0'}.",
        draw=partial(_draw_interactions, names=names, pairs=pairs),
        sources=(run,),
        stand_in=f"softmax bandits, {gap}",
    )


def _both(pair: str) -> list[str]:
    return pair.split(" x ")


def _draw_interactions(axes: Any, *, names: Sequence[str], pairs: Mapping[str, Estimate]) -> None:
    """Draw the interactions of pairs as a triangle of cells, shaded by sign and size."""
    size = len(names) - 1
    values = np.full((size, size), np.nan)
    texts = [[""] * size for _ in range(size)]
    for pair, estimate in pairs.items():
        column, row = sorted(map(names.index, _both(pair)))
        values[row - 1, column] = estimate["estimate"] * MILLI
        texts[row - 1][column] = _number(estimate["estimate"]) + ("*" if estimate["found"] else "")
    largest = 1.2 * float(np.nanmax(np.abs(values)))
    short = [SHORT.get(name, name) for name in names]
    draw_cells(
        axes,
        values,
        texts,
        row_labels=short[1:],
        column_labels=short[:-1],
        limits=(-largest, largest),
        around=0,
        fontsize=6.5,
    )
    # The cells are drawn from the bottom; a triangle is read from the top.
    axes.invert_yaxis()
    axes.tick_params(axis="x", labelsize=6.5)
    axes.set(xlabel="beyond the sum of both (10$^{-3}$ nats)")


PANELS = (
    *((title, partial(waterfall, reading)) for reading, title in READINGS.items()),
    ("interactions of two; *: told from 0", interactions),
)
