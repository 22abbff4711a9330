"""Hold the responses of a run as columns, sorted so that each group's stand together, and its groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from llm_validation.audit.model.chunk import Identity, Role
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group


@dataclass(frozen=True, eq=False)
class Responses:
    """Hold N responses in M groups; rows of a group stand together, groups in the order of their steps.

    ``identity`` says where the groups come from: an ``id``, ``block``s of a known size, the text of the ``prompt``, or
    ``none`` where the responses cannot be grouped (then ``group`` is -1 throughout).
    """

    format: str
    identity: Identity
    step: Array
    """[N], int64."""
    group: Array
    """[N], int64, from 0 to M - 1."""
    reward: Array
    """[N], float64; NaN for a response that could not be scored."""
    columns: Mapping[str, Array] = field(default_factory=dict)
    components: Mapping[str, Array] = field(default_factory=dict)
    role: Role = "training"
    has_steps: bool = True
    correct_from: str | None = None
    """What says which responses are right: a column's name, two reward levels, a threshold; None where unknown."""

    def __len__(self) -> int:
        """Return the number of responses."""
        return len(self.step)

    def has(self, *names: str) -> bool:
        """Return whether every one of these columns holds at least one number."""
        return all(bool(np.isfinite(self.column(name)).any()) for name in names)

    def column(self, name: str) -> Array:
        """Return a column, ``[N]``; all NaN where the logs do not have it."""
        if name == "reward":
            return self.reward
        found = self.columns.get(name)
        return np.full(len(self), np.nan) if found is None else found

    @property
    def grouped(self) -> bool:
        """Return whether it is known which responses form a group."""
        return self.identity != "none" and len(self) > 0

    @cached_property
    def groups(self) -> Groups:
        """Return the groups of these responses."""
        return summarise(self)


@dataclass(frozen=True, eq=False)
class Groups:
    """Hold one row a group, ``[M]`` each."""

    start: Array
    """Index of the group's first response."""
    size: Array
    step: Array
    scored: Array
    """How many responses have a reward."""
    low: Array
    """Least reward; NaN in a group without one."""
    high: Array
    right: Array
    """How many responses are right; -1 where that is not known of all that are scored."""

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.size)

    @property
    def common_size(self) -> int | None:
        """Return the one size of all groups; None where they differ or there is none."""
        return int(self.size[0]) if len(self.size) and (self.size == self.size[0]).all() else None

    @property
    def usual_size(self) -> int | None:
        """Return the size that most groups have, the larger of two that are equally frequent."""
        if not len(self.size):
            return None
        sizes, counts = np.unique(self.size, return_counts=True)
        return int(sizes[counts == counts.max()].max())

    @property
    def judged(self) -> Array:
        """Return whether the group has a scored response and it is known which are right, ``[M]``."""
        return np.asarray((self.right >= 0) & (self.scored > 0))

    @property
    def all_wrong(self) -> Array:
        """Return whether every scored response is wrong, ``[M]``."""
        return self.judged & (self.right == 0)

    @property
    def all_right(self) -> Array:
        """Return whether every scored response is right, ``[M]``."""
        return self.judged & (self.right == self.scored)

    @property
    def mixed(self) -> Array:
        """Return whether there is a right and a wrong response, ``[M]``."""
        return self.judged & (self.right > 0) & (self.right < self.scored)

    @property
    def flat(self) -> Array:
        """Return whether all scored rewards are equal, ``[M]``: no group-centred rule has anything to say there."""
        return np.asarray((self.scored > 0) & (self.low == self.high))

    def hard(self, level: Fraction) -> Array:
        """Return whether the success rate of the scored responses is at most 1 - K, ``[M]``; only of judged groups.

        Args:
            level: K, in (0, 1).
        """
        hard = np.zeros(len(self), dtype=bool)
        for size in np.unique(self.scored):
            here = self.scored == size
            hard[here] = is_hard_group(self.right[here], int(size), level)
        return hard & self.judged


def summarise(responses: Responses) -> Groups:
    """Return the groups of responses, one row a group."""
    if not responses.grouped:
        none = np.zeros(0, dtype=np.int64)
        return Groups(none, none, none, none, np.zeros(0), np.zeros(0), none)
    start = np.flatnonzero(np.r_[True, np.diff(responses.group) != 0])
    size = np.diff(np.r_[start, len(responses)])
    reward, scored = responses.reward, np.isfinite(responses.reward)
    there = np.add.reduceat(scored.astype(np.int64), start)
    low = np.minimum.reduceat(np.where(scored, reward, np.inf), start)
    high = np.maximum.reduceat(np.where(scored, reward, -np.inf), start)
    correct = responses.column("correct")
    unknown = np.add.reduceat((scored & np.isnan(correct)).astype(np.int64), start)
    right = np.add.reduceat(np.where(scored & (correct > 0.5), 1, 0), start)
    return Groups(
        start,
        size,
        responses.step[start],
        there,
        np.where(there > 0, low, np.nan),
        np.where(there > 0, high, np.nan),
        np.where(unknown > 0, -1, right),
    )


def of_groups(values: Array, groups: Groups) -> Array:
    """Return each group's sum of a column of responses, ``[N] -> [M]``; NaN counts as 0."""
    return np.add.reduceat(np.nan_to_num(values), groups.start) if len(groups) else np.zeros(0)


def to_responses(values: Array, groups: Groups) -> Array:
    """Return a group's value at each of its responses, ``[M] -> [N]``."""
    return np.repeat(values, groups.size)


def mean_by_step(responses: Responses, name: str, *, over: str | None = None) -> tuple[Array, Array]:
    """Return the steps and a column's mean in each, ``[T]`` both; NaN in a step in which the column holds no number.

    Args:
        responses: grouped or not.
        name: of the column.
        over: a column that the sums are divided by, such as ``tokens`` for sums over tokens; by default responses are
            counted. Only responses that have a number in both columns count.
    """
    steps, code = np.unique(responses.step, return_inverse=True)
    values = responses.column(name)
    counts = np.ones(len(responses)) if over is None else responses.column(over)
    known = np.isfinite(values) & np.isfinite(counts)
    total = np.bincount(code[known], values[known], minlength=len(steps))
    divisor = np.bincount(code[known], counts[known], minlength=len(steps))
    return steps, np.divide(total, divisor, out=np.full(len(steps), np.nan), where=divisor > 0)


def blocks(responses: Responses, which: Array | None = None) -> Mapping[int, Array]:
    """Return, for every size of group, the rows of its groups as ``[groups, size]`` indices.

    Args:
        responses: grouped ones.
        which: ``[M]``, which groups; all by default.
    """
    groups = responses.groups
    chosen = np.ones(len(groups), dtype=bool) if which is None else which
    found: dict[int, Array] = {}
    for size in np.unique(groups.size[chosen]):
        starts = groups.start[chosen & (groups.size == size)]
        found[int(size)] = starts[:, None] + np.arange(size)
    return found
