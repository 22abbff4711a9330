"""``qae cluster collect`` as a command: what it prints and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from llm_validation.cluster.commands.collect import register
from tests.llm_validation.cluster.jobs.fake_jobs import log_line, write_job

GROUP = typer.Typer()
GROUP.callback()(lambda: None)
register(GROUP)


def invoke(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(GROUP, ["collect", *map(str, words)])
    return result.exit_code, result.output


def test_a_damaged_job_is_collected_and_said(tmp_path: Path) -> None:
    job = write_job(tmp_path / "smoke-qae-1")
    log = job / "logs" / "attempt-001.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    records[2]["data"]["actor/entropy"] = 0.31
    log.write_text("".join(json.dumps(one) + "\n" for one in records) + '{"step": 5, "da')
    dump = job / "rollouts" / "3.jsonl"
    dump.write_bytes(dump.read_bytes()[:-5])
    status, said = invoke(job, "--out", tmp_path / "results")
    assert status == 0
    (folder,) = [path for path in (tmp_path / "results" / "cluster").iterdir() if path.is_dir()]
    for line in (
        "collect: smoke-qae (not a row of the paper: its name is not that of a row)",
        "collect: steps kept: 1-2, 4",
        "collect: only validated at: 0",
        "collect: not in the log: 3",
        "collect: dropped, not whole: 3: rollouts 15 of 16 responses",
        "collect: smoke-qae-1/logs/attempt-001.jsonl: dropped 1 lines, cut off at the end of the file: 6",
        f"collect: results in {folder}, the tables of all runs in {folder.parent / 'tables.md'}",
    ):
        assert line in said.splitlines()
    assert "collect: finding: step 2: actor/entropy: logged 0.31, recomputed from the probe's dump " in said


def test_nothing_complete_is_exit_1(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("garbage")
    status, said = invoke(tmp_path / "log.jsonl", "--out", tmp_path / "results")
    assert status == 1
    assert said.startswith("qae cluster collect: no complete step and no evaluation in log.jsonl; read are verl's file")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "SOURCE must be a file or folder that is there; got 'nowhere'"),
        (["LOG", "--steps", "9-2"], "--steps must be one step or the first and the last, such as 1-300; got '9-2'"),
        (["LOG", "--steps", "all"], "--steps must be one step"),
        (["LOG", "--out", "LOG"], "--out must be a folder"),
    ],
)
def test_wrong_usage_is_exit_2_in_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(log_line(1)) + "\n")
    status, said = invoke(*[str(log) if word == "LOG" else word for word in words])
    assert status == 2
    assert said.startswith(f"qae cluster collect: {says}")
    assert said.count("\n") == 1


def test_a_step_alone_and_many_findings(tmp_path: Path) -> None:
    job = write_job(tmp_path / "smoke-qae-1", steps=12)
    log = job / "logs" / "attempt-001.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    for one in records:
        one["data"]["actor/entropy"] = 9.0
    log.write_text("".join(json.dumps(one) + "\n" for one in records))
    status, said = invoke(job, "--out", tmp_path / "results")
    assert status == 0
    assert "collect: and 2 findings more, in findings.json" in said
    status, said = invoke(job, "--out", tmp_path / "results", "--steps", "7")
    assert "collect: steps kept: 7" in said.splitlines()


def test_help_names_the_sources_and_loads_nothing_heavy() -> None:
    status, said = invoke("--help")
    assert status == 0
    assert "Examples: qae cluster collect" in " ".join(said.split())
    code = (
        "import sys, llm_validation.cluster.collect.collect, llm_validation.cluster.claims.evidence; "
        "print({'torch', 'verl', 'ray', 'hydra', 'tensorboard', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
