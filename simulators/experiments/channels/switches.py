r"""Take one update with each channel of the entropy gap between two rules switched on or off.

Switched off, a channel is replaced by what it would be if the two rules could not differ through it:

* ``weighting`` is the limit gain :math:`w_\infty(p)` of the rule, for G to infinity. Off, it is the geometric mean of
  both rules' limit gains.
* ``coupling`` is the factor :math:`w(p, G)/w_\infty(p)` that finite groups put on the gain. Off, it is 1.
* ``noise`` is that of sampled groups. Off, every pass takes the exact expected update, from the probabilities of the
  groups' numbers of responses of each reward; for rules that look at tokens or at other groups, it takes the mean over
  ``replicas`` sampled groups.
* ``clipping`` makes E passes over the same groups with PPO's clip. Off, there is one on-policy pass of E times the step
  size.
* ``lengths`` divides each response by its length (sequence mean), times the arms' mean length in the sense of 1/L. Off,
  arms have one token each and tokens are summed.
* ``optimiser`` is Adam. Off, it is SGD. ``norm_clip`` clips the gradient's norm before it. Off, nothing is clipped.
* ``rewards`` are -1/+1 with the overlong penalty. Off, they are 0/1. Gains are always those of 0/1 rewards.
* ``tokens`` are the rule's token weights and penalties. Off, they are left out.

With all channels off both rules take the step :math:`w\,\nabla p` with the same w.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy.special import gammaln

from qae_theory.arrays import Array
from qae_theory.group_expectation import OutcomeAdvantages, gain
from qae_theory.softmax import expectation
from simulators.engine import State, Step, step_on_groups
from simulators.environments import Environment
from simulators.methods import Method, get_method
from simulators.outcomes import outcome_table
from simulators.rewards import shaped_rewards
from simulators.tabular.groups import Generators, sampled_groups
from simulators.tabular.policy import policy, response_log_probs
from simulators.update import Update

CHANNELS = (
    "weighting",
    "coupling",
    "noise",
    "clipping",
    "lengths",
    "optimiser",
    "norm_clip",
    "rewards",
    "tokens",
)
# The success rate of a group of this size is p with a standard deviation of at most 1/64, and the rules' gains are flat
# or smooth in it.
LIMIT_GROUP = 1024
LEAST_PROB = 1e-12  # gains are defined inside (0, 1), and the success of a converged policy may round to an end


@dataclass(frozen=True)
class Gains:
    """Hold a rule's limit gain, at m/G of a large group, and its outcome advantages at the group size in use."""

    limit: Array
    finite: OutcomeAdvantages

    def at_limit(self, success: Array) -> Array:
        r"""Return the limit gain :math:`w_\infty(p)`, ``[..., Q]``.

        It is interpolated between the success rates m/G of a large group.
        """
        return np.asarray(np.interp(success, np.arange(1, LIMIT_GROUP) / LIMIT_GROUP, self.limit))

    def at_group(self, success: Array) -> Array:
        """Return the gain w(p, G) at the group size in use, ``[..., Q]``."""
        return gain(np.clip(success, LEAST_PROB, 1 - LEAST_PROB), self.finite)


@dataclass(frozen=True)
class Plan:
    """Hold one rule's update under the channels that are ``on``, with its own gains and its rival's."""

    method: Method
    update: Update
    on: frozenset[str]
    own: Gains
    rival: Gains
    replicas: int


def rule_gains(name: str, options: Mapping[str, Any], group_size: int) -> Gains:
    """Return the gains of a rule for 0/1 rewards.

    Args:
        name: of the rule.
        options: the rule's own options.
        group_size: G in use.

    Raises:
        ValueError: a gain is not positive, so that the rule does not push towards success; the message names the rule.
    """
    return _rule_gains(name, json.dumps(options, sort_keys=True), group_size)


@lru_cache(maxsize=64)
def _rule_gains(name: str, options: str, group_size: int) -> Gains:
    """Compute the gains once for each rule; options are JSON text, because a cache needs hashable arguments."""
    method = get_method(name, **json.loads(options))
    large = outcome_table(method, LIMIT_GROUP)
    # The number of correct responses of a large group hardly varies, so that the gain is the difference of the two
    # advantages at that number.
    gains = Gains(limit=(large.correct - large.wrong)[1:-1], finite=outcome_table(method, group_size))
    grid = np.linspace(0.01, 0.99, 99)
    if not (np.all(gains.limit > 0) and np.all(gains.at_group(grid) > 0)):
        raise ValueError(f"rules must have a positive gain w(p, G) at every p; {method.name!r} has not")
    return gains


