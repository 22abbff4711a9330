"""What a piece of evidence found, taken apart: statements on training runs, each found or not found."""

from __future__ import annotations

import re

from qae_theory.claims.model import Entry, Status, Verdict
from qae_theory.claims.report import verdict_reason
from qae_theory.claims.run import NEGATIVE_CRITERION

_PREFIX = re.compile(rf"^.*?\[{re.escape(NEGATIVE_CRITERION)}\] ", re.DOTALL)
_NEXT = re.compile(r"; (?=[^;]*? (?:found|NOT FOUND): )")
_MISSED = " NOT FOUND: "
LOOKED_FOR = (Verdict.ABSENT, Verdict.OPPOSITE, Verdict.UNDECIDED)


def statements(detail: str) -> list[str]:
    """The parts of a detail that say, one by one, what was found and what was not; the whole where there are none.

    >>> statements("What it found. [effect not found] a grows found: 1; by 2; b grows NOT FOUND: 0")
    ['a grows found: 1; by 2', 'b grows NOT FOUND: 0']
    """
    return _NEXT.split(_PREFIX.sub("", detail))


def reason(entry: Entry) -> str:
    """How the verdict follows from the evidence; of what was looked for and not found, only what it was."""
    missed = {
        outcome.name: [one.partition(_MISSED)[0] for one in statements(outcome.detail) if _MISSED in one]
        for outcome in entry.outcomes
        if outcome.status is Status.NEGATIVE
    }
    if entry.problems or entry.verdict not in LOOKED_FOR or not any(missed.values()):
        return verdict_reason(entry)
    said = (f"{name}: {'; '.join(parts)}" for name, parts in missed.items() if parts)
    return f"{entry.verdict.value.capitalize()}: looked for and not found. {'. '.join(f'By {one}' for one in said)}."
