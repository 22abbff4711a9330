"""Run the loops behind ``simulators.tabular.kernels``, compiled by Numba: they fill the arrays given and check nothing.

Leading axes are flattened to one batch of independent policies. No sum is reordered and no product is fused into a sum,
so that results do not depend on the processor's vector width, and none depends on how the batch is cut into blocks.
"""

from __future__ import annotations

from math import factorial, log
from typing import Any

import numba
import numpy as np

# A thread takes this many policies at a time and reuses its scratch arrays among them: enough to make the cost of
# handing out work small, and few enough to keep all cores busy on small batches.
BLOCK = 32
# Below this gap exp is taken to be 0. The last normal (not denormal) value of exp in float64 is exp(-708.4).
LOWEST = -708.0
# A gap that overflows float64 means a probability of zero. As in qae_theory.softmax it is cut here to a finite number,
# so that 0 * log 0 comes out as 0 and not as NaN.
LARGEST_GAP = -1e308
# The binary search stops at this many cumulative weights; they are then compared all at once, which vector
# instructions do faster than further branches.
WINDOW = 64

# ln 2 is split in two parts. The first has enough trailing zero bits for k * LN2_HIGH to be exact, so that the
# reduced argument loses no digits (fdlibm's e_exp.c).
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
PER_LN2 = 1 / log(2)
# Adding 1.5 * 2^52 rounds a number to an integer and leaves that integer in the lowest bits of the result; 1023 is the
# bias of a float64 exponent.
ROUND_AND_BIAS = 1.5 * 2.0**52 + 1023
# Coefficients of the Taylor series of exp about 0. At |r| <= ln(2)/2 the first term left out, r^14/14!, is 4e-18 and so
# below half a unit in the last place of a result near 1.
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / factorial(k) for k in range(2, 14))


@numba.njit(cache=True, error_model="numpy")
def exp(gap: float) -> Any:
    """Return exp of a gap <= 0 within one unit in the last place, 0 below -708, and NaN for NaN.

    The argument is reduced as Cody and Waite do, gap = k ln 2 + r with |r| <= ln(2)/2. There is no branch, so that
    loops over this function vectorise.
    """
    x = LOWEST if gap < LOWEST else gap
    biased = x * PER_LN2 + ROUND_AND_BIAS
    k = biased - ROUND_AND_BIAS
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Horner's rule for the terms from r^2 on; 1 + r is added last, so that little is lost of its digits.
    high = C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13))))
    tail = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + r * high)))))
    # The biased exponent k + 1023, shifted to where float64 keeps it, is the number 2^k.
    scale = np.int64(np.float64(biased).view(np.int64) << 52).view(np.float64)
    value = (1.0 + (r + r * r * tail)) * scale
    return 0.0 if gap < LOWEST else value


@numba.njit(cache=True)
def largest(z: Any) -> Any:
    """Return the largest entry. Four running maxima are kept, so that no comparison waits for the one before it."""
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
def weigh(z: Any, top: float, out: Any) -> None:
    """Write exp(z - top) into ``out``: the softmax before it is divided by its sum."""
    for j in range(len(z)):
        out[j] = exp(z[j] - top)


@numba.njit(cache=True)
def cumulate(weights: Any, out: Any) -> Any:
    """Write the running sums of the weights into ``out`` and return the total, added up from left to right."""
    total = 0.0
    for j in range(len(weights)):
        total += weights[j]
        out[j] = total
    return total


