"""The softmax policy of one query: probabilities, entropy, self-covariance and the derivatives of entropy.

Everything is in nats and stable for logit gaps of any finite size. How an update moves the entropy is in
``entropy_change``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array, exp, is_exact, log
from qae_theory.numerics import kernels
from qae_theory.numerics.kernels import centred as centred
from qae_theory.numerics.kernels import expectation as expectation


def probabilities(logits: Any) -> Array:
    r"""Softmax policy :math:`\pi_i = e^{z_i}/\sum_j e^{z_j}`.

    Args:
        logits: ``[..., n]``, finite.

    Returns:
        ``[..., n]``.

    Raises:
        ValueError: naming ``logits``.

    >>> probabilities([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return exp(log_softmax(checks.logits(logits)))


def entropy(logits: Any) -> Array:
    r"""Entropy :math:`H(\pi) = -\sum_i \pi_i \log \pi_i` of the softmax policy, in nats.

    Args:
        logits: ``[..., n]``, finite.

    Returns:
        ``[...]``, in [0, log n]; relative accuracy holds for peaked policies too.

    Raises:
        ValueError: naming ``logits``.

    >>> round(float(entropy([0.0, 0.0])), 6)
    0.693147
    """
    log_probs = log_softmax(checks.logits(logits))
    return -expectation(exp(log_probs), log_probs)


def self_covariance(logits: Any) -> Array:
    r"""Self-covariance :math:`C(\pi) = \mathrm{Cov}_\pi(\log\pi, \pi) \ge 0`, zero only for the uniform policy.

    It is the slope in the baseline of the paper's first-order entropy change (Sec. 4.3). In float64 it is summed as
    :math:`e^c\pi_{top}\sum_i\pi_i s_i(e^{s_i} - 1)` with :math:`s_i = z_i - z_{top} - c`, c the mean gap: no term is
    negative, and the relative error is at most 2e-13 near uniform and near one-hot, for n up to 151,936.

    Args:
        logits: ``[..., n]``, finite.

    Returns:
        ``[...]``, never below 0.

    Raises:
        ValueError: naming ``logits``.

    >>> round(float(self_covariance([0.0, 1.0])), 6)
    0.090858
    >>> bool(self_covariance([0.0, 1e-9]) > 0), float(self_covariance([0.1, 0.1, 0.1]))
    (True, 0.0)
    """
    z = checks.logits(logits)
    log_probs = log_softmax(z)
    probs = exp(log_probs)
    if is_exact(z):
        return covariance(probs, log_probs, probs)
    gaps = kernels.gaps_below_top(z)
    mean_gap = expectation(probs, gaps)
    above = gaps - mean_gap[..., None]
    # Cov(g, e^g) = E[(g - c)(e^g - e^c)] for the mean c of g: both factors have the same sign.
    top = np.exp(mean_gap - np.log1p(kernels.mass_of_others(gaps)))
    return np.asarray(top * expectation(probs, above * np.expm1(above)))


def entropy_gradient(logits: Any) -> Array:
    r"""Gradient of the entropy in the logits, :math:`\partial H/\partial z_i = -\pi_i(\log\pi_i + H)`, ``[..., n]``.

    Args:
        logits: ``[..., n]``, finite.

    Returns:
        ``[..., n]``.

    Raises:
        ValueError: naming ``logits``.

    >>> entropy_gradient([0.0, 0.0]).tolist()
    [-0.0, -0.0]
    """
    z = checks.logits(logits)
    probs = exp(log_softmax(z))
    return -probs * surprise(probs, z)


def log_softmax(logits: Array) -> Array:
    r"""Return log-probabilities :math:`z_i - \log\sum_je^{z_j}` of checked logits.

    Args:
        logits: ``[..., n]``, float64 or exact objects, which are left in their own arithmetic.

    Returns:
        ``[..., n]``, in nats; each in float64 with the relative accuracy of :func:`entropy`.
    """
    if is_exact(logits):
        return logits - log(exp(logits).sum(axis=-1, keepdims=True))
    return kernels.log_softmax(logits)


def surprise(probs: Array, logits: Array) -> Array:
    r"""Return centred log-probabilities :math:`\log\pi - E_\pi\log\pi` of checked logits.

    Args:
        probs: :math:`\pi`, the probabilities of ``logits``, ``[..., n]``.
        logits: ``[..., n]``, float64 or exact objects.

    Returns:
        ``[..., n]``, in nats; finite in float64 also where an arm's probability rounds to 0.
    """
    return centred(probs, log_softmax(logits)) if is_exact(logits) else kernels.surprise(probs, logits)


def covariance(probs: Array, x: Array, y: Array) -> Array:
    r"""Return :math:`\mathrm{Cov}_\pi(x, y) = E_\pi[(x - E_\pi x)(y - E_\pi y)]` over the last axis.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        x: a value for each arm, ``[..., n]``.
        y: another, ``[..., n]``.

    Returns:
        ``[...]``, in the product of the units of ``x`` and ``y``.
    """
    return expectation(probs, centred(probs, x) * centred(probs, y))
