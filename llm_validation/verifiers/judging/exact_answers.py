"""Exact verifiers for short answers: an integer, or one text out of a few.

Under ``auto`` the whole response counts, stripped of ASCII white space at both ends. Numbers are compared as text in
canonical form: nothing is converted, so that a response of any length costs time linear in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_validation.verifiers.judging.outcomes import Outcome

ASCII_SPACE = " \t\n\r\f\v"
_INTEGER = re.compile(r"([+-]?)([0-9]+)")


def canonical_integer(text: str) -> str | None:
    r"""Return the integer that the text is, in canonical decimal form; None if it is none.

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


def integer_outcome(claim: Sequence[str], gold: str) -> Outcome:
    """Return whether the claim is the gold integer, in any decimal notation with sign."""
    right = canonical_integer(gold)
    if right is None:
        return Outcome.UNSCORABLE
    found = canonical_integer(claim[0]) if len(set(claim)) == 1 else None
    if found is None:
        return Outcome.UNREADABLE
    return Outcome.RIGHT if found == right else Outcome.WRONG


def choice_outcome(claim: Sequence[str], gold: str) -> Outcome:
    """Return whether the claim is the gold text, in the same case."""
    right = gold.strip(ASCII_SPACE)
    if not right:
        return Outcome.UNSCORABLE
    found = claim[0].strip(ASCII_SPACE) if len(set(claim)) == 1 else ""
    if not found:
        return Outcome.UNREADABLE
    return Outcome.RIGHT if found == right else Outcome.WRONG
