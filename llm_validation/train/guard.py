"""What watches over a trainer: logs by step, saves only whole and finite checkpoints, stops when asked to.

A checkpoint is taken only between two batches of rollouts, since TRL saves neither the rollouts that it is still
using nor how far it is with them.
"""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_validation.train import checkpoints, processes
from llm_validation.train.logs import Logs
from llm_validation.train.process_state import Stop
from llm_validation.train.settings import TrainConfig

_AT_THE_END = "train_runtime"  # only TRL's summary of the whole training has it
TENSORBOARD = "tensorboard"


class TrainingError(RuntimeError):
    """The run cannot go on; one line. Its checkpoints are as they were."""


@dataclass
class Guard:
    """The state that the callback and the guarded saving share; ``logs`` are the main process's."""

    config: TrainConfig
    folder: Path
    logs: Logs | None
    told: Callable[[int, Mapping[str, Any]], None]
    stop: Stop = field(default_factory=Stop)
    step: int = 0

    @property
    def updates(self) -> int:
        """Return the number of optimiser updates of one step."""
        return self.config.inner_updates * self.config.inner_epochs

    def on_rollouts(self, step: int, records: list[dict[str, Any]]) -> None:
        """Write a batch of rollouts; steps count from 1, as in the metrics."""
        if self.logs is not None:
            self.logs.rollouts({"step": step + 1, **record} for record in records)


def watch(trainer: Any, guard: Guard) -> None:
    """Let the trainer log, save and stop as the guard has it."""
    from transformers import PrinterCallback
    from transformers.integrations import TensorBoardCallback

    # It would print every log as a dictionary in between the command's own lines.
    trainer.pop_callback(PrinterCallback)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.logging_dir = str(guard.folder.parent / TENSORBOARD)
    trainer.add_callback(callback_class()(guard))
    # TRL writes one with every checkpoint, which the weights that are made here are not published with.
    trainer.create_model_card = lambda *args, **kwargs: None
    trainer.args.save_total_limit = None  # the trainer would remove old ones before the new one is sealed
    trainer._save_checkpoint = _guarded(trainer, trainer._save_checkpoint, guard)


@functools.cache
def callback_class() -> Any:
    """Return the class of the callback, which is made here because Transformers is imported inside functions."""
    import torch
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Logs and saves at the ends of steps; refuses what is not finite."""

        def __init__(self, guard: Guard) -> None:
            self._guard = guard

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # Before the optimiser's step: after it the parameters would not be finite either.
            gradients = [one.grad for one in kwargs["model"].parameters() if one.grad is not None]
            _refuse_infinite("gradient norm", torch.nn.utils.get_total_norm(gradients).item(), self._guard.step + 1)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            guard = self._guard
            step, within = divmod(state.global_step, guard.updates)
            control.should_log = within == 0
            # TRL's own interval counts updates, and could fall between two on the same rollouts.
            control.should_save = False
            if within == 0:
                guard.step = step
                ends = step == guard.config.steps or processes.any_of(guard.stop.wanted)
                control.should_save = ends or step % guard.config.save_every == 0
                control.should_training_stop = ends

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if _AT_THE_END in logs:
                return
            guard = self._guard
            for name in ("loss", "grad_norm"):
                _refuse_infinite(name, logs.get(name, 0.0), guard.step)
            if guard.logs is not None:
                guard.logs.step(guard.step, state.global_step, logs)
                guard.told(guard.step, logs)

    return Watch


def _guarded(trainer: Any, save: Callable[..., None], guard: Guard) -> Callable[..., None]:
    """Return saving that leaves a sealed checkpoint or none, and says in one line what fails."""

    def saved(model: Any, trial: Any) -> None:
        folder = guard.folder / f"{checkpoints.PREFIX}{trainer.state.global_step}"
        _refuse_infinite_parameters(trainer.model, guard.step)
        try:
            if guard.logs is not None:
                checkpoints.remove(folder)
            processes.wait()
            save(model, trial)
            processes.wait()
            if guard.logs is not None:
                checkpoints.seal(folder, logs=guard.logs.positions())
                checkpoints.keep_newest(guard.folder, guard.config.keep_checkpoints)
        except Exception as error:  # safetensors and torch have kinds of their own for a full disk
            free = shutil.disk_usage(guard.folder).free / 2**20
            if not (folder / checkpoints.MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)
            reason = f"{' '.join(str(error).split())[:200]} ({free:.1f} MiB are free)"  # torch does not say of the disk
            raise TrainingError(
                f"the checkpoint after step {guard.step} cannot be saved: {reason}; {_kept(guard.folder)}"
            ) from error

    return saved


def _refuse_infinite_parameters(model: Any, step: int) -> None:
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise TrainingError(f"step {step}: parameter {name} is not finite; earlier checkpoints are kept")


def _refuse_infinite(name: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise TrainingError(f"step {step}: the {name} is {value}; earlier checkpoints are kept")


def _kept(folder: Path) -> str:
    kept = checkpoints.sealed(folder)
    return f"the newest one kept is {kept[-1]}" if kept else "there is no earlier one"
