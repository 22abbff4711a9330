"""List the candidates: every registered estimator with every K, standard deviation and eps that is in use.

A rule is split into numerator and divisor, A = N / (std + eps), so that a numerator is computed once for all divisors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from llm_validation.audit.model.settings import divides_by_itself
from qae_theory.advantages import Estimator, advantages, estimator_names, get_estimator
from qae_theory.arrays import Array
from qae_theory.baselines import quantile_rank
from qae_theory.checks import decimal_fraction

LEVELS = tuple(f"{number / 100:g}" for number in range(1, 100))
STDS = ("population", "bessel", "none", "batch")
EPSILONS = (1e-6, 1e-8, 0.0, 1e-5, 1e-4, 1e-3)
# Rules that read the quantile by its rank only: two K with one rank are one rule.
_BY_RANK = ("qae", "pos_mask", "neg_mask")


@dataclass(frozen=True)
class Candidate:
    """Name an estimator with its options; ``gate`` is ``correctness`` where it works on 0 and 1, not the rewards."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"name": self.name, "options": dict(self.options)}


@dataclass(frozen=True)
class Rows:
    """Hold groups of one size, ``[M, G]`` each.

    ``batch_std`` is the standard deviation over the whole batch of each group's step, Bessel's, ``[M, 1]``.
    """

    rewards: Array
    logged: Array
    correct: Array
    batch_std: Array

    def take(self, which: Array) -> Rows:
        """Return the groups of these rows, given indices or a mask ``[M]``."""
        return Rows(self.rewards[which], self.logged[which], self.correct[which], self.batch_std[which])


@dataclass(frozen=True)
class Family:
    """Name candidates that share a numerator: they differ in the divisor, and in K within a rank."""

    name: str
    levels: tuple[str, ...]
    divided: bool
    on_correctness: bool


def families(rows: Rows, known: Sequence[str] = (), divided: str | None = None) -> Iterator[Family]:
    """Yield the numerators to try for groups of one size.

    Args:
        rows: of groups; a rule of 0 and 1 is tried on other rewards only if it is known which are right.
        known: further K, the configured one for instance.
        divided: the rule that is configured with a divisor. A rule that has none of its own is tried with one only if
            it is this rule: divided by a standard deviation, Dr. GRPO for instance is GRPO.
    """
    binary = bool(np.isin(rows.rewards[np.isfinite(rows.rewards)], (0, 1)).all())
    judged = not np.isnan(np.where(np.isfinite(rows.rewards), rows.correct, 0)).any()
    levels = tuple(dict.fromkeys((*known, *LEVELS)))
    for name in estimator_names():
        rule = get_estimator(name)
        if rows.rewards.shape[1] < rule.least_group:
            continue
        for on_correctness in (False, True):
            # On rewards of 0 and 1 a rule of the rewards and one of the correctness are the same.
            if (on_correctness and (binary or not judged)) or (rule.binary_only and not binary and not on_correctness):
                continue
            if on_correctness and "k" not in rule.defaults and not rule.binary_only:
                continue
            for group in _level_groups(rule, levels, rows.rewards.shape[1]):
                yield Family(name, group, divides_by_itself(name), on_correctness)
                if name == divided and not divides_by_itself(name):
                    yield Family(name, group, True, on_correctness)


def numerator(family: Family, rows: Rows) -> Array:
    """Return the numerator of a family for groups, ``[M, G]``; for a rule without divisor the advantages."""
    values = rows.correct if family.on_correctness else rows.rewards
    mask = np.isfinite(values)
    options: dict[str, Any] = {"k": family.levels[0]} if family.levels else {}
    if not family.divided:
        return advantages(values, family.name, mask=mask, **options)
    made = advantages(values, family.name, mask=mask, std="population", eps=0.0, **options)
    # The division is undone, so that any registered rule gives its numerator by its public way.
    return made * group_std(values, "population")


def divisor(std: str, eps: float, family: Family, rows: Rows) -> Array:
    """Return what a numerator is divided by, ``[M, 1]``."""
    values = rows.correct if family.on_correctness else rows.rewards
    if std == "none":
        return np.ones((len(values), 1))
    if std == "batch":
        return rows.batch_std + eps
    return group_std(values, std) + eps


@cache
def candidates_of(family: Family) -> tuple[tuple[str, float, tuple[Candidate, ...]], ...]:
    """Return standard deviation, eps and the candidates of a family that are the same rule, for each of these."""
    return tuple((std, eps, tuple(same)) for std, eps, same in _by_divisor(family))


def _by_divisor(family: Family) -> Iterator[tuple[str, float, list[Candidate]]]:
    gate = {"gate": "correctness"} if family.on_correctness else {}
    if not family.divided:
        yield "none", 0.0, [Candidate(family.name, gate)]
        return
    for std in STDS if divides_by_itself(family.name) else [std for std in STDS if std != "none"]:
        for eps in EPSILONS if std != "none" else (0.0,):
            own: dict[str, Any] = {"std": std} if std == "none" else {"std": std, "eps": eps}
            levels: Sequence[Mapping[str, Any]] = [{"k": k} for k in family.levels] or [{}]
            yield std, eps, [Candidate(family.name, {**level, **own, **gate}) for level in levels]


def group_std(values: Array, kind: str) -> Array:
    """Return each group's standard deviation over what is scored, ``[M, G] -> [M, 1]``; 0 with fewer than two."""
    scored = np.isfinite(values)
    count = scored.sum(axis=1, keepdims=True)
    low = np.where(scored, values, np.inf).min(axis=1, keepdims=True)
    # From the least reward on: squares of large rewards that are nearly alike would lose their spread.
    shifted = np.where(scored, values - np.where(np.isfinite(low), low, 0), 0)
    mean = shifted.sum(axis=1, keepdims=True) / np.maximum(count, 1)
    squares = np.where(scored, (shifted - mean) ** 2, 0).sum(axis=1, keepdims=True)
    return np.sqrt(squares / np.maximum(count - (kind == "bessel"), 1))


def _level_groups(rule: Estimator, levels: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Return the K that are one rule at this size of group, those of one rank together; one empty group without K."""
    if "k" not in rule.defaults:
        return [()]
    if rule.name not in _BY_RANK:
        return [(level,) for level in levels]
    by_rank: dict[int, list[str]] = {}
    for level in levels:
        by_rank.setdefault(quantile_rank(size, decimal_fraction(level)), []).append(level)
    return [tuple(group) for group in by_rank.values()]