@numba.njit(cache=True)
def count_at_most(cumulative: Any, target: float) -> Any:
    """Return how many entries, the last one left out, are at most the target.

    This is the index that inverse-CDF sampling draws. The ascending array is halved down to a window, whose entries are
    then all compared.
    """
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
def log_softmax(logits: Any, log_probs: Any, probs: Any) -> None:
    """Fill log-probabilities and probabilities of each policy.

    Args:
        logits: ``[batch, n]``.
        log_probs: filled, ``[batch, n]`` in nats.
        probs: filled, ``[batch, n]``.
    """
    batch, n = logits.shape
    for block in numba.prange((batch + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(batch, (block + 1) * BLOCK)):
            z = logits[i]
            top = largest(z)
            weigh(z, top, probs[i])
            # The largest entry's weight is exactly 1 and stays out of the sum, so that the sum of all the others keeps
            # its own relative accuracy.
            first = 0
            while first < n - 1 and z[first] != top:
                first += 1
            others = 0.0
            for j in range(first):
                others += probs[i, j]
            for j in range(first + 1, n):
                others += probs[i, j]
            # log1p keeps the largest entry's own log-probability where the sum of the others is far below 1e-16.
            log_mass, mass = np.log1p(others), 1.0 + others
            for j in range(n):
                gap = z[j] - top
                log_probs[i, j] = (LARGEST_GAP if gap < LARGEST_GAP else gap) - log_mass
                probs[i, j] /= mass


@numba.njit(parallel=True, cache=True)
def sample(probs: Any, draws: Any, out: Any) -> None:
    """Fill the indices that the uniform numbers draw from each distribution.

    Args:
        probs: ``[batch, R]``, which need not sum to 1.
        draws: uniform numbers, ``[batch, G]`` in [0, 1).
        out: filled with indices, ``[batch, G]``.
    """
    batch, arms = probs.shape
    for block in numba.prange((batch + BLOCK - 1) // BLOCK):
        cumulative = np.empty(arms)
        for i in range(block * BLOCK, min(batch, (block + 1) * BLOCK)):
            # The uniform number is scaled by the total, so that rounding of the sum never puts an arm out of reach.
            total = cumulate(probs[i], cumulative)
            for g in range(draws.shape[1]):
                out[i, g] = count_at_most(cumulative, draws[i, g] * total)


@numba.njit(parallel=True, cache=True)
def push(coefficients: Any, responses: Any, cells: Any, probs: Any, actions: int, out: Any) -> None:
    """Add the direction of ``kernels.push`` to ``out``.

    Args:
        coefficients: ``[batch, G, T]``.
        responses: ``[batch, G]``.
        cells: ``[R, T]``; -1 after the end of a response.
        probs: ``[batch, N * A]``.
        actions: A.
        out: ``[batch, N * A]``, zeros when called.
    """
    batch, group, tokens = coefficients.shape
    nodes = out.shape[1] // actions
    for i in numba.prange(batch):
        # The coefficients of a node are summed first, so that its probabilities are subtracted once, not once for each
        # token.
        totals = np.zeros(nodes)
        for g in range(group):
            for t in range(tokens):
                cell = cells[responses[i, g], t]
                # A negative cell marks the end of a response; nothing follows it.
                if cell < 0:
                    break
                out[i, cell] += coefficients[i, g, t]
                totals[cell // actions] += coefficients[i, g, t]
        for cell in range(nodes * actions):
            out[i, cell] -= totals[cell // actions] * probs[i, cell]


@numba.njit(parallel=True, cache=True)
def group_update(logits: Any, arm_rewards: Any, correct_step: Any, wrong_step: Any, uniforms: Any, out: Any) -> None:
    """Fill ``out`` with the logits of ``kernels.group_update``.

    Args:
        logits: ``[batch, n]``.
        arm_rewards: ``[batch, n]``, 0 or 1.
        correct_step: ``[G + 1]``, step size times the advantage of a correct response over G.
        wrong_step: ``[G + 1]``, the same for a wrong response.
        uniforms: ``[batch, G]`` in [0, 1).
        out: filled, ``[batch, n]``; it may be ``logits``.
    """
    batch, arms = logits.shape
    group = uniforms.shape[1]
    for block in numba.prange((batch + BLOCK - 1) // BLOCK):
        weights, cumulative, drawn = np.empty(arms), np.empty(arms), np.empty(group, np.int64)
        for i in range(block * BLOCK, min(batch, (block + 1) * BLOCK)):
            weigh(logits[i], largest(logits[i]), weights)
            total = cumulate(weights, cumulative)
            correct_count = 0
            for g in range(group):
                drawn[g] = count_at_most(cumulative, uniforms[i, g] * total)
                correct_count += int(arm_rewards[i, drawn[g]])
            correct, wrong = correct_step[correct_count], wrong_step[correct_count]
            # All G terms share -pi, whose factor is the sum of their advantages; the weights still lack their division
            # by ``total``.
            pull = (correct_count * correct + (group - correct_count) * wrong) / total
            for j in range(arms):
                out[i, j] = logits[i, j] - pull * weights[j]
            for g in range(group):
                out[i, drawn[g]] += correct if arm_rewards[i, drawn[g]] > 0 else wrong
