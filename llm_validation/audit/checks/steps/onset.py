"""Find the onset of a collapse or an explosion: a changepoint of entropy, length and score together.

One permutation test serves both. The break must be large as well: the entropy behind it (the length, where no entropy
is logged) at most half of its level before and of where its course led, or at least half as much again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from llm_validation.audit.changes.changepoint import LEAST_STEPS, Change, changepoint
from llm_validation.audit.findings.finding import ERROR_RATE, Check, Finding, share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import mean_by_step
from qae_theory.arrays import Array

COLLAPSED, EXPLODED = 0.5, 1.5
HELD = 0.8  # a score that keeps this much of its level has not suffered
_SERIES = ("entropy", "length", "best_score", "success", "reward")
_SCORES = ("best_score", "success", "reward")


def series_of(log: Log) -> tuple[Array, dict[str, Array]]:
    """Return steps and the series that are there, from the metrics, else from the responses.

    A success rate stands for the reward where there is one: it does not mix penalties in.
    """
    found = {name: log.steps.series(name) for name in _SERIES}
    known = {name: values for name, values in found.items() if values is not None}
    step = log.steps.step
    if not known.keys() & {"entropy", "length"}:
        step, known = _of_responses(log)
    if "success" in known:
        known.pop("reward", None)
    return step, known


def _of_responses(log: Log) -> tuple[Array, dict[str, Array]]:
    table = log.table("entropy_before", "tokens") or log.table("tokens")
    if table is None or not table.has_steps:
        return np.zeros(0, dtype=np.int64), {}
    steps, length = mean_by_step(table, "tokens")
    found = {"length": length}
    if table.has("entropy_before"):
        _, found["entropy"] = mean_by_step(table, "entropy_before", over="tokens")
    if table.has("correct"):
        _, found["success"] = mean_by_step(table, "correct")
    elif table.has("reward"):
        _, found["reward"] = mean_by_step(table, "reward")
    return steps, found


@lru_cache(maxsize=8)
def change_of(log: Log) -> Change | None:
    """Return the break of a run's series; None where there are too few steps."""
    step, series = series_of(log)
    return changepoint(step, series)


def _lacking(log: Log) -> str | None:
    step, series = series_of(log)
    if not series:
        return "entropy or length of responses by step"
    whole = np.all([np.isfinite(values) for values in series.values()], axis=0)
    return None if len(step) and whole.sum() >= LEAST_STEPS else f"at least {LEAST_STEPS} steps of entropy or length"


def _measure(change: Change) -> str:
    return "entropy" if "entropy" in change.seen else "length"


def run_collapse(log: Log) -> list[Finding]:
    """Return a finding where entropy or length falls to half or less from one step on."""
    change = change_of(log)
    if change is None or change.p_value > ERROR_RATE:
        return []
    name = _measure(change)
    fell = change.seen[name] <= COLLAPSED * min(change.before[name], change.expected[name])
    shrank = "length" in change.seen and change.seen["length"] <= COLLAPSED * change.before["length"]
    if not fell and not (shrank and _score_kept(change) < HELD):
        return []
    kept = _score_kept(change)
    return [_finding("onset-collapse", "warning" if kept >= HELD else "critical", change, name, kept)]


def run_explosion(log: Log) -> list[Finding]:
    """Return a finding where the entropy rises by half or more from one step on."""
    change = change_of(log)
    if change is None or change.p_value > ERROR_RATE or "entropy" not in change.seen:
        return []
    if change.seen["entropy"] < EXPLODED * max(change.before["entropy"], change.expected["entropy"]):
        return []
    kept = _score_kept(change)
    return [_finding("onset-explosion", "warning" if kept >= HELD else "critical", change, "entropy", kept)]


def _score_kept(change: Change) -> float:
    """Return what is left of the score; 1 where none is logged or where it grew."""
    kept = 1.0
    for name in _SCORES:
        if name in change.seen:
            before, seen = change.before[name], change.seen[name]
            floor = 0.0 if min(before, seen) >= 0 else min(-1.0, seen)  # signed rewards begin at -1
            kept = min(kept, 1 - share(max(before - seen, 0), before - floor))
    return kept


def _finding(identifier: str, severity: str, change: Change, name: str, kept: float) -> Finding:
    falls = "falls" if identifier == "onset-collapse" else "rises"
    parts = [f"{one} {change.before[one]:.3g} -> {change.seen[one]:.3g}" for one in change.seen]
    return Finding(
        identifier,
        "critical" if severity == "critical" else "warning",
        f"from step {change.onset} on the {name} {falls} off its course: {', '.join(parts)} (p = {change.p_value:.3g})",
        "the settings that changed at that step are undone, or the run is taken up from before it",
        {
            "onset": change.onset,
            "break": change.step,
            "p_value": change.p_value,
            "before": dict(change.before),
            "expected": dict(change.expected),
            "seen": dict(change.seen),
            "score_kept": kept,
        },
        ("safe-step", "neutrality-queries", "second-order"),
        ERROR_RATE,
    )


COLLAPSE = Check("onset-collapse", ("onset-collapse",), _lacking, run_collapse)
EXPLOSION = Check("onset-explosion", ("onset-explosion",), _lacking, run_explosion)