def channel_step(state: State, env: Environment, plan: Plan, *, rngs: Generators) -> Step:
    """Return one update of a bandit under the plan's channels.

    Args:
        state: where training stands.
        env: a bandit.
        plan: the rule, its update and the channels that are on.
        rngs: S generators.
    """
    log_probs = response_log_probs(policy(state.behaviour).log_probs, env.tree)
    probs = np.exp(log_probs)
    scale = gain_factor(expectation(probs, env.arm_rewards), plan)
    if "lengths" in plan.on:
        # The mean of 1/L is divided out, so that this channel changes how a step is spread over responses, not how long
        # it is.
        scale = scale / (1.0 / env.lengths).mean()
    method = plan.method if "tokens" in plan.on else replace(plan.method, token_weights=None, token_penalty=None)
    if "noise" in plan.on:
        responses = sampled_groups(probs, plan.update.group_size, rngs)
        scaled = replace(method, advantages=lambda rewards: plan.method.advantages(rewards) * scale[..., None])
    elif exact_mean(plan.method):
        responses, values = expected_advantages(probs, env, plan)
        scaled = replace(method, advantages=lambda _: values * scale[..., None])
    else:
        responses = sampled_groups(probs, plan.update.group_size * plan.replicas, rngs)
        scaled = replace(method, advantages=lambda rewards: _replicated(plan, rewards) * scale[..., None])
    return step_on_groups(state, env, plan.update, method=scaled, responses=responses, rngs=rngs)


def exact_mean(method: Method) -> bool:
    """Return whether the expected update follows from the groups' numbers of responses of each reward."""
    return method.rewards_alone


def gain_factor(success: Array, plan: Plan) -> Array:
    """Return what each query's advantages are multiplied with, ``[..., Q]``.

    A sampled group moves by the rule's own gain w(p, G). The factor replaces that by the gain of the channels that are
    on.
    """
    own, rival = plan.own.at_limit(success), plan.rival.at_limit(success)
    finite = plan.own.at_group(success)
    # The geometric mean treats both rules alike, and exchanging them changes nothing.
    weight = own if "weighting" in plan.on else np.sqrt(own * rival)
    coupling = finite / own if "coupling" in plan.on else np.ones_like(finite)
    return np.asarray(weight * coupling / finite)


def expected_advantages(probs: Array, env: Environment, plan: Plan) -> tuple[Array, Array]:
    r"""Return a group of all arms, each twice, whose update is the expected update of a sampled group.

    Arm y stands with :math:`2R\,\pi_y E[A^+ \mid y]` and with :math:`2R\,\pi_y E[A^- \mid y]`, because PPO's clip cuts
    by the sign of A; the engine divides by 2R. This is exact for rules that depend on the group's rewards alone.

    Args:
        probs: of the arms, ``[..., Q, R]``.
        env: a bandit.
        plan: the rule and its update.

    Returns:
        Responses and advantages, ``[..., Q, 2R]`` each.
    """
    rewards = np.broadcast_to(shaped_rewards(env.arm_rewards, env.lengths, plan.update), probs.shape)
    levels, level_of = np.unique(rewards, return_inverse=True)
    level_of = level_of.reshape(rewards.shape)
    mass = np.stack([(probs * (level_of == i)).sum(axis=-1) for i in range(len(levels))], axis=-1)
    others, table = level_advantages(plan.method, levels, plan.update.group_size)
    weights = multinomial(mass, others)
    arms = probs.shape[-1]
    halves = []
    for of_one_sign in (np.maximum(table, 0.0), np.minimum(table, 0.0)):
        expected = np.take_along_axis(weights @ of_one_sign.T, level_of, axis=-1)
        halves.append(2 * arms * probs * expected)
    responses = np.broadcast_to(np.tile(np.arange(arms), 2), (*probs.shape[:-1], 2 * arms))
    return responses, np.concatenate(halves, axis=-1)


def level_advantages(method: Method, levels: Array, group_size: int) -> tuple[Array, Array]:
    """Return every composition of the other G - 1 responses, and the advantage of one more response of each reward.

    Args:
        method: the rule.
        levels: the L different rewards.
        group_size: G.

    Returns:
        Counts of the others by reward, ``[M, L]``, and advantages ``[L, M]``.
    """
    count = len(levels)
    # The order of the others does not matter: their counts by reward are enough.
    draws = np.array(list(combinations_with_replacement(range(count), group_size - 1)), dtype=np.int64)
    draws = draws.reshape(-1, group_size - 1)
    others = np.stack([(draws == i).sum(axis=-1) for i in range(count)], axis=-1)
    own = np.broadcast_to(levels[:, None, None], (count, len(draws), 1))
    rest = np.broadcast_to(levels[draws], (count, *draws.shape))
    return others, np.asarray(method.advantages(np.concatenate([own, rest], axis=-1))[..., 0])


def multinomial(mass: Array, counts: Array) -> Array:
    """Return the multinomial probability of each composition, ``[..., M]``; a mass may be 0.

    Args:
        mass: probability of each reward, ``[..., L]``.
        counts: the compositions, ``[M, L]``.
    """
    ways = gammaln(counts.sum(axis=-1) + 1) - gammaln(counts + 1).sum(axis=-1)
    # A mass of 0 becomes 1e-300, whose logarithm is finite: 0 times it is 0, and a positive count makes the probability
    # as good as 0.
    return np.asarray(np.exp(ways + np.log(np.maximum(mass, 1e-300)) @ counts.T))


def _replicated(plan: Plan, rewards: Array) -> Array:
    """Return the advantages of ``replicas`` groups per query that lie side by side, ``[..., Q, B G]``."""
    groups = rewards.reshape(*rewards.shape[:-1], plan.replicas, plan.update.group_size)
    advantages = plan.method.advantages(np.moveaxis(groups, -2, 0))
    return np.asarray(np.moveaxis(advantages, 0, -2).reshape(rewards.shape))
