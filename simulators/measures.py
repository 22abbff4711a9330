"""Record an update: entropy and its split, success, advantages, clipping, predictions and guaranteed bounds.

Everything is averaged over a seed's queries to one number per seed, ``[S]``; axes between seed and query are averaged
too. Entropy changes are those of the distribution over responses, in nats. The response log-probabilities serve as its
logits, so that the functions of ``qae_theory`` apply to bandits and token trees alike.
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
from qae_theory.baselines import DEFAULT_K, is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.group_expectation import gain
from qae_theory.softmax import centred, covariance, expectation
from simulators.engine import Step
from simulators.environments import Environment
from simulators.methods import get_method
from simulators.outcomes import outcome_table
from simulators.tabular import kernels
from simulators.tabular.policy import (
    node_entropies,
    policy,
    response_bend,
    response_direction,
    response_log_probs,
    sequence_entropy,
    token_entropy,
)
from simulators.update import Update


def per_seed(values: Array) -> Array:
    """Return the mean over all axes but the first, ``[S, ...] -> [S]``."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1).mean(axis=1)


def pass_at_k(success: Array, k: int) -> Array:
    """Return the exact pass@k of a query with success probability V, :math:`1 - (1 - V)^k`.

    Args:
        success: V, ``[...]`` in [0, 1]; values above 1 by rounding count as 1.
        k: number of responses drawn.

    Returns:
        ``[...]``, computed by log1p and expm1, so that small V keep their digits.
    """
    with np.errstate(divide="ignore"):  # at V = 1 the logarithm is -inf and pass@k 1, as it should be
        return -np.expm1(k * np.log1p(-np.minimum(success, 1.0)))


def success_prob(step: Step, env: Environment, *, after: bool = False) -> Array:
    """Return the success probability V of every query, ``[..., Q]``, before the update or ``after`` it."""
    pi = policy((step.after if after else step.before).logits)
    return np.asarray((np.exp(response_log_probs(pi.log_probs, env.tree)) * env.arm_rewards).sum(axis=-1))


def state_measures(step: Step, env: Environment, *, ks: Sequence[int] = (1, 16)) -> dict[str, Array]:
    """Return entropies, success and pass@k of the policy before the update, ``[S]`` each.

    Args:
        step: the update.
        env: its environment.
        ks: the k of pass@k.

    Returns:
        ``sequence_entropy`` and ``token_entropy`` in nats, ``success``, and ``pass@k`` for each k.
    """
    pi = policy(step.before.logits)
    success = success_prob(step, env)
    return {
        "sequence_entropy": per_seed(sequence_entropy(pi, env.tree)),
        "token_entropy": per_seed(token_entropy(pi, env.tree)),
        "success": per_seed(success),
        **{f"pass@{k}": per_seed(pass_at_k(success, k)) for k in ks},
    }


def group_measures(step: Step, *, k: str = DEFAULT_K) -> dict[str, Array]:
    """Return shares of advantage signs and of mixed and hard groups, and clip fractions by side, ``[S]`` each.

    Advantages of groups that dynamic sampling dropped count as zeros. The clip fractions are means over all passes.

    Args:
        step: the update.
        k: the quantile level at which a group counts as hard.

    Returns:
        ``positive_share``, ``zero_share`` and ``negative_share`` of all responses, ``zero_share_mixed`` of those in
        mixed groups, ``mixed_groups``, ``hard_groups``, ``clip_low_fraction`` and ``clip_high_fraction``.
    """
    advantages, kept = step.rollouts.advantages, step.rollouts.kept
    size = advantages.shape[-1]
    correct = step.rollouts.correct.sum(axis=-1)
    mixed = (correct > 0) & (correct < size)
    # Hard in the paper's sense: at most (1 - K) G responses are correct, so that QAE's baseline is 0.
    hard = is_hard_group(correct, size, quantile_level(k))
    zero = (advantages == 0) | ~kept[..., None]
    of_mixed = mixed[..., None] * np.ones_like(advantages)
    mixed_count = np.maximum(_total(of_mixed), 1)  # a seed without mixed groups has no such zeros either
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


