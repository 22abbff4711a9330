"""Compare two runs at equal success: what entropy each has left when it has become equally good.

At equal steps the better run has usually less entropy, for being better. So the entropies are read where the success,
made monotone by its running maximum, first reaches each of a few levels that both runs reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.facts.success import Course, course
from llm_validation.audit.report.report import Report, group_facts, zero_share
from qae_theory.arrays import Array

LEVELS = 5


def compared(one: Report, other: Report) -> dict[str, Any]:
    """Return the two runs side by side, in JSON's types.

    ``at_success`` has, for each level of success that both reach, steps and entropies of both; empty where success or
    entropy is not logged. ``entropy_per_success`` is the entropy lost between the first and the last level over the
    success gained.
    """
    courses = [course(report.log) for report in (one, other)]
    return {
        "success": [found.of for found in courses],
        "at_success": _at_levels(*courses),
        "entropy_per_success": [_per_success(found) for found in courses],
        "groups": [group_facts(report.log) for report in (one, other)],
        "zero_advantage_share": [None if (zero := zero_share(r.log)) is None else zero[0] for r in (one, other)],
        "findings": {
            "only_first": sorted(_ids(one) - _ids(other)),
            "only_second": sorted(_ids(other) - _ids(one)),
            "both": sorted(_ids(one) & _ids(other)),
        },
    }


def _ids(report: Report) -> set[str]:
    return {finding.id for finding in report.findings}


def _at_levels(one: Course, other: Course) -> list[dict[str, Any]]:
    parts = [_monotone(found) for found in (one, other)]
    if one.of != other.of or any(len(rate) < 2 for _, rate, _ in parts):
        return []
    low = max(float(rate[0]) for _, rate, _ in parts)
    high = min(float(rate[-1]) for _, rate, _ in parts)
    if not low < high:
        return []
    rows = []
    for level in np.linspace(low, high, LEVELS):
        found = [_first(part, level) for part in parts]
        rows.append(
            {
                "success": float(level),
                "steps": [step for step, _ in found],
                "entropy": [entropy for _, entropy in found],
            }
        )
    return rows


def _monotone(found: Course) -> tuple[Array, Array, Array]:
    """Return steps, the running maximum of success, and entropy, where both are known."""
    known = np.isfinite(found.success) & np.isfinite(found.entropy)
    return found.step[known], np.maximum.accumulate(found.success[known]), found.entropy[known]


def _first(part: tuple[Array, Array, Array], level: float) -> tuple[int, float]:
    step, rate, entropy = part
    at = min(int(np.searchsorted(rate, level)), len(rate) - 1)
    return int(step[at]), float(entropy[at])


def _per_success(found: Course) -> float | None:
    _, rate, entropy = _monotone(found)
    gained = float(rate[-1] - rate[0]) if len(rate) else 0.0
    return float(entropy[0] - entropy[-1]) / gained if gained > 0 else None
