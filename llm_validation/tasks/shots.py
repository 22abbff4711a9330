"""Questions for a pretrained base model: two worked examples, then the question, each on a line of its own.

A base model that is not told to answer goes on with the text: after two lines ``1+2=3`` it answers the third in the
same way and begins a new line. The response is meant to end there (see ``models.pretrained``), so that the whole of it
is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from llm_validation.tasks.base import Example, Source, Task, draw_examples
from qae_theory.checks import refuse

PREFIX = "shots:"
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def _sum(rng: np.random.Generator) -> Example:
    """Return the sum of two one-digit numbers, after two such sums."""
    a, b = (int(x) for x in rng.integers(0, 10, size=2))
    return Example(f"1+2=3\n4+4=8\n{a}+{b}=", str(a + b))


def _larger(rng: np.random.Generator) -> Example:
    """Return the larger of two different numbers in words, after two such comparisons."""
    a, b = (int(x) for x in rng.choice(len(NUMBERS), size=2, replace=False))
    return Example(f"three, five: five\nseven, two: seven\n{NUMBERS[a]}, {NUMBERS[b]}:", NUMBERS[max(a, b)])


SHOTS: Mapping[str, Task] = MappingProxyType(
    {
        task.name.removeprefix(PREFIX): task
        for task in (
            Task(f"{PREFIX}sums", "integer", 4, False, "sums of two digits, after two examples", _sum),
            Task(f"{PREFIX}larger", "choice", 4, False, "the larger of two numbers in words, after two", _larger),
        )
    }
)


def shots_source(source: str) -> Source:
    """Return how the answers of ``shots:NAME`` are checked.

    Raises:
        ValueError: there is no such family.
    """
    return _task(source)


def shots_examples(source: str, *, split: str, count: int, seed: int) -> list[Example]:
    """Return ``count`` independent draws from ``shots:NAME``, as of any generator.

    Raises:
        ValueError: there is no such family, or a split, count or seed that is none.
    """
    return draw_examples(_task(source), split=split, count=count, seed=seed)


def _task(source: str) -> Task:
    name = source.removeprefix(PREFIX)
    if name not in SHOTS:
        refuse("source", source, f"one of {', '.join(f'{PREFIX}{known}' for known in sorted(SHOTS))}")
    return SHOTS[name]