def change_measures(step: Step, env: Environment, update: Update, *, k: str = DEFAULT_K) -> dict[str, Array]:
    """Return actual, predicted and bounded entropy change of the update, and parts of the prediction, ``[S]`` each.

    Args:
        step: the update.
        env: its environment.
        update: its switches.
        k: the quantile level at which a group or query counts as hard.

    Returns:
        Means over queries, in nats where not said otherwise:

        * ``entropy_change``: the actual change.
        * ``first_order``, ``second_order``: the prediction from the first pass's direction times the step size, which
            is the whole update for one pass of SGD.
        * ``positive``, ``negative``: parts of the first-order change from responses with A > 0 and with A < 0.
        * ``hard``, ``easy``: its parts from hard and easy groups. ``hard_query``, ``easy_query``: its parts from
            queries with V <= 1 - K and V > 1 - K.
        * ``lower_bound``, ``upper_bound``: guaranteed bounds for the actual displacement. ``bound_violations``: number
            of queries outside them, 0 unless something is wrong. ``rows``: number of queries.
        * ``interval_covered``: share of queries inside Prop. 4.2's interval, the change at b = 0 and at b = 1 by the
            paper's identity, times the rule's gain w. ``paper_interval_covered``: share inside that interval as it
            stands.
    """
    pi = policy(step.before.logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    moved = displacement(step, env)
    # The displacement is itself a direction that is taken with step 1. What holds for a step therefore applies to any
    # update, Adam's and one of many passes included.
    actual = entropy_change(log_probs, moved, 1.0)
    lower, upper = entropy_change_bounds(log_probs, moved, 1.0)
    direction = response_direction(step.direction, pi, env.tree)
    first = update.step_size * first_order_entropy_change(log_probs, direction)
    # On a tree, response log-probabilities are curved in the logits; their second derivative moves entropy at second
    # order.
    bend = first_order_entropy_change(log_probs, response_bend(step.direction, pi, env.tree))
    curvature = 0.5 * update.step_size**2 * (second_order_entropy_change(log_probs, direction) + bend)
    positive, negative = (update.step_size * part for part in first_order_by_sign(step, env))
    success = expectation(np.exp(log_probs), env.arm_rewards)
    level = quantile_level(k)
    hard = is_hard_group(step.rollouts.correct.sum(axis=-1), update.group_size, level)
    # The same for a query's own success probability, which its sampled group only estimates.
    hard_query = success <= 1 - float(level)
    # The paper's identity is about advantages r - b; a rule scales them by its gain, and the interval with them.
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
    """Return the mean token entropy of samples with A > 0 and of samples with A < 0, before the update, ``[S]`` each.

    This moves by composition too: it depends on which queries have samples of that sign.

    Args:
        step: the update.
        env: its environment.

    Returns:
        ``positive_sample_entropy`` and ``negative_sample_entropy`` in nats; NaN for a seed without such samples.
    """
    pi = policy(step.before.logits)
    entropies = node_entropies(pi)
    # Cells past a response's end are -1; they read node 0 here, and the mask leaves them out below.
    nodes = np.maximum(env.tree.cells, 0) // env.tree.actions
    responses = step.rollouts.responses
    tokens = entropies[..., nodes]  # [..., Q, R, T]
    sampled = np.take_along_axis(tokens, responses[..., None], axis=-2)
    mask = env.tree.token_mask[responses] & step.rollouts.kept[..., None, None]
    measures = {}
    for name, sign in (("positive", 1), ("negative", -1)):
        chosen = mask & (np.sign(step.rollouts.advantages) == sign)[..., None]
        count = _total(chosen)
        mean = np.divide(_total(chosen * sampled), count, out=np.full(len(count), np.nan), where=count > 0)
        measures[f"{name}_sample_entropy"] = mean
    return measures


def displacement(step: Step, env: Environment) -> Array:
    """Return the actual change of every response's log-probability over the whole update, ``[..., Q, R]`` in nats."""
    before = response_log_probs(policy(step.before.logits).log_probs, env.tree)
    after = response_log_probs(policy(step.after.logits).log_probs, env.tree)
    return after - before


def first_order_by_sign(step: Step, env: Environment) -> tuple[Array, Array]:
    """Return the parts of the first-order change per unit step from samples with A > 0 and with A < 0.

    The parts come from the first pass's coefficients, which no clip bound has cut yet on-policy.

    Returns:
        Positive and negative part, ``[..., Q]`` each; they sum to the first-order change, since A = 0 moves nothing.
    """
    pi = policy(step.before.logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    values = step.passes[0].values
    sign = np.sign(step.rollouts.advantages)[..., None]

    def change_from(wanted: int) -> Array:
        """Return the first-order change from the samples whose advantage has this sign, ``[..., Q]``."""
        coefficients = np.where(sign == wanted, values, 0.0)
        part = kernels.push(coefficients, step.rollouts.responses, cells=env.tree.cells, probs=pi.probs)
        return first_order_entropy_change(log_probs, response_direction(part, pi, env.tree))

    return change_from(1), change_from(-1)


def paper_interval(log_probs: Array, arm_rewards: Array, step_size: float) -> tuple[Array, Array]:
    r"""Return Prop. 4.2's interval: :math:`-\eta\,\mathrm{Cov}_\pi(\log\pi, \pi(r - b))` at b = 0 and at b = 1.

    Args:
        log_probs: of the responses, ``[..., Q, R]``.
        arm_rewards: ``[..., Q, R]``, 0 or 1.
        step_size: eta.

    Returns:
        Both ends, ``[..., Q]`` each, in nats.

    Source: arXiv 2509.22611, Prop. 4.2.
    """
    probs = np.exp(log_probs)
    low = -step_size * covariance(probs, log_probs, probs * arm_rewards)
    return low, low + step_size * covariance(probs, log_probs, probs)


def rule_gain(success: Array, update: Update) -> Array:
    """Return the gain w(p, G) of the update's rule at each query's success probability.

    Args:
        success: p, ``[...]``.
        update: names the rule and the group size.

    Returns:
        ``[...]``; 1 for a rule that depends on more than rewards and so has no gain (claim `neutrality`).
    """
    method = get_method(update.method, **update.options)
    if not method.rewards_alone:
        return np.ones_like(success)
    table = outcome_table(method, update.group_size)
    # The gain is defined for p inside (0, 1) only; the success of a policy that has converged may round to an end.
    return gain(np.clip(success, 1e-12, 1 - 1e-12), table)


def surprise_product(log_probs: Array) -> Array:
    r"""Return :math:`\pi_y(\log\pi_y + H)`, minus the gradient of entropy in the logits, ``[..., n]`` in nats."""
    probs = np.exp(log_probs)
    return probs * centred(probs, log_probs)


def _total(values: Array) -> Array:
    """Return the sum over all axes but the first, ``[S, ...] -> [S]``."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1).sum(axis=1)
