"""Take apart what a piece of evidence found: statements on training runs, each found or not found."""

from __future__ import annotations

import re

from qae_theory.claims.model import Entry, Status, Verdict
from qae_theory.claims.report import verdict_reason
from qae_theory.claims.run import NEGATIVE_CRITERION

_PREFIX = re.compile(rf"^.*?\[{re.escape(NEGATIVE_CRITERION)}\] ", re.DOTALL)
_NEXT = re.compile(r"; (?=[^;]*? (?:found|NOT FOUND): )")
_MISSED = " NOT FOUND: "
# The verdicts of claims whose effect was looked for in runs.
LOOKED_FOR = (Verdict.ABSENT, Verdict.OPPOSITE, Verdict.UNDECIDED)


def statements(detail: str) -> list[str]:
    """Return the parts of a detail that say, one by one, what was found and what was not.

    A detail without such parts is returned whole.

    >>> statements("What it found. [effect not found] a grows found: 1; by 2; b grows NOT FOUND: 0")
    ['a grows found: 1; by 2', 'b grows NOT FOUND: 0']
    """
    return _NEXT.split(_PREFIX.sub("", detail))


def reason(entry: Entry) -> str:
    """Return how the verdict follows from the evidence.

    Where an effect was looked for and not found, this names the effect and leaves the figures out.
    """
    reasons = []
    for outcome in entry.outcomes:
        missed = _missed(outcome.detail)
        if outcome.status is Status.NEGATIVE and missed:
            reasons.append(f"By {outcome.name}: {'; '.join(missed)}")
    if entry.problems or entry.verdict not in LOOKED_FOR or not reasons:
        return verdict_reason(entry)
    return f"{entry.verdict.value.capitalize()}: looked for and not found. {'. '.join(reasons)}."


def _missed(detail: str) -> list[str]:
    """Return the effects that a detail says were not found, without their figures."""
    return [part.partition(_MISSED)[0] for part in statements(detail) if _MISSED in part]
