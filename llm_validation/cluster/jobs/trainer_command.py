"""The command line and environment of one attempt: verl's trainer, its experiment, and the places of the job folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_validation.cluster.jobs.folder import Attempt, JobFolder
from llm_validation.cluster.jobs.verl_checkpoints import Checkpoint
from llm_validation.cluster.recipes.compose import config_dir


def command(
    folder: JobFolder, facts: Mapping[str, Any], attempt: Attempt, checkpoint: Checkpoint | None, trainer: Sequence[str]
) -> list[str]:
    """The trainer's command, the places of the job folder after the job's own overrides.

    The checkpoint is named rather than left to verl's ``auto``, which believes its tracker file whatever the folder
    that it names holds.

    Args:
        folder: of the job.
        facts: what ``job.json`` says.
        attempt: whose files it writes.
        checkpoint: to go on from; None to begin.
        trainer: the command that takes Hydra overrides.
    """
    return [
        *trainer,
        "--config-dir",
        str(config_dir()),
        f"+experiment={facts['experiment']}",
        *facts["overrides"],
        *places(folder, attempt),
        *resume(checkpoint),
    ]


def places(folder: JobFolder, attempt: Attempt) -> list[str]:
    """Overrides that have verl write into the job folder.

    verl's file logger opens its file anew and runs in a Ray worker, to which the driver's environment does not extend:
    hence a file an attempt, by way of Ray's runtime environment.
    """
    variables = environment(folder, attempt)
    own = {
        "trainer.default_local_dir": folder.checkpoints,
        "trainer.rollout_data_dir": folder.rollouts,
        "trainer.validation_data_dir": folder.validation,
        "++trainer.probe.dump_dir": folder.probe,
        "hydra.run.dir": folder.logs / "hydra" / f"attempt-{attempt.number:03d}",
        **{f"++ray_kwargs.ray_init.runtime_env.env_vars.{name}": value for name, value in variables.items()},
    }
    return [f"{key}={quoted(str(value))}" for key, value in own.items()]


def environment(folder: JobFolder, attempt: Attempt) -> dict[str, str]:
    """Variables that verl's loggers read."""
    return {
        "VERL_FILE_LOGGER_PATH": str(attempt.metrics),
        "TENSORBOARD_DIR": str(folder.tensorboard / f"attempt-{attempt.number:03d}"),
    }


def resume(checkpoint: Checkpoint | None) -> list[str]:
    """Overrides that have verl begin, or go on from this checkpoint."""
    if checkpoint is None:
        return ["trainer.resume_mode=disable"]
    return ["trainer.resume_mode=resume_path", f"trainer.resume_from_path={quoted(str(checkpoint.path))}"]


def quoted(text: str) -> str:
    r"""Text as one value of a Hydra override, whatever it holds.

    >>> print(quoted("/data/it's here"))
    '/data/it\'s here'
    """
    # Hydra takes backslashes literally unless they stand before a quote.
    return "'" + re.sub(r"(\\*)('|$)", lambda run: run[1] * 2 + ("\\'" if run[2] else ""), text) + "'"
