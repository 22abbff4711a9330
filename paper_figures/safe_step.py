"""Up to which step Prop. 4.2's order holds under the uncentred update: certified against actual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from paper_figures.panels import Panel
from paper_figures.runs import Results, Run
from qae_theory import entropy_change, safe_step_size, update_direction
from qae_theory.arrays import Array

TITLE = "The certified step and the step at which the order breaks"
SHAPE = (1, 3)
SIZE = (3.5, 2.9)
COMMAND = "qae simulate ordering"
PROBS = (0.4, 0.6)  # the witness of `prop42-finite-step`, right answer first
PAIR = "0 and 1"  # the widest pair of baselines
LEVEL = 0.99
MARKERS = "os^D"
MOST = 3000  # points of the scatter; thinned evenly beyond


def change(steps: Array | float, baseline: float) -> Array:
    """Entropy change of the witness's policy under one baseline."""
    logits = np.log(PROBS)
    return entropy_change(logits, update_direction(logits, [1, 0], "uncentred", baseline=baseline), steps)


def example(results: Results) -> Panel:
    """Two baselines over the step size, with the certified step and the crossing."""
    del results
    certified = float(safe_step_size(np.log(PROBS), [1, 0], 0.0, 1.0))
    crossing = float(brentq(lambda step: float(change(step, 1.0) - change(step, 0.0)), certified, 10 * certified))
    return Panel(
        "one policy: where the order breaks",
        f"Probabilities {PROBS[0]} (right) and {PROBS[1]} (wrong), a hard query: b = 0 has the lower entropy up to "
        f"step {crossing:.3g}, and is certified to have it up to {certified:.3g}.",
        partial(_draw_example, certified=certified, crossing=crossing),
    )


def _draw_example(axes: Any, *, certified: float, crossing: float) -> None:
    steps = np.linspace(0, 1.9 * crossing, 200)
    for baseline, name in ((0.0, "b = 0 (b_K)"), (1.0, "b = 1")):
        axes.plot(steps, change(steps, baseline), marker="", label=name)
    axes.axvspan(0, certified, color="0.92", label="certified")
    axes.axvline(crossing, color="black", linewidth=0.9, linestyle=":", label="order breaks")
    top = axes.get_ylim()[1]
    axes.text(certified / 2, top, "certified", fontsize=7, ha="center", va="top")
    axes.text(crossing * 1.02, top, "reversed from here", fontsize=7, va="top")
    axes.set(xlabel="step size (logits per unit direction)", ylabel="entropy change (nats)", xlim=(0, steps[-1]))
    axes.set_ylim(top=top)
    axes.legend(*_only(axes, "b = "), loc="lower left")


def _only(axes: Any, start: str) -> tuple[list[Any], list[str]]:
    shown = [pair for pair in zip(*axes.get_legend_handles_labels(), strict=True) if pair[1].startswith(start)]
    return [handle for handle, _ in shown], [label for _, label in shown]


def scatter(results: Results) -> Panel:
    """Every random policy: the certified step and the first step of the scan at which the order fails."""
    run, rows = _certified(results)
    top = run.config["settings"]["step_high"]
    failing = [row for row in rows if row["actual"] is not None]
    wrong = sum(row["failures"] > 0 for row in rows)
    return Panel(
        "random policies: none below the line" if not wrong else f"random policies: {wrong} below the line",
        f"{len(rows)} random policies, baselines {PAIR}: {wrong} whose order breaks at a certified step; the order "
        f"of {len(rows) - len(failing)} holds at every step tried, up to {top:g} (drawn at the top).",
        partial(_draw_scatter, rows=rows, top=top),
        sources=(run,),
    )


def _certified(results: Results) -> tuple[Run, list[dict[str, Any]]]:
    run = results.run("ordering", command=COMMAND)
    rows = [row for row in run.records if row["kind"] == "certified" and row["pair"] == PAIR]
    return run, [row for row in rows if row["certified"] is not None]


def _draw_scatter(axes: Any, *, rows: Sequence[Mapping[str, Any]], top: float) -> None:
    arms = sorted({row["arms"] for row in rows})
    never = 3 * top
    for number, n in enumerate(arms):
        here = [row for row in rows if row["arms"] == n]
        here = here[:: max(1, -(-len(here) * len(arms) // MOST))]
        x = [row["certified"] for row in here]
        y = [never if row["actual"] is None else row["actual"] for row in here]
        marker, label = MARKERS[number % len(MARKERS)], f"{n} answers"
        axes.scatter(x, y, s=9, marker=marker, facecolors="none", edgecolors=f"C{number}", label=label, rasterized=True)
    low, high = (end(row["certified"] for row in rows) for end in (min, max))
    low, high = low / 1.5, high * 1.5
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
    """How much of the actual step is certified, by number of answers."""
    run, rows = _certified(results)
    shares = {
        n: np.sort([row["certified"] / row["actual"] for row in rows if row["arms"] == n and row["actual"] is not None])
        for n in sorted({row["arms"] for row in rows})
    }
    shares = {n: found for n, found in shares.items() if len(found)}
    said = "; ".join(
        f"{n} answers {np.median(found):.0%} [{low:.0%}, {high:.0%}] ({len(found)} policies)"
        for n, found in shares.items()
        for low, high in [median_interval(found)]
    )
    return Panel(
        "how much of the actual step is certified",
        f"Where the order breaks at some step, the certified step in the median as a share of the actual one, with "
        f"{LEVEL:.0%} intervals: {said}.",
        partial(_draw_tightness, shares=shares),
        sources=(run,),
    )


def median_interval(ordered: Array, level: float = LEVEL) -> tuple[float, float]:
    """Order statistics between which the median of shares lies; 0 and 1 where there are too few."""
    rank = int(binom.ppf((1 - level) / 2, len(ordered), 0.5))
    return (float(ordered[rank - 1]), float(ordered[-rank])) if rank else (0.0, 1.0)


def _draw_tightness(axes: Any, *, shares: Mapping[int, Array]) -> None:
    for number, (n, found) in enumerate(shares.items()):
        (line,) = axes.plot(found, np.arange(1, len(found) + 1) / len(found), marker="", label=f"{n} answers")
        middle, (low, high) = float(np.median(found)), median_interval(found)
        axes.errorbar(
            middle,
            0.5,
            xerr=[[max(0.0, middle - low)], [max(0.0, high - middle)]],
            fmt=MARKERS[number % len(MARKERS)],
            color=line.get_color(),
            label=f"{n} answers: median",
        )
    axes.axhline(0.5, color="0.6", linewidth=0.8)
    axes.text(0.99, 0.43, f"median, {LEVEL:.0%} interval", fontsize=6.5, ha="right")
    axes.set(xlabel="certified step / actual step", ylabel="share of policies below", xlim=(0, 1), ylim=(0, 1.02))
    handles, labels = axes.get_legend_handles_labels()
    shown = {label: handle for handle, label in zip(handles, labels, strict=True) if "median" not in label}
    axes.legend(shown.values(), shown.keys(), loc="lower right", fontsize=6.5)


PANELS = (
    ("one policy: where the order breaks", example),
    ("random policies: certified against actual", scatter),
    ("how much of the actual step is certified", tightness),
)
