"""`qae verify`: exit status, selection, what is printed and what is written. Runs small ledgers of its own."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from qae_theory.claims import ledger as ledgers
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role
from qae_theory.commands import screen, verify
from qae_theory.commands.kept import OUTCOMES
from qae_theory.runs.locks import alone
from tests.qae_theory.claims.samples import FAILS, HOLDS, claim, evidence, ledger, raises, step

REFUTED = evidence("witness", Kind.WITNESS, Role.AGAINST, of="product")
LINES = (claim("sum"), claim("product"), claim("power", needs="simulators"), claim("root"))


def sample(*more: Evidence) -> Ledger:
    return ledger(evidence(), REFUTED, evidence(of="root", requires=("no_such_package",)), *more, claims=LINES)


def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Any, *arguments: str) -> Result:
    """Run the command on a ledger, or on what ``made`` raises."""
    monkeypatch.setattr(ledgers, "load_ledger", made if callable(made) else lambda: made)
    app = typer.Typer()
    verify.register(app)
    return CliRunner().invoke(app, ["--out", str(tmp_path / "out"), *arguments])


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "out").glob("verify/*"))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_refuted_claim_is_not_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: str) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "--jobs", jobs)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["proved", "sum", "Two", "and", "two"] in lines
    assert ["refuted", "product", "Two", "and", "two"] in lines
    assert ["4", "claims:", "1", "proved,", "1", "refuted,", "2", "not", "run"] in lines
    assert ["1", "claim", "install", "no_such_package"] in lines
    assert ["1", "claim", "evidence", "of", "simulators,", "which", "is", "not", "installed"] in lines


@pytest.mark.parametrize(
    "broken",
    [
        evidence("sawn", steps=(step(FAILS, FAILS),)),
        evidence("sawn", steps=(step(HOLDS, HOLDS),)),
        evidence("sawn", steps=(step(raises, FAILS),)),
        evidence("sawn", Kind.WITNESS, Role.AGAINST),
    ],
    ids=["check fails", "control not rejected", "check raises", "contradiction"],
)
def test_broken_evidence_is_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: Evidence) -> None:
    result = invoke(monkeypatch, tmp_path, sample(broken), "--jobs", "1", "--json", str(tmp_path / "ledger.json"))
    assert result.exit_code == 1
    assert "PROBLEM sum: " in result.stdout
    records = json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))
    assert records[0]["verdict"] == "undecided"
    assert len(runs(tmp_path)) == 1


def test_all_lists_each_claim_with_the_evidence_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "--jobs", "1", "--all")
    lines = [re.sub(r" +", " ", line) for line in result.stdout.splitlines()]
    assert any(line.startswith("proved sum [not specific] symbolic proof 1/1, ") for line in lines)
    assert any(line.startswith("refuted product [not specific] witness 1/1, ") for line in lines)
    assert any(line.startswith("not run power [not specific] needs simulators, ") for line in lines)
    # What was skipped was not checked.
    assert any(line.startswith("not run root [not specific] symbolic proof 0/1, ") for line in lines)


def test_list_shows_ids_and_titles_and_runs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "--list")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["sum", "product", "power", "root"]
    assert "Two and two" in result.stdout
    assert (result.exit_code, runs(tmp_path)) == (0, [])


def test_unknown_claim_names_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "PRODCT")
    assert result.exit_code == 2
    assert "got 'PRODCT'; did you mean product?" in result.stderr
    assert "`qae verify --list`" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert runs(tmp_path) == []


def test_only_named_claims_are_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = evidence("sawn", steps=(step(raises, raises),))
    result = invoke(monkeypatch, tmp_path, sample(broken), "power", "product", "--jobs", "1", "--json", "-")
    assert result.exit_code == 0
    assert [record["id"] for record in json.loads(result.stdout)] == ["product", "power"]


def test_lines_by_condition_are_counted_with_their_family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conditions = [
        claim(f"shape@bandit/{name}", family="shape", condition=f"bandit/{name}", needs="simulators")
        for name in ("sgd", "adam", "lion")
    ]
    claims = (claim("shape", needs="simulators"), *conditions)
    broken = evidence("sawn", steps=(step(raises, raises),), of="shape@bandit/lion")
    made = ledger(evidence(of="shape@bandit/sgd"), broken, claims=claims)
    result = invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    lines = result.stdout.splitlines()
    assert "1 claim: 1 not run" in lines
    assert "3 lines by condition: 1 proved, 1 undecided, 1 not run" in lines
    assert "shape, by condition: 1 proved, 1 undecided" in [line.strip() for line in lines]
    assert "not run: 1 claim, 1 line. What would run them (several may be needed):" in lines
    assert not any("shape@bandit/sgd" in line for line in lines)
    assert any(line.startswith("BROKEN") and "shape@bandit/lion" in line for line in lines)
    alone = invoke(monkeypatch, tmp_path, made, "shape@bandit/sgd", "--jobs", "1")
    assert any(line.startswith("proved") and "shape@bandit/sgd" in line for line in alone.stdout.splitlines())


def test_json_on_standard_output_is_alone_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "--json", "-", "--jobs", "1")
    assert [record["id"] for record in json.loads(result.stdout)] == ["sum", "product", "power", "root"]
    assert "4 claims" in result.stderr


def test_json_file_makes_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.json"
    assert invoke(monkeypatch, tmp_path, sample(), "--json", str(path), "--jobs", "1").exit_code == 0
    assert len(json.loads(path.read_text(encoding="utf-8"))) == 4


def test_run_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for _ in range(2):
        invoke(monkeypatch, tmp_path, sample(), "--quick", "--seed", "4", "--jobs", "1")
    (folder,) = runs(tmp_path)
    names = {"config.json", "metrics.jsonl", "provenance.json", "ledger.json", "ledger.md", "ledger.html"}
    assert {path.name for path in folder.iterdir()} == names
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["quick"], config["seed"], config["claims"]) == (True, 4, "all")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(m["claim"], m["status"]) for m in metrics] == [
        ("sum", "passed"),
        ("product", "passed"),
        ("root", "skipped"),
    ]
    invoke(monkeypatch, tmp_path, sample(), "--seed", "4", "--jobs", "1")
    assert len(runs(tmp_path)) == 2


def test_effort_follows_the_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Effort] = []

    def record(effort: Effort) -> Finding:
        seen.append(effort)
        return HOLDS(effort)

    made = ledger(evidence(steps=(step(record),)))
    invoke(monkeypatch, tmp_path, made, "--quick", "--seed", "9", "--jobs", "1")
    invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    assert seen == [Effort(quick=True, seed=9), Effort()]


def interrupt(effort: Effort) -> Finding:
    """What Ctrl-C does to the process that the user sees."""
    raise KeyboardInterrupt


def interrupt_parent(effort: Effort, *, parent: int) -> Finding:
    """Interrupt a few times: Python drops an interrupt that falls into a callback of its garbage collector."""
    for _ in range(6):
        if os.getppid() == parent:
            os.kill(parent, signal.SIGINT)
            time.sleep(5)
    raise AssertionError


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interruption_writes_no_verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: str) -> None:
    check = interrupt if jobs == "1" else partial(interrupt_parent, parent=os.getpid())
    path = tmp_path / "ledger.json"
    path.write_text("old", encoding="utf-8")
    made = ledger(evidence(), evidence("second", steps=(step(check),)))
    result = invoke(monkeypatch, tmp_path, made, "--json", str(path), "--jobs", jobs)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert path.read_text(encoding="utf-8") == "old"
    assert [folder for folder in runs(tmp_path) if not folder.name.startswith(".")] == []


def test_an_interrupted_run_goes_on_with_what_it_has_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was checked is not checked again, but for what rests on stored results; the verdicts are those of one go."""
    checked: list[str] = []
    stop = [True]

    def seen(effort: Effort, *, name: str) -> Finding:
        checked.append(name)
        if name == "second" and stop[0]:
            raise KeyboardInterrupt
        return HOLDS(effort)

    def piece(name: str, **fields: Any) -> Evidence:
        return evidence(name, steps=(step(partial(seen, name=name)),), **fields)

    made = ledger(piece("first"), piece("stored", missing=lambda _: None), piece("second"))
    first = invoke(monkeypatch, tmp_path, made, "--jobs", "1", "--quick")
    assert first.exit_code == 130
    assert "2 pieces of evidence are kept, the same command goes on" in first.stderr
    (folder,) = runs(tmp_path)
    stop[0] = False
    # Another size, another seed and other claims are other runs.
    invoke(monkeypatch, tmp_path, made, "--jobs", "1", "--seed", "3")
    assert checked == ["first", "stored", "second", "first", "stored", "second"]
    again = invoke(monkeypatch, tmp_path, made, "--jobs", "1", "--quick", "--json", str(tmp_path / "resumed.json"))
    assert again.exit_code == 0
    assert "1 of 3 pieces of evidence were checked before" in again.stdout
    assert checked[6:] == ["stored", "second"]
    assert not folder.exists()
    invoke(monkeypatch, tmp_path, made, "--jobs", "1", "--quick", "--json", str(tmp_path / "whole.json"))
    assert checked[8:] == ["first", "stored", "second"]
    assert timeless(tmp_path / "resumed.json") == timeless(tmp_path / "whole.json")


