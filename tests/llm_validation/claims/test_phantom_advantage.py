"""What the engines give equal rewards, pinned to the versions in which it was seen."""

from __future__ import annotations

import pytest

from llm_validation.claims.phantom_advantage import CASES, EXACT, register, trl_advantage, verl_advantage
from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Effort, Status
from qae_theory.claims.run import run_evidence


@pytest.mark.train
def test_trl_1_16() -> None:
    assert [trl_advantage(*case) for case in CASES] == pytest.approx([1.191e-3, 5.957e-4], rel=1e-3)
    assert [trl_advantage(*case) for case in EXACT] == [0, 0]


@pytest.mark.verl
def test_verl_0_9_1() -> None:
    assert [verl_advantage(*case) for case in CASES] == pytest.approx([0.10544, 0.05603], rel=1e-3)
    assert [verl_advantage(*case) for case in EXACT] == [0, 0]


def test_an_engine_that_is_not_installed_is_skipped_by_name() -> None:
    ledger = Ledger(read_catalogue())
    register(ledger)
    outcomes = [run_evidence(item, Effort(quick=True)) for item in ledger.evidence if item.name == "verl"]
    assert all(one.status in (Status.SKIPPED, Status.PASSED) for one in outcomes)
    assert len(outcomes) == 1
