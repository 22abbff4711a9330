"""Return the class of candidates that the logged advantages cannot tell apart, or say that none fits.

Candidates are screened on some groups and those that pass are compared on all. eps 0 and 1e-8 coincide in float32, K of
one rank coincide in exact arithmetic, and a log in which every group is uniform says nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np

from llm_validation.audit.estimator.candidates import (
    Candidate,
    Family,
    Rows,
    candidates_of,
    divisor,
    families,
    numerator,
)
from llm_validation.audit.estimator.precision import Precision, precisions
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses, blocks
from llm_validation.audit.model.settings import AuditSettings
from qae_theory.advantages import estimator_names
from qae_theory.arrays import Array

SCREENED = 128  # groups on which every candidate is tried
BLOCK = 4096  # groups compared at once
EXACT = 2**10  # rewards that are multiples of its inverse are added up in float32 without rounding


@dataclass(frozen=True)
class Identified:
    """Say what the logged advantages are.

    ``members`` cannot be told apart, the preferred one first; empty where none fits, and then ``nearest`` is the
    candidate that is least far off, ``deviation`` the largest difference of any response under the first member or
    the nearest. ``groups`` were compared, ``left_out`` are of another size than most.
    """

    members: tuple[Candidate, ...]
    deviation: float
    precision: str
    groups: int
    left_out: int
    nearest: Candidate | None = None

    @property
    def fits(self) -> bool:
        """Return whether a candidate fits."""
        return bool(self.members)

    def record(self) -> dict[str, Any]:
        """Return it as the contract has it: the preferred member, and the others as equivalents."""
        first = self.members[0] if self.members else None
        return {
            "name": "none" if first is None else first.name,
            "options": {} if first is None else dict(first.options),
            "max_deviation": self.deviation,
            "equivalents": [one.record() for one in self.members[1:]],
            "nearest": None if self.nearest is None else self.nearest.record(),
            "precision": self.precision,
            "groups": self.groups,
            "left_out": self.left_out,
        }


class _Fit(NamedTuple):
    family: Family
    std: str
    eps: float
    members: tuple[Candidate, ...]
    excess: float
    """Largest deviation in units of the tolerance."""
    deviation: float


@lru_cache(maxsize=8)
def identify(log: Log) -> Identified | None:
    """Return which estimator made the logged advantages; None where the log cannot say.

    That is where advantages, rewards or groups are missing, or where no group has unequal rewards.
    """
    table = log.table("advantage", "reward", grouped=True)
    if table is None:
        return None
    rows, left_out = _rows(table)
    if rows is None:
        return None
    return identify_rows(rows, log.settings, left_out)


def identify_rows(rows: Rows, settings: AuditSettings, left_out: int = 0) -> Identified:
    """Return which estimator made the advantages of groups of one size, of which one has unequal rewards."""
    screened = _Groups(rows.take(_informative(rows)))
    known = [settings.k] if settings.k is not None else []
    divided = None if settings.std in (None, "none") else settings.estimator
    tried = [_Tried.of(family, screened.rows) for family in families(screened.rows, known, divided)]
    levels = precisions(rows.logged)
    for level in levels:
        fits = [fit for one in tried for fit in _fits(one, screened, level) if fit.excess <= 1]
        fits = [whole for fit in fits if (whole := _on_all(fit, rows, level)).excess <= 1]
        if fits:
            members = [member for fit in fits for member in fit.members]
            members.sort(key=lambda member: _distance(member, settings))
            first = next(fit for fit in fits if members[0] in fit.members)
            return Identified(tuple(members), first.deviation, level.name, len(rows.rewards), left_out)
    every = (fit for one in tried for fit in _fits(one, screened, levels[1]))
    nearest = min(every, key=lambda fit: fit.deviation)
    whole = _on_all(nearest, rows, levels[1])
    return Identified((), whole.deviation, levels[-1].name, len(rows.rewards), left_out, nearest.members[0])


class _Tried(NamedTuple):
    """Hold a family, its numerators of some groups, ``[M, G]``, and its candidates by deviation and eps."""

    family: Family
    top: Array
    candidates: tuple[tuple[str, float, tuple[Candidate, ...]], ...]

    @classmethod
    def of(cls, family: Family, rows: Rows) -> Self:
        """Return a family with what it makes of these groups."""
        return cls(family, numerator(family, rows), candidates_of(family))


class _Groups:
    """Hold groups with what every candidate needs of them, computed once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        scored = np.isfinite(rows.rewards)
        self.told = _told(rows, scored)
        self.largest = np.where(scored, np.abs(rows.rewards), 0).max(axis=1, keepdims=True)
        self._divisors: dict[tuple[bool, tuple[tuple[str, float], ...]], Array] = {}

    def divisors(self, family: Family, kinds: tuple[tuple[str, float], ...]) -> Array:
        """Return what a family's numerator is divided by, for several kinds of deviation and eps, ``[C, M, 1]``."""
        key = (family.on_correctness, kinds)
        if key not in self._divisors:
            below = np.stack([divisor(std, eps, family, self.rows) for std, eps in kinds])
            self._divisors[key] = np.where(below > 0, below, np.inf)  # 0/0 in a degenerate group is no advantage
        return self._divisors[key]


