"""The group objective and its masked, re-weighted form (Prop. 4.1), with the mask variants of Eqs. 7 and 8.

Per response and clipped as in PPO; how responses of unequal length are averaged is not here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import checks
from qae_theory.arrays import Array, is_exact, sqrt
from qae_theory.baselines import DEFAULT_K, group_mean, quantile


class QueryWeights(NamedTuple):
    """Weight of the correct side and of the wrong side of a group's objective, ``[...]`` each."""

    positive: Array
    negative: Array


def clipped_surrogate(ratios: Any, advantages: Any, *, clip_low: Any = 0.2, clip_high: Any = 0.28) -> Array:
    r"""Return PPO's clipped :math:`f(x, A) = \min(xA, \mathrm{clip}(x, 1-\varepsilon_{low}, 1+\varepsilon_{high})A)`.

    Args:
        ratios: importance ratios, positive, ``[...]``.
        advantages: ``[...]``.
        clip_low: in [0, 1).
        clip_high: >= 0; ``inf`` is no bound.

    Returns:
        ``[...]``.

    Raises:
        ValueError: naming the argument.

    Source: arXiv 2503.14476 (clip-higher).

    >>> clipped_surrogate([1.5, 0.5], [1.0, -1.0]).tolist()
    [1.28, -0.8]
    """
    x, low, high = _checked_ratios(ratios, clip_low, clip_high)
    a = arguments.like(arguments.numbers("advantages", advantages), x)
    arguments.same_batch("advantages", a, x, "ratios")
    return clipped_terms(x, a, low, high)


def clipped_terms(ratios: Array, advantages: Array, low: Any, high: Any) -> Array:
    r"""Return PPO's clipped term :math:`\min(xA, \mathrm{clip}(x, 1-\varepsilon_{low}, 1+\varepsilon_{high})A)`.

    Args:
        ratios: x, ``[...]``, checked.
        advantages: A, ``[...]``, checked.
        low: lower clip range.
        high: upper clip range; infinity is no bound.

    Returns:
        ``[...]``.

    Source: arXiv 1707.06347, Eq. 7, with DAPO's two ranges.
    """
    return np.minimum(ratios * advantages, np.minimum(np.maximum(ratios, 1 - low), 1 + high) * advantages)


def group_objective(ratios: Any, advantages: Any, *, clip_low: Any = 0.2, clip_high: Any = 0.28) -> Array:
    r"""Return the left side of Prop. 4.1, :math:`\frac1G\sum_i f(x_i, A_i)`.

    Args:
        ratios: ``[..., G]``, positive.
        advantages: ``[..., G]``.
        clip_low: in [0, 1).
        clip_high: >= 0.

    Returns:
        ``[...]``.

    Raises:
        ValueError: naming the argument.

    >>> float(group_objective([1.0, 1.0], [1.0, -1.0]))
    0.0
    """
    terms = clipped_surrogate(ratios, advantages, clip_low=clip_low, clip_high=clip_high)
    if terms.ndim < 1 or terms.shape[-1] < 1:
        checks.refuse("ratios", ratios, "an array [..., G], G >= 1")
    return np.asarray(terms.sum(axis=-1)) / arguments.exact_count(terms.shape[-1], terms)


def query_weights(rewards: Any, rule: str, *, k: Any = DEFAULT_K) -> QueryWeights:
    r"""Return the weights of :math:`E_{\pi^+}[s^+]` and of :math:`-E_{\pi^-}[s^-]` in a group's objective.

    At eps = 0, with the population std, :math:`u = \sqrt{p/(1-p)}`, :math:`v = \sqrt{(1-p)/p}` and p the group's
    success rate: ``grpo`` :math:`\sqrt{p(1-p)}` on both; ``qae`` u on hard groups, v on easy ones; ``pos_mask`` u on
    hard ones, v always; ``neg_mask`` u always, v on easy ones. A degenerate group weighs nothing.

    Args:
        rewards: ``[..., G]``, 0 or 1.
        rule: ``grpo``, ``qae``, ``pos_mask`` or ``neg_mask``.
        k: quantile level (unused by ``grpo``).

    Returns:
        ``(positive, negative)``, each ``[...]``.

    Raises:
        ValueError: naming the argument.

    Source: arXiv 2509.22611, Prop. 4.1, Eqs. 7 and 8; 2505.12366 for GRPO.

    >>> [round(float(w), 4) for w in query_weights([1, 0, 0, 0], "qae")]
    [0.5774, 0.0]
    """
    return _weights(_binary_rewards(rewards), rule, checks.quantile_level(k))


