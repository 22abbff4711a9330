"""The settings of the study, checked: which tasks, which runs, which probes. Its sizes are in ``sizes*.toml``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from llm_validation.models.warmup import Warmup
from llm_validation.probe.batch import ProbeConfig
from llm_validation.probe.steps import Setting
from llm_validation.train.settings import TrainConfig
from qae_theory.checks import refuse
from qae_theory.runs.settings import Strict, Table, checked, read_table, without_infinity

MODULES = ("llm_validation.study.run",)  # what a study executes
EXPERIMENT = "validate"

Preset = Literal["full", "quick", "gpu"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


class StudyTask(Strict):
    """A task, the model that learns it, and where RL starts from; ``train`` are settings of its own."""

    task: str
    model: str
    warmup: Warmup | None = None
    train: dict[str, Any] = Field(default_factory=dict)


class StudyRun(Strict):
    """A rule to train with; ``changes`` are further settings of ``TrainConfig``."""

    name: str
    estimator: str
    options: dict[str, Any] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)


class StudyConfig(Strict):
    """The whole study.

    Every run is trained from ``seeds`` seeds on every task. The warmed-up model is probed ``warm_probes`` times and the
    last checkpoint of each of the ``probed`` runs once, in all ``settings`` with all ``arms``; at all other checkpoints
    only entropy by sign is measured.
    """

    tasks: tuple[StudyTask, ...] = Field(min_length=1)
    runs: tuple[StudyRun, ...] = Field(min_length=1)
    seeds: int = Field(ge=1)
    warm_probes: int = Field(ge=1)
    probed: tuple[str, ...]
    arms: tuple[str, ...]
    settings: tuple[Setting, ...] = Field(min_length=1)
    train: dict[str, Any] = Field(default_factory=dict)
    probe: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _parts_are_good(self) -> StudyConfig:
        names = [run.name for run in self.runs]
        if len(set(names)) != len(names):
            raise ValueError(f"runs must have different names; got {names}")
        for name in self.probed:
            if name not in names:
                raise ValueError(f"probed must name runs, {', '.join(names)}; got {name!r}")
        for task in self.tasks:
            self.probe_config(task, 0)
            for run in self.runs:
                self.train_config(task, run, 0)
        return self

    def train_config(self, task: StudyTask, run: StudyRun, seed: int) -> TrainConfig:
        """The settings of one training run."""
        own: dict[str, Any] = {"task": task.task, "model": task.model, "warmup": None}
        if task.warmup is not None:
            own["warmup"] = task.warmup.model_dump()
        rule = {"estimator": run.estimator, "options": run.options, "seed": self.seed + seed}
        # Every checkpoint is probed, so every one is kept.
        return checked(TrainConfig, [self.train, task.train, own, rule, run.changes, {"keep_checkpoints": None}])

    def probe_config(self, task: StudyTask, seed: int, *, whole: bool = True) -> ProbeConfig:
        """The settings of one probe; without ``whole`` no step is taken in it."""
        parts = {"arms": self.arms, "settings": [one.model_dump() for one in self.settings]} if whole else {}
        nothing = {} if whole else {"arms": (), "settings": ()}
        return checked(ProbeConfig, [self.probe, {"task": task.task, "seed": self.seed + seed}, parts, nothing])


def shipped_config(preset: Preset) -> StudyConfig:
    """The study as it comes, in one of its sizes.

    Raises:
        ValueError: there is no such size.
    """
    return changed_config(preset, [])


def changed_config(preset: Preset, changes: Sequence[Table]) -> StudyConfig:
    """The shipped study with these changes, the last of them counting most.

    Raises:
        ValueError: one line that names what is wrong.
    """
    if preset not in PRESETS:
        refuse("preset", preset, f"one of {', '.join(PRESETS)}")
    name = "sizes-gpu.toml" if preset == "gpu" else "sizes.toml"
    return checked(StudyConfig, [read_table(Path(__file__).with_name(name), quick=preset == "quick"), *changes])


def identity(config: StudyConfig, preset: Preset) -> dict[str, Any]:
    """All that determines the study's results, in JSON's types."""
    settings = json.loads(config.model_dump_json())
    return {"experiment": EXPERIMENT, "preset": preset, "settings": without_infinity(settings)}
