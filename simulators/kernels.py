"""The hot loops, compiled by Numba: softmax, sampling, the push of sampled tokens on the logits, and all three in one.

Each treats its leading axes as independent rows, so that results depend on neither batch size nor threads. No sum is
reordered and no product fused into a sum, so that they do not depend on the processor's vector width either. Input is
not checked here: logits are finite, rewards 0 or 1.
"""

from __future__ import annotations

from math import factorial, log
from typing import Any

import numba
import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array

# Rows that one thread does in a go, with the same scratch space.
BLOCK = 32
# Below this exp is taken to be 0; its last normal value is exp(-708.4).
LOWEST = -708.0
# A gap beyond float64 is a probability of zero; as in qae_theory.softmax it is cut here, to keep 0 * log 0 at 0.
LARGEST_GAP = -1e308
# Cumulative weights that are compared all at once, in vector instructions, rather than searched.
WINDOW = 64

# ln 2 in two parts, the first with enough trailing zeros for k * LN2_HIGH to be exact (fdlibm's e_exp.c).
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
PER_LN2 = 1 / log(2)
# Adding 1.5 * 2^52 rounds to an integer, which is then in the lowest bits; 1023 is the bias of an exponent.
ROUND_AND_BIAS = 1.5 * 2.0**52 + 1023
# Taylor series about 0: at |r| <= ln(2)/2 the first term left out, r^14/14!, is 4e-18.
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / factorial(k) for k in range(2, 14))


def log_softmax(logits: Array) -> tuple[Array, Array]:
    """Log-probabilities and probabilities over the last axis, the shape of ``logits`` each.

    Relative accuracy holds for a peaked policy's top arm too, as in ``qae_theory.softmax``.

    >>> log_softmax(np.array([0.0, 0.0]))[1].tolist()
    [0.5, 0.5]
    """
    rows = _rows(logits)
    log_probs, probs = np.empty_like(rows), np.empty_like(rows)
    _log_softmax(rows, log_probs, probs)
    return log_probs.reshape(logits.shape), probs.reshape(logits.shape)


def sample(probs: Array, uniforms: Array) -> Array:
    """Inverse-CDF draws, ``[..., R]`` and ``[..., G]`` in [0, 1) to indices ``[..., G]``.

    Raises:
        ValueError: their leading axes differ.

    >>> sample(np.array([0.25, 0.0, 0.75]), np.array([0.2, 0.3, 0.9])).tolist()
    [0, 2, 2]
    """
    if probs.shape[:-1] != uniforms.shape[:-1]:
        checks.refuse("uniforms", uniforms, f"of shape {(*probs.shape[:-1], 'G')}")
    draws = _rows(uniforms)
    out = np.empty(draws.shape, dtype=np.int64)
    _sample(_rows(probs), draws, out)
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
    r"""On-policy SGD step of every query on one sampled group, :math:`z + \frac\eta G\sum_i A_i(e_{y_i} - \pi)`.

    Softmax, draws, the number m of right ones, its advantages, and the step, in one pass over the logits.

    Args:
        logits: ``[rows, arms]``.
        arm_rewards: ``[rows, arms]``, 0 or 1.
        correct_advantage: ``[G + 1]``, of a right response in a group with m right ones.
        wrong_advantage: ``[G + 1]``, of a wrong one.
        uniforms: ``[rows, G]`` in [0, 1).
        step_size: eta.
        out: C-contiguous ``[rows, arms]`` for the result; may be ``logits`` itself.

    Returns:
        New logits ``[rows, arms]``.

    Source: this suite; tables from ``qae_theory.group_expectation.outcome_advantages``.
    """
    z = np.ascontiguousarray(logits, dtype=np.float64)
    moved = np.empty_like(z) if out is None else out
    per_response = step_size / uniforms.shape[1]
    _group_update(
        z,
        np.ascontiguousarray(arm_rewards, dtype=np.float64),
        correct_advantage * per_response,
        wrong_advantage * per_response,
        np.ascontiguousarray(uniforms),
        moved,
    )
    return moved


def _rows(values: Array) -> Array:
    """C-contiguous float64 ``[rows, last axis]``; spelt out, as -1 does not stand beside an empty axis."""
    lead = int(np.prod(values.shape[:-1], dtype=np.int64))
    return np.ascontiguousarray(values, dtype=np.float64).reshape(lead, values.shape[-1])


