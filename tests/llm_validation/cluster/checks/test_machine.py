"""Checks of the machine where a job is prepared or runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_validation.cluster.checks import machine as module
from tests.llm_validation.cluster.collect.settings_of_runs import run


def model_in(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text("{}")
    return folder


def test_a_model_is_a_whole_folder_or_a_name(tmp_path: Path) -> None:
    whole = model_in(tmp_path / "whole", "config.json", "tokenizer_config.json")
    part = model_in(tmp_path / "part", "config.json")
    assert module.check_model(run(actor_rollout_ref__model__path=str(whole)).model, strict=True).state == "ok"
    check = module.check_model(run(actor_rollout_ref__model__path=str(part)).model, strict=False)
    assert (check.state, "has no tokenizer_config.json" in check.sentence) == ("failed", True)
    assert "by name" in module.check_model(run().model, strict=True).sentence
    assert module.check_model(run(actor_rollout_ref__model__path="").model, strict=False).state == "failed"


@pytest.mark.parametrize("path", ["/no/model", "./no/model", "~/no-model", "no-model", "a/b/c", "models/tiny"])
def test_a_folder_that_is_not_here(path: str) -> None:
    config = run(actor_rollout_ref__model__path=path, cluster__models="models")
    assert module.check_model(config.model, strict=True).state == "failed"
    assert module.check_model(config.model, strict=False).state == "warning"


def test_gpus_that_are_missing_fail_where_the_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module, "devices", lambda: 7)
    assert module.check_gpus(run().trainer, strict=True).state == "failed"
    assert module.check_gpus(run().trainer, strict=False).state == "warning"
    assert module.check_gpus(run(trainer__n_gpus_per_node=7).trainer, strict=True).state == "ok"
    assert module.check_gpus(run(trainer__device="cpu").trainer, strict=True).state == "ok"


def test_in_a_cluster_its_gpus_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    asked = []

    def joined(needed: int, seconds: float) -> int:
        asked.append((needed, seconds))
        return 8

    monkeypatch.setattr(module, "joined", joined)
    assert "8 seen in the Ray cluster" in module.check_gpus(run().trainer, strict=True, wait=5.0).sentence
    assert module.check_gpus(run(trainer__nnodes=2).trainer, strict=True).state == "failed"
    module.check_gpus(run().trainer, strict=False)  # a laptop does not connect to a cluster
    assert asked == [(8, 5.0), (16, 0.0)]


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.41.0", "ok"), ("2.60.0", "ok"), ("3.0", "ok"), ("2.40.9", "failed"), ("(not installed)", "failed")],
)
def test_ray_is_new_enough(monkeypatch: pytest.MonkeyPatch, version: str, state: str) -> None:
    monkeypatch.setattr(module, "installed", lambda package: version)
    assert module.check_ray().state == state


def test_engines_that_the_run_names(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"vllm"}
    monkeypatch.setattr(module, "find_spec", lambda name: name in here or None)
    check = module.check_engines(run(), strict=True)
    assert (check.state, check.sentence.startswith("flash_attn not installed")) == ("failed", True)
    assert module.check_engines(run(), strict=False).state == "warning"
    sdpa = run(actor_rollout_ref__model__override_config={"attn_implementation": "sdpa"})
    assert module.check_engines(sdpa, strict=True).state == "ok"
    here.clear()
    assert module.check_engines(sdpa, strict=True).state == "failed"
    assert (
        module.check_engines(run(trainer__device="cpu", actor_rollout_ref__rollout__name="x"), strict=True).state
        == "ok"
    )
