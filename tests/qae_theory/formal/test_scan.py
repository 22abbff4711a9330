"""The scan of the sources finds whatever leaves something unproved, and nothing else."""

from __future__ import annotations

import pytest

from qae_theory.formal.tools import scan, sources

PROVED = "Theorem a (x : nat) : x = x.\nProof. by []. Qed.\n"


@pytest.mark.parametrize("planted", scan.PLANTED)
def test_each_planted_gap_is_found_alone_and_among_proofs(planted: str) -> None:
    assert scan.scan("Planted", planted)
    assert scan.scan("Planted", f"{PROVED}{planted}\n{PROVED}")


@pytest.mark.parametrize("harmless", [*scan.HARMLESS, PROVED])
def test_words_in_comments_strings_and_sections_are_no_gaps(harmless: str) -> None:
    assert scan.scan("Harmless", harmless) == []


def test_a_finding_names_file_words_and_reason() -> None:
    (finding,) = scan.scan("Gate", "Lemma a : False.\nAdmitted.\n")
    assert str(finding) == "Gate.v: 'Admitted' is an unproved statement"


def test_a_section_that_is_closed_twice_hides_no_open_variable() -> None:
    source = "Section S. Variable a : nat. End S.\nVariable b : nat.\nSection T. End T.\n"
    assert [one.words for one in scan.scan("Planted", source)] == ["Variable"]


@pytest.mark.parametrize("module", sources.modules())
def test_the_theories_leave_nothing_open(module: str) -> None:
    assert scan.scan(module, sources.path(module).read_text(encoding="utf-8")) == []


def test_the_scan_knows_when_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scan.failed_controls() == []
    monkeypatch.setattr(scan, "_FORBIDDEN", {})
    assert "Lemma a : False. Proof. Admitted." in scan.failed_controls()
