"""Define the prediction ladder: what each rung expects of the entropy, given log-probabilities and a direction.

A rung is a direction of the log-probabilities (or logits, which differ by a constant). From it follow the predicted
change and, by the remainder bound of ``qae_theory``, an interval:

1. ``identity``: the paper's, pi (A), with A = r - b not centred;
2. ``centred``: pi (A - E A), the exact policy gradient of a tabular softmax;
3. ``sampled``: the group that was really sampled, each context's logits a table of their own;
4. ``first_order``: the network's own first-order change of log-probabilities along the real parameter change;
5. ``second_order``: the same with curvature.

Rungs 1 to 3 need a step size: learning rate times responses per token of the loss. Under Adam that is a convention.
NumPy only; the derivatives come from ``expansion``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.rungs import RUNGS
from qae_theory.entropy_change import curvature_brackets, entropy_change_bounds, first_order_entropy_change


class Prediction(NamedTuple):
    """Hold an expected entropy change with its interval, each [Q], in nats per response."""

    change: Array
    low: Array
    high: Array


class Derivatives(NamedTuple):
    """Hold the first and second derivative of log-probabilities along the real parameter change, [..., n] each."""

    first: Array
    second: Array


def entropy(log_probs: Array) -> Array:
    r"""Return :math:`-\sum\pi\log\pi` in nats, ``[..., n] -> [...]``."""
    return -(np.exp(log_probs) * log_probs).sum(-1)


def along(log_probs: Array, direction: Array) -> Prediction:
    """Return the first-order change along a direction, with the guaranteed interval of a finite step along it.

    Args:
        log_probs: ``[..., n]``, in nats.
        direction: the step's change of logits, ``[..., n]``.

    Returns:
        The prediction, ``[...]`` each.
    """
    low, high = entropy_change_bounds(log_probs, direction, 1.0)
    return Prediction(first_order_entropy_change(log_probs, direction), low, high)


def with_curvature(log_probs: Array, derivatives: Derivatives) -> Prediction:
    r"""Return the second-order change :math:`H' + H''/2`, with the guaranteed interval of a step of that displacement.

    :math:`H' = -\sum\pi l'(l+1)` and :math:`H'' = -\sum\pi[(l'^2 + l'')(l+1) + l'^2]` for :math:`l = \log\pi`.

    Args:
        log_probs: ``[..., n]``, in nats.
        derivatives: of them, ``[..., n]`` each.
    """
    first, second = derivatives
    probs, shifted = np.exp(log_probs), log_probs + 1
    slope = -(probs * first * shifted).sum(-1)
    bend = -(probs * ((first**2 + second) * shifted + first**2)).sum(-1)
    # At s = 1 this is the displacement of the log-probabilities to second order.
    low, high = entropy_change_bounds(log_probs, first + second / 2, 1.0)
    return Prediction(slope + bend / 2, low, high)


def sampled_direction(context_log_probs: Array, contexts: Array, tokens: Array, pushes: Array) -> Array:
    """Return the change of the logits of each context, [C, V].

    A sampled token t with push s adds s (e_t - pi) to the logits of its context.

    Args:
        context_log_probs: [C, V] next-token log-probabilities.
        contexts: [M] context of each sampled token, as a row of ``context_log_probs``.
        tokens: [M] the sampled tokens.
        pushes: [M] step size times advantage.
    """
    direction = np.zeros_like(context_log_probs)
    # np.add.at adds every push where several fall on one token; plain indexing would keep the last one.
    np.add.at(direction, (contexts, tokens), pushes)
    total = np.zeros(len(context_log_probs))
    np.add.at(total, contexts, pushes)
    return direction - total[:, None] * np.exp(context_log_probs)


def enumerated(
    log_probs: Array,
    arm_advantages: Array,
    step_size: float,
    sampled: Array,
    derivatives: Derivatives,
) -> Mapping[str, Prediction]:
    """Return all rungs where every response is listed.

    Args:
        log_probs: [Q, n] of responses.
        arm_advantages: [Q, n], the advantage that the rule gives each response in the prompt's group.
        step_size: eta, per response of a group of its own.
        sampled: [Q, n] direction of rung 3, step size included.
        derivatives: of the log-probabilities, [Q, n] each.
    """
    probs = np.exp(log_probs)
    centred = arm_advantages - (probs * arm_advantages).sum(-1, keepdims=True)
    return MappingProxyType(
        {
            "identity": along(log_probs, step_size * probs * arm_advantages),
            "centred": along(log_probs, step_size * probs * centred),
            "sampled": along(log_probs, sampled),
            "first_order": along(log_probs, derivatives.first),
            "second_order": with_curvature(log_probs, derivatives),
        }
    )


def along_rollouts(
    context_log_probs: Array,
    owner: Array,
    per_response: float,
    sampled: Array,
    derivatives: Derivatives,
) -> Mapping[str, Prediction]:
    """Return rungs 3 to 5 of the entropy summed along given rollouts, per response.

    Args:
        context_log_probs: [C, V] at every token of the rollouts.
        owner: [C] the prompt that the context belongs to, 0..Q-1.
        per_response: responses of a prompt.
        sampled: [C, V] direction of rung 3.
        derivatives: of the log-probabilities, [C, V] each.
    """
    # Functions, so that only one rung's [C, V] arrays are in memory at a time.
    rungs: Mapping[str, Callable[[], Prediction]] = {
        "sampled": lambda: along(context_log_probs, sampled),
        "first_order": lambda: along(context_log_probs, derivatives.first),
        "second_order": lambda: with_curvature(context_log_probs, derivatives),
    }
    return {name: summed(rung(), owner, per_response) for name, rung in rungs.items()}


def summed(prediction: Prediction, owner: Array, per_response: float) -> Prediction:
    """Return the contexts' predictions added up for each prompt, [Q]; their intervals add up too."""
    change, low, high = (np.bincount(owner, weights=side) / per_response for side in prediction)
    return Prediction(change, low, high)


def from_samples(
    response_log_probs: Array, advantages: Array, step_size: float, *, responses: int, centred: bool
) -> Prediction:
    r"""Return rung 1 or 2 where responses cannot be listed: the covariance over the sampled ones.

    :math:`-\eta\,\widehat{\mathrm{Cov}}(\log\pi, \pi A)` with the unbiased sample covariance of the group. The
    interval takes the direction's range from the sampled responses, so it is no guarantee.

    Args:
        response_log_probs: [Q, G] of whole responses.
        advantages: [Q, G].
        step_size: eta.
        responses: number of possible responses.
        centred: whether the group's mean advantage is subtracted first (rung 2). Independent samples then give the
            covariance in expectation but for a term of order 1/G, a third central moment.
    """
    weights = advantages - advantages.mean(-1, keepdims=True) if centred else advantages
    direction = step_size * np.exp(response_log_probs) * weights
    spread = response_log_probs - response_log_probs.mean(-1, keepdims=True)
    change = -(spread * direction).sum(-1) / (direction.shape[-1] - 1)
    below, above = curvature_brackets(responses)
    half = np.ptp(direction, axis=-1) ** 2 / 2
    return Prediction(change, change - half * below, change + half * above)


def columns(predictions: Mapping[str, Prediction]) -> dict[str, Array]:
    """Return ``{rung: [Q], rung_low: [Q], rung_high: [Q]}`` of all rungs, in order."""
    by_name = {}
    for rung in RUNGS:
        for suffix, side in zip(_SUFFIXES, predictions[rung], strict=True):
            by_name[f"{rung}{suffix}"] = np.asarray(side)
    return by_name


_SUFFIXES: Sequence[str] = ("", "_low", "_high")
