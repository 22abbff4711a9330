"""What is recorded of an update: entropy and its split, success, advantages, clipping, predictions and bounds.

Everything is averaged over a seed's queries, one number a seed, ``[S]``; axes between seed and query are averaged too.
Entropy changes are those of the distribution over responses, in nats. The response log-probabilities are its logits, so
that the functions of ``qae_theory`` apply to bandits and token trees alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qae_theory import (
    entropy_change,
    entropy_change_bounds,
    first_order_entropy_change,
    second_order_entropy_change,
)
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.group_expectation import gain
from qae_theory.softmax import centred, covariance, expectation
from simulators import kernels
from simulators.engine import Step
from simulators.environments import Environment
from simulators.methods import get_method
from simulators.outcomes import outcome_table
from simulators.policy import (
    node_entropies,
    policy,
    response_bend,
    response_direction,
    response_log_probs,
    sequence_entropy,
    token_entropy,
)
from simulators.update import Update

DEFAULT_LEVEL = "0.4"


def per_seed(values: Array) -> Array:
    """Mean over all axes but the first, ``[S, ...] -> [S]``."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1).mean(axis=1)


def pass_at_k(success: Array, k: int) -> Array:
    r"""Exact pass@k of a query, :math:`1 - (1 - V)^k`."""
    with np.errstate(divide="ignore"):  # log 0 at V = 1, where pass@k is 1
        return -np.expm1(k * np.log1p(-np.minimum(success, 1.0)))


def success_prob(step: Step, env: Environment, *, after: bool = False) -> Array:
    """V of every query, ``[..., Q]``."""
    pi = policy((step.after if after else step.before).logits)
    return np.asarray((np.exp(response_log_probs(pi.log_probs, env.tree)) * env.arm_rewards).sum(axis=-1))


def state_measures(step: Step, env: Environment, *, ks: Sequence[int] = (1, 16)) -> dict[str, Array]:
    """Entropies, success and pass@k of the policy before the update, ``[S]`` each."""
    pi = policy(step.before.logits)
    success = success_prob(step, env)
    return {
        "sequence_entropy": per_seed(sequence_entropy(pi, env.tree)),
        "token_entropy": per_seed(token_entropy(pi, env.tree)),
        "success": per_seed(success),
        **{f"pass@{k}": per_seed(pass_at_k(success, k)) for k in ks},
    }


def group_measures(step: Step, *, k: str = DEFAULT_LEVEL) -> dict[str, Array]:
    """Shares of advantage signs, of mixed and hard groups, and clip fractions by side over all passes, ``[S]`` each."""
    advantages, kept = step.rollouts.advantages, step.rollouts.kept
    size = advantages.shape[-1]
    correct = step.rollouts.correct.sum(axis=-1)
    mixed = (correct > 0) & (correct < size)
    hard = is_hard_group(correct, size, quantile_level(k))
    zero = (advantages == 0) | ~kept[..., None]
    of_mixed = mixed[..., None] * np.ones_like(advantages)
    mixed_count = np.maximum(_total(of_mixed), 1)
    passes = len(step.passes)
    return {
        "positive_share": per_seed((advantages > 0) & ~zero),
        "zero_share": per_seed(zero),
        "negative_share": per_seed((advantages < 0) & ~zero),
        "zero_share_mixed": _total(zero * of_mixed) / mixed_count,
        "mixed_groups": per_seed(mixed),
        "hard_groups": per_seed(hard),
        "clip_low_fraction": np.sum([per_seed(p.clipped_low) for p in step.passes], axis=0) / passes,
        "clip_high_fraction": np.sum([per_seed(p.clipped_high) for p in step.passes], axis=0) / passes,
    }


