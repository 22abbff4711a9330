"""The ledger refuses what would make a verdict ambiguous."""

from __future__ import annotations

import pytest

from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Evidence, Kind, Role
from tests.qae_theory.claims.samples import claim, evidence, ledger


def test_duplicate_claim() -> None:
    with pytest.raises(ValueError, match="'sum' is in the ledger already"):
        Ledger([claim(), claim(title="Another")])


def test_duplicate_evidence() -> None:
    made = ledger(evidence())
    with pytest.raises(ValueError, match="'proof' for 'sum' is registered already"):
        made.add(evidence(kind=Kind.CERTIFICATE))


def test_same_name_for_another_claim() -> None:
    made = ledger(evidence(), evidence(of="product"), claims=(claim(), claim("product")))
    assert made.find("product", "proof").claim == "product"
    assert [item.claim for item in made.evidence_for("sum")] == ["sum"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (evidence(of="smu"), r"'smu' is not in the ledger; it has sum"),
        (evidence(steps=()), "no steps"),
        (evidence(kind=Kind.WITNESS, role=Role.FOR), "must speak against"),
        (evidence(kind=Kind.MONTE_CARLO, role=Role.AGAINST), "Monte Carlo .* cannot refute"),
        (evidence(role=Role.UNDER), "assumption and role go together"),
        (evidence(role=Role.WITHOUT, kind=Kind.WITNESS), "assumption and role go together"),
    ],
)
def test_refused(item: Evidence, message: str) -> None:
    made = ledger()
    with pytest.raises(ValueError, match=message):
        made.add(item)
    assert made.evidence == ()


@pytest.mark.parametrize("role", [Role.FOR, Role.AGAINST])
def test_role_must_fit_an_assumption(role: Role) -> None:
    made = ledger(claims=(claim(assumption="$n$ is even."),))
    with pytest.raises(ValueError, match="assumption and role go together"):
        made.add(evidence(role=role))


def test_order_of_claims_is_kept() -> None:
    names = ["c", "a", "b"]
    assert [line.id for line in Ledger([claim(name) for name in names]).claims] == names


def test_catalogue_can_be_read() -> None:
    lines = read_catalogue()
    assert Ledger(lines).claims == tuple(lines)
    assert all(line.statement.strip() and line.source.strip() and line.section and line.needs for line in lines)
