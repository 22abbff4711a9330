"""Compute exactly how many groups QAE's gate sends to the wrong regime because the verifier errs.

A group's right regime is that of its true number m of correct responses, hard iff m <= (1 - K) G. The gate sees the
verdicts instead. With error rates rho0 (accepts wrong) and rho1 (rejects right), J = 1 - rho0 - rho1, a success rate p
becomes rho0 + J p, so that the corrected threshold is rho0 + J (1 - K): the level that the rule `qae_noisy` has.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.stats import binom

from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group
from simulators.verifier import VerifierNoise


def accepted_given_correct(group_size: int, noise: VerifierNoise) -> Array:
    """Return the distribution of the number of accepted responses, ``[m, accepted]`` for m correct ones of the group.

    Args:
        group_size: G.
        noise: the error rates, and how often one draw decides for the whole group.

    Returns:
        ``[G + 1, G + 1]``; each row sums to 1.
    """
    low, high = sorted((noise.false_positive, noise.false_negative))
    table = np.zeros((group_size + 1, group_size + 1))
    for m in range(group_size + 1):
        right = binom.pmf(np.arange(m + 1), m, 1 - noise.false_negative)
        wrong = binom.pmf(np.arange(group_size - m + 1), group_size - m, noise.false_positive)
        own = np.convolve(right, wrong)
        together = np.zeros(group_size + 1)
        # One uniform number u for the group: both kinds flip below the smaller rate, one kind between the rates.
        together[group_size - m] += low
        only_wrong_flip = noise.false_positive > noise.false_negative
        together[group_size if only_wrong_flip else 0] += high - low
        together[m] += 1 - high
        table[m] = (1 - noise.shared) * own + noise.shared * together
    return table


def misrouted(success: Array, group_size: int, noise: VerifierNoise, *, k: Fraction, seen: Fraction) -> Array:
    """Return the probability that the gate puts a query's group on the wrong side, ``[...]``.

    Args:
        success: p of the query, ``[...]``.
        group_size: G.
        noise: of the verifier.
        k: the level that says what is right.
        seen: the level at which the gate works on verdicts: ``k`` itself, or the corrected one.
    """
    counts = np.arange(group_size + 1)
    truly_hard = is_hard_group(counts, group_size, k)
    taken_for_hard = is_hard_group(counts, group_size, seen)
    table = accepted_given_correct(group_size, noise)
    wrong_side = (table * (truly_hard[:, None] != taken_for_hard[None, :])).sum(axis=1)
    chance = binom.pmf(counts, group_size, np.asarray(success, dtype=np.float64)[..., None])
    return np.asarray((chance * wrong_side).sum(axis=-1))


def wrong_share(group_size: int, noise: VerifierNoise, *, k: Fraction, seen: Fraction, queries: int = 400) -> float:
    """Return the share of misrouted groups over queries whose success is uniform on (0, 1).

    The mean over the midpoints of ``queries`` equal bins has an error below 1e-4 at 400 of them, since the probability
    is a polynomial of degree G in p.
    """
    p = (np.arange(queries) + 0.5) / queries
    return float(misrouted(p, group_size, noise, k=k, seen=seen).mean())
