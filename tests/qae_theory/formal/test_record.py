"""The records of checking runs: what may be said of the proofs here, and when nothing may be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from qae_theory.formal.tools import build, coq, layout, record, sources, ties

RETURNED = ties.Returned("table", "symbols", {"entropy": 0.5})


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with Coq on which everything has passed; the note of it."""
    note = tmp_path / "passed.json"
    monkeypatch.setattr(layout, "PASSED", note)
    monkeypatch.setattr(coq, "missing", lambda: None)
    monkeypatch.setattr(coq, "version", lambda: "8.16.1")
    monkeypatch.setattr(build, "stale", list)
    monkeypatch.setattr(ties, "returned", lambda: RETURNED)
    forget()
    record.write_passed()
    yield note
    forget()


def forget() -> None:
    record.unavailable.cache_clear()
    record.returned.cache_clear()
    record.coqchk_says.cache_clear()


def test_where_all_passed_the_proofs_can_be_checked(checked: Path) -> None:
    assert record.passed_here()
    assert record.unavailable() is None
    assert record.accepted() == RETURNED


def test_without_coq_one_line_says_how_to_install_it_and_what_is_recorded(
    checked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coq, "missing", lambda: f"Coq is not installed: {coq.INSTALL}")
    said = record.unavailable()
    assert said is not None
    assert said.startswith("Coq is not installed: apt-get install")
    assert "`make formal`" in said
    assert "\n" not in said


def test_a_missing_program_and_a_missing_library_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert str(coq.missing()).startswith("Coq is not installed")
    (tmp_path / "user-contrib" / "mathcomp").mkdir(parents=True)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(coq, "_run", lambda command: coq.Answer(passed=True, output=f"{tmp_path}\n", errors=""))
    assert str(coq.missing()).startswith("Coq lacks the libraries Coquelicot, Flocq, Interval")


@pytest.mark.parametrize(
    "what", ["stale", "another source", "another Coq", "no note", "a note without what was returned"]
)
def test_a_state_that_was_not_checked_is_skipped_with_one_line(
    checked: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "stale":
        monkeypatch.setattr(build, "stale", lambda: ["Gate"])
    elif what == "another source":
        hashes = sources.hashes()
        monkeypatch.setattr(sources, "hashes", lambda: {**hashes, "theories/gate/Gate.v": "other"})
    elif what == "another Coq":
        monkeypatch.setattr(coq, "version", lambda: "8.17.0")
    elif what == "no note":
        checked.unlink()
    else:
        note = json.loads(checked.read_text(encoding="utf-8"))
        del note["returned"]
        checked.write_text(json.dumps(note), encoding="utf-8")
    said = record.unavailable()
    assert said is not None
    assert said.startswith("these sources are not compiled and checked here: `make formal` does it")
    assert "\n" not in said


def test_rewritten_formulas_of_the_shipped_code_are_not_checked_yet(
    checked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ties, "returned", lambda: replace(RETURNED, symbols="other"))
    assert str(record.unavailable()).startswith("the shipped code was rewritten since Coq compared its formulas")


def test_a_stored_record_says_when_the_same_sources_were_checked_and_never_that_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "CHECKED", tmp_path / "checked.json")
    assert "no checking run recorded" in record.without_coq()
    written = record.write("8.16.1")
    assert f"checked on {written.date} with Coq 8.16.1, sources unchanged" in record.without_coq()
    hashes = sources.hashes()
    monkeypatch.setattr(sources, "hashes", lambda: {**hashes, "Pins.v": "other"})
    assert record.without_coq().startswith(f"sources changed since they were checked on {written.date}")


def test_a_record_of_the_same_sources_keeps_its_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checked.json"
    monkeypatch.setattr(layout, "CHECKED", path)
    record.write("8.16.1")
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "date": "2001-01-01"}), encoding="utf-8")
    assert record.write("8.16.1").date == "2001-01-01"
    assert record.write("8.17.0").date != "2001-01-01"


def test_what_coqchk_refuses_is_not_accepted(checked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = coq.Answer(passed=False, output="", errors="Fatal Error: Anomaly: bad magic number")
    monkeypatch.setattr(coq, "coqchk", lambda modules, **_: refusal)
    accepted, said = record.coqchk_says()
    assert not accepted
    assert "bad magic number" in said


@pytest.mark.parametrize("libraries", [False, True])
def test_coqchk_is_told_whether_to_read_the_libraries(monkeypatch: pytest.MonkeyPatch, libraries: bool) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], *, timeout: float = 60) -> coq.Answer:
        commands.append(command)
        loaded = "Loaded library files: \n  Coq.Init.Logic\n  Interval.Tactic\n  QAE.Gate\n"
        return coq.Answer(passed=True, output=loaded, errors="")

    monkeypatch.setattr(coq, "_run", run)
    said = record.check_compiled(libraries=libraries)
    assert ("libraries" in said) == libraries
    command = commands[-1]
    own = [f"QAE.{module}" for module in sources.modules()]
    assert [name for option, name in pairwise(command) if option == "-norec"] == own + ["Coq.Init.Logic"] * libraries


@pytest.mark.slow
def test_the_libraries_of_a_module_are_those_that_coq_loads(proofs_checked: None) -> None:
    required = coq.required(["QAE.Definitions", "QAE.Sums"])
    assert {"Coq.Reals.Rdefinitions", "Coq.Init.Logic"} <= set(required)
    assert "QAE.Sums" not in required
    with pytest.raises(coq.CheckError, match=r"QAE\.Absent"):
        coq.required(["QAE.Absent"])


@pytest.mark.slow
def test_coqchk_refuses_a_compiled_file_that_was_changed(
    proofs_checked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "theories"
    shutil.copytree(layout.COMPILED, copy)
    monkeypatch.setattr(coq, "COMPILED", copy)
    assert coq.coqchk(["QAE.Compat", "QAE.Definitions"]).passed
    file = copy / "Definitions.vo"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert not coq.coqchk(["QAE.Compat", "QAE.Definitions"]).passed
