"""DAPO's dynamic sampling: other questions in place of those that were answered all right or all wrong.

The bookkeeping only, on groups of all processes; the trainer samples and scores. Source: arXiv 2503.14476, Eq. 11.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_validation.train.rollouts import is_mixed
from qae_theory.arrays import Array


@dataclass(frozen=True)
class Group:
    """One question's responses in this process, a list entry a response.

    ``prompt_ids`` are the question's tokens, once for all; ``logprobs`` are the sampler's, each None where it gives
    none; ``extra`` holds what the reward function logged.
    """

    inputs: list[dict[str, Any]]
    prompt_ids: list[int]
    completion_ids: list[list[int]]
    logprobs: list[Any]
    extra: dict[str, list[Any]]


@dataclass(frozen=True)
class Batch:
    """This process's groups, P of them, and what all W processes know: rewards and scores ``[W, P, G]``.

    ``correct`` are the verifier's scores before shaping, 1, 0 or NaN: they decide which groups are mixed.
    """

    groups: list[Group]
    rewards: Array
    correct: Array

    @property
    def mixed(self) -> Array:
        """Return whether some responses of a group are right and some are wrong, ``[W, P]``."""
        return is_mixed(self.correct)


Sample = Callable[[list[int]], Batch]


def resampled(batch: Batch, sample: Sample, questions: Iterator[int], *, index: int, limit: int) -> tuple[Batch, int]:
    """Return the batch with its other groups replaced by mixed ones, and how often was sampled for that.

    Each round, every process samples as many other questions as the process with the most of such groups needs, for
    the processes have to work in step; a mixed group that its process has no place for is dropped. After ``limit``
    rounds the groups that are still not mixed stay.

    Args:
        batch: the first sample.
        sample: samples and scores the questions of those indices in this process; every process calls it together.
        questions: indices of the questions to take next, the same in every process.
        index: which process this is.
        limit: most rounds.
    """
    for rounds in range(limit):
        missing = int((~batch.mixed).sum(axis=1).max())
        if missing == 0:
            return batch, rounds
        # Each process draws for all of them, so that the generators stay at the same place.
        drawn = [next(questions) for _ in range(missing * len(batch.mixed))]
        batch = _merged(batch, sample(drawn[index * missing : (index + 1) * missing]), index)
    return batch, limit


def _merged(batch: Batch, other: Batch, index: int) -> Batch:
    groups, rewards, correct = list(batch.groups), batch.rewards.copy(), batch.correct.copy()
    for process, (mixed, found) in enumerate(zip(batch.mixed, other.mixed, strict=True)):
        for place, new in zip(np.flatnonzero(~mixed), np.flatnonzero(found), strict=False):
            rewards[process, place] = other.rewards[process, new]
            correct[process, place] = other.correct[process, new]
            if process == index:
                groups[place] = other.groups[new]
    return Batch(groups, rewards, correct)


def other_questions(prompts: Sequence[str], used: Collection[str], rng: np.random.Generator) -> Iterator[int]:
    """Yield indices of questions in random order without end: those whose prompt is not in use, then all, over again.

    >>> drawn = other_questions(["a", "b", "c"], {"b"}, np.random.default_rng(0))
    >>> sorted(next(drawn) for _ in range(2)), sorted(next(drawn) for _ in range(3))
    ([0, 2], [0, 1, 2])
    """
    yield from (int(i) for i in rng.permutation(len(prompts)) if prompts[i] not in used)
    while True:
        yield from (int(i) for i in rng.permutation(len(prompts)))
