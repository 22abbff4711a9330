"""DisCO: correct responses against wrong ones at equal weight, the likeliest wrong ones first, under a bound on KL."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import (
    NO_CLIP,
    Method,
    TokenBatch,
    finite_number,
    number_or_inf,
    register_method,
)
from simulators.tabular import kernels

SOURCE = "arXiv 2505.12366 (DisCO) and its released code (Optimization-AI/DisCO)"
TAU, BETA, DELTA = 10.0, 1e3, 1e-4  # as released for the score logL


def disco(score: Any = "logL", tau: Any = TAU, beta: Any = BETA, delta: Any = DELTA) -> Method:
    r"""Return the rule that ascends :math:`E_+[s] - \tau\log E_-[e^{s/\tau}]`, less a penalty on KL beyond delta.

    s is the mean of :math:`\log\pi` over a response's tokens (``logL``) or of the importance ratio (``Lratio``). In
    units of an advantage a correct response has :math:`G/n_+` and a wrong one :math:`-G\,q_j`, where q is the softmax
    of :math:`s_j/\tau` over the group's wrong responses, taken as given. The advantages of a group therefore sum to 0.
    The penalty's gradient is :math:`-\beta[KL - \delta]_+\nabla KL`, with KL the token mean of
    :math:`x - 1 - \log x` over the mini-batch and x the ratio to the policy that sampled: half of that of
    :math:`\beta[KL - \delta]_+^2`, as released. It is 0 on-policy.

    tau = inf weighs all wrong responses alike, and with beta = 0 the rule depends on rewards alone. With the score
    ``Lratio`` it is then GRPO (population std, eps = 0, no clip) divided by :math:`\sqrt{\hat p(1 - \hat p)}`, group by
    group, and twice GRPO where half of a group is correct. The score's mean over tokens needs the update's aggregation
    ``sequence_mean``, unless responses are equally long.

    Args:
        score: ``logL`` or ``Lratio``.
        tau: > 0, or inf; released are 10 for logL and 1 for Lratio.
        beta: weight of the penalty, finite and >= 0.
        delta: KL that is free, finite and >= 0.

    Returns:
        The method, for rewards of 0 and 1; it has no clip range.

    Raises:
        ValueError: an option is out of its range, or, when the rule is called, a reward is neither 0 nor 1.

    Source: arXiv 2505.12366, Sec. 4; released code.

    >>> disco().advantages([1, 0, 0, 0]).round(4).tolist()
    [4.0, -1.3333, -1.3333, -1.3333]
    """
    kind = checks.choice("score", score, ("logL", "Lratio"))
    temperature = number_or_inf("tau", tau, least=0.0, strict=True)
    weight, free = finite_number("beta", beta, least=0.0), finite_number("delta", delta, least=0.0)

    def weights(batch: TokenBatch) -> Array:
        """Return how much more than its equals a wrong response counts; 1 for the others, ``[..., Q, G, T]``."""
        shares = negative_shares(_scores(batch, kind), batch.advantages[..., 0] < 0, temperature)
        return np.broadcast_to(shares[..., None], batch.mask.shape)

    def direction(batch: TokenBatch, _weights: Array) -> Array:
        """Return the penalty's ascent direction on the logits, ``[..., Q, N, A]``."""
        assert batch.context is not None  # the engine gives it and the policy
        assert batch.policy is not None
        coefficients = -weight * kl_pull(batch, free)
        return kernels.push(
            coefficients, batch.context.responses, cells=batch.context.tree.cells, probs=batch.policy.probs
        )

    return Method(
        name="disco",
        source=SOURCE,
        advantages=balanced_advantages,
        token_weights=None if temperature == inf else weights,
        ratio="none" if kind == "logL" else "token",
        clip_low=NO_CLIP,
        clip_high=NO_CLIP,
        binary_only=True,
        direction=direction if weight > 0 else None,
    )


def balanced_advantages(rewards: Any) -> Array:
    """Return G/n+ for correct responses and -G/n- for wrong ones, ``[..., G]``; 0 in a degenerate group.

    Raises:
        ValueError: a reward is neither 0 nor 1.
    """
    checked, _ = checks.rewards(rewards)
    checks.binary("rewards", checked)
    size = checked.shape[-1]
    right = checked.sum(axis=-1, keepdims=True)
    # A degenerate group divides by 1 instead of 0 and is set to 0 afterwards.
    mixed = (right > 0) & (right < size)
    values = np.where(checked == 1, size / np.maximum(right, 1), -size / np.maximum(size - right, 1))
    return np.where(mixed, values, 0.0)


def negative_shares(scores: Array, wrong: Array, tau: float) -> Array:
    """Return n- times the softmax of scores over tau among the wrong responses of a group, and 1 for the others.

    Args:
        scores: s, ``[..., G]``.
        wrong: which responses are wrong, of the same shape.
        tau: temperature.
    """
    exponents = np.where(wrong, scores / tau, -np.inf)
    largest = exponents.max(axis=-1, keepdims=True)
    # A group without a wrong response has no largest exponent.
    masses = np.exp(exponents - np.where(largest > -np.inf, largest, 0.0))
    total = masses.sum(axis=-1, keepdims=True)
    shares = wrong.sum(axis=-1, keepdims=True) * masses / np.where(total > 0, total, 1.0)
    return np.where(wrong, shares, 1.0)


def kl_pull(batch: TokenBatch, delta: float) -> Array:
    r"""Return the gradient of :math:`[KL - \delta]_+^2/2` in each token's log-probability, ``[..., Q, G, T]``.

    KL is a mean over tokens. The gradient is multiplied with the number of queries, as all of an update's terms are.

    Args:
        batch: the sampled tokens.
        delta: KL that is free.
    """
    log_ratio = np.where(batch.mask, batch.log_probs - batch.old_log_probs, 0.0)
    excess_ratio = np.expm1(log_ratio)
    tokens = np.maximum(batch.mask.sum(axis=(-3, -2, -1), keepdims=True), 1)
    queries = batch.mask.any(axis=(-2, -1), keepdims=True).sum(axis=-3, keepdims=True)
    kl = (excess_ratio - log_ratio).sum(axis=(-3, -2, -1), keepdims=True) / tokens
    return np.asarray(np.maximum(kl - delta, 0.0) * excess_ratio * queries / tokens)


def _scores(batch: TokenBatch, score: str) -> Array:
    """Return the score of each response, a mean over its tokens, ``[..., Q, G]``."""
    values = batch.log_probs if score == "logL" else np.exp(batch.log_probs - batch.old_log_probs)
    count = np.maximum(batch.mask.sum(axis=-1), 1)
    return np.asarray(np.where(batch.mask, values, 0.0).sum(axis=-1) / count)


def register() -> None:
    """Register the rule under its name."""
    register_method("disco", disco, source=SOURCE, score="logL", tau=TAU, beta=BETA, delta=DELTA)
