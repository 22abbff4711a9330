"""Apply a gradient to a tabular policy by SGD or Adam, with clipping of its norm.

The gradient is added: this is ascent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from simulators.update import Update


class Moments(NamedTuple):
    """Adam's state: first and second moment, each of the shape of the logits, and the number of steps taken."""

    first: Array | float = 0.0
    second: Array | float = 0.0
    steps: int = 0


def apply(logits: Array, gradient: Array, moments: Moments, update: Update) -> tuple[Array, Moments]:
    r"""Return new logits and new moments after one optimiser step.

    SGD adds :math:`\eta g`. Adam adds :math:`\eta\,\hat m/(\sqrt{\hat v} + \epsilon)` with bias-corrected moments
    :math:`\hat m = m/(1-\beta_1^t)` and :math:`\hat v = v/(1-\beta_2^t)`. Where Adam's denominator is 0 (eps = 0 and no
    gradient yet) the logits stay.

    Args:
        logits: ``[..., Q, N, A]``.
        gradient: the ascent direction, of the shape of the logits.
        moments: Adam's state; SGD hands it on unchanged.
        update: names the optimiser and its settings.

    Returns:
        New logits and new moments.

    Source: Kingma and Ba, arXiv 1412.6980, Algorithm 1.
    """
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
    """Return the gradient, scaled down where its Euclidean norm over the last three axes is above ``largest``.

    The last three axes are one mini-batch: queries, nodes and actions share one norm, as the parameters of a model do.

    Args:
        gradient: ``[..., Q, N, A]``.
        largest: the greatest norm that is left as it is, > 0.

    Returns:
        ``[..., Q, N, A]``.
    """
    norm = np.sqrt(np.square(gradient).sum(axis=(-3, -2, -1), keepdims=True))
    # A gradient of norm 0 stays 0; the tiny floor only keeps the quotient from dividing by zero.
    return gradient * np.minimum(1.0, largest / np.maximum(norm, 1e-300))
