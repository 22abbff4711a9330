"""Build the command line and the environment of one attempt.

They are verl's trainer, the experiment with the job's overrides, and the places of the job's folder. ``job`` runs
them.
"""

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
    """Return the trainer's command.

    The places of the job's folder come after the job's own overrides, and so win over them. The checkpoint is named
    rather than left to verl's ``auto``, which believes its tracker file whatever the folder that it names holds.

    Args:
        folder: the job's folder.
        facts: the contents of ``job.json``.
        attempt: the attempt whose files the trainer writes.
        checkpoint: the checkpoint to resume from; None to begin.
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
    """Return Hydra overrides by which verl writes into the job's folder.

    verl's file logger opens its file anew and runs in a Ray worker, to which the driver's environment does not extend.
    Hence each attempt has its own file, and the variables also go through Ray's runtime environment.
    """
    variables = environment(folder, attempt)
    # `++` sets a key whether or not verl's configuration has it; the probe's folder and the variables are not in it.
    by_key = {
        "trainer.default_local_dir": folder.checkpoints,
        "trainer.rollout_data_dir": folder.rollouts,
        "trainer.validation_data_dir": folder.validation,
        "++trainer.probe.dump_dir": folder.probe,
        "hydra.run.dir": folder.logs / "hydra" / f"attempt-{attempt.number:03d}",
        **{f"++ray_kwargs.ray_init.runtime_env.env_vars.{name}": value for name, value in variables.items()},
    }
    return [f"{key}={quoted(str(value))}" for key, value in by_key.items()]


def environment(folder: JobFolder, attempt: Attempt) -> dict[str, str]:
    """Return the variables of the environment that verl's loggers read."""
    return {
        "VERL_FILE_LOGGER_PATH": str(attempt.metrics),
        "TENSORBOARD_DIR": str(folder.tensorboard / f"attempt-{attempt.number:03d}"),
    }


def resume(checkpoint: Checkpoint | None) -> list[str]:
    """Return Hydra overrides by which verl begins, or resumes from this checkpoint."""
    if checkpoint is None:
        return ["trainer.resume_mode=disable"]
    return ["trainer.resume_mode=resume_path", f"trainer.resume_from_path={quoted(str(checkpoint.path))}"]


def quoted(text: str) -> str:
    r"""Return text as one value of a Hydra override, whatever it holds.

    >>> print(quoted("/data/it's here"))
    '/data/it\'s here'
    """
    # Hydra takes backslashes literally unless they stand before a quote.
    return "'" + re.sub(r"(\\*)('|$)", lambda run: run[1] * 2 + ("\\'" if run[2] else ""), text) + "'"