def _rows(table: Responses) -> tuple[Rows | None, int]:
    """Return the groups of the usual size whose advantages are whole; None without one that has unequal rewards."""
    groups = table.groups
    size = groups.usual_size
    if size is None or size < 2:
        return None, len(groups)
    index = blocks(table, groups.size == size)[size]
    logged, rewards = table.column("advantage")[index], table.reward[index]
    whole = ~(np.isnan(logged) & np.isfinite(rewards)).any(axis=1)
    index, logged, rewards = index[whole], np.nan_to_num(logged[whole]), rewards[whole]
    left_out = len(groups) - len(index)
    unequal = np.nanmax(np.where(np.isfinite(rewards), rewards, -np.inf), axis=1) > np.nanmin(
        np.where(np.isfinite(rewards), rewards, np.inf), axis=1
    )
    if not len(index) or not unequal.any():
        return None, left_out
    return Rows(rewards, logged, table.column("correct")[index], _batch_std(table, index)), left_out


def _batch_std(table: Responses, index: Array) -> Array:
    """Return the standard deviation of all rewards of each group's step, ``[M, 1]``."""
    steps, code = np.unique(table.step, return_inverse=True)
    scored = np.isfinite(table.reward)
    count = np.bincount(code[scored], minlength=len(steps))
    mean = np.bincount(code[scored], table.reward[scored], minlength=len(steps)) / np.maximum(count, 1)
    # About the mean: a difference of two sums of squares would cancel for large rewards that are nearly alike.
    squares = np.bincount(code[scored], (table.reward - mean[code])[scored] ** 2, minlength=len(steps))
    return np.sqrt(squares / np.maximum(count - 1, 1))[code[index[:, 0]]][:, None]


def _informative(rows: Rows) -> Array:
    """Return groups to screen with: one of each pattern of rewards, spread over the log, uniform ones too."""
    ordered = np.sort(np.nan_to_num(rows.rewards, nan=-np.inf), axis=1)
    _, first = np.unique(ordered, axis=0, return_index=True)
    thin = np.linspace(0, len(first) - 1, min(SCREENED, len(first))).round().astype(np.int64)
    spread = np.linspace(0, len(rows.rewards) - 1, min(SCREENED, len(rows.rewards))).round().astype(np.int64)
    return np.unique(np.r_[np.sort(first)[thin], spread])


def _fits(tried: _Tried, groups: _Groups, level: Precision) -> list[_Fit]:
    """Return how far each candidate's advantages are from the logged ones; all candidates of a family at once."""
    family, top, candidates = tried
    safe = groups.divisors(family, tuple((std, eps) for std, eps, _ in candidates))
    made, condition = top / safe, groups.largest / safe
    told = groups.told | (top != 0).any(axis=1, keepdims=True)
    off = np.where(told, np.abs(made - groups.rows.logged), 0)
    # Where rewards and advantages are all 0 so is the tolerance, and the smallest number keeps 0/0 away.
    excess = off / (level.tolerance(made, condition) + np.finfo(float).tiny)
    largest = zip(candidates, excess.max(axis=(1, 2)).tolist(), off.max(axis=(1, 2)).tolist(), strict=True)
    return [_Fit(family, *candidate, excess=far, deviation=most) for candidate, far, most in largest]


def _told(rows: Rows, scored: Array) -> Array:
    """Return which groups say something, ``[M, 1]``: those with unequal rewards, and uniform ones of exact numbers.

    Where all rewards are 0.7, float32 leaves a remainder of the mean, which is an advantage that no rule means; that is
    what ``phantom-advantage`` reports. Rewards of 0, 1 or 1/2 leave none.
    """
    high = np.where(scored, rows.rewards, -np.inf).max(axis=1)
    low = np.where(scored, rows.rewards, np.inf).min(axis=1)
    exact = np.where(scored, rows.rewards, 0) * EXACT
    return np.asarray((high > low) | (exact == np.round(exact)).all(axis=1))[:, None]


def _on_all(fit: _Fit, rows: Rows, level: Precision) -> _Fit:
    """Return the fit over all groups, a block at a time."""
    excess, deviation = 0.0, 0.0
    for start in range(0, len(rows.rewards), BLOCK):
        part = _Groups(rows.take(np.arange(start, min(start + BLOCK, len(rows.rewards)))))
        one = _Tried(fit.family, numerator(fit.family, part.rows), ((fit.std, fit.eps, fit.members),))
        (now,) = _fits(one, part, level)
        excess, deviation = max(excess, now.excess), max(deviation, now.deviation)
    return fit._replace(excess=excess, deviation=deviation)


def _distance(member: Candidate, settings: AuditSettings) -> tuple[Any, ...]:
    """Return a key that sorts candidates: what is configured first, then plain rules in the order of the registry."""
    options = member.options
    configured = (
        settings.estimator is not None and member.name != settings.estimator,
        settings.k is not None and "k" in options and options["k"] != settings.k,
        settings.std is not None and options.get("std", "none") != settings.std,
        settings.eps is not None and "eps" in options and options["eps"] != settings.eps,
    )
    order = estimator_names().index(member.name)
    std = ("population", "bessel", "none", "batch").index(str(options.get("std", "none")))
    eps = (1e-6, 1e-4, 1e-8, 0.0, 1e-5, 1e-3).index(float(options.get("eps", 0.0)))
    k = str(options.get("k", ""))
    plain = options.get("std") == "none"  # a rule that has a divisor and does not use it has a name of its own
    return (*configured, "gate" in options, plain, order, std, eps, k != "0.4", len(k), k)
