"""Declare the trainer's settings: machines, steps, validations, checkpoints, and where it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY, COUNT, COUNT_OR_MINUS_ONE, FLAG
from llm_validation.verl_engine.configuration.setting import Setting, setting

# The name by which verl finds the trainer with the probe.
PROBE_MODE = "qae_probe"


@dataclass(frozen=True)
class Trainer:
    """Settings of the table ``trainer``, without the probe's."""

    mode: Setting[Any] = setting("trainer.v1.trainer_mode", ANY, default="sync")
    nodes: Setting[int] = setting("trainer.nnodes", COUNT, default=1)
    gpus_per_node: Setting[int] = setting("trainer.n_gpus_per_node", COUNT, default=8)
    device: Setting[Any] = setting("trainer.device", ANY)
    steps: Setting[int] = setting("trainer.total_training_steps", COUNT)
    validation_every: Setting[int] = setting("trainer.test_freq", COUNT_OR_MINUS_ONE, default=-1)
    """Steps between two validations; -1 and 0 mean never."""
    validation_first: Setting[bool] = setting("trainer.val_before_train", FLAG, default=True)
    save_every: Setting[int] = setting("trainer.save_freq", COUNT_OR_MINUS_ONE, default=-1)
    """Steps between two checkpoints; -1 and 0 mean never."""
    checkpoints_kept: Setting[int] = setting("trainer.max_actor_ckpt_to_keep", COUNT_OR_MINUS_ONE, default=0)
    """How many of the newest checkpoints are kept; -1, 0 and nothing stated keep all."""
    rollout_dir: Setting[Any] = setting("trainer.rollout_data_dir", ANY)
    validation_dir: Setting[Any] = setting("trainer.validation_data_dir", ANY)
    loggers: Setting[Any] = setting("trainer.logger", ANY)
    """The name of a logger, or a list of names."""
