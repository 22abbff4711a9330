"""Find reward functions that never tell two responses of a group apart, and so move nothing.

What is the same for all responses to a prompt drops out of every group-centred advantage.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses
from qae_theory.arrays import Array

LEAST_GROUPS = 10  # below it, chance may do it


def _table(log: Log) -> Responses | None:
    found = [one for one in log.tables if len(one.components) > 1 and one.grouped and one.role == "training"]
    return max(found, key=len, default=None)


def _lacking(log: Log) -> str | None:
    return None if _table(log) is not None else "a column for each of several reward functions, and groups"


def varies(responses: Responses, column: Array) -> Array:
    """Return in which groups a column has two different values, ``[M]`` of bool; NaN is no value."""
    start = responses.groups.start
    low = np.minimum.reduceat(np.where(np.isfinite(column), column, np.inf), start)
    high = np.maximum.reduceat(np.where(np.isfinite(column), column, -np.inf), start)
    return np.asarray(low < high)


def run(log: Log) -> list[Finding]:
    """Return a finding for every reward function that is constant within all groups."""
    table = _table(log)
    if table is None or len(table.groups) < LEAST_GROUPS:
        return []
    findings = []
    for name, column in table.components.items():
        if varies(table, column).any():
            continue
        finite = column[np.isfinite(column)]
        values = len(np.unique(finite))
        says = (
            "is missing throughout" if not values else "is constant" if values == 1 else "differs only between groups"
        )
        findings.append(
            Finding(
                "reward-component-dead",
                "warning",
                f"the reward function {name} {says}: in none of {len(table.groups)} groups does it tell two responses "
                "apart",
                "the function is repaired or left out",
                {"component": name, "groups": len(table.groups), "values": values},
                ("neutrality",),
            )
        )
    return findings


CHECK = Check("reward-component-dead", ("reward-component-dead",), _lacking, run)
