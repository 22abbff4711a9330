"""What may come of scoring a response, and how many responses came to what."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Outcome(Enum):
    """What came of one response."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"  # it gives no answer, or none that can be read
    UNDECIDED = "undecided"  # it was read, and neither equality nor inequality was shown
    TIMED_OUT = "timed_out"  # its process was killed for its time, died, or did what it may not
    UNSCORABLE = "unscorable"  # the right answer itself cannot be read, whatever the response


_READABLE = frozenset((Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED))


def score_of(outcome: Outcome) -> float | None:
    """Return 1.0 for right, None for unscorable, 0.0 for all else.

    >>> score_of(Outcome.RIGHT), score_of(Outcome.UNDECIDED), score_of(Outcome.UNSCORABLE)
    (1.0, 0.0, None)
    """
    if outcome is Outcome.UNSCORABLE:
        return None
    return float(outcome is Outcome.RIGHT)


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many responses came to each outcome, and how many of them could be read.

    >>> counts([Outcome.RIGHT, Outcome.UNREADABLE])["readable"]
    1
    """
    total = {"readable": 0, **{outcome.value: 0 for outcome in Outcome}}
    for outcome in outcomes:
        total[outcome.value] += 1
        total["readable"] += outcome in _READABLE
    return total
