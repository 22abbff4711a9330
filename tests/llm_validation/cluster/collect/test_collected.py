"""Collected runs read back: which collection of a run counts, and how it is named."""

from __future__ import annotations

import json
from pathlib import Path

from llm_validation.cluster.collect.collect import collect
from paper_figures.runs import Results
from qae_theory.runs.files import file_hashes
from qae_theory.runs.store import collected
from tests.llm_validation.cluster.jobs.fake_jobs import lines, log_line, write_job


def test_of_several_collections_of_a_run_the_one_that_came_furthest(tmp_path: Path) -> None:
    out = tmp_path / "results"
    log = lines(tmp_path / "log.jsonl", [log_line(step) for step in (1, 2, 3)])
    name = "qwen3-8b-clip-higher"
    furthest = collect(log, out, name=name)
    collect(log, out, name=name, steps=(1, 2))
    lines(log, [log_line(1), log_line(3)])
    collect(log, out, name=name)
    (found,) = collected(out)
    assert [run.folder for run in Results(out).collected()] == [furthest]  # figures take the same
    assert found.folder == furthest
    assert (found.row, found.last_step, found.changed) == (name, 3, False)
    assert str(found) == f"run {furthest.name} of {name} (so named by hand) to step 3"
    assert collected(tmp_path / "nothing") == []


def test_dumps_with_questions_count_before_an_export_of_the_same_steps(tmp_path: Path) -> None:
    out = tmp_path / "results"
    job = write_job(tmp_path / "job")
    from_job = collect(job, out)
    collect(job / "logs" / "attempt-001.jsonl", out, name="smoke-qae")
    (found,) = collected(out)
    assert found.folder == from_job
    assert str(found) == f"run {from_job.name} of smoke-qae to step 4"


def test_curves_leave_out_what_was_not_logged_and_what_was_abandoned(tmp_path: Path) -> None:
    first = [log_line(1, x=1.0), log_line(2, x=None), log_line(3, x=3.0), log_line(4, x=4.0)]
    logs = [lines(tmp_path / "1.jsonl", first), lines(tmp_path / "2.jsonl", [log_line(3, x=30.0)])]
    collect(logs, tmp_path / "results")
    (found,) = collected(tmp_path / "results")
    steps, values = found.curve("nothing", "x")
    assert (steps.tolist(), values.tolist()) == ([1, 3], [1.0, 30.0])
    assert found.last_step == 3
    assert [len(part) for part in found.curve("nothing")] == [0, 0]


def test_code_that_has_changed_since_is_said(tmp_path: Path) -> None:
    folder = collect(lines(tmp_path / "log.jsonl", [log_line(1)]), tmp_path / "results")
    facts = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps({**facts, "code_version": "old", "files": file_hashes(folder)}))
    (found,) = collected(tmp_path / "results")
    assert found.changed
    assert str(found).endswith("to step 1, code changed since")
