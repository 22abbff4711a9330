r"""The verifier of mathematical answers: exact values, told apart by kind.

Plain numbers are compared as fractions. Other answers are read by a grammar of this project and compared exactly: see
``judge``. What that leaves undecided within some milliseconds, and calculus, goes to a process of its own with a
time-out that kills the process.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from llm_validation.verifiers.exact.expressions.effort import quick
from llm_validation.verifiers.judging.judge import gold_answer, gold_readings, judged
from llm_validation.verifiers.judging.outcomes import Outcome
from llm_validation.verifiers.judging.plain_numbers import plain_number
from llm_validation.verifiers.pooled import PooledVerifier


class MathVerifier(PooledVerifier):
    """1 where the response's answer equals the right one as mathematics or as text; see ``docs/how-to``.

    A right answer that cannot be read makes its question unscorable.
    """

    name = "math"

    def decided(self, completion: str, answer: str) -> Outcome | None:
        """Compare plain numbers, then all that can be compared quickly."""
        claim = self.extraction.claim(completion)
        if len(claim) == 1:
            outcome = _compared_numbers(claim[0], answer)
            if outcome is not None:
                return outcome
        try:
            outcome = judged(claim, answer, quick)
        except (ArithmeticError, RecursionError, MemoryError):
            return None  # a process may try
        return None if outcome is Outcome.UNDECIDED else outcome

    def readable(self, answer: str) -> bool:
        """Whether the answer can be read in some way."""
        return gold_readings(answer) is not None


@lru_cache(maxsize=8192)
def _plain_gold(answer: str) -> tuple[Fraction | None, bool]:
    """Return the number that a gold answer is, and whether a comma in it could also be that of a list."""
    text = gold_answer(answer)
    return plain_number(text), "," in text


def _compared_numbers(claim: str, answer: str) -> Outcome | None:
    """Return the outcome if both are plain numbers; None if that does not decide."""
    right, gold_comma = _plain_gold(answer)
    if right is None or (gold_comma and "," in claim):
        return None
    found = plain_number(claim)
    if found is None:
        return None
    return Outcome.RIGHT if found == right else Outcome.WRONG
