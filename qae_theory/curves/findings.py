"""What a line says for the ledger: found or not, with its answer, and the same on its own residuals as a control."""

from __future__ import annotations

from collections.abc import Sequence

from qae_theory.claims.model import Answer, Finding
from qae_theory.claims.run import NEGATIVE_CRITERION
from qae_theory.curves.outcomes import PLANTED, Line

POWERFUL = 0.8  # a line with this power or more has to find what is planted


def finding_of(line: Line, source: str) -> Finding:
    """Return the line's finding: passed only if the effect is found.

    A line of power .8 or more that does not find a planted effect of twice its smallest size, or finds one where there
    is none, is broken: it fails by another criterion.

    Args:
        line: that counts.
        source: the stored run, as shown.
    """
    if line.power >= POWERFUL and line.planted is not Answer.FOUND:
        return Finding(False, "the planted effect is found", f"{said(line)}; planted: {line.planted} ({source})")
    return Finding(line.outcome is Answer.FOUND, NEGATIVE_CRITERION, f"{said(line)} ({source})", answer=line.outcome)


def control_of(line: Line) -> Finding:
    """Return the same of the residuals alone, which must not pass."""
    detail = f"{line.id} without an effect: {line.control}"
    return Finding(line.control is Answer.FOUND, NEGATIVE_CRITERION, detail, answer=line.control)


def finding_of_all(lines: Sequence[Line], source: str) -> Finding:
    """Return the finding of several lines together: passed if all are found; else their answer where they agree."""
    answers = {line.outcome for line in lines}
    (answer,) = answers if len(answers) == 1 else (Answer.UNDECIDED,)
    detail = "; ".join(said(line) for line in lines)
    return Finding(answer is Answer.FOUND, NEGATIVE_CRITERION, f"{detail} ({source})", answer=answer)


def said(line: Line) -> str:
    """Return one line in words, with its figures.

    >>> from qae_theory.curves.outcomes import line
    >>> one = line([0.2, 0.22, 0.18], 0.1, claim="c", condition="s/x", says="it rises", unit="nats")
    >>> said(one).partition(", n = ")[0]
    'c@s/x: found, 0.2 [0.15, 0.25] (nats)'
    """
    ends = f"[{line.low:.3g}, {line.high:.3g}]"
    more = "" if line.deciding is None else f"; {line.deciding} seeds would decide"
    return (
        f"{line.id}: {line.outcome}, {line.effect:.3g} {ends} ({line.unit}), n = {line.n}, smallest effect "
        f"{line.smallest_effect:g}, power {line.power:.2f} for {PLANTED:g} times that{more}"
    )
