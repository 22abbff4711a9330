"""What can go wrong in a sweep costs one line, the right exit status, and no finished cell."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qae_theory.cli import build_app
from qae_theory.runs import store
from simulators import evidence, experiments, sweep
from tests import ROOT
from tests.simulators import toy


@pytest.fixture(autouse=True)
def _toy_is_an_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiments.MODULES, "toy", toy.__name__)


def simulate(out: Path, *settings: str, workers: int = 1) -> Any:
    chosen = [word for setting in settings for word in ("--set", setting)]
    return CliRunner().invoke(build_app(), ["simulate", "toy", "--out", str(out), "--workers", str(workers), *chosen])


def finished(out: Path) -> list[Path]:
    return list(out.glob("toy/[!.]*"))


def kept(out: Path) -> list[Path]:
    return [path for path in out.glob("toy/.cells-*/*.json") if not path.name.startswith(".")]


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ("cells", 2, "qae simulate: toy: count must be odd; got 6"),
        ("error", 1, "qae simulate: toy: cell 'cell 3' failed: ArithmeticError: no such number"),
        (
            "nan",
            1,
            "qae simulate: toy: cell 'cell 3' failed: ValueError: record has draw = nan; JSON has no such number",
        ),
        ("object", 1, "qae simulate: toy: cell 'cell 3' failed: ValueError: record has draw = <object object"),
        ("analysis", 1, "qae simulate: toy: the analysis failed: KeyError: 'no such column'"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, fault: str, status: int, says: str) -> None:
    found = simulate(tmp_path / "out", f'fault="{fault}"')
    assert found.exit_code == status
    assert found.stderr.startswith(says)
    assert len(found.stderr.splitlines()) == 1
    assert finished(tmp_path / "out") == []
    assert len(kept(tmp_path / "out")) == {"cells": 0, "analysis": 6}.get(fault, 5)


def test_a_dead_worker_is_one_line_and_keeps_what_is_finished(tmp_path: Path) -> None:
    found = simulate(tmp_path / "out", 'fault="death"', workers=2)
    assert found.exit_code == 1
    assert found.stderr.startswith(
        "qae simulate: toy: a worker died, for want of memory perhaps: TerminatedWorkerError"
    )
    assert len(found.stderr.splitlines()) == 1
    assert finished(tmp_path / "out") == []


@pytest.mark.parametrize("everyone", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["group", "parent"])
def test_an_interruption_keeps_finished_cells(tmp_path: Path, everyone: bool) -> None:
    out, gate = tmp_path / "out", tmp_path / "gate"
    process = start(out, f'gate="{gate}"')
    wait_for(process, lambda: len(kept(out)) == 2)
    (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "qae simulate: interrupted; finished cells are kept, start again to go on\n"
    assert finished(out) == []
    assert len(kept(out)) == 2
    gate.touch()
    again = simulate(out, f'gate="{gate}"')
    assert again.exit_code == 0, again.output
    assert "toy: 2 of 6 cells were finished already" in again.stdout


@pytest.mark.slow
def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    out, gate = tmp_path / "out", tmp_path / "gate"
    process = start(out, f'gate="{gate}"')
    wait_for(process, lambda: len(kept(out)) == 2)
    second = simulate(out, f'gate="{gate}"')
    assert second.exit_code == 1
    assert second.stderr.startswith("qae simulate: toy: another process is running it, in ")
    gate.touch()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert len(finished(out)) == 1


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, count = sweep.write_atomically, iter(range(10))

    def full(path: Path, text: str) -> None:
        if next(count) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, text)

    monkeypatch.setattr(sweep, "write_atomically", full)
    found = simulate(tmp_path / "out")
    assert (found.exit_code, found.stderr) == (1, "qae simulate: toy: [Errno 28] No space left on device\n")
    assert (finished(tmp_path / "out"), len(kept(tmp_path / "out"))) == ([], 2)


def test_code_that_changed_meanwhile_makes_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiments.get_experiment("toy")
    planned = sweep.plan(experiment, toy.ToyConfig(), quick=False, out=tmp_path)
    monkeypatch.setattr("qae_theory.runs.folders.code_version", lambda modules: "other")
    with pytest.raises(sweep.SweepError, match="code has changed"):
        sweep.run(planned, out=tmp_path, workers=1)
    assert finished(tmp_path) == []


def test_a_kept_cell_that_is_gone_makes_no_run(tmp_path: Path) -> None:
    experiment = experiments.get_experiment("toy")
    planned = sweep.plan(experiment, toy.ToyConfig(), quick=False, out=tmp_path)
    with pytest.raises(sweep.SweepError, match="'cell 0' is no longer readable"):
        sweep.run(planned._replace(left=planned.cells[1:]), out=tmp_path, workers=1)
    assert finished(tmp_path) == []


def test_half_a_run_left_by_a_killed_process_is_cleared(tmp_path: Path) -> None:
    experiment = experiments.get_experiment("toy")
    planned = sweep.plan(experiment, toy.ToyConfig(), quick=False, out=tmp_path)
    half = planned.kept.parent / f".{planned.run_id}-half"
    half.mkdir(parents=True)
    folder = sweep.run(planned, out=tmp_path, workers=1)
    assert list(folder.parent.iterdir()) == [folder]


# What the ledger makes of a run folder that is not as it was written


@pytest.mark.parametrize("damage", ["cut", "edited", "gone"])
def test_a_damaged_run_breaks_the_evidence_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    assert simulate(tmp_path).exit_code == 0
    (folder,) = finished(tmp_path)
    experiment = experiments.get_experiment("toy")
    (run,) = store.stored(tmp_path, "toy")
    assert evidence._analysis(experiment, run)["rows"] == 6
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    if damage == "cut":
        metrics.write_text("".join(lines[:-1]))
    elif damage == "edited":
        metrics.write_text("".join(lines).replace('"draw": 0.', '"draw": 1.'))
    else:
        metrics.unlink()
    with pytest.raises(ValueError, match=r"not as the run wrote it: metrics\.jsonl; remove the run"):
        evidence._analysis(experiment, store.stored(tmp_path, "toy")[0])


def start(out: Path, *settings: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, in which Ctrl-C counts."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tests.simulators.toy", "simulate", "toy", "--out", str(out)]
    return subprocess.Popen(
        [*command, "--workers", "2", *chosen],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )


def wait_for(process: subprocess.Popen[str], holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
