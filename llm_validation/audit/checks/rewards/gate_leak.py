"""Find groups in which the released code's gate is not the paper's, since its quantile lies between two rewards.

``torch.quantile`` interpolates at position (G - 1) K. Where that position lies between a wrong and a right response,
the baseline is a fraction and every response gets an advantage, though the gate on paper lets one side through.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_validation.audit.estimator.identify import identify
from llm_validation.audit.findings.finding import Check, Finding, percent, rewards_lacking, share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses, blocks
from llm_validation.verl_engine.update_probe import gate_leaks
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from qae_theory.group_expectation import outcome_advantages

MANY = 0.05  # of the groups
LINEAR = "qae_linear"


class Rule(NamedTuple):
    """Name the run's estimator and its K, configured or identified."""

    name: str
    k: str


def rule_of(log: Log) -> Rule | None:
    """Return the run's estimator: as identified from its advantages, else as configured; None if neither is known."""
    found = identify(log)
    if found is not None and found.fits:
        first = found.members[0]
        return Rule(first.name, str(first.options.get("k", log.settings.k or DEFAULT_K)))
    if log.settings.estimator is not None:
        return Rule(log.settings.estimator, log.settings.k or DEFAULT_K)
    return None


def leaking(responses: Responses, k: str) -> Array:
    """Return which groups leak at a K, ``[M]`` of bool; a group with an unscored response is not looked at."""
    groups = responses.groups
    leaks = np.zeros(len(groups), dtype=bool)
    whole = groups.scored == groups.size
    for size, rows in blocks(responses, whole).items():
        if size >= 2:
            leaks[whole & (groups.size == size)] = gate_leaks(responses.reward[rows], k)
    return leaks


def leaky_cells(size: int, k: str) -> list[int]:
    """Return the numbers of right responses at which a binary group of this size leaks.

    >>> leaky_cells(8, "0.4")
    [5]
    """
    exact, linear = (outcome_advantages(size, name, k=k) for name in ("qae", LINEAR))
    pairs = [(getattr(exact, side), getattr(linear, side)) for side in ("correct", "wrong")]
    differs = np.any([(one == 0) != (other == 0) for one, other in pairs], axis=0)
    return [int(m) for m in np.flatnonzero(differs)]


def _lacking(log: Log) -> str | None:
    lacking = rewards_lacking(log)
    if lacking is not None:
        return lacking
    return None if rule_of(log) is not None else "the estimator (its advantages, or --estimator)"


def run(log: Log) -> list[Finding]:
    """Return a finding where the run uses the interpolated quantile and a group leaked."""
    main, rule = log.main, rule_of(log)
    if main is None or rule is None or rule.name != LINEAR:
        return []
    leaks = leaking(main, rule.k)
    count = int(leaks.sum())
    if not count:
        return []
    part, size = share(count, len(leaks)), main.groups.usual_size or 2
    cells = leaky_cells(size, rule.k) if size >= 2 else []
    steps = np.unique(main.groups.step[leaks])
    return [
        Finding(
            "gate-leak",
            "critical" if part >= MANY else "warning",
            f"in {count} of {len(leaks)} groups ({percent(part)}) the interpolated quantile at K = {rule.k} gives an "
            f"advantage to responses that the gate on paper gives none (G = {size}: {_shown(cells)} right)",
            "the baseline is the order statistic of rank ceil(K G) (estimator qae)",
            {"groups": count, "of": len(leaks), "share": part, "k": rule.k, "cells": cells, "steps": len(steps)},
            ("eq4-released-code", "eq4-released-code-if"),
        )
    ]


def _shown(cells: list[int]) -> str:
    return ", ".join(map(str, cells)) or "none of binary rewards"


CHECK = Check("gate-leak", ("gate-leak",), _lacking, run)
