"""The verifiers of exact short answers: ``integer``, and ``choice``, one text out of a few."""

from __future__ import annotations

from llm_validation.verifiers.judging.exact_answers import (
    ASCII_SPACE,
    canonical_integer,
    choice_outcome,
    integer_outcome,
)
from llm_validation.verifiers.judging.outcomes import Outcome
from llm_validation.verifiers.pooled import PooledVerifier

__all__ = ["ASCII_SPACE", "ChoiceVerifier", "IntegerVerifier", "canonical_integer"]


class IntegerVerifier(PooledVerifier):
    """1 where the answer is the gold integer in any decimal notation with sign; None if the gold answer is none.

    Under ``auto`` the whole response has to be the integer.
    """

    name = "integer"

    def decided(self, completion: str, answer: str) -> Outcome | None:
        """Compare canonical forms."""
        whole = self.extraction.setting == "auto"
        return integer_outcome((completion,) if whole else self.extraction.claim(completion), answer)

    def readable(self, answer: str) -> bool:
        """Whether the answer is an integer."""
        return canonical_integer(answer) is not None


class ChoiceVerifier(PooledVerifier):
    """1 where the answer is the gold text, in the same case; None if the gold answer is empty.

    Under ``auto`` the whole response has to be the text.
    """

    name = "choice"

    def decided(self, completion: str, answer: str) -> Outcome | None:
        """Compare texts without the white space around them."""
        whole = self.extraction.setting == "auto"
        return choice_outcome((completion,) if whole else self.extraction.claim(completion), answer)

    def readable(self, answer: str) -> bool:
        """Whether there is an answer."""
        return bool(answer.strip(ASCII_SPACE))