def timeless(path: Path) -> Any:
    records = json.loads(path.read_text(encoding="utf-8"))
    for piece in [piece for record in records for piece in record["evidence"]]:
        piece["seconds"] = 0
    return records


def test_what_broke_is_checked_again_after_an_interruption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ledger(evidence("sawn", steps=(step(raises),)), evidence("second", steps=(step(interrupt),)))
    result = invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    assert result.exit_code == 130
    assert "kept" not in result.stderr
    assert runs(tmp_path) == []


def test_damaged_lines_of_an_interrupted_run_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ledger(evidence(), evidence("second", steps=(step(interrupt),)))
    invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    (folder,) = runs(tmp_path)
    whole = (folder / OUTCOMES).read_text(encoding="utf-8")
    (folder / OUTCOMES).write_text(f"[1]\n{whole[:40]}", encoding="utf-8")
    result = invoke(monkeypatch, tmp_path, ledger(evidence(), evidence("second")), "--jobs", "1")
    assert result.exit_code == 0
    assert "checked before" not in result.stdout


def test_two_runs_of_the_same_claims_do_not_meet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ledger(evidence(), evidence("second", steps=(step(interrupt),)))
    invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    (folder,) = runs(tmp_path)
    with alone(folder):
        result = invoke(monkeypatch, tmp_path, made, "--jobs", "1")
    assert result.exit_code == 1
    assert "another process is running it" in result.stderr


