"""SGD and Adam on a tabular policy, with clipping of the gradient's norm. Ascent: the gradient is added."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from simulators.update import Update


class Moments(NamedTuple):
    """Adam's state: first and second moment, the shape of the logits, and the number of steps taken."""

    first: Array | float = 0.0
    second: Array | float = 0.0
    steps: int = 0


def apply(logits: Array, gradient: Array, moments: Moments, update: Update) -> tuple[Array, Moments]:
    """New logits and new moments."""
    if update.max_grad_norm is not None:
        gradient = clip_norm(gradient, update.max_grad_norm)
    if update.optimiser == "sgd":
        return logits + update.step_size * gradient, moments
    beta_1, beta_2 = update.adam_betas
    first = beta_1 * moments.first + (1 - beta_1) * gradient
    second = beta_2 * moments.second + (1 - beta_2) * np.square(gradient)
    steps = moments.steps + 1
    mean, square = first / (1 - beta_1**steps), second / (1 - beta_2**steps)
    scale = np.sqrt(square) + update.adam_eps
    change = np.divide(mean, scale, out=np.zeros_like(mean), where=scale > 0)
    return logits + update.step_size * change, Moments(first, second, steps)


def clip_norm(gradient: Array, largest: float) -> Array:
    """Scale down to a Euclidean norm of at most ``largest`` over the last three axes (one mini-batch)."""
    norm = np.sqrt(np.square(gradient).sum(axis=(-3, -2, -1), keepdims=True))
    return gradient * np.minimum(1.0, largest / np.maximum(norm, 1e-300))
