"""Show the finding in one picture that a phone can show: what one step does to entropy, against the baseline.

The query, the step and the curves are those of the first row of ``baseline_sweep``, hard query only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from paper_figures.baseline_sweep import BASELINES, CORRECT, MILLI, STEP, changes
from paper_figures.colours import UPDATES
from paper_figures.panels import Panel
from paper_figures.runs import Results
from qae_theory.arrays import Array

TITLE = "The effect of the baseline depends on the step"
SHAPE = (1, 1)
SIZE = (3.9, 3.0)  # inches; at 100 pixels an inch the width of a phone

REGIME = "hard"
GROUP = 2
NAMES = {  # what is written on the curves, and the curve of ``changes``
    "uncentred": ("the paper's update: it rises with b", REGIME),
    "policy_gradient": ("policy gradient: b drops out", REGIME),
    "sampled_group": (f"a trainer's step (G = {GROUP}): it falls with b", f"{REGIME}, G = {GROUP}"),
}


def panel(results: Results) -> Panel:
    """Return the panel of a hard query: entropy change of three updates at every baseline."""
    # The panel is computed from theory alone.
    del results
    curves = {update: changes(update, REGIME)[curve] for update, (_, curve) in NAMES.items()}
    ends = "; ".join(
        f"{NAMES[update][0].partition(':')[0]} from {curve[0] * MILLI:.3g} at b = 0 to {curve[-1] * MILLI:.3g} at b = 1"
        for update, curve in curves.items()
    )
    return Panel(
        title="one step on a hard question",
        caption=f"One step of size {STEP} on a question with two answers, of which the right one has probability "
        f"{CORRECT[REGIME]}: expected entropy change in 1e-3 nats, {ends}. QAE's baseline is b = 0 there, and Prop. "
        "4.2 says that it gives the lowest change.",
        draw=partial(_draw, curves=curves),
    )


def _draw(axes: Any, *, curves: Mapping[str, Array]) -> None:
    """Draw each curve with its name along it, and QAE's baseline as a star."""
    for update, curve in curves.items():
        shown = curve * MILLI
        axes.plot(BASELINES, shown, color=UPDATES[update], marker="", linewidth=2.2, label=NAMES[update][0])
        axes.plot(BASELINES[0], shown[0], "*", color=UPDATES[update], markersize=11, clip_on=False, zorder=3)
    axes.set(xlabel="baseline b that is subtracted from the rewards", ylabel="entropy change (10$^{-3}$ nats)")
    axes.set(xlim=(0, 1), ylim=(0, 1.32 * max(float(np.max(curve)) for curve in curves.values()) * MILLI))
    axes.legend(loc="upper left", fontsize=8, handlelength=1.6, borderaxespad=0.1)
    axes.annotate(
        "★ QAE's b; Prop. 4.2 has it lowest",
        (0.15, 0.02),
        xycoords="axes fraction",
        fontsize=8,
        va="bottom",
        color="0.25",
    )


PANELS = (("one step on a hard question", panel),)