def change_measures(step: Step, env: Environment, update: Update, *, k: str = DEFAULT_LEVEL) -> dict[str, Array]:
    """Actual, predicted and bounded entropy change of the update, summed over its split, ``[S]`` each.

    ``first_order`` and ``second_order`` are those of the gradient of the first pass times the step size (the whole of a
    one-pass SGD step). ``positive``/``negative`` are the parts of the first-order change from responses with A > 0 and
    A < 0; ``hard``/``easy`` those of hard and easy groups, ``hard_query``/``easy_query`` those of queries with
    V <= 1-K and V > 1-K. ``bound_violations`` counts queries outside the guaranteed bounds of the actual displacement
    (always 0 unless something is wrong), ``rows`` the queries. Prop. 4.2's interval is [dH(b=0), dH(b=1)] of the
    paper's identity, times the rule's gain w (``interval_covered``) and as it stands (``paper_interval_covered``).
    """
    pi = policy(step.before.logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    moved = displacement(step, env)
    actual = entropy_change(log_probs, moved, 1.0)
    lower, upper = entropy_change_bounds(log_probs, moved, 1.0)
    direction = response_direction(step.direction, pi, env.tree)
    first = update.step_size * first_order_entropy_change(log_probs, direction)
    bend = first_order_entropy_change(log_probs, response_bend(step.direction, pi, env.tree))
    curvature = 0.5 * update.step_size**2 * (second_order_entropy_change(log_probs, direction) + bend)
    positive, negative = (update.step_size * part for part in first_order_by_sign(step, env))
    success = expectation(np.exp(log_probs), env.arm_rewards)
    level = quantile_level(k)
    hard = is_hard_group(step.rollouts.correct.sum(axis=-1), update.group_size, level)
    hard_query = success <= 1 - float(level)
    low, high = paper_interval(log_probs, env.arm_rewards, update.step_size)
    scale = rule_gain(success, update)
    return {
        "entropy_change": per_seed(actual),
        "first_order": per_seed(first),
        "second_order": per_seed(curvature),
        "positive": per_seed(positive),
        "negative": per_seed(negative),
        "hard": per_seed(np.where(hard, first, 0)),
        "easy": per_seed(np.where(hard, 0, first)),
        "hard_query": per_seed(np.where(hard_query, first, 0)),
        "easy_query": per_seed(np.where(hard_query, 0, first)),
        "lower_bound": per_seed(lower),
        "upper_bound": per_seed(upper),
        "bound_violations": _total((actual < lower) | (actual > upper)),
        "rows": _total(np.ones_like(actual)),
        "interval_covered": per_seed((scale * low <= actual) & (actual <= scale * high)),
        "paper_interval_covered": per_seed((low <= actual) & (actual <= high)),
    }


def sample_entropy_measures(step: Step, env: Environment) -> dict[str, Array]:
    """Mean token entropy over the tokens of samples with A > 0 and with A < 0, before the update, ``[S]`` each.

    NaN for a seed without such samples. This moves by composition too: which queries have samples of that sign.
    """
    pi = policy(step.before.logits)
    entropies = node_entropies(pi)
    nodes = np.maximum(env.tree.cells, 0) // env.tree.actions
    responses = step.rollouts.responses
    tokens = entropies[..., nodes]  # [..., Q, R, T]
    sampled = np.take_along_axis(tokens, responses[..., None], axis=-2)
    mask = env.tree.token_mask[responses] & step.rollouts.kept[..., None, None]
    found = {}
    for name, sign in (("positive", 1), ("negative", -1)):
        chosen = mask & (np.sign(step.rollouts.advantages) == sign)[..., None]
        count = _total(chosen)
        mean = np.divide(_total(chosen * sampled), count, out=np.full(len(count), np.nan), where=count > 0)
        found[f"{name}_sample_entropy"] = mean
    return found


def displacement(step: Step, env: Environment) -> Array:
    """Actual change of every response's log-probability over the whole update, ``[..., Q, R]``."""
    before, after = (
        response_log_probs(policy(state.logits).log_probs, env.tree) for state in (step.before, step.after)
    )
    return after - before


def first_order_by_sign(step: Step, env: Environment) -> tuple[Array, Array]:
    """First-order change per unit step from the first pass's coefficients of samples with A > 0 and with A < 0."""
    pi = policy(step.before.logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    values = step.passes[0].values
    sign = np.sign(step.rollouts.advantages)[..., None]
    parts = (
        kernels.push(np.where(sign == wanted, values, 0.0), step.rollouts.responses, env.tree.cells, pi.probs)
        for wanted in (1, -1)
    )
    positive, negative = (
        first_order_entropy_change(log_probs, response_direction(part, pi, env.tree)) for part in parts
    )
    return positive, negative


def paper_interval(log_probs: Array, arm_rewards: Array, step_size: float) -> tuple[Array, Array]:
    r"""Prop. 4.2's interval: :math:`-\eta\,\mathrm{Cov}_\pi(\log\pi, \pi(r - b))` at b = 0 and 1, ``[..., Q]`` each."""
    probs = np.exp(log_probs)
    low = -step_size * covariance(probs, log_probs, probs * arm_rewards)
    return low, low + step_size * covariance(probs, log_probs, probs)


def rule_gain(success: Array, update: Update) -> Array:
    """w(p, G) of the update's rule at each query's V, or 1 for a rule that does not depend on rewards alone."""
    method = get_method(update.method, **update.options)
    if not method.rewards_alone:
        return np.ones_like(success)
    table = outcome_table(method, update.group_size)
    return gain(np.clip(success, 1e-12, 1 - 1e-12), table)


def surprise_product(log_probs: Array) -> Array:
    r""":math:`\pi_y(\log\pi_y + H)`, minus the gradient of entropy in the logits."""
    probs = np.exp(log_probs)
    return probs * centred(probs, log_probs)


def _total(values: Array) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1).sum(axis=1)
