"""Show the one-step entropy change against the baseline, for the four updates that Prop. 4.2 may be about.

Above are two queries of the ledger's witnesses, exactly; below, how many random policies keep the proposition's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paper_figures.colours import REGIMES
from paper_figures.looks import widths
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory import entropy_change, update_direction
from qae_theory.arrays import Array
from qae_theory.group_expectation import count_vectors, finite_step_mean

TITLE = "Does the K-quantile baseline hold entropy? It depends on what a step is"
SHAPE = (2, 4)
SIZE = (3.0, 2.5)
SHARED_Y = ((0, 1, 2, 3),)  # of the exact panels: a small change is to look small

STEP = 0.1  # small enough for first order to be seen, large enough for the exact change to differ from it
CORRECT = {"hard": 0.1, "easy": 0.9}  # probability of the correct answer of two, in the ledger's witnesses
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
ROUNDING = 1e-12  # in nats; the changes are of order 1e-3 and computed to 1e-16


def changes(update: str, regime: str) -> dict[str, Array]:
    """Return entropy changes at every baseline, ``[B]`` in nats, by the name of the curve.

    For sampled groups the change is the expectation, and there is a curve for each group size.
    """
    probs = np.array([CORRECT[regime], 1 - CORRECT[regime]])
    logits, rewards = np.log(probs), np.array([1.0, 0.0])
    if update == "sampled_group":
        curves = {}
        for size in GROUPS:
            at_baselines = [sampled_change(logits, rewards, size, baseline=b) for b in BASELINES]
            curves[f"{regime}, G = {size}"] = np.array(at_baselines)
        return curves
    direction = update_direction(logits, rewards, update, baseline=BASELINES)
    return {regime: entropy_change(logits, direction, STEP)}


def sampled_change(logits: Array, rewards: Array, group_size: int, *, baseline: float) -> float:
    """Return the expected change of a step on a sampled group with A = (R - b)/std and a constant b.

    Degenerate groups have A = 0.

    Args:
        logits: ``[n]``.
        rewards: ``[n]``, 0 or 1.
        group_size: G.
        baseline: b.
    """
    counts = count_vectors(len(logits), group_size)
    share = (counts * rewards).sum(axis=-1, keepdims=True) / group_size
    spread = np.sqrt(share * (1 - share))
    table = np.where(spread > 0, (rewards - baseline) / np.where(spread > 0, spread, 1), 0)
    return float(finite_step_mean(logits, counts, table, step_size=STEP))


def exact(update: str, results: Results) -> Panel:
    """Return the panel of a hard and an easy query, at every baseline."""
    # The panel is computed from theory alone.
    del results
    curves = {regime: changes(update, regime) for regime in CORRECT}
    orders: dict[str, None] = {}  # a set that keeps the order
    ends = []
    for regime, of_regime in curves.items():
        for name, curve in of_regime.items():
            orders[_order(curve, regime)] = None
            ends.append(f"{name} from {curve[0] * MILLI:.3g} at b = 0 to {curve[-1] * MILLI:.3g} at b = 1")
    return Panel(
        title=f"{NAMES[update]}: {' or '.join(orders)}",
        caption=f"{NAMES[update].capitalize()} update, step {STEP}, two answers of which the right one has probability "
        f"{CORRECT['hard']} (hard) or {CORRECT['easy']} (easy): entropy change in 1e-3 nats {'; '.join(ends)}; against "
        f"Prop. 4.2, {' or '.join(orders)}.",
        draw=partial(_draw_exact, curves=curves),
    )


def _order(curve: Array, regime: str) -> str:
    """Return how the change at b_K stands to the others: as Prop. 4.2 has it, the other way round, or equal to them."""
    # Measured from b_K, all changes are positive where b_K is the extreme that Prop. 4.2 says it is.
    rise = (curve - curve[np.argmin(np.abs(BASELINES - BEST[regime]))]) * (1 if regime == "hard" else -1)
    if np.abs(rise).max() < ROUNDING:
        return "b drops out"
    return "order kept" if rise.min() >= 0 else "order reversed" if rise.max() <= 0 else "order broken"


def _draw_exact(axes: Any, *, curves: Mapping[str, Mapping[str, Array]]) -> None:
    """Draw the change against the baseline for both queries, and mark b_K on each curve with a star."""
    from matplotlib.ticker import MaxNLocator

    axes.axhline(0, color="0.6", linewidth=0.8)
    for regime, of_regime in curves.items():
        for style, (name, curve) in zip(("-", "--"), of_regime.items(), strict=False):
            axes.plot(BASELINES, curve * MILLI, marker="", color=REGIMES[regime], linestyle=style, label=name)
            at = int(np.argmin(np.abs(BASELINES - BEST[regime])))
            axes.plot(
                BASELINES[at], curve[at] * MILLI, "*", color=REGIMES[regime], markersize=9, clip_on=False, zorder=3
            )
            if ", " in name:  # a query with several curves, whose group sizes are written on them
                _write_size(axes, regime, name, curve)
    drawn = np.concatenate([curve * MILLI for of_regime in curves.values() for curve in of_regime.values()])
    room = 0.28 * float(np.abs(drawn).max())  # above and below the curves, for the two texts
    axes.set(xlabel="baseline b", ylabel="entropy change (10$^{-3}$ nats)", xlim=(-0.03, 1.03))
    axes.set_ylim(float(drawn.min()) - room, float(drawn.max()) + room)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    for regime, extreme, height in (("hard", "lowest", 0.97), ("easy", "highest", 0.03)):
        axes.text(
            0.5,
            height,
            f"{regime}: Prop. 4.2 has ★ {extreme}",
            transform=axes.transAxes,
            fontsize=6.5,
            ha="center",
            va="top" if height > 0.5 else "bottom",
            color=REGIMES[regime],
        )


def _write_size(axes: Any, regime: str, name: str, curve: Array) -> None:
    """Write the group size, the last part of the curve's name, at the middle of the curve."""
    middle, (_, _, size) = len(BASELINES) // 2, name.partition(", ")
    axes.annotate(
        size,
        (BASELINES[middle], curve[middle] * MILLI),
        xytext=(0, 2 if regime == "hard" else -2),
        textcoords="offset points",
        fontsize=6.5,
        ha="center",
        va="bottom" if regime == "hard" else "top",
        color=REGIMES[regime],
    )


