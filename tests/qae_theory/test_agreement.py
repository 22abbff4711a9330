"""The public functions against their references on the coverage plan, and the plan against planted faults."""

from __future__ import annotations

import os

import pytest

from qae_theory.proofs.contract.agreement.comparison import agreement
from qae_theory.proofs.contract.agreement.evidence import TIES, Tie

QUICK = os.environ.get("QAE_EFFORT", "quick") != "full"
EACH = pytest.mark.parametrize("tie", [pytest.param(tie, id=tie.function) for tie in TIES])


@EACH
def test_the_function_gives_what_its_reference_says(tie: Tie) -> None:
    finding = agreement(tie.shipped, tie.cells(QUICK))
    assert finding.passed, finding.detail


@EACH
def test_a_planted_fault_is_found(tie: Tie) -> None:
    assert not agreement(tie.faulty, tie.cells(QUICK)).passed
