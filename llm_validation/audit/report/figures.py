"""Draw the report's figures as SVG text: shares over steps, gain by K, entropy by sign, leaks."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from llm_validation.audit.checks.rewards.gate_leak import leaking, rule_of
from llm_validation.audit.facts import by_k, entropy
from llm_validation.audit.facts.success import course
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Groups
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K

# Okabe and Ito's colours, which colour-blind readers tell apart.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#999999"
SIZE = (6.0, 3.2)  # inches


def figures(log: Log) -> list[tuple[str, str]]:
    """Return caption and SVG of every figure for which there are data."""
    drawers: list[tuple[str, Callable[[Any, Log], bool]]] = [
        ("Groups all wrong, mixed and all right, by step", _shares),
        ("Success and entropy, by step", _course),
        ("Mean gain w(p, G) and share of zero advantages, by K, at this run's own difficulty", _gain),
        ("Change of entropy by the sign of the advantage and by regime", _entropy),
        ("Groups in which the interpolated quantile has other zeros than the exact one, by step", _leaks),
    ]
    found = []
    for caption, draw in drawers:
        svg = _drawn(draw, log)
        if svg is not None:
            found.append((caption, svg))
    return found


def _drawn(draw: Callable[[Any, Log], bool], log: Log) -> str | None:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "qae", "svg.fonttype": "path"}):  # the same data give the same bytes
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axis = figure.subplots()
        if not draw(axis, log):
            return None
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def by_step(groups: Groups, which: Array) -> tuple[Array, Array]:
    """Return the steps and in each the share of judged groups of a kind."""
    steps, code = np.unique(groups.step[groups.judged], return_inverse=True)
    count = np.bincount(code, minlength=len(steps))
    return steps, np.bincount(code, which[groups.judged].astype(float), minlength=len(steps)) / np.maximum(count, 1)


def _shares(axis: Any, log: Log) -> bool:
    main = log.main
    if main is None or not main.groups.judged.any():
        return False
    kinds = {"all wrong": main.groups.all_wrong, "mixed": main.groups.mixed, "all right": main.groups.all_right}
    for (name, which), colour in zip(kinds.items(), (ORANGE, BLUE, GREEN), strict=True):
        steps, shares = by_step(main.groups, which)
        axis.plot(steps, shares, label=name, color=colour, marker="." if len(steps) < 40 else None)
    axis.set(xlabel="step", ylabel="share of groups", ylim=(-0.02, 1.02))
    axis.legend(fontsize=8)
    return True


def _course(axis: Any, log: Log) -> bool:
    found = course(log)
    if not np.isfinite(found.entropy).any():
        return False
    drawn = axis.plot(found.step, found.entropy, color=ORANGE, label="entropy")
    axis.set(xlabel="step", ylabel="entropy, nats a token")
    if np.isfinite(found.success).any():
        other = axis.twinx()
        drawn += other.plot(found.step, found.success, color=BLUE, linestyle="--", label=found.of)
        other.set_ylabel(found.of)
    axis.legend(handles=drawn, fontsize=8)
    return True


def _gain(axis: Any, log: Log) -> bool:
    rows = by_k.table(log)
    if not rows:
        return False
    grpo, *qae = rows
    levels = [float(row["k"]) for row in qae]
    drawn = axis.plot(levels, [row["gain"] for row in qae], color=BLUE, marker="o", label="gain, QAE")
    drawn.append(axis.axhline(grpo["gain"], color=GREY, linestyle="--", label="gain, GRPO"))
    axis.set(xlabel="K", ylabel="mean gain")
    other = axis.twinx()
    drawn += other.plot(levels, [row["zero"] for row in qae], color=PINK, marker="s", label="zeros, QAE")
    other.set(ylabel="share of zero advantages", ylim=(-0.02, 1.02))
    axis.legend(handles=drawn, fontsize=8, loc="lower left")
    return True


def _entropy(axis: Any, log: Log) -> bool:
    found = entropy.table(log)
    if found is None:
        return False
    names = [name for name in ("all", "positive", "negative", "zero", "hard", "easy") if found.get(name) is not None]
    axis.bar(names, [found[name] for name in names], color=BLUE)
    axis.axhline(0, color="0.5", linewidth=0.8)
    axis.set_ylabel("change, nats a token")
    return True


def _leaks(axis: Any, log: Log) -> bool:
    main, rule = log.main, rule_of(log)
    if main is None or not main.groups.judged.any() or main.groups.usual_size == 1:
        return False
    leaks = leaking(main, DEFAULT_K if rule is None else rule.k)
    if not leaks.any():
        return False
    steps, shares = by_step(main.groups, leaks)
    axis.plot(steps, shares, color=ORANGE, marker="." if len(steps) < 40 else None)
    axis.set(xlabel="step", ylabel="share of groups", ylim=(-0.02, None))
    return True
