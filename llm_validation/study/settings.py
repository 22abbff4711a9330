"""Check the settings of the study: which tasks, which runs, which probes. Its sizes are in ``sizes*.toml``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from llm_validation.models.warmup import Warmup
from llm_validation.probe.batch import ProbeConfig
from llm_validation.probe.steps import Setting
from llm_validation.study.follow import FollowConfig
from llm_validation.train.settings import TrainConfig
from qae_theory.checks import refuse
from qae_theory.runs.settings import Strict, Table, checked, read_table, without_infinity

MODULES = ("llm_validation.study.run",)  # what a study executes
EXPERIMENT = "validate"

Preset = Literal["full", "quick", "long", "pretrained", "league", "gpu"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
FILES = {"full": "sizes.toml", "quick": "sizes.toml"}  # a size without an entry has a file of its own


class StudyTask(Strict):
    """State a task, the model that learns it, and where RL starts from.

    Attributes:
        task: name of the task.
        model: a preset, a folder or a hub name.
        substrate: name of model and task together in the ids of claims; the task's by default.
        warmup: supervised training before RL; None for a model that needs none.
        own_start: whether each seed warms up a model of its own; else all seeds start from one.
        train: settings of training on this task.
        probe: settings of probes on this task.
        follow: settings of following on this task.
    """

    task: str
    model: str
    substrate: str = ""
    warmup: Warmup | None = None
    own_start: bool = False
    train: dict[str, Any] = Field(default_factory=dict)
    probe: dict[str, Any] = Field(default_factory=dict)
    follow: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the substrate, which is the task's where it has none of its own."""
        return self.substrate or self.task

    def start(self, seed: int) -> Warmup | None:
        """Return how the model that a seed starts from is warmed up; None where it is not."""
        if self.warmup is None or not self.own_start:
            return self.warmup
        return self.warmup.model_copy(update={"seed": self.warmup.seed + seed})


class StudyRun(Strict):
    """State a rule to train with.

    Attributes:
        name: of the run.
        estimator: name of the rule.
        options: of the estimator.
        changes: further settings of ``TrainConfig``.
        tasks: the tasks on which it is run; all where it names none.
        seeds: how many seeds, where that is not the study's number.
        looks: how often its lines are read: twice where seeds were added after a first reading.
        part: the part of the study to which it belongs.
    """

    name: str
    estimator: str
    options: dict[str, Any] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    seeds: int | None = Field(default=None, ge=1)
    looks: int = Field(default=1, ge=1)
    part: str = "rules"


class Grid(Strict):
    """State rules under every combination of some training settings: a map.

    Attributes:
        part: the part of the study, which begins with ``map``.
        rules: the rules.
        axes: values of each setting, by its name.
        tasks: the tasks on which they are run; all where none is named.
        seeds: how many seeds, where that is not the study's number.
        looks: as in :class:`StudyRun`.
    """

    part: str
    rules: tuple[StudyRun, ...] = Field(min_length=1)
    axes: dict[str, tuple[Any, ...]] = Field(min_length=1)
    tasks: tuple[str, ...] = ()
    seeds: int | None = Field(default=None, ge=1)
    looks: int = Field(default=1, ge=1)

    def runs(self) -> Iterator[StudyRun]:
        """Yield one run for each rule and combination; its name says both."""
        for values in product(*self.axes.values()):
            place = dict(zip(self.axes, values, strict=True))
            settings = ", ".join(f"{name} {value}" for name, value in place.items())
            for rule in self.rules:
                yield StudyRun(
                    name=f"{self.part}: {rule.name}, {settings}",
                    estimator=rule.estimator,
                    options=rule.options,
                    changes={**rule.changes, **place},
                    tasks=self.tasks,
                    seeds=self.seeds,
                    looks=self.looks,
                    part=self.part,
                )


