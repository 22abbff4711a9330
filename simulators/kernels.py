"""The hot loops, compiled by Numba: softmax, sampling and the push of sampled tokens on the logits.

Each treats its leading axes as independent rows, so that results depend on neither batch size nor threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from qae_theory._exact import Array


def log_softmax(logits: Array) -> tuple[Array, Array]:
    """Log-probabilities and probabilities over the last axis, the shape of ``logits`` each."""
    top = logits.max(axis=-1, keepdims=True)
    gaps = logits - top
    weights = np.exp(gaps)
    mass = weights.sum(axis=-1, keepdims=True)
    return gaps - np.log(mass), weights / mass


def sample(probs: Array, uniforms: Array) -> Array:
    """Inverse-CDF draws, ``[..., R]`` and ``[..., G]`` in [0, 1) to indices ``[..., G]``."""
    rows = np.ascontiguousarray(probs).reshape(-1, probs.shape[-1])
    draws = np.ascontiguousarray(uniforms).reshape(-1, uniforms.shape[-1])
    out = np.empty(draws.shape, dtype=np.int64)
    _sample(rows, draws, out)
    return out.reshape(uniforms.shape)


def push(coefficients: Array, responses: Array, cells: Array, probs: Array) -> Array:
    r"""Direction :math:`\sum_{i,t} c_{it} (e_{a_{it}} - \pi_{n_{it}})` of sampled tokens on the logits of their nodes.

    Args:
        coefficients: ``[..., G, T]``; those of tokens that a response does not have are not read.
        responses: ``[..., G]``.
        cells: ``[R, T]``, of the tree.
        probs: ``[..., N, A]``.

    Returns:
        ``[..., N, A]``.
    """
    nodes, actions = probs.shape[-2:]
    group, tokens = coefficients.shape[-2:]
    out = np.zeros((responses.size // group, nodes * actions))
    _push(
        np.ascontiguousarray(coefficients).reshape(-1, group, tokens),
        np.ascontiguousarray(responses).reshape(-1, group),
        np.ascontiguousarray(cells),
        np.ascontiguousarray(probs).reshape(-1, nodes * actions),
        actions,
        out,
    )
    return out.reshape(probs.shape)


@numba.njit(parallel=True, cache=True)
def _sample(probs: Any, draws: Any, out: Any) -> None:
    rows, arms = probs.shape
    for i in numba.prange(rows):
        cumulative = np.empty(arms)
        total = 0.0
        for j in range(arms):
            total += probs[i, j]
            cumulative[j] = total
        for g in range(draws.shape[1]):
            # Scaled by the total, so that rounding of the sum can never leave the last arm out of reach.
            place = np.searchsorted(cumulative, draws[i, g] * total, side="right")
            out[i, g] = min(place, arms - 1)


@numba.njit(parallel=True, cache=True)
def _push(coefficients: Any, responses: Any, cells: Any, probs: Any, actions: int, out: Any) -> None:
    rows, group, tokens = coefficients.shape
    nodes = out.shape[1] // actions
    for i in numba.prange(rows):
        totals = np.zeros(nodes)
        for g in range(group):
            for t in range(tokens):
                cell = cells[responses[i, g], t]
                if cell < 0:
                    break
                out[i, cell] += coefficients[i, g, t]
                totals[cell // actions] += coefficients[i, g, t]
        for cell in range(nodes * actions):
            out[i, cell] -= totals[cell // actions] * probs[i, cell]
