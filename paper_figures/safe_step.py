"""Show up to which step Prop. 4.2's order holds under the uncentred update: certified against actual."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from paper_figures.colours import PAIR as BLACK_AND_GREY
from paper_figures.colours import shades
from paper_figures.panels import Panel
from paper_figures.runs import Results, Run
from qae_theory import entropy_change, safe_step_size, update_direction
from qae_theory.arrays import Array

TITLE = "The certified step and the step at which the order breaks"
SHAPE = (1, 3)
SIZE = (3.5, 2.9)
COMMAND = "qae simulate ordering"
PROBS = (0.4, 0.6)  # the witness of claim `prop42-finite-step`, the correct answer first
PAIR = "0 and 1"  # the widest pair of baselines
LEVEL = 0.99
MARKERS = "os^D"
MOST = 3000  # points of the scatter; if there are more, they are thinned evenly


def change(steps: Array | float, baseline: float) -> Array:
    """Return the entropy change of the witness's policy under one baseline, in nats, at these step sizes."""
    logits = np.log(PROBS)
    return entropy_change(logits, update_direction(logits, [1, 0], "uncentred", baseline=baseline), steps)


def example(results: Results) -> Panel:
    """Return the panel with two baselines over the step size, the certified step, and the crossing."""
    del results
    certified = float(safe_step_size(np.log(PROBS), [1, 0], low=0.0, high=1.0))
    # The order still holds at the certified step and has turned at ten times that step, so that it breaks in between.
    crossing = float(brentq(lambda step: float(change(step, 1.0) - change(step, 0.0)), certified, 10 * certified))
    return Panel(
        title="one policy: where the order breaks",
        caption=f"Probabilities {PROBS[0]} (right) and {PROBS[1]} (wrong), a hard query: b = 0 has the lower entropy "
        f"up to step {crossing:.3g}, and is certified to have it up to {certified:.3g}.",
        draw=partial(_draw_example, certified=certified, crossing=crossing),
    )


def _draw_example(axes: Any, *, certified: float, crossing: float) -> None:
    """Draw the entropy change under both baselines, the certified range, and the step at which they cross."""
    steps = np.linspace(0, 1.9 * crossing, 200)
    for (baseline, name), colour in zip(((0.0, "b = 0 (b_K)"), (1.0, "b = 1")), BLACK_AND_GREY, strict=True):
        axes.plot(steps, change(steps, baseline), marker="", color=colour, label=name)
    axes.axvspan(0, certified, color="0.92", label="certified")
    axes.axvline(crossing, color="black", linewidth=0.9, linestyle=":", label="order breaks")
    top = axes.get_ylim()[1]
    axes.text(certified / 2, top, "certified", fontsize=7, ha="center", va="top")
    axes.text(crossing * 1.02, top, "reversed from here", fontsize=7, va="top")
    axes.set(xlabel="step size (logits per unit direction)", ylabel="entropy change (nats)", xlim=(0, steps[-1]))
    axes.set_ylim(top=top)
    # The certified range and the crossing are named on the drawing itself.
    _draw_legend(axes, lambda label: label.startswith("b = "), loc="lower left")


def _draw_legend(axes: Any, is_shown: Callable[[str], bool], **options: Any) -> None:
    """Draw a legend with only the entries whose label is to be shown."""
    handles, labels = axes.get_legend_handles_labels()
    shown = {label: handle for handle, label in zip(handles, labels, strict=True) if is_shown(label)}
    axes.legend(shown.values(), shown.keys(), **options)


def scatter(results: Results) -> Panel:
    """Return the panel with every random policy: the certified step, and the first step at which the order fails."""
    run, policies = _certified(results)
    top = run.config["settings"]["step_high"]
    always = sum(policy["actual"] is None for policy in policies)
    wrong = sum(policy["failures"] > 0 for policy in policies)
    return Panel(
        title="random policies: none below the line" if not wrong else f"random policies: {wrong} below the line",
        caption=f"{len(policies)} random policies, baselines {PAIR}: {wrong} whose order breaks at a certified step; "
        f"the order of {always} holds at every step tried, up to {top:g} (drawn at the top).",
        draw=partial(_draw_scatter, policies=policies, top=top),
        sources=(run,),
    )