def test_provider_that_breaks_gives_no_verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, partial(raises, Effort(), error=ImportError))
    assert result.exit_code == 1
    assert "ImportError" in result.stderr


def test_no_evidence_at_all_is_not_a_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, ledger(claims=LINES))
    assert result.exit_code == 1
    assert "install" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "{here}/file"), "--out must be a folder; '{here}/file' is a file"),
        (("--out", "{here}/file/inside"), "--out must be a folder that can be written; got '{here}/file/inside'"),
        (("--json", "{here}"), "--json must be a file; '{here}' is a folder"),
        (("--json", "{here}/file/inside"), "--json must be a file that can be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, str], says: str
) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")

    def never() -> Ledger:
        raise AssertionError("the place is looked at before any work is done")

    option, place = arguments
    result = invoke(monkeypatch, tmp_path, never, option, place.format(here=tmp_path))
    assert result.exit_code == 2
    assert says.format(here=tmp_path) in result.stderr
    assert len(result.stderr.splitlines()) == 1


def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Ledger, width: int, *arguments: str) -> str:
    """Return what the command leaves on a terminal of this width, its control characters taken out."""
    written = io.StringIO()
    made_here = partial(Console, file=written, force_terminal=True, width=width, height=24)
    monkeypatch.setattr("rich.console.Console", lambda **options: made_here(**{**options, "stderr": False}))
    assert invoke(monkeypatch, tmp_path, made, "--jobs", "1", *arguments).exit_code == 0
    # The bar is taken off the screen: what a line held before its last return is gone.
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.getvalue())
    return "\n".join(line.rpartition("\r")[2] for line in plain.split("\n"))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen_has_a_line_a_claim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int) -> None:
    claims = tuple(claim(f"claim-{i:02}-{'x' * (i % 29)}") for i in range(30))
    made = ledger(*(evidence(of=line.id) for line in claims), claims=claims)
    lines = shown(monkeypatch, tmp_path, made, width).splitlines()
    for line in claims:
        assert sum(found.split()[:2] == ["proved", line.id] for found in lines) == 1
    assert max(len(line.rstrip()) for line in lines if not line.startswith("wrote ")) <= width