class StudyConfig(Strict):
    """Say what the whole study runs and measures.

    Every run is trained from its seeds on its tasks, and followed along its checkpoints on questions that stay the
    same. The warmed-up model is probed ``warm_probes`` times, and the ``probed`` runs after the shares ``probe_at`` of
    their steps, in all ``settings`` with all ``arms``; after the shares ``sign_at`` only entropy by sign is measured,
    of the runs in the parts ``signs``, and of the rules ``sign_rules`` alone where these are named. A share of 0 is the
    start, and the nearest checkpoint is taken. A table of logits is probed ``bandit_probes`` times beside them, at the
    sizes of the settings that have one.
    """

    tasks: tuple[StudyTask, ...] = Field(min_length=1)
    runs: tuple[StudyRun, ...] = Field(min_length=1)
    grids: tuple[Grid, ...] = ()
    seeds: int = Field(ge=1)
    warm_probes: int = Field(ge=1)
    bandit_probes: int = Field(default=24, ge=0)
    probed: tuple[str, ...]
    probe_at: tuple[float, ...] = (1.0,)
    sign_at: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    signs: tuple[str, ...] = ("rules",)
    sign_rules: tuple[str, ...] = ()
    arms: tuple[str, ...]
    settings: tuple[Setting, ...] = Field(min_length=1)
    train: dict[str, Any] = Field(default_factory=dict)
    probe: dict[str, Any] = Field(default_factory=dict)
    follow: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _parts_are_good(self) -> StudyConfig:
        names = [run.name for run in self.all_runs]
        for task in self.tasks:
            here = [run.name for run in self.runs_of(task)]
            if len(set(here)) != len(here):
                raise ValueError(f"runs must have different names; got {here}")
        for name in self.probed:
            if name not in names:
                raise ValueError(f"probed must name runs, {', '.join(names)}; got {name!r}")
        tasks = [task.task for task in self.tasks]
        if len(set(tasks)) != len(tasks):
            raise ValueError(f"tasks must be different; got {tasks}")
        for run in self.all_runs:
            for name in run.tasks:
                if name not in tasks:
                    raise ValueError(f"tasks of run {run.name!r} must be among {', '.join(tasks)}; got {name!r}")
        for task in self.tasks:
            # Each configuration of the study is made once here: a bad one is refused before hours of training.
            self.probe_config(task, 0)
            self.follow_config(task)
            for run in self.runs_of(task):
                self.train_config(task, run, 0)
        return self

    @property
    def all_runs(self) -> tuple[StudyRun, ...]:
        """Return the runs, those of the grids after the others."""
        runs = list(self.runs)
        for grid in self.grids:
            runs += grid.runs()
        return tuple(runs)

    def runs_of(self, task: StudyTask) -> Iterator[StudyRun]:
        """Yield the runs on a task."""
        for run in self.all_runs:
            if not run.tasks or task.task in run.tasks:
                yield run

    def seeds_of(self, run: StudyRun) -> int:
        """Return how many seeds a run has."""
        return run.seeds or self.seeds

    def train_config(self, task: StudyTask, run: StudyRun, seed: int) -> TrainConfig:
        """Return the settings of one training run."""
        own: dict[str, Any] = {"task": task.task, "model": task.model, "warmup": None}
        warmup = task.start(seed)
        if warmup is not None:
            own["warmup"] = warmup.model_dump()
        rule = {"estimator": run.estimator, "options": run.options, "seed": self.seed + seed}
        # Every checkpoint is measured, so every one is kept.
        return checked(TrainConfig, [self.train, task.train, own, rule, run.changes, {"keep_checkpoints": None}])

    def follow_config(self, task: StudyTask, seed: int = 0) -> FollowConfig:
        """Return what is measured along a seed's runs on this task: the same questions for every rule."""
        length = _response_length(task)
        return checked(FollowConfig, [self.follow, length, task.follow, {"task": task.task, "seed": self.seed + seed}])

    def probe_config(self, task: StudyTask, seed: int, *, whole: bool = True) -> ProbeConfig:
        """Return the settings of one probe; without ``whole`` no step is taken in it, and only signs are read."""
        steps: dict[str, Any] = {"arms": (), "settings": ()}
        if whole:
            steps = {"arms": self.arms, "settings": [setting.model_dump() for setting in self.settings]}
        length = _response_length(task)
        own = {"task": task.task, "seed": self.seed + seed}
        return checked(ProbeConfig, [self.probe, length, task.probe, own, steps])


def _response_length(task: StudyTask) -> dict[str, Any]:
    """Return the longest response of the task's training runs as a table, empty where it has none of its own."""
    key = "max_new_tokens"
    return {key: task.train[key]} if key in task.train else {}


def shipped_config(preset: Preset) -> StudyConfig:
    """Return the study as it is shipped, in one of its sizes.

    Raises:
        ValueError: there is no such size.
    """
    return changed_config(preset, [])


def changed_config(preset: Preset, changes: Sequence[Table]) -> StudyConfig:
    """Return the shipped study with these changes, of which a later one wins.

    Args:
        preset: its size.
        changes: tables of settings.

    Raises:
        ValueError: one line that names what is wrong.
    """
    if preset not in PRESETS:
        refuse("preset", preset, f"one of {', '.join(PRESETS)}")
    name = FILES.get(preset, f"sizes-{preset}.toml")
    return checked(StudyConfig, [read_table(Path(__file__).with_name(name), quick=preset == "quick"), *changes])


def identity(config: StudyConfig, preset: Preset) -> dict[str, Any]:
    """Return all that determines the study's results, in JSON's types."""
    settings = json.loads(config.model_dump_json())
    return {"experiment": EXPERIMENT, "preset": preset, "settings": without_infinity(settings)}