@numba.njit(cache=True, error_model="numpy")
def _exp(gap: float) -> Any:
    """exp of a gap <= 0 within 1 ulp, 0 below -708, NaN for NaN; free of branches, so that loops over it vectorise.

    Cody and Waite's reduction: gap = k ln 2 + r.
    """
    x = LOWEST if gap < LOWEST else gap
    biased = x * PER_LN2 + ROUND_AND_BIAS
    k = biased - ROUND_AND_BIAS
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    high = C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13))))
    tail = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + r * high)))))
    scale = np.int64(np.float64(biased).view(np.int64) << 52).view(np.float64)
    value = (1.0 + (r + r * r * tail)) * scale
    return 0.0 if gap < LOWEST else value


@numba.njit(cache=True)
def _top(z: Any) -> Any:
    """Largest entry, by four running maxima."""
    n = len(z)
    a = b = c = d = z[0]
    for j in range(0, n - 3, 4):
        a = z[j] if z[j] > a else a
        b = z[j + 1] if z[j + 1] > b else b
        c = z[j + 2] if z[j + 2] > c else c
        d = z[j + 3] if z[j + 3] > d else d
    for j in range(n - n % 4, n):
        a = z[j] if z[j] > a else a
    return max(max(a, b), max(c, d))


@numba.njit(cache=True)
def _weights(z: Any, top: float, out: Any) -> None:
    for j in range(len(z)):
        out[j] = _exp(z[j] - top)


@numba.njit(cache=True)
def _cumulate(weights: Any, out: Any) -> Any:
    total = 0.0
    for j in range(len(weights)):
        total += weights[j]
        out[j] = total
    return total


@numba.njit(cache=True)
def _place(cumulative: Any, target: float) -> Any:
    """How many of all entries but the last are <= target: halved down to a window, then counted."""
    start, length = 0, len(cumulative) - 1
    while length > WINDOW:
        half = length // 2
        start += half * int(cumulative[start + half - 1] <= target)
        length -= half
    window = cumulative[start : start + length]
    below = 0
    for j in range(length):
        below += int(window[j] <= target)
    return start + below


@numba.njit(parallel=True, cache=True)
def _log_softmax(logits: Any, log_probs: Any, probs: Any) -> None:
    rows, n = logits.shape
    for block in numba.prange((rows + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            z = logits[i]
            top = _top(z)
            _weights(z, top, probs[i])
            first = 0
            while first < n - 1 and z[first] != top:
                first += 1
            others = 0.0
            for j in range(first):
                others += probs[i, j]
            for j in range(first + 1, n):
                others += probs[i, j]
            # log1p keeps the top arm's own log-probability where the others' sum is far below 1e-16.
            log_mass, mass = np.log1p(others), 1.0 + others
            for j in range(n):
                gap = z[j] - top
                log_probs[i, j] = (LARGEST_GAP if gap < LARGEST_GAP else gap) - log_mass
                probs[i, j] /= mass


@numba.njit(parallel=True, cache=True)
def _sample(probs: Any, draws: Any, out: Any) -> None:
    rows, arms = probs.shape
    for block in numba.prange((rows + BLOCK - 1) // BLOCK):
        cumulative = np.empty(arms)
        for i in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            # Scaled by the total, so that rounding of the sum can never leave the last arm out of reach.
            total = _cumulate(probs[i], cumulative)
            for g in range(draws.shape[1]):
                out[i, g] = _place(cumulative, draws[i, g] * total)


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


@numba.njit(parallel=True, cache=True)
def _group_update(logits: Any, arm_rewards: Any, correct_step: Any, wrong_step: Any, uniforms: Any, out: Any) -> None:
    rows, arms = logits.shape
    group = uniforms.shape[1]
    for block in numba.prange((rows + BLOCK - 1) // BLOCK):
        weights, cumulative, drawn = np.empty(arms), np.empty(arms), np.empty(group, np.int64)
        for i in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            _weights(logits[i], _top(logits[i]), weights)
            total = _cumulate(weights, cumulative)
            right = 0
            for g in range(group):
                drawn[g] = _place(cumulative, uniforms[i, g] * total)
                right += int(arm_rewards[i, drawn[g]])
            correct, wrong = correct_step[right], wrong_step[right]
            pull = (right * correct + (group - right) * wrong) / total
            for j in range(arms):
                out[i, j] = logits[i, j] - pull * weights[j]
            for g in range(group):
                out[i, drawn[g]] += correct if arm_rewards[i, drawn[g]] > 0 else wrong