def test_a_bar_is_shown_while_evidence_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=60, height=12)
    claims = tuple(claim(f"claim-{i:02}") for i in range(30))
    verify.run_claims(
        ledger(*(evidence(of=line.id) for line in claims), claims=claims), claims, Effort(), jobs=1, console=console
    )
    assert "30/30" in written.getvalue()


@pytest.mark.parametrize("number", [40, 200, 1000])
@pytest.mark.parametrize("width", [60, 80])
def test_the_screen_stays_short_however_many_claims_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, width: int
) -> None:
    """Claims with a verdict, claims that wait for as many commands, and families by condition."""

    def waits(name: str) -> Evidence:
        return evidence(of=name, missing=lambda _: f"no results: run `qae simulate {name}`")

    names = [f"claim-with-a-name-of-some-length-{i:04}" for i in range(number)]
    claims = tuple(claim(name, section=f"Section {i % 7}") for i, name in enumerate(names))
    pieces = [waits(name) if i % 3 == 0 else evidence(of=name) for i, name in enumerate(names)]
    lines = shown(monkeypatch, tmp_path, ledger(*pieces, claims=claims), width).splitlines()
    assert len(lines) <= 130
    assert any("more: --all lists them" in line for line in lines) == (number > 40)
    listed = shown(monkeypatch, tmp_path, ledger(*pieces[:40], claims=claims[:40]), width, "--all").splitlines()
    assert sum(name in line for name in names[:40] for line in listed) >= 40


def test_no_word_is_broken_on_a_narrow_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = sample(evidence("other", of="sum", missing=lambda _: " ".join(f"reason{i}" for i in range(60))))
    lines = shown(monkeypatch, tmp_path, made, 60).splitlines()
    words = " ".join(line for line in lines if not line.startswith("wrote ")).split()
    for word in [f"reason{i}" for i in range(60)]:
        assert words.count(word) == 1
    assert max(len(line) for line in lines if not line.startswith("wrote ")) <= 60


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERM", "dumb")
    claims = tuple(claim(f"claim-{i:02}") for i in range(30))
    written = io.StringIO()
    verify.run_claims(
        ledger(*(evidence(of=line.id) for line in claims), claims=claims),
        claims,
        Effort(),
        jobs=1,
        console=Console(file=written, force_terminal=True),
    )
    assert "\x1b[2K" not in written.getvalue()
    assert "\r" not in written.getvalue()
    assert written.getvalue().splitlines() == [f"evidence: {i} of 30" for i in range(3, 31, 3)]


def test_the_width_of_a_dumb_terminal_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "60")
    assert screen.width_of(Console(file=io.StringIO(), force_terminal=True)) == 60
    monkeypatch.setenv("TERM", "xterm")
    assert screen.width_of(Console(file=io.StringIO(), force_terminal=True, width=70)) == 70
    assert screen.width_of(Console(file=io.StringIO())) == screen.PLAIN_WIDTH


def test_no_color_takes_the_colours_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=written, force_terminal=True, width=80))
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    invoke(monkeypatch, tmp_path, sample(), "--jobs", "1")
    # The bar has colours too; it is the verdict's that counts.
    assert re.search(r"\x1b\[32m *proved", written.getvalue())
    written.truncate(0)
    monkeypatch.setenv("NO_COLOR", "1")
    invoke(monkeypatch, tmp_path, sample(), "--jobs", "1")
    assert not coloured.search(written.getvalue())
