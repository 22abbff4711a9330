"""Exact verifiers for short answers: an integer, or one text out of a few.

The whole response counts, stripped of ASCII white space at both ends. Numbers are compared as text in canonical form:
nothing is converted, so that a response of any length costs time linear in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_validation.verifiers.base import Verifier

ASCII_SPACE = " \t\n\r\f\v"
_INTEGER = re.compile(r"([+-]?)([0-9]+)")


def canonical_integer(text: str) -> str | None:
    r"""The integer that the text is, in canonical decimal form; None if it is none.

    ``[+-]?[0-9]+`` between ASCII white space, digits of ASCII only: no digit grouping, no decimal point, no space
    after the sign.

    >>> canonical_integer(" +007\n"), canonical_integer("-0"), canonical_integer("7.0")
    ('7', '0', None)
    """
    found = _INTEGER.fullmatch(text.strip(ASCII_SPACE))
    if found is None:
        return None
    digits = found[2].lstrip("0")
    if not digits:
        return "0"
    return f"-{digits}" if found[1] == "-" else digits


class IntegerVerifier(Verifier):
    """1 where the response is the answer's integer in any decimal notation with sign; None if the answer is none."""

    name = "integer"

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Compare canonical forms."""
        return [
            None if (right := canonical_integer(answer)) is None else float(canonical_integer(completion) == right)
            for completion, answer in zip(completions, answers, strict=True)
        ]


class ChoiceVerifier(Verifier):
    """1 where the response is the answer's text, in the same case; None if the answer is empty."""

    name = "choice"

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """Compare texts without the white space around them."""
        return [
            None if not (right := answer.strip(ASCII_SPACE)) else float(completion.strip(ASCII_SPACE) == right)
            for completion, answer in zip(completions, answers, strict=True)
        ]
