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
from qae_theory.commands import verify
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
    lines = result.stdout.splitlines()
    assert any(line.startswith("proved") and " sum " in line and "symbolic proof 1/1" in line for line in lines)
    assert any(line.startswith("refuted") and " product " in line for line in lines)
    assert "4 claims: 1 proved, 1 refuted, 2 not run" in lines
    assert "not run, no evidence registered: needs simulators: power" in lines
    assert any("no_such_package" in line and line.endswith(": root") for line in lines)


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


def test_unknown_claim_lists_close_matches_and_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, sample(), "prodct")
    assert result.exit_code == 2
    error = " ".join(result.stderr.replace("│", " ").split())
    assert "did you mean product" in error
    assert "sum, product, power, root" in error
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
    assert "1 claims: 1 not run" in lines
    assert "3 lines by condition of shape: 1 proved, 1 undecided, 1 not run" in lines
    assert "not run, no evidence registered: needs simulators: shape, and shape@bandit/adam" in lines
    assert not any(line.startswith("proved") for line in lines)
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
def test_interruption_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: str) -> None:
    check = interrupt if jobs == "1" else partial(interrupt_parent, parent=os.getpid())
    path = tmp_path / "ledger.json"
    path.write_text("old", encoding="utf-8")
    made = ledger(evidence(), evidence("second", steps=(step(check),)))
    result = invoke(monkeypatch, tmp_path, made, "--json", str(path), "--jobs", jobs)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert path.read_text(encoding="utf-8") == "old"
    assert runs(tmp_path) == []


def test_provider_that_breaks_gives_no_verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, partial(raises, Effort(), error=ImportError))
    assert result.exit_code == 1
    assert "ImportError" in result.stderr


def test_no_evidence_at_all_is_not_a_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, tmp_path, ledger(claims=LINES))
    assert result.exit_code == 1
    assert "install" in result.stderr


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_path_of_the_wrong_sort_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str) -> None:
    path = tmp_path / "here"
    if option == "--out":
        path.write_text("a file", encoding="utf-8")
    else:
        path.mkdir()
    result = invoke(monkeypatch, tmp_path, sample(), option, str(path))
    assert result.exit_code == 2
    # The message stands in a box that wraps a long path anywhere.
    assert "/here" in re.sub(r"[\s│]", "", result.stderr)


@pytest.mark.parametrize("width", [60, 120])
def test_table_on_a_terminal(width: int) -> None:
    """While it runs there is one bar, so that a low terminal does not scroll; the table comes once, at the end."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, height=12)
    claims = tuple(claim(f"claim-{i:02}") for i in range(30))
    made = ledger(*(evidence(of=line.id) for line in claims), claims=claims)
    verify.run_claims(made, claims, Effort(), jobs=1, console=console)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "30/30" in plain
    for line in claims:
        assert len(re.findall(rf"^{line.id} +proved", plain, re.MULTILINE)) == 1
    assert plain.count("symbolic proof 1/1") == (30 if width == 120 else 0)
    assert max(len(line.rstrip()) for line in re.split(r"[\r\n]", plain)) <= width


def test_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = io.StringIO()
    made = ledger(evidence(of="sum"), claims=(claim("sum"),))
    verify.run_claims(made, made.claims, Effort(), jobs=1, console=Console(file=screen, force_terminal=True))
    assert "\x1b[2K" not in screen.getvalue()
    assert "symbolic proof 1/1" in screen.getvalue()
