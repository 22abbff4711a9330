"""Run the checks in TRL's ``GRPOTrainer``: call ``watch(trainer)`` before ``trainer.train()``.

TRL keeps the last batch in ``_logs`` (1.16.0), whether it writes completions or not, and makes a new list of
``_buffered_inputs`` for each; nothing is generated or scored again. The metrics join those that TRL logs, for every
logger that the trainer has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.live.guard import never_stopping
from llm_validation.audit.live.window import EVERY, Window
from llm_validation.audit.model.settings import EPS_OF_TRL, AuditSettings, std_of_trl


def watch(trainer: Any, every: int = EVERY, settings: AuditSettings | None = None) -> Window:
    """Check a trainer's rollouts every few batches; returns the window, whose ``findings`` are the last ones.

    Args:
        trainer: a ``GRPOTrainer``.
        every: after how many batches of rollouts the checks run.
        settings: of the run; what the trainer's own arguments say is filled in.

    Raises:
        ValueError: ``every`` is not at least 1.
    """
    from transformers import TrainerCallback

    known = (settings or AuditSettings()).over(settings_of(trainer.args))
    window = Window(every, known)
    pending: dict[str, float] = {}
    last: list[Any] = [None]

    class Audit(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Take each new batch at the end of a step, and add what was found to the next log."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Give a batch that has not been seen to the window; what it finds waits for the next log."""
            del args, control
            with never_stopping():
                if not state.is_world_process_zero or not len(trainer._logs["advantages"]):
                    return
                if trainer._buffered_inputs is last[0]:  # an update on the same rollouts
                    return
                last[0] = trainer._buffered_inputs
                pending.update(_added(window, trainer, state.global_step))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Add what was found to a log of training, for the loggers behind and for the trainer's history."""
            del args, control
            if pending and logs is not None and "loss" in logs:
                logs.update(pending)
                if state.log_history:
                    state.log_history[-1].update(pending)
                pending.clear()

    # Before the callbacks that write: they see the log as this one leaves it.
    trainer.callback_handler.callbacks.insert(0, Audit())
    return window


def _added(window: Window, trainer: Any, step: int) -> dict[str, float]:
    """Give the trainer's last batch to the window; return its metrics."""
    rewards, components, advantages = _batch(trainer)
    groups = np.arange(len(rewards)) // trainer.num_generations
    return window.add(step, groups.tolist(), rewards, advantages, components=components)


def settings_of(arguments: Any) -> AuditSettings:
    """Return what a ``GRPOConfig`` says of the advantages and of clipping."""
    std = std_of_trl(arguments.scale_rewards)
    high = arguments.epsilon_high if arguments.epsilon_high is not None else arguments.epsilon
    known = {
        "estimator": "grpo",
        "std": std,
        "eps": EPS_OF_TRL if std != "none" else None,
        "group_size": arguments.num_generations,
        "clip_low": arguments.epsilon,
        "clip_high": high,
        "max_tokens": arguments.max_completion_length,
    }
    return AuditSettings.model_validate({name: value for name, value in known.items() if value is not None})


def _batch(trainer: Any) -> tuple[Any, dict[str, Any], Any]:
    """Return rewards, scores of the reward functions, and advantages of the last batch, all processes'."""
    logs = trainer._logs
    components = {name: np.asarray(list(scores), dtype=np.float64) for name, scores in logs["rewards"].items()}
    weights = trainer.reward_weights.tolist()
    rewards = sum(weight * np.nan_to_num(column) for weight, column in zip(weights, components.values(), strict=True))
    unscored = np.all([np.isnan(column) for column in components.values()], axis=0)
    return np.where(unscored, np.nan, rewards), components, np.asarray(list(logs["advantages"]), dtype=np.float64)
