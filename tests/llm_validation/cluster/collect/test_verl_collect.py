"""Collecting what verl itself wrote: a run on the CPU with probes and validations. See ``cpu_verl``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.collect.collect import collect
from tests.llm_validation.verl_engine.cpu_verl.launched import launched

pytestmark = [pytest.mark.verl, pytest.mark.slow]

STEPS = 2
SETTINGS = (
    "trainer.val_before_train=true",
    "trainer.test_freq=1",
    "actor_rollout_ref.rollout.val_kwargs.n=4",
    f"trainer.total_training_steps={STEPS}",
    "trainer.save_freq=-1",
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return launched(tmp_path_factory.mktemp("verl"), SETTINGS)


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_every_step_is_kept_and_every_logged_figure_is_what_the_dumps_give(job: Path, tmp_path: Path) -> None:
    folder = collect(job, tmp_path)
    dropped = load(folder, "dropped")
    steps = dropped["steps"]
    assert (steps["kept"], steps["missing"], steps["abandoned"], steps["not_whole"]) == (f"1-{STEPS}", "", "", {})
    assert load(folder, "findings") == {"findings": []}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    trained = [line for line in lines if line["attempt"] is not None]
    for line in trained:
        assert line["recomputed/rollouts/responses"] == 4 * 8
        for logged, mine in (
            ("critic/score/mean", "recomputed/rollouts/mean_reward"),
            ("actor/entropy", "recomputed/probe/entropy/before/all"),
            ("probe/entropy/change/all", "recomputed/probe/entropy/change/all"),
            ("probe/gate/mixed_share", "recomputed/rollouts/mixed_share"),
        ):
            assert line[logged] == pytest.approx(line[mine], rel=1e-4, abs=1e-6), logged


def test_validations_are_counted_by_question_as_verl_counts_them(job: Path, tmp_path: Path) -> None:
    evaluations = load(collect(job, tmp_path), "evaluations")["evaluations"]
    assert [(one["step"], one["benchmark"]) for one in evaluations] == [(s, "qae/digits") for s in range(STEPS + 1)]
    for one in evaluations:
        assert (one["source"], one["samples"]) == ("validation dump", 4)
        assert one["questions"] == len(one["counts"]) <= 16  # equal questions are one


def test_control_a_rollout_that_was_touched_is_found(job: Path, tmp_path: Path) -> None:
    copy = tmp_path / job.name
    shutil.copytree(job, copy, ignore=shutil.ignore_patterns("checkpoints", "cache", "hydra"))
    dump = copy / "rollouts" / "2.jsonl"
    first, *others = dump.read_text().splitlines(keepends=True)
    record = json.loads(first)
    dump.write_text(json.dumps({**record, "score": -record["score"]}) + "\n" + "".join(others))
    findings = load(collect(copy, tmp_path / "results"), "findings")["findings"]
    assert {one["metric"] for one in findings} >= {"critic/score/mean"}
    assert {one["step"] for one in findings} == {2}
    dump.write_text("".join(others))
    assert list(load(collect(copy, tmp_path / "results"), "dropped")["steps"]["not_whole"]) == ["2"]
