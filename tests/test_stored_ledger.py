"""The stored ledger and README's table say what the evidence says now."""

from __future__ import annotations

import json

import pytest

from qae_theory.claims.readme import main
from tests import ROOT
from tests.test_evidence import CLAIMS, entry_of, formal_proofs_checked, grouped

STORED = {line["id"]: line["verdict"] for line in json.loads((ROOT / "docs" / "ledger.json").read_text())}


def test_every_claim_is_stored() -> None:
    assert set(STORED) == set(CLAIMS)


@pytest.mark.parametrize("claim", [grouped(claim) for claim in CLAIMS])
def test_stored_verdict(claim: str) -> None:
    if not formal_proofs_checked(claim):
        pytest.skip("the formal proofs are not checked here: `make formal` does it")
    if CLAIMS[claim].needs == "theory":  # other packages' evidence may be missing here
        assert STORED[claim] == entry_of(claim).verdict


def test_readme_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["--check"]) == 0
