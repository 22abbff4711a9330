"""Pins: each statement is said twice, and one changed token of it is refused with a type mismatch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qae_theory.formal.tools import coq, layout, pins, sources

# One of each page of the catalogue at least, refutations and decimals among them.
TEN = (
    "eq4-threshold",
    "gate-hard",
    "sparsity-any-reward",
    "prop41-identity",
    "self-covariance",
    "remainder",
    "prop42-uncentred",
    "prop42-sign",
    "neutrality",
    "clip-sides",
)
THEOREMS, _ = sources.claim_theorems()
_TOKEN = re.compile(r"<->|->|=>|:=|<=|>=|<>|/\\|\\/|\w+|[^\w\s]")


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def test_candidates_change_one_token_and_begin_with_the_last_relation() -> None:
    statement = "forall x y : R, 0 < x -> x <= y /\\ x <> 2"
    changes = list(pins.candidates(statement))
    assert [change.words for change in changes[:3]] == ["<> becomes =", "<= becomes <", "< becomes <="]
    for change in changes:
        before, after = tokens(statement), tokens(change.statement)
        assert len(before) == len(after)
        assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def test_the_committed_pins_are_those_of_the_sources() -> None:
    assert layout.PINS.read_text(encoding="utf-8").split() == pins.pins_text(THEOREMS).split()


def test_pins_import_no_notion_but_those_of_the_definitions() -> None:
    text = layout.PINS.read_text(encoding="utf-8")
    assert re.findall(r"Require Import ([\w ]+)\.", text) == ["Compat Definitions"]


def test_each_committed_change_is_one_token_of_the_statement() -> None:
    changes = pins._stored_changes()
    assert set(changes) == {theorem.name for theorem in THEOREMS.values()}
    for theorem in THEOREMS.values():
        before, after = tokens(theorem.statement), tokens(changes[theorem.name].statement)
        assert len(before) == len(after)
        (difference,) = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert changes[theorem.name].words == " becomes ".join(difference)


def test_a_refusal_counts_only_if_the_types_of_this_theorem_differ() -> None:
    mismatch = (
        f'{pins._REFUSED}\nThe term "Gate.gate_hard" has type\n "forall x : R, P x"\n'
        'while it is expected to have type\n "changed_gate_hard".\n'
    )
    assert pins._mismatches(mismatch) == {"gate_hard"}
    assert pins._mismatches(mismatch.replace('"changed_gate_hard"', '"changed_gate_easy"')) == set()
    assert pins._mismatches(f"{pins._REFUSED}\nThe reference Gate.gate_hard was not found.\n") == set()
    assert pins._mismatches(f"{pins._REFUSED}\nTimeout!\n") == set()


@pytest.mark.slow
@pytest.mark.parametrize("claim", TEN)
def test_a_changed_token_is_a_type_mismatch_and_the_statement_itself_is_none(
    proofs_checked: None, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "GENERATED", tmp_path)
    theorem = THEOREMS[claim]
    change = pins._stored_changes()[theorem.name]
    refusal = "\n\n".join([pins._header({claim: theorem}), pins._refusal(theorem, change)])
    answer = pins._compile("Changed", refusal + "\n")
    assert answer.passed
    assert pins._mismatches(answer.output) == {theorem.name}
    same = pins.Change(theorem.statement, "nothing")
    accepted = pins._compile("Same", refusal.replace(change.statement, same.statement) + "\n")
    assert not accepted.passed
    assert "has not failed" in accepted.errors


@pytest.mark.slow
def test_a_changed_statement_that_is_accepted_fails_the_check(
    proofs_checked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theorem = THEOREMS["self-covariance"]
    same = {"self-covariance": pins.Change(theorem.statement, "nothing")}
    file = tmp_path / "ChangedPins.v"
    file.write_text(pins.changed_pins_text({"self-covariance": theorem}, same), encoding="utf-8")
    monkeypatch.setattr(layout, "CHANGED_PINS", file)
    monkeypatch.setattr(layout, "GENERATED", tmp_path / "generated")
    with pytest.raises(coq.CheckError, match="a changed statement was accepted"):
        pins.check_changed_pins({"self-covariance": theorem})


@pytest.mark.slow
def test_a_pin_that_says_something_else_fails_the_check(
    proofs_checked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theorem = THEOREMS["self-covariance"]
    change = pins._stored_changes()[theorem.name]
    file = tmp_path / "Pins.v"
    monkeypatch.setattr(layout, "PINS", file)
    monkeypatch.setattr(layout, "GENERATED", tmp_path / "generated")
    file.write_text(pins.pins_text({"self-covariance": theorem}), encoding="utf-8")
    pins.check_pins()
    wrong = sources.Theorem(theorem.name, theorem.module, change.statement)
    file.write_text(pins.pins_text({"self-covariance": wrong}), encoding="utf-8")
    with pytest.raises(coq.CheckError, match=r"a theorem is not what Pins\.v says"):
        pins.check_pins()