def _certified(results: Results) -> tuple[Run, list[dict[str, Any]]]:
    """Return the run, and its records of policies with a certified step for the widest pair of baselines."""
    run = results.run("ordering", command=COMMAND)
    of_pair = [record for record in run.records if record["kind"] == "certified" and record["pair"] == PAIR]
    return run, [record for record in of_pair if record["certified"] is not None]


def _draw_scatter(axes: Any, *, policies: Sequence[Mapping[str, Any]], top: float) -> None:
    """Draw the actual against the certified step of every policy; none may lie below the line of equal steps."""
    arms = sorted({policy["arms"] for policy in policies})
    colours = shades(len(arms))
    never = 3 * top  # where policies are drawn whose order fails at no step tried
    for number, n in enumerate(arms):
        of_size = [policy for policy in policies if policy["arms"] == n]
        shown = of_size[:: max(1, -(-len(of_size) * len(arms) // MOST))]
        x = [policy["certified"] for policy in shown]
        y = [never if policy["actual"] is None else policy["actual"] for policy in shown]
        marker, label = MARKERS[number % len(MARKERS)], f"{n} answers"
        axes.scatter(
            x, y, s=9, marker=marker, facecolors="none", edgecolors=colours[number], label=label, rasterized=True
        )
    steps = [policy["certified"] for policy in policies]
    low, high = min(steps) / 1.5, max(steps) * 1.5
    axes.plot(
        [low, high], [low, high], color="black", marker="", linewidth=1, linestyle="-", label="certified = actual"
    )
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, 2 * never))
    axes.text(low * 1.2, never / 1.6, f"never, up to {top:g}", fontsize=6.5, va="top")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set(xlabel="certified step size", ylabel="step size at which the order breaks")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.86), fontsize=6)


def tightness(results: Results) -> Panel:
    """Return the panel with how much of the actual step is certified, by number of answers."""
    run, policies = _certified(results)
    failing = [policy for policy in policies if policy["actual"] is not None]
    shares: dict[int, Array] = {}
    texts = []
    for n in sorted({policy["arms"] for policy in failing}):
        of_size = [policy["certified"] / policy["actual"] for policy in failing if policy["arms"] == n]
        shares[n] = np.sort(of_size)
        low, high = median_interval(shares[n])
        texts.append(f"{n} answers {np.median(of_size):.0%} [{low:.0%}, {high:.0%}] ({len(of_size)} policies)")
    return Panel(
        title="how much of the actual step is certified",
        caption=f"Where the order breaks at some step, the certified step in the median as a share of the actual one, "
        f"with {LEVEL:.0%} intervals: {'; '.join(texts)}.",
        draw=partial(_draw_tightness, shares=shares),
        sources=(run,),
    )


def median_interval(ordered: Array, level: float = LEVEL) -> tuple[float, float]:
    """Return the order statistics between which the median of shares lies; 0 and 1 where there are too few shares.

    Args:
        ordered: the shares, ascending.
        level: of the interval.
    """
    # Binomially many shares lie below the median.
    rank = int(binom.ppf((1 - level) / 2, len(ordered), 0.5))
    return (float(ordered[rank - 1]), float(ordered[-rank])) if rank else (0.0, 1.0)


def _draw_tightness(axes: Any, *, shares: Mapping[int, Array]) -> None:
    """Draw the distribution of certified over actual steps for each number of answers, with its median."""
    colours = shades(len(shares))
    for number, (n, ordered) in enumerate(shares.items()):
        below = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.plot(ordered, below, marker="", color=colours[number], linestyle="-", label=f"{n} answers")
        middle, (low, high) = float(np.median(ordered)), median_interval(ordered)
        axes.errorbar(
            middle,
            0.5,
            xerr=[[max(0.0, middle - low)], [max(0.0, high - middle)]],
            fmt=MARKERS[number % len(MARKERS)],
            color=colours[number],
            label=f"{n} answers: median",
        )
    axes.axhline(0.5, color="0.6", linewidth=0.8)
    axes.text(0.99, 0.43, f"median, {LEVEL:.0%} interval", fontsize=6.5, ha="right")
    axes.set(xlabel="certified step / actual step", ylabel="share of policies below", xlim=(0, 1), ylim=(0, 1.02))
    _draw_legend(axes, lambda label: "median" not in label, loc="lower right", fontsize=6.5)


PANELS = (
    ("one policy: where the order breaks", example),
    ("random policies: certified against actual", scatter),
    ("how much of the actual step is certified", tightness),
)