def measured(update: str, results: Results) -> Panel:
    """Return the panel with the share of random policies that keep the order, at every step size."""
    run = results.run("ordering", command="qae simulate ordering")
    compared = ("sampled_group qae", "grpo") if update == "sampled_group" else (update, "every baseline")
    shares = [share for share in run.analysis["shares"] if (share["update"], share["against"]) == compared]
    curves = {}
    for regime in ("hard", "easy"):
        of_regime = [share for share in shares if share["regime"] == regime]
        curves[f"{regime}, not broken"] = [(share["step_size"], share["holds"]) for share in of_regime]
        curves[f"{regime}, strict"] = [(share["step_size"], share["strict"]) for share in of_regime]
    level = shares[0]["holds"]["level"]
    at_first_order = [f"{name} {points[0][1]['estimate']:.0%}" for name, points in curves.items()]
    return Panel(
        title=f"{NAMES[update]}: {AGAINST[update]}",
        caption=f"{NAMES[update].capitalize()} update, {AGAINST[update]}, random policies: share that keeps the order "
        f"at first order, {'; '.join(at_first_order)}, with {100 * level:.6g}% intervals.",
        draw=partial(_draw_measured, curves=curves, legend=update != "sampled_group"),
        sources=(run,),
    )


def _draw_measured(
    axes: Any, *, curves: Mapping[str, Sequence[tuple[float, Mapping[str, float]]]], legend: bool
) -> None:
    """Draw the shares against the step size with their intervals; broken lines are for the strict order."""
    hard, easy = REGIMES["hard"], REGIMES["easy"]
    formats = zip((hard, hard, easy, easy), ("-", "--", "-", "--"), "ooss", strict=True)
    broad = widths([{step: share["estimate"] for step, share in points} for points in curves.values()])
    for (colour, style, marker), (name, points), width in zip(formats, curves.items(), broad, strict=True):
        steps = [step for step, _ in points if step > 0]
        # A logarithmic axis has no 0: the first order stands to the left of the smallest step.
        x = np.array([step if step > 0 else min(steps) / 4 for step, _ in points])
        middle = np.array([share["estimate"] for _, share in points])
        low, high = np.array([share["low"] for _, share in points]), np.array([share["high"] for _, share in points])
        face = "white" if style == "--" else colour
        # Curves of which all are 1, or 0, lie on one another: the first is drawn broadest, so that all are seen.
        look = {"color": colour, "marker": marker, "markerfacecolor": face, "linewidth": width}
        # No line joins the first order to the smallest step: there is no place on the axis between them.
        axes.plot(x[:1], middle[:1], **look)
        axes.plot(x[1:], middle[1:], linestyle=style, label=name, **look)
        axes.fill_between(x[1:], low[1:], high[1:], color=colour, alpha=0.1, linewidth=0)
    axes.set_xscale("log")
    ticks = [10.0**power for power in range(-2, 4)]
    axes.set_xticks([x[0], *ticks], ["0", *(f"{tick:g}" for tick in ticks)], minor=False)
    axes.minorticks_off()
    axes.set(xlabel="step size (0: first order)", ylabel="share of policies in order", ylim=(-0.03, 1.03))
    if legend:  # the curves of the last panel leave no room for one, and are named as in the other panels
        axes.legend(fontsize=6, loc="best")


PANELS = (
    *((name, partial(exact, update)) for update, name in NAMES.items()),
    *((f"{name}: {AGAINST[update]}", partial(measured, update)) for update, name in NAMES.items()),
)
