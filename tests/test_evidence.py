"""The ledger's evidence as tests: one for each claim and piece of evidence, one for each claim's verdict.

Runs quickly by default, with the same verdicts; ``QAE_EFFORT=full`` spends what ``qae verify`` spends. All tests of a
claim share a worker of pytest-xdist, so that each piece of evidence runs once.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from qae_theory import proofs
from qae_theory.claims.ledger import EVIDENCE_GROUP, Ledger, load_ledger, read_catalogue
from qae_theory.claims.model import Effort, Entry, Kind, Outcome, Status, Verdict
from qae_theory.claims.run import lacks, run_evidence
from qae_theory.claims.verdict import judge

DATA = Path(__file__).parent / "data"
NEEDS: dict[str, str] = {line["id"]: line["needs"] for line in json.loads((DATA / "claim_ids.json").read_text())}
THEORY = [claim for claim, needs in NEEDS.items() if needs == "theory"]
# What theory.md expects; null where it names no verdict.
EXPECTED: dict[str, str | None] = json.loads((DATA / "expected_verdicts.json").read_text())
EFFORT = Effort(quick=os.environ.get("QAE_EFFORT", "quick") != "full")


def read_ledger() -> Ledger:
    """The ledger of every installed provider; of this package alone where it is not installed."""
    if "theory" in entry_points(group=EVIDENCE_GROUP).names:
        return load_ledger()
    ledger = Ledger(read_catalogue())
    proofs.register(ledger)
    return ledger


LEDGER = read_ledger()
CLAIMS = {claim.id: claim for claim in LEDGER.claims}
# Evidence that lacks something would pass here without a check, so it has no tests: the package's own tests feed it.
LEFT_OUT = {(item.claim, item.name): said for item in LEDGER.evidence if (said := lacks(item, EFFORT)) is not None}
BY_COQ = {item.claim for item in LEDGER.evidence if item.kind is Kind.FORMAL}
EVIDENCE = [item for item in LEDGER.evidence if (item.claim, item.name) not in LEFT_OUT]


@cache
def outcome_of(claim: str, name: str) -> Outcome:
    return run_evidence(LEDGER.find(claim, name), EFFORT)


@cache
def entry_of(claim: str) -> Entry:
    return judge(CLAIMS[claim], [outcome_of(claim, evidence.name) for evidence in LEDGER.evidence_for(claim)])


def formal_proofs_checked(claim: str) -> bool:
    """Whether Coq's proofs of a claim were checked; they are skipped where ``make formal`` has not run.

    `.ci/run` runs it before the tests, so that there nothing is excused.
    """
    outcomes = [outcome_of(claim, item.name) for item in LEDGER.evidence_for(claim)]
    return all(outcome.status is not Status.SKIPPED for outcome in outcomes if outcome.kind is Kind.FORMAL)


def grouped(claim: str, *name: str) -> Any:
    """A parameter whose tests share a worker with all others of the claim; its id is ``claim`` or ``claim::name``.

    All claims that Coq proves share one, since coqchk goes over all compiled proofs together, once for each process.
    Those of the shipped functions are long tests here: `tests/qae_theory/test_agreement.py` makes the same comparisons.
    """
    worker = "coq" if claim in BY_COQ else claim
    long = [pytest.mark.slow] if claim.startswith("shipped-agrees-") else []
    marks = [pytest.mark.xdist_group(worker), *long]
    return pytest.param(claim, *name, id="::".join([claim, *name]), marks=marks)


def test_every_claim_is_in_the_ledger() -> None:
    assert set(NEEDS) <= set(CLAIMS)
    assert {claim: CLAIMS[claim].needs for claim in NEEDS} == NEEDS


def test_every_theory_claim_has_an_expectation() -> None:
    assert set(EXPECTED) == set(THEORY)


def test_only_formal_proofs_and_other_packages_evidence_may_lack_something() -> None:
    for claim, name in LEFT_OUT:
        assert LEDGER.find(claim, name).kind is Kind.FORMAL or CLAIMS[claim].needs != "theory", LEFT_OUT[claim, name]


def test_what_lacks_something_is_skipped_with_what_to_do() -> None:
    for claim, name in LEFT_OUT:
        outcome = outcome_of(claim, name)
        assert outcome.status is Status.SKIPPED
        assert len(outcome.detail.split()) > 1


@pytest.mark.parametrize(("claim", "name"), [grouped(item.claim, item.name) for item in EVIDENCE])
def test_evidence(claim: str, name: str) -> None:
    outcome = outcome_of(claim, name)
    if CLAIMS[claim].needs == "theory":
        assert outcome.status is Status.PASSED, outcome.detail
    else:  # another package's: it may find no effect
        assert outcome.status in (Status.PASSED, Status.NEGATIVE), outcome.detail


@pytest.mark.parametrize(("claim", "name"), [grouped(item.claim, item.name) for item in EVIDENCE])
def test_planted_falsehoods_are_rejected_by_the_same_criterion(claim: str, name: str) -> None:
    steps = outcome_of(claim, name).steps
    assert steps
    for step in steps:
        assert step.control_rejected, f"{step.planted}: {step.control_detail}"
        assert step.control_detail.startswith(f"{step.finding.criterion}: ")
        assert not step.finding.criterion.startswith("raised "), step.finding.detail


@pytest.mark.parametrize("claim", [grouped(claim) for claim in CLAIMS])
def test_verdict(claim: str) -> None:
    entry = entry_of(claim)
    assert entry.problems == ()
    if entry.claim.needs == "theory":
        assert entry.verdict is not Verdict.NOT_RUN


@pytest.mark.parametrize("claim", [grouped(claim) for claim in EXPECTED])
def test_verdict_is_the_expected_one(claim: str) -> None:
    verdict, expected = entry_of(claim).verdict, EXPECTED[claim]
    if expected is None or (expected == "proved" and not formal_proofs_checked(claim)):
        assert verdict in (Verdict.PROVED, Verdict.SUPPORTED)
    else:
        assert verdict.value == expected


@pytest.mark.parametrize("claim", [grouped(claim) for claim, verdict in EXPECTED.items() if verdict == "refuted"])
def test_refuted_claims_store_a_witness(claim: str) -> None:
    assert entry_of(claim).witness
