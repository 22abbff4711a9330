r"""Compute what each reward function contributes within groups, where the advantages come from.

The share of a function c with weight w is :math:`\sum w(c - \bar c)(R - \bar R)/\sum (R - \bar R)^2`, where the means
are of each group and the sums run over all scored responses. The shares add up to 1 where R is the weighted sum; a
share below 0 works against the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.checks.rewards.reward_component_dead import varies
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses
from qae_theory.arrays import Array


def table(log: Log) -> list[dict[str, Any]]:
    """Return a row for each reward function; empty where the log names none, or no groups.

    ``mean`` is over all responses, ``tells`` the share of groups in which the function tells two responses apart,
    ``within_share`` its share of the rewards' spread within groups; None where the rewards have none.
    """
    grouped = [one for one in log.tables if one.components and one.grouped and one.has("reward")]
    main = max(grouped, key=lambda one: (one.role == "training", len(one)), default=None)
    if main is None:
        return []
    weights = log.settings.reward_weights or {}
    return [_row(main, name, column, weights.get(name, 1.0)) for name, column in main.components.items()]


def _row(main: Responses, name: str, column: Array, weight: float) -> dict[str, Any]:
    scored = np.isfinite(main.reward)
    reward = _centred(main, main.reward, scored)
    score = _centred(main, np.nan_to_num(column), scored)
    spread = float((reward**2).sum())
    finite = column[np.isfinite(column)]
    return {
        "component": name,
        "weight": weight,
        "mean": float(finite.mean()) if len(finite) else None,
        "tells": float(varies(main, column).mean()),
        "within_share": weight * float((score * reward).sum()) / spread if spread > 0 else None,
    }


def _centred(main: Responses, values: Array, scored: Array) -> Array:
    """Return values less their group's mean, ``[N]``; 0 for a response that is not scored."""
    groups = main.groups
    kept = np.where(scored, values, 0.0)
    mean = np.add.reduceat(kept, groups.start) / np.maximum(np.add.reduceat(scored, groups.start), 1)
    return np.where(scored, kept - np.repeat(mean, groups.size), 0.0)
