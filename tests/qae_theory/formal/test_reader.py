"""What a reader is shown of each theorem, from the committed texts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from qae_theory.formal import reader
from qae_theory.formal.tools import coq, layout, sources


def test_every_claim_with_a_theorem_has_a_reading_without_coq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coq, "_run", lambda *_, **__: pytest.fail("Coq was called"))
    reader.readings.cache_clear()
    readings = reader.readings()
    assert list(readings) == sources.claims()
    for claim, found in readings.items():
        assert found.statement
        assert found.axioms
        assert found.definitions, claim
        assert found.ties, claim
        assert (layout.FORMAL.parents[1] / found.file).is_file()
        assert set(found.ties) <= set(found.definitions) <= set(sources.defined())


def test_a_reading_says_what_the_theorem_is() -> None:
    found = reader.readings()["gate-hard"]
    assert found.theorem == "gate_hard"
    assert found.file == "qae_theory/formal/theories/gate/Gate.v"
    assert found.statement.startswith("forall (G : nat)")
    assert "qae" in found.definitions
    assert found.ties["qae"] == reader.TIED["qae"]


def test_names_are_replaced_outside_comments_only() -> None:
    shown = reader.with_names("(* the gate *) gate K x <> gate' K", lambda name: f"[{name}]", str.upper)
    assert shown == "(* THE GATE *) [gate] K X <> GATE' K"


def test_definitions_are_named_once_each() -> None:
    assert len(set(sources.defined())) == len(sources.defined())
    assert {"quantile", "gate", "entropy", "gain", "divisor", "continuation"} <= set(sources.defined())


def test_texts_that_speak_of_different_claims_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "axioms.txt"
    path.write_text(
        layout.AXIOMS.read_text(encoding="utf-8").replace("\ngate-hard\n", "\ngate-soft\n"), encoding="utf-8"
    )
    monkeypatch.setattr(layout, "AXIOMS", path)
    reader.readings.cache_clear()
    with pytest.raises(ValueError, match="does not speak of gate-hard"):
        reader.readings()
    reader.readings.cache_clear()
