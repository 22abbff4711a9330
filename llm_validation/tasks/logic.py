"""Comparisons of digits joined by and, or and not, true and false equally often."""

from __future__ import annotations

import operator

import numpy as np

from llm_validation.tasks.base import Example, Task

_COMPARE = {"<": operator.lt, ">": operator.gt, "=": operator.eq}
_LONGEST = 4  # comparisons in one question


def _comparison(rng: np.random.Generator) -> tuple[str, bool]:
    """Return a comparison such as ``3<5``, or its negation ``!3<5``."""
    a, b = (int(x) for x in rng.integers(0, 10, size=2))
    sign = "<>="[int(rng.integers(3))]
    holds = bool(_COMPARE[sign](a, b))
    return (f"!{a}{sign}{b}", not holds) if rng.integers(4) == 0 else (f"{a}{sign}{b}", holds)


def _chain(rng: np.random.Generator, length: int) -> tuple[str, bool]:
    """Return comparisons joined by ``&`` and ``|``, of which ``&`` binds tighter."""
    text, holds = _comparison(rng)
    earlier, current = False, holds  # the disjuncts that are complete, and the conjunction under way
    for _ in range(length - 1):
        term, holds = _comparison(rng)
        if rng.integers(2):
            text, current = f"{text}&{term}", current and holds
        else:
            text, earlier, current = f"{text}|{term}", earlier or current, holds
    return text, earlier or current


def _truth(rng: np.random.Generator) -> Example:
    """Return one to four comparisons and their truth value.

    The truth value is drawn first, so that no constant answer is right more often than another.
    """
    length, wanted = int(rng.integers(1, _LONGEST + 1)), bool(rng.integers(2))
    while True:
        text, holds = _chain(rng, length)
        if holds == wanted:
            return Example(f"{text}?", "T" if holds else "F")


LOGIC = Task(
    name="logic",
    verifier="choice",
    max_new_tokens=2,  # the letter and the end of text
    enumerable=True,
    summary="truth (T or F) of one to four comparisons of digits joined by and, or and not",
    make=_truth,
)
