"""The machinery around experiments: resumption, failure, determinism, configuration, and what the ledger takes up."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from typer.testing import CliRunner

from qae_theory.claims.ledger import read_catalogue
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Status, Step
from qae_theory.claims.run import run_evidence
from qae_theory.claims.statements import Statement
from qae_theory.cli import build_app
from qae_theory.runs import store
from qae_theory.runs.plain import plain
from qae_theory.runs.stored import StoredRun
from simulators import command, evidence, stored_cells, sweep
from simulators import settings as configuration
from simulators.experiments import experiment_names, get_experiment
from simulators.experiments.base import Cell, Config, Experiment
from tests import ROOT


class TinyConfig(Config):
    count: int = 6
    log: str = ""
    fail: str = ""
    gate: str = ""  # a file that the cells from the third on wait for


def tiny_cells(config: TinyConfig) -> list[Cell]:
    settings = {"log": config.log, "fail": config.fail, "gate": config.gate}
    return [Cell(f"cell {i}", {**settings, "index": i}, stream=i // 2) for i in range(config.count)]


def tiny_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[dict[str, Any]]:
    if settings["log"]:
        with open(settings["log"], "a") as log:
            log.write(f"{settings['index']}\n")
    if settings["fail"] and settings["index"] == 3 and Path(settings["fail"]).exists():
        raise ArithmeticError("no such\nnumber")
    while settings["gate"] and settings["index"] >= 2 and not Path(settings["gate"]).exists():
        time.sleep(0.02)
    return [{"index": settings["index"], "draw": float(np.random.default_rng(seeds).random())}]


TINY = Experiment(
    name="tiny",
    summary="for tests",
    config=TinyConfig,
    cells=tiny_cells,
    run_cell=tiny_cell,
    analyse=lambda config, rows: {"statements": []},
    sizes=Path("none"),
)


def run_tiny(out: Path, workers: int = 1, **fields: Any) -> Path:
    planned = sweep.plan(TINY, TinyConfig(**fields), quick=True, out=out)
    return sweep.run(planned, out=out, workers=workers)


def test_results_do_not_depend_on_workers(tmp_path: Path) -> None:
    one, two = (run_tiny(tmp_path / str(n), workers=n) / "metrics.jsonl" for n in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    rows = [json.loads(line) for line in one.read_text().splitlines()]
    assert [row["cell"] for row in rows] == [f"cell {i}" for i in range(6)]
    streams = [row["draw"] for row in rows]
    assert streams[0::2] == streams[1::2]  # cells of one stream share their randomness
    assert len(set(streams)) == 3
    spawned = np.random.SeedSequence(TinyConfig().seed).spawn(3)
    assert streams[0::2] == [float(np.random.default_rng(child).random()) for child in spawned]


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first, second = run_tiny(tmp_path), run_tiny(tmp_path, seed=1)
    assert first != second
    assert (first / "metrics.jsonl").read_text() != (second / "metrics.jsonl").read_text()


def test_a_failed_cell_is_named_and_only_that_one_runs_again(tmp_path: Path) -> None:
    trap, log = tmp_path / "trap", tmp_path / "log"
    trap.touch()
    with pytest.raises(sweep.CellsFailedError, match=r"cell 'cell 3' failed: ArithmeticError: no such number"):
        run_tiny(tmp_path / "out", log=str(log), fail=str(trap))
    assert not [path for path in (tmp_path / "out" / "tiny").iterdir() if not path.name.startswith(".")]
    trap.unlink()
    log.unlink()
    folder = run_tiny(tmp_path / "out", log=str(log), fail=str(trap))
    assert log.read_text().split() == ["3"]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 6


KILLED = """
import sys
from pathlib import Path
from tests import ROOT
from tests.simulators.test_sweep import run_tiny
run_tiny(Path(sys.argv[1]), workers=2, log=sys.argv[2], gate=sys.argv[3])
"""


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_and_runs_no_finished_cell_again(tmp_path: Path) -> None:
    log, out, gate = tmp_path / "log", tmp_path / "out", tmp_path / "gate"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", KILLED, str(out), str(log), str(gate)]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    kept = lambda: [path for path in out.glob("tiny/.cells-*/*.json") if not path.name.startswith(".")]  # noqa: E731
    deadline = time.monotonic() + 60
    while len(kept()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {json.loads(path.read_text())["records"][0]["index"] for path in kept()}
    assert finished == {0, 1}
    log.unlink()
    gate.touch()
    subprocess.run(arguments, env=environment, check=True)
    assert sorted(map(int, log.read_text().split())) == [2, 3, 4, 5]
    (folder,) = out.glob("tiny/[!.]*")
    again = run_tiny(tmp_path / "whole", gate=str(gate), log=str(log))  # their paths are part of the configuration
    assert (folder / "metrics.jsonl").read_bytes() == (again / "metrics.jsonl").read_bytes()
    assert not list(out.glob("tiny/.cells-*"))


def test_a_half_written_cell_counts_as_not_run(tmp_path: Path) -> None:
    planned = sweep.plan(TINY, TinyConfig(), quick=True, out=tmp_path)
    planned.kept.mkdir(parents=True)
    for cell in planned.cells:
        stored_cells.cell_file(planned.kept, cell).write_text('{"records": [{"index": 0')
    assert sweep.plan(TINY, TinyConfig(), quick=True, out=tmp_path).left == planned.cells


# The command


def qae(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["simulate", *arguments])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name an experiment"),
        (("no-such",), "EXPERIMENT must be one of"),
        (("k-sweep", "--backend", "slurm"), "--backend must be loky or ray; got 'slurm'"),
        (("k-sweep", "--set", "seeds=1"), "seeds must be >= 2; got 1"),
        (("k-sweep", "--set", "nothing=1"), "nothing is not a field"),
        (("k-sweep", "--set", "seeds"), "--set must be KEY=VALUE with a value of TOML"),
        (("k-sweep", "--set", "level=nan"), "level must be a number; got nan"),
        (("k-sweep", "--rules", "qae,grpo"), "--rules is not for experiment 'k-sweep'"),
        (("channels", "--rules", "qae,gpro"), "method must be one of"),
        (("k-sweep", "--config", "no-such.toml"), "configuration 'no-such.toml' cannot be read"),
        (("k-sweep", "--set", 'conditions=[{name="a", update={group_size=1}}]'), "group_size"),
        (("k-sweep", "--set", 'conditions=[{name="a", update={clip_high=-0.1}}]'), "clip_high"),
        (("k-sweep", "--set", 'conditions=[{name="a", update={method="gpro"}}]'), "method must be one of"),
        (("k-sweep", "--set", 'conditions=[{name="a", update={step_size=inf}}]'), "step_size"),
        (("sparsity", "--set", 'update={method="psr", signed_rewards=true}'), "method must take rewards other than"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    kept = tmp_path / "out" / "k-sweep" / "earlier"
    kept.mkdir(parents=True)
    found = qae(*arguments, "--out", str(tmp_path / "out"))
    assert found.exit_code == 2
    assert says in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert [path.name for path in kept.parent.iterdir()] == ["earlier"]


def test_the_command_runs_and_then_finds_the_run(tmp_path: Path) -> None:
    sizes = ("--set", "seeds=2", "--set", "steps=2", "--set", "every=1", "--set", 'ks=["0.4", "0.6"]')
    small = ("k-sweep", "--quick", *sizes, "--out", str(tmp_path), "--workers", "1")
    first = qae(*small)
    assert first.exit_code == 0, first.output
    assert "k-sweep: shape-entropy-rises-with-k@bandit/" in first.output
    (folder,) = (tmp_path / "k-sweep").glob("[!.]*")
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "analysis.json",
        "timing.json",
        "provenance.json",
    }
    assert "already there" in qae(*small).output


def test_every_experiment_is_listed_with_shipped_configurations() -> None:
    listed = qae("--list").output
    for name in experiment_names():
        assert name in listed
        experiment = get_experiment(name)
        for quick in (True, False):
            assert experiment.cells(configuration.shipped_config(experiment, quick=quick))


@pytest.mark.parametrize("rules", ["rloo,psr", "grpo,qae", "clip_cov,gspo"])
def test_any_two_rules_can_be_compared(rules: str) -> None:
    experiment = get_experiment("channels")
    config = configuration.changed_config(experiment, [{"rules": rules.split(",")}], quick=True)
    assert {tuple(cell.settings["rules"]) for cell in experiment.cells(config)} == {tuple(rules.split(","))}


def test_the_documented_commands_are_understood() -> None:
    """Every ``qae simulate`` line of the page, up to the first cell."""
    page = (ROOT / "docs" / "laboratory.md").read_text(encoding="utf-8")
    block = page.split("```")[1]
    commands = [shlex.split(line, comments=True)[2:] for line in block.splitlines() if line.startswith("qae simulate")]
    assert len(commands) >= 5
    for arguments in commands:
        if "--list" in arguments or "--all" in arguments:
            continue
        quick = "--quick" in arguments
        flags = {} if quick else dict(zip(arguments[1::2], arguments[2::2], strict=False))
        settings, rules = ([flags["--set"]] if "--set" in flags else []), flags.get("--rules")
        command._configured(arguments[0], quick=quick, file=None, settings=settings, rules=rules, seed=None)


# Evidence


def test_sources_are_those_of_the_experiments() -> None:
    """A claim about theory is proved there: no stored result is needed for it, and a missing one takes nothing away."""
    theory = {claim.id for claim in read_catalogue() if claim.needs == "theory"}
    speaking = {(one.claim, name) for name in experiment_names() for one in get_experiment(name).claims}
    assert {(claim, name) for claim, name in speaking if claim not in theory} == set(evidence.SOURCES)


def test_missing_results_skip_the_evidence_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    assert evidence._missing("k-sweep", Effort()) == "no results: run `qae simulate k-sweep`"


def test_only_runs_of_the_shipped_configuration_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAE_RESULTS", str(tmp_path))
    experiment = get_experiment("sparsity")
    shipped = configuration.shipped_config(experiment, quick=True)
    for name, config in (("other", shipped.model_copy(update={"seed": 1})), ("shipped", shipped)):
        folder = tmp_path / "sparsity" / name
        folder.mkdir(parents=True)
        facts = configuration.identity(experiment, config, quick=True)
        (folder / "config.json").write_text(json.dumps(facts))
        (folder / "provenance.json").write_text(json.dumps({"finished": "2026", "code_version": "old"}))
        found = store.shipped(tmp_path, "sparsity")
        assert (found is not None) == (name == "shipped")
    assert found == StoredRun(folder, "sparsity", "quick", shipped=True, changed=True, finished="2026")


def step(*, found: bool, control: bool) -> Step:
    check, planted = (
        lambda effort, passed=passed: Finding(passed, "effect not found", "") for passed in (found, control)
    )
    return Step(says="says", check=check, planted="planted", control=planted)


def outcome(**fields: Any) -> Any:
    return run_evidence(Evidence("a", "b", Kind.TRAINING, Role.FOR, **fields), Effort())


def test_what_is_missing_skips_and_what_cannot_be_looked_up_breaks() -> None:
    steps = (step(found=True, control=False),)
    assert outcome(steps=steps, missing=lambda effort: None).status is Status.PASSED
    skipped = outcome(steps=steps, missing=lambda effort: "no results")
    assert (skipped.status, skipped.detail) == (Status.SKIPPED, "no results")

    def unreadable(effort: Effort) -> str | None:
        raise ValueError("config.json cannot be read")

    broken = outcome(steps=steps, missing=unreadable)
    assert broken.status is Status.BROKEN
    assert "config.json cannot be read" in broken.detail


def test_an_effect_that_is_not_found_is_negative_and_one_found_in_planted_data_breaks() -> None:
    assert outcome(steps=(step(found=False, control=False),)).status is Status.NEGATIVE
    assert outcome(steps=(step(found=True, control=True),)).status is Status.BROKEN


@pytest.mark.ray
def test_ray_gives_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")  # what the backend sets is taken back
        monkeypatch.delenv(name)
    experiment = get_experiment("k-sweep")
    changes = [{"seeds": 2, "steps": 2, "every": 1, "ks": ["0.4", "0.6"]}]
    config = configuration.changed_config(experiment, changes, quick=True)
    made = {}
    try:
        for backend in ("loky", "ray"):
            out = tmp_path / backend
            planned = sweep.plan(experiment, config, quick=True, out=out)
            made[backend] = (sweep.run(planned, out=out, workers=2, backend=backend) / "metrics.jsonl").read_bytes()
    finally:
        import ray  # after the backend, which must import it first

        ray.shutdown()
    assert made["ray"] == made["loky"]


@pytest.mark.slow
@pytest.mark.parametrize("name", experiment_names())
def test_every_analysis_takes_the_records_that_a_sweep_stores(name: str, tmp_path: Path) -> None:
    """With the name of its cell on each record, and read back from JSON."""
    experiment = get_experiment(name)
    config = configuration.shipped_config(experiment, quick=True)
    folder = sweep.run(sweep.plan(experiment, config, quick=True, out=tmp_path), out=tmp_path, workers=1)
    stored = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    made = json.loads((folder / "analysis.json").read_text())
    assert json.loads(json.dumps(plain(experiment.analyse(config, stored)))) == made
    assert "statements" in made or "lines" in made
    for one in made.get("statements", ()):
        assert set(one) == {"says", "found", "detail", "planted", "control_found", "control_detail"}
        assert not one["control_found"], one["says"]


def said(*, found: bool, control: bool) -> Statement:
    return Statement(
        says="says",
        found=found,
        detail="figures",
        planted="planted",
        control_found=control,
        control_detail="planted figures",
    )


@pytest.mark.parametrize(
    ("statements", "found", "planted"),
    [
        ([said(found=True, control=False), said(found=True, control=False)], True, False),
        ([said(found=True, control=False), said(found=False, control=False)], False, False),
        ([said(found=True, control=True), said(found=True, control=False)], True, True),
        ([], False, False),
    ],
)
def test_all_statements_must_be_found_and_none_in_its_planted_data(
    statements: list[Statement], found: bool, planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = StoredRun(Path("a run"), "toy", "quick", shipped=True, changed=True)
    monkeypatch.setattr(evidence, "_statements", lambda claim, name, root: (run, statements))
    check, control = evidence._check("a", "b", Effort()), evidence._control("a", "b", Effort())
    assert (check.passed, control.passed) == (found, planted)
    assert check.criterion == control.criterion == "effect not found"
    assert check.detail.endswith("(run a run, quick size, code changed since)")


def stored(root: Path, name: str, *, quick: bool, finished: str) -> Path:
    experiment = get_experiment("sparsity")
    folder = root / "sparsity" / name
    folder.mkdir(parents=True)
    facts = configuration.identity(experiment, configuration.shipped_config(experiment, quick=quick), quick=quick)
    (folder / "config.json").write_text(json.dumps(facts))
    (folder / "provenance.json").write_text(json.dumps({"finished": finished, "code_version": "old"}))
    return folder


def test_a_full_run_counts_before_a_quick_one_and_a_new_one_before_an_old_one(tmp_path: Path) -> None:
    for name, quick, finished in (("q1", True, "2026-01"), ("q2", True, "2026-09"), ("f1", False, "2026-02")):
        folder = stored(tmp_path, name, quick=quick, finished=finished)
        found = store.shipped(tmp_path, "sparsity")
        assert found is not None
        assert found.folder == folder  # each is the one that counts when it comes
    stored(tmp_path, "f0", quick=False, finished="2026-01")
    stored(tmp_path, "q3", quick=True, finished="2026-10")
    found = store.shipped(tmp_path, "sparsity")
    assert found is not None
    assert (found.folder.name, found.size) == ("f1", "full")


def test_a_file_of_sizes_gives_the_size_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sizes.toml"
    path.write_text("[common]\na = 1\nb = 1\n[quick]\nb = 2\n[full]\nb = 3\n")
    assert configuration.read_table(path, quick=True) == {"a": 1, "b": 2}
    assert configuration.read_table(path, quick=False) == {"a": 1, "b": 3}


def interruption_is_left_alone() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_workers_leave_interruptions_to_the_parent() -> None:
    # Another number of workers than elsewhere: joblib would lend the ones that it has.
    with sweep._backend("loky", 3):
        assert Parallel()(delayed(interruption_is_left_alone)() for _ in range(3)) == [True] * 3
    assert not interruption_is_left_alone()


def test_several_experiments_end_with_a_summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ends = {
        "k-sweep": command.End("k-sweep", "lines by condition: 3 found, 1 absent; 2.0 s"),
        "masks": command.End("masks", "FAILED", ("masks: disk full",)),
    }
    monkeypatch.setattr(command, "_simulate", lambda experiment, config, **rest: ends[experiment.name])
    done = qae("k-sweep", "masks", "--quick", "--out", str(tmp_path))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "simulate: 2 experiments, 1 failed",
        "  k-sweep  lines by condition: 3 found, 1 absent; 2.0 s",
        "  masks    FAILED",
    ]
    assert "qae simulate: masks: disk full" in done.stderr
    # One experiment needs no summary of several.
    assert "experiments" not in qae("k-sweep", "--quick", "--out", str(tmp_path)).stdout


def test_the_tally_of_an_analysis_counts_what_was_found() -> None:
    assert command.tally({"statements": [{"found": True}, {"found": False}]}) == "1 of 2 statements found"
    assert command.tally({}) == "no statement"
