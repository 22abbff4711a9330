r"""Compute what every K would do with the run's own groups: exact shares of zeros and signs, and the gain.

The shares are of the groups as they are. The gain :math:`w(p, G) = E[A \mid 1] - E[A \mid 0]` (claim `neutrality`)
needs each question's success rate; it is taken as :math:`(m + 1/2)/(G + 1)` for m right of G (Jeffreys), a plug-in
and no oracle: K also changes which questions the run will see.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.checks.rewards.gate_leak import leaky_cells
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Groups
from qae_theory.baselines import is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.group_expectation import expected_gain, outcome_advantages

LEVELS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9")
_EPS = 1e-6


def table(log: Log) -> list[dict[str, Any]]:
    """Return a row for GRPO and for QAE at each K; empty where it is not known which responses are right.

    ``zero``, ``positive`` and ``negative`` are shares of responses, ``hard`` and ``leaks`` of groups (those with
    success rate at most 1 - K, and those in which the released code's quantile has other zeros), ``gain`` is the
    mean of w.
    """
    main = log.main
    if main is None or not main.grouped or main.correct_from is None:
        return []
    cells = _cells(main.groups)
    if not cells:
        return []
    return [_row(cells, "grpo", None), *(_row(cells, "qae", k) for k in LEVELS)]


def _cells(groups: Groups) -> dict[tuple[int, int], int]:
    """Return how many groups there are of each size with so many right."""
    there = groups.judged & (groups.scored >= 2)
    pairs, counts = np.unique(np.stack([groups.scored[there], groups.right[there]]), axis=1, return_counts=True)
    return {(int(size), int(right)): int(count) for (size, right), count in zip(pairs.T, counts, strict=True)}


def _row(cells: dict[tuple[int, int], int], name: str, k: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"eps": _EPS} if k is None else {"eps": _EPS, "k": k}
    groups = sum(cells.values())
    responses = sum(size * count for (size, _), count in cells.items())
    signs = {"zero": 0, "positive": 0, "negative": 0}
    hard = leaks = 0
    gain = 0.0
    for size in sorted({size for size, _ in cells}):
        made = outcome_advantages(size, name, **options)
        leaky = [] if k is None else leaky_cells(size, k)
        here = {right: count for (one, right), count in cells.items() if one == size}
        rates = np.array([(right + 0.5) / (size + 1) for right in here])
        gain += float(np.asarray(expected_gain(rates, size, name, **options)) @ np.array(list(here.values())))
        for right, count in here.items():
            for value, members in ((made.correct[right], right), (made.wrong[right], size - right)):
                sign = "zero" if value == 0 else "positive" if value > 0 else "negative"
                signs[sign] += members * count
            hard += count * (k is not None and is_hard_group(right, size, quantile_level(k)))
            leaks += count * (right in leaky)
    shares = {sign: number / responses for sign, number in signs.items()}
    regimes = {"hard": None, "leaks": None} if k is None else {"hard": hard / groups, "leaks": leaks / groups}
    return {"estimator": name, "k": k, **shares, **regimes, "gain": gain / groups}
