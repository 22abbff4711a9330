"""The JSON form has exactly the agreed keys."""

from __future__ import annotations

import json

from qae_theory.claims.model import Kind, Role, Status
from qae_theory.claims.serial import ledger_records, metrics_records
from qae_theory.claims.verdict import judge
from tests.qae_theory.claims.samples import claim, outcome

KEYS = ["id", "statement", "source", "update", "reading", "family", "condition"]
KEYS += ["verdict", "assumption", "evidence", "witness"]
EVIDENCE_KEYS = ["kind", "role", "name", "status", "passed", "answer", "detail", "seconds", "where"]
EVIDENCE_KEYS += ["covers_statement", "steps"]


def test_keys_and_values() -> None:
    witness = {"p": "1/10"}
    entry = judge(claim(), [outcome(Kind.WITNESS, Role.AGAINST, witness=witness)])
    (record,) = json.loads(json.dumps(ledger_records([entry])))
    assert list(record) == KEYS
    assert record["verdict"] == "refuted"
    assert record["witness"] == witness
    assert record["assumption"] is None
    (item,) = record["evidence"]
    assert list(item) == EVIDENCE_KEYS
    assert item == {
        "kind": "witness",
        "role": "against",
        "name": "witness-against",
        "status": "passed",
        "passed": True,
        "answer": None,
        "covers_statement": False,
        "steps": [],
        "detail": "a detail",
        "seconds": 0.25,
        "where": "package/module.py:7",
    }


def test_claim_without_evidence_is_listed() -> None:
    (record,) = ledger_records([judge(claim(assumption="$n$ is even."), [])])
    assert record["verdict"] == "not run"
    assert record["evidence"] == []
    assert record["witness"] is None
    assert record["assumption"] == "$n$ is even."


def test_only_passed_evidence_counts_as_passed() -> None:
    for status in Status:
        (record,) = ledger_records([judge(claim(), [outcome(status=status)])])
        assert record["evidence"][0]["passed"] is (status is Status.PASSED)


def test_metrics_have_one_record_for_each_piece_of_evidence() -> None:
    entries = [judge(claim(), [outcome(name="a"), outcome(name="b")]), judge(claim("product"), [])]
    records = metrics_records(entries)
    assert [(record["claim"], record["name"], record["status"]) for record in records] == [
        ("sum", "a", "passed"),
        ("sum", "b", "passed"),
    ]
