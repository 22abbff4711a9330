"""A run that is killed at any moment and goes on ends with the bytes of one that was not killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests import ROOT
from tests.llm_validation.train.killing import SABOTAGES

pytestmark = [pytest.mark.train, pytest.mark.slow]

WARMUP = {"success": 0.15}
# Several updates on a batch of rollouts: a checkpoint between them would lose the rollouts.
INNER: dict[str, Any] = {
    "model": "arithmetic",
    "warmup": WARMUP,
    "steps": 12,
    "prompts_per_step": 4,
    "train_examples": 10,
    "inner_updates": 2,
    "inner_epochs": 2,
    "save_every": 5,
    "lr_schedule": "linear",
}
# A checkpoint a step, of which one is kept: most moments of saving and removing.
DENSE: dict[str, Any] = {
    "model": "arithmetic",
    "warmup": WARMUP,
    "steps": 8,
    "prompts_per_step": 4,
    "train_examples": 10,
    "save_every": 1,
    "keep_checkpoints": 1,
    "dynamic_sampling": True,
    "optimiser": "sgd",
    "learning_rate": 0.1,
}
TIMES = {"inner": 20, "dense": 10}  # kills at random moments
RESUMED = 5  # so many attempts at least go on from a checkpoint


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of killing both, in one process that has torch and TRL loaded once."""
    plans = {
        "inner": {
            "config": INNER,
            "during": ["saving", "generating", "training"],
            "dies_at": 7,
            "sabotages": ["none", *SABOTAGES],
        },
        "dense": {"config": DENSE, "during": ["saving", "generating", "training", "finishing"]},
    }
    for seed, (name, plan) in enumerate(plans.items()):
        plan |= {"root": str(tmp_path_factory.mktemp(name)), "seed": seed, "times": TIMES[name], "resumed": RESUMED}
    done = subprocess.run(
        [sys.executable, "-m", "tests.llm_validation.train.killing"],
        input=json.dumps(list(plans.values())),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(plans, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("name", ["inner", "dense"])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(reports, name):
    report = reports[name]
    assert sum(report["random"].values()) == TIMES[name]
    assert report["finished"] >= 1
    assert report["differences"] == []


@pytest.mark.parametrize("name", ["inner", "dense"])
def test_the_kills_fell_into_saving_generation_and_training_and_were_gone_on_from(reports, name):
    report = reports[name]
    fell = Counter(report["random"]) + Counter(report["aimed"])
    assert min(fell[phase] for phase in ("saving", "generating", "training")) >= 1, report
    assert report["resumed"] >= RESUMED, report


def test_going_on_rightly_after_the_same_kill_differs_in_nothing(reports):
    assert reports["inner"]["sabotages"]["none"] == []


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_going_on_wrongly_is_seen(reports, sabotage):
    differing = reports["inner"]["sabotages"][sabotage]
    assert "metrics.jsonl" in differing
    assert ("model/model.safetensors" in differing) == (sabotage != "logs_not_cut_back")


def test_of_several_processes_one_writes(tmp_path):
    """As `accelerate launch` and `torchrun` start them: both sample, the main one writes."""
    settings = INNER | {"steps": 3, "save_every": 3}
    (tmp_path / "run.py").write_text(
        "from pathlib import Path\n"
        "from llm_validation.train.settings import TrainConfig\n"
        "from llm_validation.train.run import train\n"
        f"train(TrainConfig.model_validate({settings!r}), out=Path({str(tmp_path)!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", tmp_path / "run.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (folder,) = (tmp_path / "train").iterdir()
    metrics, rollouts = (
        [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "rollouts.jsonl")
    )
    assert [line["step"] for line in metrics] == [1, 2, 3]
    groups = [(line["step"], line["group"]) for line in rollouts]
    assert groups == [(step, group) for step in (1, 2, 3) for group in range(4) for _ in range(8)]
    assert {path.name for path in (folder / "checkpoints/checkpoint-12").glob("rng*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
