"""Decide which responses are right: a column or a flag says it, else two reward levels do; more say nothing.

A threshold guessed from the rewards of one step turns an overlong penalty into a success in the next: there is one rule
for the whole run, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from llm_validation.audit.model.settings import AuditSettings
from qae_theory.arrays import Array

_ALONE = {1.0: 1.0, 0.0: 0.0, -1.0: 0.0}  # what a single level of a binary reward means


class Correctness(NamedTuple):
    """Hold ``correct``, 1, 0 or NaN, ``[N]``; ``source`` says what it is from, None where nothing is known."""

    correct: Array
    source: str | None


def correctness(
    reward: Array, correct: Array | None, components: Mapping[str, Array], settings: AuditSettings
) -> Correctness:
    """Return which responses are right.

    Args:
        reward: ``[N]``, NaN for unscorable.
        correct: ``[N]``, a column of the log that says it, if there is one.
        components: scores of the reward functions.
        settings: ``correct_above`` and ``correct_column`` come before the log's own column, and that before two levels.

    Raises:
        ValueError: ``correct_column`` is not a component with two levels.
    """
    scored = np.isfinite(reward)
    if settings.correct_above is not None:
        return Correctness(np.where(scored, reward > settings.correct_above, np.nan), "--correct-above")
    if settings.correct_column is not None:
        return Correctness(_component(components, settings.correct_column), settings.correct_column)
    if correct is not None and np.isfinite(correct).any() and np.isin(correct[np.isfinite(correct)], (0, 1)).all():
        return Correctness(correct, "a column of the log")
    found = two_levels(reward)
    return Correctness(np.full(len(reward), np.nan), None) if found is None else Correctness(found, "two reward levels")


def two_levels(values: Array) -> Array | None:
    """Return 1 at the upper and 0 at the lower of two levels, NaN at NaN; None with more levels than two.

    A single level is 1 if it is 1, and 0 if it is 0 or -1.
    """
    finite = np.isfinite(values)
    first = values[finite][:1]
    if not len(first):
        return None
    other = values[finite & (values != first[0])]
    if not len(other):
        single = _ALONE.get(float(first[0]))
        return None if single is None else np.where(finite, single, np.nan)
    if (other != other[0]).any():
        return None
    return np.where(finite, values == max(first[0], other[0]), np.nan)


def _component(components: Mapping[str, Array], name: str) -> Array:
    if name not in components:
        known = ", ".join(components) or "none"
        raise ValueError(f"correct_column must be a reward column of the log ({known}); got {name!r}")
    found = two_levels(components[name])
    if found is None:
        raise ValueError(f"correct_column must be a column with at most two levels; {name!r} has more")
    return found
