"""Compute the verdict that outcomes allow.

The rule is pure: the same outcomes always give the same verdict, and nothing else enters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qae_theory.claims.model import REFUTING, Answer, Claim, Entry, Kind, Outcome, Role, Status, Verdict

_OF_ANSWER = {
    Answer.ABSENT: Verdict.ABSENT,
    Answer.OPPOSITE: Verdict.OPPOSITE,
    Answer.UNDECIDED: Verdict.UNDECIDED,
}


def judge(claim: Claim, outcomes: Iterable[Outcome]) -> Entry:
    """Return the ledger entry that the outcomes allow.

    * passing exact evidence against, a witness above all: refuted;
    * a passing formal or symbolic proof, or a certificate that covers the statement's own domain: proved;
    * for a claim with an assumption: holds under an assumption only with a pass under it, and without it a witness or
      a formal proof of the counterexample;
    * any other passing evidence, a checked argument for instance: supported;
    * a statistical check that ran and did not find the effect: opposite, absent or undecided, as it says;
    * evidence skipped, or none: not run.

    Evidence that broke allows nothing and is a problem; so is a proof beside a witness against the same line.
    """
    outcomes = tuple(outcomes)
    problems = [f"{o.name}: {o.detail}" for o in outcomes if o.status is Status.BROKEN]
    passed = [o for o in outcomes if o.status is Status.PASSED]
    refuted = any(o.role is Role.AGAINST and o.kind in REFUTING for o in passed)
    proved = any(o.role is Role.FOR and proves(o) for o in passed)
    # One of the two is wrong, and no rule can say which.
    if refuted and proved:
        problems.append("contradiction: a proof and a witness against the same statement both pass")
    verdict = _verdict(claim, outcomes, passed, refuted=refuted, proved=proved)
    return Entry(claim, Verdict.UNDECIDED if problems else verdict, outcomes, tuple(problems))


def proves(outcome: Outcome) -> bool:
    """Return whether evidence of this kind, if it passes, proves what it speaks for.

    A formal or a symbolic proof does, and so does a certificate that covers the statement's own domain.
    """
    covering = outcome.kind is Kind.CERTIFICATE and outcome.covers_statement
    return outcome.kind in (Kind.FORMAL, Kind.PROOF) or covering


def _verdict(
    claim: Claim, outcomes: tuple[Outcome, ...], passed: list[Outcome], *, refuted: bool, proved: bool
) -> Verdict:
    """Return the verdict, given whether the statement is refuted or proved."""
    if refuted:
        return Verdict.REFUTED
    if claim.assumption is not None:
        return _verdict_under_assumption(outcomes, passed)
    if proved:
        return Verdict.PROVED
    return _weak_verdict(outcomes, [o for o in passed if o.role is Role.FOR])


def _verdict_under_assumption(outcomes: tuple[Outcome, ...], passed: list[Outcome]) -> Verdict:
    """Return the verdict of a line with an assumption, which needs a pass under it and a counterexample without."""
    under = [o for o in passed if o.role is Role.UNDER]
    without = [o for o in passed if o.role is Role.WITHOUT and o.kind in (Kind.WITNESS, Kind.FORMAL)]
    # Without a counterexample nothing shows that the assumption is needed.
    if any(proves(o) for o in under) and without:
        return Verdict.UNDER_ASSUMPTION
    return _weak_verdict(outcomes, under)


def _weak_verdict(outcomes: tuple[Outcome, ...], supporting: Sequence[Outcome]) -> Verdict:
    """Return the verdict where nothing proves or refutes the statement."""
    answers = [o.answer for o in outcomes if o.status is Status.NEGATIVE]
    # A check that looked and did not find weighs more than tests that agree.
    if answers:
        return _negative_verdict(answers)
    return Verdict.SUPPORTED if supporting else Verdict.NOT_RUN


def _negative_verdict(answers: Sequence[Answer | None]) -> Verdict:
    """Return the verdict of checks that did not find their effect: what several agree on, else undecided.

    One that says no more than "not found" could not tell.
    """
    # Several checks that answer alike may be reported as one.
    different = set(answers)
    (answer, *others) = different
    return Verdict.UNDECIDED if others or answer is None else _OF_ANSWER.get(answer, Verdict.UNDECIDED)
