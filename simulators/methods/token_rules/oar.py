"""OAR: tokens count by how much the outcome depends on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.methods.token_rules import tokens
from simulators.tabular.policy import sampled_token_values
from simulators.tabular.values import action_values

SOURCE = "released code of arXiv 2601.07408 (XINGYUN-AI-LAB/XINGYUN_LAB, OAR/main.py)"
LEVEL, BETA, FLOOR = 0.25, 1.0, 0.1  # the released quantile, strength of the boost and least weight
TINY = 1e-8  # the released guard of three denominators


def oar(level: Any = LEVEL, beta: Any = BETA, mean_one: Any = False, **options: Any) -> Method:
    r"""Return GRPO's advantage with a weight for each token that grows with the outcome's sensitivity to it.

    The sensitivity x of token t is exact here: :math:`x_t = |Q(n_t, a_t) - V(n_t)|`, how much the expected reward
    changes when the token is fixed instead of drawn. The released code estimates it by masking the token or by a
    gradient. Within a response :math:`v = \log(1 + x)`, scaled to [0, 1] by its least and largest value, and theta is
    the quantile of v at ``level``, interpolated. The weight is :math:`\max(v/\theta, 0.1)` below theta and
    :math:`1 + \beta(v - \theta)/(1 - \theta)` from theta on.

    Where all tokens of a response are equally important, as in a bandit, every weight is 1: GRPO. It is GRPO on trees
    too where ``level`` and ``beta`` are 0. The clip is symmetric; the released loss is a mean over responses, so that
    the update's aggregation has to be ``sequence_mean``.

    Args:
        level: of the quantile, in [0, 1].
        beta: strength of the boost above the quantile, finite and >= 0.
        mean_one: whether the weights of a response are scaled to the mean 1, an option of the released code.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: released code of arXiv 2601.07408; the exact sensitivity is this suite's.
    """
    quantile = finite_number("level", level, least=0.0, most=1.0)
    boost = finite_number("beta", beta, least=0.0)
    if not isinstance(mean_one, bool):
        checks.refuse("mean_one", mean_one, "true or false")

    def weights(batch: TokenBatch) -> Array:
        """Return the weight of each token, ``[..., Q, G, T]``."""
        assert batch.context is not None  # the engine gives it
        # Dropped groups have weights too, which the mask removes later.
        exists = batch.context.tree.token_mask[batch.context.responses]
        gated = gate(scaled(np.log1p(sensitivities(batch)), exists), exists, level=quantile, beta=boost)
        if not mean_one:
            return gated
        total = np.where(exists, gated, 0.0).sum(axis=-1, keepdims=True)
        return np.asarray(gated * exists.sum(axis=-1, keepdims=True) / (total + TINY))

    grpo = estimator_method("grpo", **options)
    return Method(
        name="oar",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_weights=weights,
        clip_low=0.2,
        clip_high=0.2,
    )


def sensitivities(batch: TokenBatch) -> Array:
    """Return how much the expected reward depends on each sampled token, |Q - V|, ``[..., Q, G, T]``."""
    assert batch.context is not None  # the engine gives it and the policy
    assert batch.policy is not None
    tree = batch.context.tree
    q, v = action_values(batch.policy, batch.context.arm_rewards, tree)
    return sampled_token_values(np.abs(q - v[..., None]), tree, batch.context.responses)


def scaled(values: Array, exists: Array) -> Array:
    """Return the values of each response moved and scaled to [0, 1]; all 0 where they are equal.

    Args:
        values: ``[..., T]``.
        exists: where there is a token, of the same shape.
    """
    least = np.where(exists, values, np.inf).min(axis=-1, keepdims=True)
    spread = np.where(exists, values, -np.inf).max(axis=-1, keepdims=True) - least
    # The released code does the same; without a spread every value becomes 0.
    return np.where(exists, (values - least) / np.where(spread > 0, spread, 1.0), 0.0)


def gate(values: Array, exists: Array, *, level: float, beta: float) -> Array:
    """Return the weights of a response's tokens from their importance in [0, 1], ``[..., T]``.

    Args:
        values: importance v, ``[..., T]``.
        exists: where there is a token, of the same shape.
        level: of the quantile theta of v.
        beta: strength of the boost from theta on.
    """
    theta = tokens.linear_quantile(values, exists, level)[..., None]
    lowered = np.maximum(values / (theta + TINY), FLOOR)
    raised = 1.0 + beta * (values - theta) / (1.0 - theta + TINY)
    return np.where(values < theta, lowered, raised)


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("oar", oar, source=SOURCE, level=LEVEL, beta=BETA, mean_one=False, **defaults)
