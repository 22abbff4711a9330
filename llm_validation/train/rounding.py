"""Rounding to bfloat16 in one place of a training run whose arithmetic is float32 elsewhere: a channel by itself.

Runs on a GPU round in several places at once. Here it is the log-probabilities that the loss sees, or the parameters
after every update of the optimiser, as a run has it that keeps no float32 copy of them.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

Rounding = Literal["none", "log_probs", "parameters"]


def install(trainer: Any, rounding: Rounding) -> None:
    """Let a trainer round as it is told.

    Args:
        trainer: of TRL; its model's output has ``log_probs``.
        rounding: ``none`` changes nothing; ``log_probs`` rounds every log-probability that the model gives, of the
            policy that samples and of the one that learns, and the gradient on its way back; ``parameters`` rounds
            the parameters after each update.
    """
    if rounding == "log_probs":
        trainer.model.register_forward_hook(_round_output)
    elif rounding == "parameters":
        trainer.add_callback(_callback_class()())


def to_bfloat16(value: Any) -> Any:
    """Return the value rounded to bfloat16, in the type that it had: eight significant bits."""
    import torch

    return value.to(torch.bfloat16).to(value.dtype)


def round_parameters(model: Any) -> None:
    """Round every parameter of a model in place."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(to_bfloat16(parameter))


def _round_output(module: Any, inputs: Any, output: Any) -> None:
    """Round the log-probabilities of a forward pass that has them; sampling has none."""
    del module, inputs
    if getattr(output, "log_probs", None) is not None:
        output.log_probs = to_bfloat16(output.log_probs)


@functools.cache
def _callback_class() -> Any:
    from transformers import TrainerCallback

    class RoundParameters(TrainerCallback):
        """Rounds the parameters at the end of every update, before a checkpoint of them is saved."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            del args, state, control
            round_parameters(kwargs["model"])

    return RoundParameters
