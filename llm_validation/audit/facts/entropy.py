"""Compute what entropy did in the updates, by sign, regime and clip side, and what was predicted.

From sums over the tokens of each response before and after the update, as this project's probe of verl dumps them. The
prediction is of first order and per unit step: its sign and its order count, not its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.checks.rewards.gate_leak import rule_of
from llm_validation.audit.findings.finding import share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses, to_responses
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import quantile_level


def table(log: Log) -> dict[str, Any] | None:
    """Return changes of entropy in nats a token; None without entropies before and after the update."""
    main = log.table("entropy_before", "entropy_after", "tokens")
    if main is None:
        return None
    change = main.column("entropy_after") - main.column("entropy_before")
    advantage = np.nan_to_num(main.column("advantage"))
    found: dict[str, Any] = {"all": _per_token(main, change, np.ones(len(main), dtype=bool))}
    for name, chosen in (("positive", advantage > 0), ("negative", advantage < 0), ("zero", advantage == 0)):
        found[name] = _per_token(main, change, chosen)
    found |= _regimes(log, main, change) | _clipped(main)
    predicted = main.column("entropy_predicted")
    return found | _prediction(main, change, predicted)


def _per_token(table: Responses, change: Array, chosen: Array) -> float | None:
    """Return the change over the chosen responses whose change is known, nats a token; None where there are none."""
    known = chosen & np.isfinite(change)
    tokens = np.nansum(table.column("tokens")[known])
    return float(change[known].sum() / tokens) if tokens else None


def _regimes(log: Log, table: Responses, change: Array) -> dict[str, Any]:
    """Return the change in hard groups, success rate at most 1 - K, and in easy ones."""
    if not table.grouped or table.correct_from is None:
        return {}
    rule = rule_of(log)
    level = quantile_level(DEFAULT_K if rule is None else rule.k)
    groups = table.groups
    of_rows, judged = to_responses(groups.hard(level), groups), to_responses(groups.judged, groups)
    return {
        "hard": _per_token(table, change, judged & of_rows),
        "easy": _per_token(table, change, judged & ~of_rows),
        "k": str(level),
    }


def _clipped(table: Responses) -> dict[str, Any]:
    """Return the share of tokens that were clipped on either side, of the responses of which that is known."""
    found = {}
    for side in ("high", "low"):
        column = table.column(f"clipped_{side}")
        known = np.isfinite(column)
        if known.any():
            found[f"clipped_{side}"] = share(column[known].sum(), np.nansum(table.column("tokens")[known]))
    return found


def _prediction(table: Responses, change: Array, predicted: Array) -> dict[str, Any]:
    """Return how the first-order prediction and the measured change agree over steps and over responses."""
    both = np.isfinite(change) & np.isfinite(predicted)
    if not both.any():
        return {}
    steps, code = np.unique(table.step[both], return_inverse=True)
    measured, expected = np.bincount(code, change[both]), np.bincount(code, predicted[both])
    spread = change[both].std() > 0 and predicted[both].std() > 0
    # Two points lie on a line whatever they are.
    correlation = float(np.corrcoef(change[both], predicted[both])[0, 1]) if spread and both.sum() > 2 else None
    return {
        "predicted_sign_agrees": float((np.sign(measured) == np.sign(expected)).mean()),
        "predicted_correlation": correlation,
        "steps": len(steps),
    }
