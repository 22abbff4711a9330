"""Counts in README.md and the table of verdicts are made from the ledger, and stale ones are noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qae_theory.claims.model import Kind, Role, Status
from qae_theory.claims.readme import (
    BEGIN,
    BOTTOM_BEGIN,
    BOTTOM_END,
    END,
    between_markers,
    bottom_line,
    cited_verdicts,
    counts,
    ledger_table,
    main,
    strongest_evidence,
)
from qae_theory.claims.serial import ledger_records
from qae_theory.claims.verdict import judge
from tests import ROOT
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


FAMILY = ledger_records(
    [
        judge(claim("shape"), []),
        judge(claim("shape@bandit/sgd", family="shape", condition="bandit/sgd"), [outcome(Kind.PROPERTY)]),
        judge(claim("shape@bandit/adam", family="shape", condition="bandit/adam"), []),
    ]
)


def test_lines_by_condition_are_counted_in_the_row_of_their_family() -> None:
    assert counts(FAMILY) == "1 claims: 1 not run. 2 lines by condition: 1 supported, 1 not run."
    made = ledger_table(FAMILY)
    assert "| `shape` |  | not run | 2 lines by condition: 1 supported, 1 not run |" in made
    assert "@bandit" not in made


def test_what_is_made_replaces_only_what_is_between_the_markers() -> None:
    made = between_markers(f"Before\n{BEGIN}\nstale\n{END}\nAfter\n", ledger_table(RECORDS))
    assert made.startswith(f"Before\n{BEGIN}\n4 claims: 1 proved, 1 holds under an assumption, 1 refuted, 1 not run.\n")
    assert made.endswith(f"\n{END}\nAfter\n")
    assert "stale" not in made
    assert "| `b` |  | refuted | witness |" in made
    assert between_markers(made, ledger_table(RECORDS)) == made


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"])
def test_markers_must_be_there_once(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        between_markers(text, ledger_table(RECORDS))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    readme, verdicts, ledger = (tmp_path / name for name in ("README.md", "verdicts.md", "ledger.json"))
    readme.write_text(f"# Title\n{BOTTOM_BEGIN}\n{BOTTOM_END}\n{BEGIN}\n{END}\n", encoding="utf-8")
    verdicts.write_text(f"# Title\n{BEGIN}\n{END}\n", encoding="utf-8")
    ledger.write_text(json.dumps(RECORDS), encoding="utf-8")
    return [str(ledger), "--readme", str(readme), "--table", str(verdicts)]


def test_check_notices_a_stale_page(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    pages = [Path(files[2]), Path(files[4])]
    before = [page.read_text(encoding="utf-8") for page in pages]
    assert main([*files, "--check"]) == 1
    assert capsys.readouterr().err.count("out of date") == 2
    assert [page.read_text(encoding="utf-8") for page in pages] == before
    assert main(files) == 0
    assert main([*files, "--check"]) == 0
    Path(files[0]).write_text(json.dumps(RECORDS[:2]), encoding="utf-8")
    assert main([*files, "--check"]) == 1


def test_missing_ledger_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


def test_the_bottom_line_goes_into_the_readme(files: list[str]) -> None:
    assert main(files) == 0
    assert f"{BOTTOM_BEGIN}\n{bottom_line()}\n{BOTTOM_END}" in Path(files[2]).read_text(encoding="utf-8")


def test_the_bottom_line_names_the_verdicts_of_the_stored_ledger() -> None:
    """Every claim that the bottom line names has a verdict beside it, and it is the ledger's."""
    records = json.loads((ROOT / "docs" / "ledger.json").read_text(encoding="utf-8"))
    verdicts = {record["id"]: record["verdict"] for record in records}
    cited = cited_verdicts(bottom_line())
    assert len(cited) == bottom_line().count("`") / 2 >= 8
    assert cited == [(name, verdicts.get(name)) for name, _ in cited]


def test_verdicts_are_read_off_a_text() -> None:
    text = "So it is (`a-b`: proved; on-policy), and\nnot (`c@d/e-.2`: not\n  run), says `f`: nobody."
    assert cited_verdicts(text) == [("a-b", "proved"), ("c@d/e-.2", "not run")]
