"""Compute what entropy did in the updates, by sign, regime and clip side, and what was predicted.

From sums over the tokens of each response before and after the update, as this project's probe of verl dumps them. The
prediction is of first order and per unit step: its sign and its order count, not its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.checks.rewards.gate_leak import DEFAULT_K, rule_of
from llm_validation.audit.findings.finding import share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses, to_responses
from qae_theory.arrays import Array
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
    if np.isfinite(predicted).any():
        found |= _prediction(main, change, predicted)
    return found


def _per_token(table: Responses, change: Array, chosen: Array) -> float | None:
    tokens = np.nan_to_num(table.column("tokens"))[chosen].sum()
    return float(np.nansum(change[chosen]) / tokens) if tokens else None


def _regimes(log: Log, table: Responses, change: Array) -> dict[str, Any]:
    """Return the change in hard groups, success rate at most 1 - K, and in easy ones."""
    if not table.grouped or table.correct_from is None:
        return {}
    rule = rule_of(log)
    level = quantile_level(DEFAULT_K if rule is None else rule.k)
    groups = table.groups
    hard = groups.right * level.denominator <= (level.denominator - level.numerator) * groups.scored
    of_rows, judged = to_responses(hard, groups), to_responses(groups.judged, groups)
    return {
        "hard": _per_token(table, change, judged & of_rows),
        "easy": _per_token(table, change, judged & ~of_rows),
        "k": str(level),
    }


def _clipped(table: Responses) -> dict[str, Any]:
    tokens = float(np.nansum(table.column("tokens")))
    sides = {side: table.column(f"clipped_{side}") for side in ("high", "low")}
    known = {side: column for side, column in sides.items() if np.isfinite(column).any()}
    return {f"clipped_{side}": share(np.nansum(column), tokens) for side, column in known.items()}


def _prediction(table: Responses, change: Array, predicted: Array) -> dict[str, Any]:
    """Return how the first-order prediction and the measured change agree over steps and over responses."""
    steps, code = np.unique(table.step, return_inverse=True)
    measured = np.bincount(code, np.nan_to_num(change), minlength=len(steps))
    expected = np.bincount(code, np.nan_to_num(predicted), minlength=len(steps))
    both = np.isfinite(change) & np.isfinite(predicted)
    spread = both.any() and change[both].std() > 0 and predicted[both].std() > 0
    correlation = float(np.corrcoef(change[both], predicted[both])[0, 1]) if spread and both.sum() > 2 else None
    return {
        "predicted_sign_agrees": float((np.sign(measured) == np.sign(expected)).mean()),
        "predicted_correlation": correlation,
        "steps": len(steps),
    }
