"""Collected runs in ``results/cluster``: one for each run, the collection of it that came furthest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.runs.folders import check_unchanged, code_version, read_json

EXPERIMENT = "cluster"
PACKAGES = ("qae_theory", "llm_validation")
AGAIN = "collect again"
ENTROPY = ("actor/entropy", "probe/entropy/before/all", "recomputed/probe/entropy/before/all", "entropy")


@dataclass(frozen=True)
class Collected:
    """One collected run: ``lines`` and ``evaluations`` of the steps that it went on from, in their order."""

    folder: Path
    config: Mapping[str, Any]
    lines: tuple[Mapping[str, Any], ...]
    evaluations: tuple[Mapping[str, Any], ...]
    finished: str = ""
    changed: bool = False

    @classmethod
    def of_parts(
        cls, folder: Path, config: Mapping[str, Any], finished: str = "", *, changed: bool = False
    ) -> Collected:
        """From the files of a folder that is written or being written."""
        text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.split("\n") if line]
        listed = json.loads((folder / "evaluations.json").read_text(encoding="utf-8"))["evaluations"]
        return cls(
            folder,
            config,
            tuple(line for line in lines if not line["abandoned"]),
            tuple(one for one in listed if not one["abandoned"]),
            finished,
            changed,
        )

    @property
    def name(self) -> str:
        """Of the experiment."""
        return str(self.config["name"])

    @property
    def row(self) -> str | None:
        """The row of the paper that it is."""
        row: str | None = self.config["row"]
        return row

    @property
    def last_step(self) -> int:
        """The last trained step; 0 without one."""
        return max((line["step"] for line in self.lines if line["attempt"] is not None), default=0)

    def curve(self, *names: str) -> tuple[Array, Array]:
        """Steps and values of the first of these metrics that the run has, where it has it."""
        for name in names:
            pairs = [(line["step"], line[name]) for line in self.lines if line.get(name) is not None]
            if pairs:
                steps, values = zip(*pairs, strict=True)
                return np.array(steps), np.array(values, dtype=np.float64)
        return np.array([], dtype=np.int64), np.array([])

    def evaluated(self, benchmark: str) -> list[Mapping[str, Any]]:
        """Its evaluations on a benchmark, by step."""
        return [one for one in self.evaluations if one["benchmark"] == benchmark]

    def __str__(self) -> str:
        """For the end of a sentence."""
        by_hand = " (so named by hand)" if self.config["named_by"] == "--name" else ""
        changed = ", code changed since" if self.changed else ""
        return f"run {self.folder.name} of {self.name}{by_hand} to step {self.last_step}{changed}"


def collections(root: Path) -> list[Collected]:
    """The collected runs below a results folder, in the order of their names.

    Raises:
        ValueError: a folder cannot be read, or is not as it was written.
    """
    folder = root / EXPERIMENT
    best: dict[tuple[str, str], Collected] = {}
    version = code_version(PACKAGES)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        one = _read(path, version)
        key = one.name, str(one.config["run"])
        if key not in best or _rank(best[key]) < _rank(one):
            best[key] = one
    return [best[key] for key in sorted(best)]


def _read(path: Path, version: str) -> Collected:
    config, facts = (read_json(path / f"{name}.json", again=AGAIN) for name in ("config", "provenance"))
    check_unchanged(path, again=AGAIN)
    return Collected.of_parts(path, config, facts["finished"], changed=facts["code_version"] != version)


def _rank(one: Collected) -> tuple[int, int, int, str]:
    by_question = sum(bool(evaluation["counts"]) for evaluation in one.evaluations)
    return one.last_step, len(one.lines), by_question, one.finished