def _binary_rewards(rewards: Any) -> Array:
    values, _ = arguments.rewards(rewards)
    arguments.binary("rewards", values)
    return values


def _weights(values: Array, rule: str, level: Fraction) -> QueryWeights:
    """Return the weights of :func:`query_weights` for checked rewards 0 and 1, ``[..., G]``."""
    p = group_mean(values, None)
    degenerate = (p == 0) | (p == 1)
    half = np.asarray(Fraction(1, 2) if is_exact(p) else 0.5)
    p = np.where(degenerate, half, p)  # any value inside (0, 1): a degenerate group weighs nothing
    u, v, both = sqrt(p / (1 - p)), sqrt((1 - p) / p), sqrt(p * (1 - p))
    hard = quantile(values, None, level) == 0
    weights = {
        "grpo": (both, both),
        "qae": (np.where(hard, u, 0), np.where(hard, 0, v)),
        "pos_mask": (np.where(hard, u, 0), v),
        "neg_mask": (u, np.where(hard, 0, v)),
    }
    if not isinstance(rule, str) or rule not in weights:
        checks.refuse("rule", rule, f"one of {', '.join(weights)}")
    return QueryWeights(*(np.where(degenerate, 0, side) for side in weights[rule]))


def masked_objective(
    ratios: Any, rewards: Any, rule: str, *, k: Any = DEFAULT_K, clip_low: Any = 0.2, clip_high: Any = 0.28
) -> Array:
    r"""Return the right side of Prop. 4.1, the masked and re-weighted form.

    :math:`w_+E_{\pi^+}[\min(x, 1+\varepsilon_{high})] - w_-E_{\pi^-}[\max(x, 1-\varepsilon_{low})]`, weights from
    :func:`query_weights`.

    Args:
        ratios: ``[..., G]``, positive.
        rewards: ``[..., G]``, 0 or 1.
        rule: as in :func:`query_weights`.
        k: quantile level.
        clip_low: in [0, 1).
        clip_high: >= 0.

    Returns:
        ``[...]``.

    Raises:
        ValueError: naming the argument.

    Source: arXiv 2509.22611, Prop. 4.1, Eqs. 7 and 8.

    >>> round(float(masked_objective([1.0, 1.0, 1.0, 1.0], [1, 0, 0, 0], "qae")), 4)
    0.5774
    """
    x, low, high = _checked_ratios(ratios, clip_low, clip_high)
    values = _binary_rewards(rewards)
    weights = _weights(values, rule, checks.quantile_level(k))
    arguments.same_batch("rewards", values, x, "ratios")
    return masked_mean(x, values, weights, low, high)


def masked_mean(ratios: Array, rewards: Array, weights: QueryWeights, low: Any, high: Any) -> Array:
    """Return the masked and re-weighted objective of Prop. 4.1 for checked arguments.

    Args:
        ratios: x, ``[..., G]``.
        rewards: 0 or 1, ``[..., G]``.
        weights: of right and of wrong responses, ``[...]`` each.
        low: lower clip range.
        high: upper clip range.

    Returns:
        ``[...]``.

    Source: arXiv 2509.22611, Prop. 4.1.
    """
    right = _mean_over(np.minimum(ratios, 1 + high), rewards)
    wrong = _mean_over(np.maximum(ratios, 1 - low), 1 - rewards)
    return weights.positive * right - weights.negative * wrong


def _mean_over(terms: Array, members: Array) -> Array:
    """Return the mean of ``terms`` over the members (1) of each group; 0 where there is none."""
    count = np.asarray(members.sum(axis=-1))
    return np.asarray((terms * members).sum(axis=-1)) / np.where(count == 0, 1, count)


def _checked_ratios(ratios: Any, clip_low: Any, clip_high: Any) -> tuple[Array, Any, Any]:
    x = arguments.numbers("ratios", ratios)
    if not np.all(x > 0):
        checks.refuse("ratios", ratios, "positive")
    return x, checks.clip_low(clip_low), checks.clip_high(clip_high)
