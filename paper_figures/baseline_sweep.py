"""One-step entropy change against the baseline, for the four updates that Prop. 4.2 may be about.

Above, exactly, two queries of the ledger's witnesses; below, how many random policies keep the proposition's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory import entropy_change, update_direction
from qae_theory.arrays import Array
from qae_theory.group_expectation import count_vectors, finite_step_mean

TITLE = "Does the K-quantile baseline hold entropy? It depends on what a step is"
SHAPE = (2, 4)
SIZE = (3.0, 2.5)

STEP = 0.1
RIGHT = {"hard": 0.1, "easy": 0.9}  # probability of the right answer of two: witnesses W1 and W2
BEST = {"hard": 0.0, "easy": 1.0}  # b_K, at which Prop. 4.2 has the lowest (hard) or highest (easy) entropy
BASELINES = np.linspace(0, 1, 21)
GROUPS = (2, 16)
NAMES = {
    "uncentred": "uncentred",
    "policy_gradient": "policy gradient",
    "natural_gradient": "natural gradient",
    "sampled_group": "sampled group",
}
AGAINST = {name: "QAE against GRPO" if name == "sampled_group" else "b_K against any b" for name in NAMES}
MILLI = 1000
ROUNDING = 1e-12  # nats; the changes are of order 1e-3 and computed to 1e-16


def changes(update: str, regime: str) -> dict[str, Array]:
    """Entropy changes at every baseline, ``[B]`` nats; of sampled groups the expectation, for each group size."""
    probs = np.array([RIGHT[regime], 1 - RIGHT[regime]])
    logits, rewards = np.log(probs), np.array([1.0, 0.0])
    if update == "sampled_group":
        return {
            f"{regime}, G = {size}": np.array([sampled_change(logits, rewards, size, b) for b in BASELINES])
            for size in GROUPS
        }
    direction = update_direction(logits, rewards, update, baseline=BASELINES)
    return {regime: entropy_change(logits, direction, STEP)}


def sampled_change(logits: Array, rewards: Array, group_size: int, baseline: float) -> float:
    """Expected change of a step on a sampled group, A = (R - b)/std with a constant b; 0 in degenerate groups."""
    counts = count_vectors(len(logits), group_size)
    share = (counts * rewards).sum(axis=-1, keepdims=True) / group_size
    spread = np.sqrt(share * (1 - share))
    table = np.where(spread > 0, (rewards - baseline) / np.where(spread > 0, spread, 1), 0)
    return float(finite_step_mean(logits, counts, table, STEP))


def exact(update: str, results: Results) -> Panel:
    """A hard and an easy query, at every baseline."""
    del results
    curves = {regime: changes(update, regime) for regime in RIGHT}
    found = list(dict.fromkeys(_order(curve, regime) for regime, lines in curves.items() for curve in lines.values()))
    said = "; ".join(
        f"{name} from {curve[0] * MILLI:.3g} at b = 0 to {curve[-1] * MILLI:.3g} at b = 1"
        for lines in curves.values()
        for name, curve in lines.items()
    )
    return Panel(
        f"{NAMES[update]}: {' or '.join(found)}",
        f"{NAMES[update].capitalize()} update, step {STEP}, two answers of which the right one has probability "
        f"{RIGHT['hard']} (hard) or {RIGHT['easy']} (easy): entropy change in 1e-3 nats {said}; against "
        f"Prop. 4.2, {' or '.join(found)}.",
        partial(_draw_exact, curves=curves),
    )


def _order(curve: Array, regime: str) -> str:
    """How the change at b_K stands to the others: as Prop. 4.2 has it, the other way round, or without difference."""
    rise = (curve - curve[np.argmin(np.abs(BASELINES - BEST[regime]))]) * (1 if regime == "hard" else -1)
    if np.abs(rise).max() < ROUNDING:
        return "b drops out"
    return "order kept" if rise.min() >= 0 else "order reversed" if rise.max() <= 0 else "order broken"


def _draw_exact(axes: Any, *, curves: Mapping[str, Mapping[str, Array]]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.axhline(0, color="0.6", linewidth=0.8)
    for colour, (regime, lines) in zip(("#0072B2", "#D55E00"), curves.items(), strict=True):
        for style, (name, curve) in zip(("-", "--"), lines.items(), strict=False):
            axes.plot(BASELINES, curve * MILLI, marker="", color=colour, linestyle=style, label=name)
            at = int(np.argmin(np.abs(BASELINES - BEST[regime])))
            axes.plot(BASELINES[at], curve[at] * MILLI, "*", color=colour, markersize=9, clip_on=False, zorder=3)
            if ", " in name:  # more lines than one a query
                middle, (_, _, size) = len(BASELINES) // 2, name.partition(", ")
                axes.annotate(
                    size,
                    (BASELINES[middle], curve[middle] * MILLI),
                    xytext=(0, -3 if regime == "hard" else 3),
                    textcoords="offset points",
                    fontsize=6.5,
                    ha="center",
                    va="top" if regime == "hard" else "bottom",
                    color=colour,
                )
    ends = [curve * MILLI for lines in curves.values() for curve in lines.values()]
    room = 0.28 * max(float(np.abs(end).max()) for end in ends)
    axes.set(xlabel="baseline b", ylabel="entropy change (10$^{-3}$ nats)", xlim=(-0.03, 1.03))
    axes.set_ylim(min(float(end.min()) for end in ends) - room, max(float(end.max()) for end in ends) + room)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    for regime, sign, place in (("hard", "lowest", 0.97), ("easy", "highest", 0.03)):
        axes.text(
            0.5,
            place,
            f"{regime}: Prop. 4.2 has ★ {sign}",
            transform=axes.transAxes,
            fontsize=6.5,
            ha="center",
            va="top" if place > 0.5 else "bottom",
            color="#0072B2" if regime == "hard" else "#D55E00",
        )


def measured(update: str, results: Results) -> Panel:
    """How many random policies keep the order, at every step size."""
    run = results.run("ordering", command="qae simulate ordering")
    compared = ("sampled_group qae", "grpo") if update == "sampled_group" else (update, "every baseline")
    rows = [row for row in run.analysis["shares"] if (row["update"], row["against"]) == compared]
    curves = {
        f"{regime}, {word}": [(row["step_size"], row[column]) for row in rows if row["regime"] == regime]
        for regime in ("hard", "easy")
        for column, word in (("holds", "not broken"), ("strict", "strict"))
    }
    level = rows[0]["holds"]["level"]
    said = "; ".join(f"{name} {points[0][1]['estimate']:.0%}" for name, points in curves.items())
    return Panel(
        f"{NAMES[update]}: {AGAINST[update]}",
        f"{NAMES[update].capitalize()} update, {AGAINST[update]}, random policies: share that keeps the order at "
        f"first order, {said}, with {100 * level:.6g}% intervals.",
        partial(_draw_measured, curves=curves, legend=update != "sampled_group"),
        sources=(run,),
    )


def _draw_measured(
    axes: Any, *, curves: Mapping[str, Sequence[tuple[float, Mapping[str, float]]]], legend: bool
) -> None:
    formats = zip(("#0072B2", "#0072B2", "#D55E00", "#D55E00"), ("-", "--", "-", "--"), "ooss", strict=True)
    for (colour, style, marker), (name, points) in zip(formats, curves.items(), strict=True):
        steps = [step for step, _ in points if step > 0]
        x = np.array([step if step > 0 else min(steps) / 4 for step, _ in points])
        middle, low, high = (np.array([one[end] for _, one in points]) for end in ("estimate", "low", "high"))
        face = "white" if style == "--" else colour
        axes.plot(x, middle, color=colour, linestyle=style, marker=marker, markerfacecolor=face, label=name)
        axes.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    axes.set_xscale("log")
    ticks = [10.0**power for power in range(-2, 4)]
    axes.set_xticks([x[0], *ticks], ["0", *(f"{tick:g}" for tick in ticks)], minor=False)
    axes.minorticks_off()
    axes.set(xlabel="step size (0: first order)", ylabel="share of policies in order", ylim=(-0.03, 1.03))
    if legend:  # the lines of the last panel, which leave no room, are those of the others
        axes.legend(fontsize=6, loc="best")


PANELS = (
    *((name, partial(exact, update)) for update, name in NAMES.items()),
    *((f"{name}: {AGAINST[update]}", partial(measured, update)) for update, name in NAMES.items()),
)
