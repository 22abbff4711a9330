"""A run of a cluster as ``qae cluster collect`` stores it: the steps and evaluations that it went on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.runs.stored import StoredRun

EXPERIMENT = "cluster"
# Names under which a run's logs may have its mean token entropy, the one that counts most first.
ENTROPY = ("actor/entropy", "probe/entropy/before/all", "recomputed/probe/entropy/before/all", "entropy")


@dataclass(frozen=True)
class Collected(StoredRun):
    """One collection of a run. Steps of a branch that a later attempt did not go on from count nowhere."""

    @classmethod
    def of_run(cls, run: StoredRun) -> Collected:
        """Return the same stored run, read as a collection."""
        return cls(run.folder, run.experiment, run.size, run.shipped, run.changed, run.finished)

    @classmethod
    def being_written(cls, folder: Path) -> Collected:
        """Return the collection whose files are being written into ``folder``."""
        return cls(folder, EXPERIMENT, "full")

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self.config["name"])

    @property
    def row(self) -> str | None:
        """Return the row of the paper's tables or figures that the run is; None where it is none."""
        row: str | None = self.config["row"]
        return row

    @property
    def model(self) -> str:
        """Return the model's own name."""
        model = str(self.config["settings"].get("model") or "model not known")
        return model.rstrip("/").rpartition("/")[2]

    @cached_property
    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """Return the logged steps, in their order."""
        return tuple(line for line in self.records if not line["abandoned"])

    @cached_property
    def evaluations(self) -> tuple[Mapping[str, Any], ...]:
        """Return the evaluations, in the order of their steps."""
        found = self.json("evaluations.json")["evaluations"]
        return tuple(evaluation for evaluation in found if not evaluation["abandoned"])

    @cached_property
    def last_step(self) -> int:
        """Return the last trained step; 0 without one."""
        return max((line["step"] for line in self.lines if line["attempt"] is not None), default=0)

    @property
    def rank(self) -> tuple[int, int, int, str, str]:
        """Return what decides which of several collections of one run counts: the greatest."""
        by_question = sum(bool(evaluation["counts"]) for evaluation in self.evaluations)
        return self.last_step, len(self.lines), by_question, self.finished, self.folder.name

    @property
    def named(self) -> str:
        """Return the experiment, the run's id and its last step, for a picture's face."""
        return f"{self.name}, cluster run {self.folder.name}, to step {self.last_step}"

    def curve(self, *names: str) -> tuple[Array, Array]:
        """Return steps and values of the first of these metrics that the run has, where it has it."""
        for name in names:
            pairs = [(line["step"], line[name]) for line in self.lines if line.get(name) is not None]
            if pairs:
                steps, values = zip(*pairs, strict=True)
                return np.array(steps), np.array(values, dtype=np.float64)
        return np.array([], dtype=np.int64), np.array([])

    def evaluated(self, benchmark: str) -> list[Mapping[str, Any]]:
        """Return the evaluations on a benchmark, by step."""
        return [evaluation for evaluation in self.evaluations if evaluation["benchmark"] == benchmark]

    def __str__(self) -> str:
        """Return the run's id, experiment and last step, for the end of a sentence."""
        by_hand = " (so named by hand)" if self.config["named_by"] == "--name" else ""
        changed = ", code changed since" if self.changed else ""
        return f"run {self.folder.name} of {self.name}{by_hand} to step {self.last_step}{changed}"
