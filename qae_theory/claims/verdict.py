"""From outcomes to a verdict. Pure: the same outcomes always give the same verdict, and nothing else enters."""

from __future__ import annotations

from collections.abc import Iterable

from qae_theory.claims.model import REFUTING, Claim, Entry, Kind, Outcome, Role, Status, Verdict


def judge(claim: Claim, outcomes: Iterable[Outcome]) -> Entry:
    """The ledger entry that the outcomes allow.

    * passing exact evidence against, a witness above all: refuted;
    * a passing proof, or a certificate that covers the statement's own domain: proved;
    * for a claim with an assumption: holds under an assumption only with a pass under it and a witness without it;
    * any other passing evidence: supported; a statistical check that ran and did not find the effect: not supported;
    * evidence skipped, or none: not run.

    Evidence that broke allows nothing and is a problem; so is a proof beside a witness against the same line.
    """
    outcomes = tuple(outcomes)
    problems = [f"{o.name}: {o.detail}" for o in outcomes if o.status is Status.BROKEN]
    passed = [o for o in outcomes if o.status is Status.PASSED]
    refuted = any(o.role is Role.AGAINST and o.kind in REFUTING for o in passed)
    proved = any(o.role is Role.FOR and _is_proof(o) for o in passed)
    if refuted and proved:
        problems.append("contradiction: a proof and a witness against the same statement both pass")
    verdict = _verdict(claim, outcomes, passed, refuted=refuted, proved=proved)
    return Entry(claim, Verdict.NOT_SUPPORTED if problems else verdict, outcomes, tuple(problems))


def _verdict(
    claim: Claim, outcomes: tuple[Outcome, ...], passed: list[Outcome], *, refuted: bool, proved: bool
) -> Verdict:
    if refuted:
        return Verdict.REFUTED
    if claim.assumption is not None:
        return _verdict_under_assumption(outcomes, passed)
    if proved:
        return Verdict.PROVED
    return _weak_verdict(outcomes, [o for o in passed if o.role is Role.FOR])


def _verdict_under_assumption(outcomes: tuple[Outcome, ...], passed: list[Outcome]) -> Verdict:
    under = [o for o in passed if o.role is Role.UNDER]
    without = [o for o in passed if o.role is Role.WITHOUT and o.kind is Kind.WITNESS]
    if any(_is_proof(o) for o in under) and without:
        return Verdict.UNDER_ASSUMPTION
    return _weak_verdict(outcomes, under)


def _weak_verdict(outcomes: tuple[Outcome, ...], supporting: list[Outcome]) -> Verdict:
    if any(o.status is Status.NEGATIVE for o in outcomes):
        return Verdict.NOT_SUPPORTED
    return Verdict.SUPPORTED if supporting else Verdict.NOT_RUN


def _is_proof(outcome: Outcome) -> bool:
    return outcome.kind is Kind.PROOF or (outcome.kind is Kind.CERTIFICATE and outcome.covers_statement)
