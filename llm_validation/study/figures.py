"""The study's figures, PNG and PDF: what was predicted against what was measured, rates of the order, entropy by K.

Colours are Okabe and Ito's, which colour-blind readers tell apart; markers differ too. The run's id is in the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.common.tables import Table, select
from llm_validation.study.analysis.curves import CURVES, WEAK, conditions, trajectory
from llm_validation.study.analysis.ladder import RUNGS
from llm_validation.study.analysis.pairs import FAVOURABLE
from llm_validation.study.analysis.verdicts import favourable

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_POINTS = 4000  # of one panel; thinned evenly beyond
NATS = "nats per response"


def draw_all(
    folder: Path, probes: Table, runs: Table, rates: Sequence[Mapping[str, Any]], *, run_id: str, note: str
) -> list[str]:
    """Draw every figure for which there are data, and return their names, without suffix.

    Args:
        folder: where the files go.
        probes: the probes table.
        runs: the runs table.
        rates: records of ``ordering``.
        run_id: for the metadata.
        note: what stands on every figure's face, its size for example.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawers: dict[str, Callable[[Any], bool]] = {
        "ladder": lambda figure: _ladder(figure, probes),
        "ordering": lambda figure: _ordering(figure, rates),
        "entropy": lambda figure: _entropy(figure, runs),
    }
    drawn = []
    for name, draw in drawers.items():
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        if not draw(figure):
            continue
        figure.suptitle(note, fontsize=8)
        source = f"qae validate, run {run_id}"
        figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Description": source, "Software": None})
        figure.savefig(folder / f"{name}.pdf", metadata={"Subject": source, "CreationDate": None})
        drawn.append(name)
    return drawn


def _ladder(figure: Any, probes: Table) -> bool:
    """Measured against predicted changes of entropy, a panel a rung, a row a task; plain arms, favourable setting."""
    tables = favourable(probes)
    if not tables:
        return False
    figure.set_size_inches(3 * len(RUNGS), 3 * len(tables) + 0.3)
    axes = figure.subplots(len(tables), len(RUNGS), squeeze=False)
    for row, (task, table) in zip(axes, tables.items(), strict=True):
        thin = slice(None, None, max(1, -(-len(table["change"]) // MOST_POINTS)))
        for axis, rung in zip(row, RUNGS, strict=True):
            axis.scatter(table[rung][thin], table["change"][thin], s=6, alpha=0.4, color=COLOURS[0], rasterized=True)
            axis.axline((0, 0), slope=1, color=COLOURS[1], linewidth=1)
            axis.axhline(0, color="0.8", linewidth=0.5, zorder=0)
            axis.set_title(f"{task}: {rung.replace('_', ' ')}", fontsize=9)
            axis.set_xlabel(f"predicted change ({NATS})", fontsize=7, loc="left")
            axis.set_ylabel(f"measured change ({NATS})", fontsize=7)
            axis.tick_params(labelsize=7)
            axis.locator_params(axis="x", nbins=4)
            axis.ticklabel_format(axis="both", style="sci", scilimits=(-2, 3))
            for side in (axis.xaxis, axis.yaxis):
                side.get_offset_text().set_fontsize(7)
    return True


def _ordering(figure: Any, rates: Sequence[Mapping[str, Any]]) -> bool:
    """Rates at which the order holds, by K; hard and easy prompts by their group, favourable setting."""
    shown = [
        one
        for one in rates
        if one["setting"] == FAVOURABLE and one["by"] == "group" and one["groups"] == "mixed"
        if one["rate"]["low"] is not None and (one["other"] in ("any", "grpo"))
    ]
    tasks = sorted({one["task"] for one in shown})
    if not tasks:
        return False
    figure.set_size_inches(4.2 * len(tasks), 4)
    for axis, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        kinds = [(regime, scaled) for regime in ("hard", "easy") for scaled in (False, True)]
        for number, (regime, scaled) in enumerate(kinds):
            here = [one for one in shown if (one["task"], one["regime"], one["scaled"]) == (task, regime, scaled)]
            if not here:
                continue
            k = np.array([float(one["k"]) for one in here]) + 0.015 * (number - 1.5)
            middle, low, high = (np.array([one["rate"][end] for one in here]) for end in ("estimate", "low", "high"))
            label = f"{regime}, {'qae against grpo' if scaled else 'r - b'}"
            bars = np.clip(np.stack([middle - low, high - middle]), 0, None)
            axis.errorbar(k, middle, bars, fmt=MARKERS[number], color=COLOURS[number], markersize=4, label=label)
        for level in (0.5, 1.0):
            axis.axhline(level, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
        axis.set(
            xlabel="K (quantile level)", ylabel="share of comparisons\nin which the order holds", ylim=(-0.03, 1.05)
        )
        axis.set_title(task, fontsize=9)
        axis.legend(fontsize=7, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    return True


def _entropy(figure: Any, runs: Table) -> bool:
    """Entropy over training for each K and for GRPO: the mean over seeds, and the seeds' range."""
    panels = list(conditions(select(runs, estimator=("qae", "grpo"), clip_high=WEAK)))
    if not panels:
        return False
    figure.set_size_inches(4.2 * len(panels), 3.4)
    for axis, (name, rows) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for number, run in enumerate(np.unique(rows["run"])):
            found = trajectory(select(rows, run=str(run)), CURVES)
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            curves = found.curves["sequence_entropy"]
            axis.fill_between(
                found.steps, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
            axis.plot(found.steps, curves.mean(axis=0), color=colour, marker=marker, markersize=3, label=str(run))
        axis.set(xlabel="step (batches of rollouts)", ylabel="entropy (nats per token)")
        axis.set_title(name, fontsize=9)
        axis.legend(fontsize=7)
    return True
