"""The command that checks all of it: where Coq is missing, and which faults end it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qae_theory.formal.tools import check, coq, layout, record, scan, sources, survey


def test_without_coq_it_says_what_to_install_and_ends_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(coq, "missing", lambda: f"Coq is not installed: {coq.INSTALL}")
    assert check.main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"Coq is not installed: {coq.INSTALL}", record.without_coq()]


@pytest.mark.parametrize("error", [coq.CheckError("coqchk: no"), ValueError("two theorems of one name")])
def test_a_failed_check_ends_with_status_1_and_records_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(options: object) -> None:
        raise error

    monkeypatch.setattr(coq, "missing", lambda: None)
    monkeypatch.setattr(check, "_run", fail)
    monkeypatch.setattr(record, "write_passed", lambda: pytest.fail("it was noted as passed"))
    monkeypatch.setattr(record, "write", lambda version: pytest.fail("it was recorded as passed"))
    assert check.main([]) == 1
    assert capsys.readouterr().err == f"FAILED: {error}\n"


def test_an_open_goal_in_the_sources_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "leave nothing open" in check._scan()
    found = [scan.Finding("Gate", "Admitted", "an unproved statement")]
    monkeypatch.setattr(scan, "scan_all", lambda: found)
    with pytest.raises(coq.CheckError, match=r"Gate\.v: 'Admitted'"):
        check._scan()


def test_a_forbidden_axiom_and_a_foreign_notion_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    theorems, _ = sources.claim_theorems()

    def found(axiom: str, statement: str) -> None:
        one = survey.Surveyed("gate-hard", "Gate", statement, {axiom: ""})
        monkeypatch.setattr(survey, "survey", lambda *_, **__: [one])

    found("FloatAxioms.add_spec", "True")
    with pytest.raises(coq.CheckError, match=r"gate-hard uses FloatAxioms\.add_spec"):
        check._survey(theorems, write=False, jobs=1)
    found("Classical_Prop.classic", "Gate.own x")
    with pytest.raises(coq.CheckError, match=r"gate-hard speaks of Gate\.own"):
        check._survey(theorems, write=False, jobs=1)


def test_a_committed_text_that_is_not_what_coq_says_fails(tmp_path: Path) -> None:
    file = tmp_path / "statements.txt"
    with pytest.raises(coq.CheckError, match="--update"):
        check._write_or_compare(file, "a", write=False)
    check._write_or_compare(file, "a", write=True)
    check._write_or_compare(file, "a", write=False)
    with pytest.raises(coq.CheckError, match=r"statements\.txt is not what Coq says now"):
        check._write_or_compare(file, "b", write=False)


def test_pins_of_other_statements_fail_before_coq_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theorems, _ = sources.claim_theorems()
    file = tmp_path / "Pins.v"
    file.write_text(layout.PINS.read_text(encoding="utf-8").replace("0 <= eps", "0 < eps", 1), encoding="utf-8")
    monkeypatch.setattr(layout, "PINS", file)
    monkeypatch.setattr(coq, "coqc", lambda *_, **__: pytest.fail("Coq was asked"))
    with pytest.raises(coq.CheckError, match=r"Pins\.v does not pin the statements"):
        check._pins(theorems)


def test_planted_falsehoods_are_refuted_for_every_topic() -> None:
    assert "planted falsehoods refuted" in check._controls()
    topics = {path.name for path in layout.THEORIES.iterdir() if path.is_dir()} - {"library", "controls"}
    controls = [name for name in sources.theorems() if name.startswith("control_")]
    assert len(controls) >= len(topics)
    required = set()
    for module in sources.modules():
        if module.startswith("Controls"):
            required |= {sources.path(name).parent.name for name in sources.requirements(module)}
    assert topics - required == set()
