"""The formal proofs as evidence: what breaks them, what skips them, and what the ledger then says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Effort, Evidence, Kind, Outcome, Role, Status, Verdict
from qae_theory.claims.run import run_evidence
from qae_theory.claims.verdict import judge
from qae_theory.formal.tools import layout, record, ties
from qae_theory.proofs import formal

QUICK = Effort(quick=True)
RETURNED = ties.Returned("table", "symbols", {"entropy": 0.5, "self_covariance": 0.25})
LEDGER = Ledger(read_catalogue())
formal.register(LEDGER)
CLAIMS = {claim.id: claim for claim in LEDGER.claims}


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which everything has passed and ``coqchk`` accepts what is compiled."""
    monkeypatch.setattr(record, "unavailable", lambda: None)
    monkeypatch.setattr(record, "passed_here", lambda: True)
    monkeypatch.setattr(record, "accepted", lambda: RETURNED)
    monkeypatch.setattr(record, "returned", lambda: RETURNED)
    monkeypatch.setattr(record, "coqchk_says", lambda: (True, "63 modules"))
    forget()
    yield
    forget()


def forget() -> None:
    for cached in (formal._passed_here, formal._theorem, formal._axioms, formal._source):
        cached.cache_clear()


def run(claim: str) -> Outcome:
    return run_evidence(LEDGER.find(claim, formal.NAME), QUICK)


@pytest.mark.parametrize("item", LEDGER.evidence, ids=lambda item: f"{item.claim}: {item.name}")
def test_each_theorem_is_evidence_that_passes_where_all_was_checked(item: Evidence) -> None:
    outcome = run_evidence(item, QUICK)
    assert (outcome.kind, outcome.status) == (Kind.FORMAL, Status.PASSED), outcome.detail


def test_the_verdict_of_a_theorem_alone_is_that_of_its_role() -> None:
    assert set(Role) == {item.role for item in LEDGER.evidence}
    assert judge(CLAIMS["gate-hard"], [run("gate-hard")]).verdict is Verdict.PROVED
    assert judge(CLAIMS["ebpo"], [run("ebpo")]).verdict is Verdict.REFUTED
    both = [run_evidence(item, QUICK) for item in LEDGER.evidence_for("ratio-box-clip-if")]
    assert judge(CLAIMS["ratio-box-clip-if"], both).verdict is Verdict.UNDER_ASSUMPTION


@pytest.mark.parametrize("reason", ["Coq is not installed", "these sources are not compiled"])
def test_where_nothing_was_checked_the_evidence_is_skipped_and_says_why(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(record, "unavailable", lambda: reason)
    monkeypatch.setattr(record, "coqchk_says", lambda: pytest.fail("coqchk was called"))
    outcome = run("gate-hard")
    assert (outcome.status, outcome.detail, outcome.steps) == (Status.SKIPPED, reason, ())
    formal._prepare()


def test_what_coqchk_refuses_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "coqchk_says", lambda: (False, "coqchk: bad magic number"))
    outcome = run("gate-hard")
    assert outcome.status is Status.BROKEN
    assert "bad magic number" in outcome.detail
    assert judge(CLAIMS["gate-hard"], [outcome]).problems


def test_a_pin_of_another_statement_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pins = tmp_path / "Pins.v"
    text = layout.PINS.read_text(encoding="utf-8")
    name = "Definition pin_gate_hard :"
    start = text.index(name)
    pins.write_text(text[:start] + text[start:].replace("0 <= eps", "0 < eps", 1), encoding="utf-8")
    monkeypatch.setattr(layout, "PINS", pins)
    assert run("gate-hard").status is Status.BROKEN
    assert run("gate-easy").status is Status.PASSED


def test_a_statement_of_which_no_change_is_recorded_has_no_control(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "ChangedPins.v"
    text = layout.CHANGED_PINS.read_text(encoding="utf-8")
    changed.write_text(text.replace("Definition changed_gate_hard :", "Definition changed_other :"), encoding="utf-8")
    monkeypatch.setattr(layout, "CHANGED_PINS", changed)
    outcome = run("gate-hard")
    assert outcome.status is Status.BROKEN
    assert "was not rejected" in outcome.detail


def test_an_axiom_outside_the_list_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    axioms = tmp_path / "axioms.txt"
    text = layout.AXIOMS.read_text(encoding="utf-8")
    axioms.write_text(text.replace("gate-hard\n", "gate-hard\n  Gate.assumed\n", 1), encoding="utf-8")
    monkeypatch.setattr(layout, "AXIOMS", axioms)
    outcome = run("gate-hard")
    assert outcome.status is Status.BROKEN
    assert "Gate.assumed" in outcome.detail


@pytest.mark.parametrize("module", ["Gate", "Sums"])
def test_an_open_goal_in_a_theory_or_in_what_it_requires_is_broken(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    right = formal._source
    open_goal = "\nLemma a : False.\nAdmitted.\n"

    @cache
    def with_open_goal(name: str) -> str:
        return right(name) + (open_goal if name == module else "")

    monkeypatch.setattr(formal, "_source", with_open_goal)
    outcome = run("gate-hard")
    assert outcome.status is Status.BROKEN
    assert f"{module}.v: 'Admitted'" in outcome.detail


@pytest.mark.parametrize(
    "now",
    [replace(RETURNED, table="other"), replace(RETURNED, values={"entropy": 0.5, "self_covariance": 0.25 + 1e-9})],
)
def test_a_shipped_function_that_returns_something_else_is_broken(
    monkeypatch: pytest.MonkeyPatch, now: ties.Returned
) -> None:
    monkeypatch.setattr(record, "returned", lambda: now)
    outcome = run("gate-hard")
    assert outcome.status is Status.BROKEN
    assert outcome.steps[-1].finding.criterion == "comparison inside Coq"


def test_the_tie_names_the_definitions_and_the_functions() -> None:
    (tie,) = [step for step in LEDGER.find("gate-hard", formal.NAME).steps if step.tie]
    assert "`qae` (`advantages, expected_gain`: values on a grid, floats)" in tie.says
