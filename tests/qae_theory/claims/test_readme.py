"""The table in README.md is made from the ledger, and a stale one is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qae_theory.claims.model import Kind, Role, Status
from qae_theory.claims.readme import BEGIN, END, main, strongest_evidence, with_table
from qae_theory.claims.serial import ledger_records
from qae_theory.claims.verdict import judge
from tests.qae_theory.claims.samples import claim, outcome

RECORDS = ledger_records(
    [
        judge(claim("a"), [outcome(Kind.PROPERTY), outcome(Kind.PROOF)]),
        judge(claim("b"), [outcome(Kind.WITNESS, Role.AGAINST)]),
        judge(claim("c-if", assumption="x"), [outcome(Kind.PROOF, Role.UNDER), outcome(Kind.WITNESS, Role.WITHOUT)]),
        judge(claim("d"), [outcome(status=Status.SKIPPED)]),
    ]
)


def test_strongest_evidence_is_what_decided() -> None:
    assert [strongest_evidence(record) for record in RECORDS] == [
        "symbolic proof",
        "witness",
        "symbolic proof, witness without",
        "–",
    ]


def test_table_replaces_only_what_is_between_the_markers() -> None:
    made = with_table(f"Before\n{BEGIN}\nstale\n{END}\nAfter\n", RECORDS)
    assert made.startswith(f"Before\n{BEGIN}\n4 claims: 1 proved, 1 holds under an assumption, 1 refuted, 1 not run.\n")
    assert made.endswith(f"\n{END}\nAfter\n")
    assert "stale" not in made
    assert "| `b` | not specific | refuted | witness |" in made
    assert with_table(made, RECORDS) == made


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"])
def test_markers_must_be_there_once(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        with_table(text, RECORDS)


@pytest.fixture
def files(tmp_path: Path) -> list[Any]:
    readme, ledger = tmp_path / "README.md", tmp_path / "ledger.json"
    readme.write_text(f"# Title\n{BEGIN}\n{END}\n", encoding="utf-8")
    ledger.write_text(json.dumps(RECORDS), encoding="utf-8")
    return [str(ledger), "--readme", str(readme)]


def test_check_notices_a_stale_table(files: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(files[2]).read_text(encoding="utf-8")
    assert main([*files, "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert Path(files[2]).read_text(encoding="utf-8") == before
    assert main(files) == 0
    assert main([*files, "--check"]) == 0
    Path(files[0]).write_text(json.dumps(RECORDS[:2]), encoding="utf-8")
    assert main([*files, "--check"]) == 1


def test_missing_ledger_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
