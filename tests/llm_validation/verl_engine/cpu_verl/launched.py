"""Runs in verl's loop on a CPU from nothing: their world is made, they go to the end, and files describe the launch.

verl itself is loaded in the runs' processes only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.llm_validation.verl_engine.cpu_verl.runs import CpuRun, World, arguments


def made(folder: Path, *, success: float = 0.15, questions: int = 16) -> World:
    """A model that is right now and then, and questions, by the code of ``qae cluster data`` and ``smoke-model``."""
    from llm_validation.cluster.recipes.data import write_data
    from llm_validation.cluster.recipes.smoke_model import write_smoke_model

    world = World(folder / "model", folder / "data")
    write_smoke_model(world.model, success=success, cache=folder / "cache")
    write_data("digits", world.data / "digits-train.parquet", count=questions)
    return world


def ended(run: CpuRun) -> CpuRun:
    """The run, gone to the end, with nothing left of it but its folder."""
    try:
        run.run()
    finally:
        run.close()
    return run


def launched(root: Path, settings: Sequence[str]) -> Path:
    """The folder of a run that went to the end, with the files in which a launch says what it runs."""
    from omegaconf import OmegaConf

    from llm_validation.cluster.recipes.compose import compose

    run = ended(CpuRun(made(root), root / "smoke-qae-cpu", settings=settings))
    overrides = [word for word in arguments(run) if not word.startswith(("--", "+experiment", "hydra."))]
    config = compose(run.experiment, overrides)
    (run.folder / "resolved.yaml").write_text(OmegaConf.to_yaml(config, resolve=True), encoding="utf-8")
    facts = {"experiment": run.experiment, "overrides": overrides, "id": "cpu"}
    (run.folder / "job.json").write_text(json.dumps(facts), encoding="utf-8")
    return run.folder
