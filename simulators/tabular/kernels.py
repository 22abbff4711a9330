"""Compute softmax, sampling and the push of sampled tokens on the logits, in loops that Numba compiles.

Each function treats the leading axes of its arguments as a batch of independent policies, so that results depend on
neither batch size nor number of threads. No sum is reordered and no product is fused into a sum, so that they do not
depend on the processor's vector width either. Arguments are not checked here: the callers pass finite logits, and
rewards that are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.tabular import loops

# Numbers read below which one thread works alone, in at most 20 microseconds. Where other processes keep the cores
# busy, waiting for the other threads costs thousands.
WORTH_THREADS = 2**12


def log_softmax(logits: Array) -> tuple[Array, Array]:
    r"""Return log-probabilities and probabilities over the last axis, :math:`\log\pi_j = z_j - \log\sum_k e^{z_k}`.

    The largest entry's own log-probability keeps its relative accuracy for a peaked policy too, as in
    ``qae_theory.softmax``.

    Args:
        logits: finite, ``[..., n]``.

    Returns:
        Log-probabilities in nats and probabilities, each of the shape of ``logits``.

    >>> log_softmax(np.array([0.0, 0.0]))[1].tolist()
    [0.5, 0.5]
    """
    flat = _flattened(logits)
    log_probs, probs = np.empty_like(flat), np.empty_like(flat)
    _run(loops.log_softmax, flat.size, flat, log_probs, probs)
    return log_probs.reshape(logits.shape), probs.reshape(logits.shape)


def sample(probs: Array, uniforms: Array) -> Array:
    """Return indices drawn from distributions by inverting their cumulative sums.

    Args:
        probs: ``[..., R]``, non-negative; they need not sum to 1 exactly.
        uniforms: ``[..., G]`` in [0, 1), one for each draw, with the same leading axes.

    Returns:
        Indices ``[..., G]`` in 0..R-1. An entry of probability 0 is never drawn.

    Raises:
        ValueError: the leading axes of the two arguments differ.

    >>> sample(np.array([0.25, 0.0, 0.75]), np.array([0.2, 0.3, 0.9])).tolist()
    [0, 2, 2]
    """
    if probs.shape[:-1] != uniforms.shape[:-1]:
        checks.refuse("uniforms", uniforms, f"of shape {(*probs.shape[:-1], 'G')}")
    draws = _flattened(uniforms)
    out = np.empty(draws.shape, dtype=np.int64)
    _run(loops.sample, probs.size + draws.size, _flattened(probs), draws, out)
    return out.reshape(uniforms.shape)


def push(coefficients: Array, responses: Array, cells: Array, probs: Array) -> Array:
    r"""Return the direction :math:`\sum_{i,t} c_{it} (e_{a_{it}} - \pi_{n_{it}})` of sampled tokens on the logits.

    The term of token t of response i is the gradient of that token's log-probability in the logits of its node n.

    Args:
        coefficients: c, ``[..., G, T]``; those after a response's last token are not read.
        responses: index of each sampled response, ``[..., G]``.
        cells: ``[R, T]``, as in ``simulators.tabular.trees.Tree``.
        probs: probabilities of every node's actions, ``[..., N, A]``.

    Returns:
        The direction on the logits, ``[..., N, A]``.

    Source: the gradient of a softmax's log-probability.
    """
    nodes, actions = probs.shape[-2:]
    group, tokens = coefficients.shape[-2:]
    out = np.zeros((responses.size // group, nodes * actions))
    _run(
        loops.push,
        probs.size + coefficients.size,
        np.ascontiguousarray(coefficients).reshape(-1, group, tokens),
        np.ascontiguousarray(responses).reshape(-1, group),
        np.ascontiguousarray(cells),
        np.ascontiguousarray(probs).reshape(-1, nodes * actions),
        actions,
        out,
    )
    return out.reshape(probs.shape)


def group_update(
    logits: Array,
    arm_rewards: Array,
    correct_advantage: Array,
    wrong_advantage: Array,
    uniforms: Array,
    step_size: float,
    *,
    out: Array | None = None,
) -> Array:
    r"""Return logits after one on-policy SGD step on a sampled group, :math:`z + \frac\eta G\sum_i A_i(e_{y_i} - \pi)`.

    One pass over the logits does all of it for every query: softmax, draws, the number m of correct responses, the
    advantages that belong to m, and the step.

    Args:
        logits: ``[queries, arms]``.
        arm_rewards: ``[queries, arms]``, 0 or 1.
        correct_advantage: ``[G + 1]``, the advantage of a correct response in a group with m = 0..G correct ones.
        wrong_advantage: ``[G + 1]``, that of a wrong response.
        uniforms: ``[queries, G]`` in [0, 1).
        step_size: eta.
        out: a C-contiguous array ``[queries, arms]`` for the result; it may be ``logits`` itself.

    Returns:
        New logits ``[queries, arms]``.

    Source: this suite; the tables come from ``qae_theory.group_expectation.outcome_advantages``.
    """
    z = np.ascontiguousarray(logits, dtype=np.float64)
    moved = np.empty_like(z) if out is None else out
    # Step size and 1/G go into the two tables, where they cost G + 1 products and not one for each response.
    per_response = step_size / uniforms.shape[1]
    _run(
        loops.group_update,
        z.size + uniforms.size,
        z,
        np.ascontiguousarray(arm_rewards, dtype=np.float64),
        correct_advantage * per_response,
        wrong_advantage * per_response,
        np.ascontiguousarray(uniforms),
        moved,
    )
    return moved


def _run(loop: Callable[..., None], numbers: int, *arguments: Any) -> None:
    """Run a compiled loop, on one thread where there is too little work to hand out."""
    threads = numba.get_num_threads()
    if numbers >= WORTH_THREADS or threads == 1:
        loop(*arguments)
        return
    numba.set_num_threads(1)
    try:
        loop(*arguments)
    finally:
        numba.set_num_threads(threads)


def _flattened(values: Array) -> Array:
    """Return the values as C-contiguous float64 ``[batch, last axis]``.

    The size of the batch is multiplied out, because reshape cannot infer it beside an axis of length 0.
    """
    lead = int(np.prod(values.shape[:-1], dtype=np.int64))
    return np.ascontiguousarray(values, dtype=np.float64).reshape(lead, values.shape[-1])
