r"""Compute how an update moves the expected response length: the exact first order, in closed form and by enumeration.

On-policy and with binary rewards, :math:`E[A_i \mid R_i = r] = w (r - b)`. The expected update is then
:math:`w\sum_y \pi_y (r_y - b)\, c_y \nabla\log\pi(y)`, where :math:`c_y = 1` for the token sum, :math:`1/|y|` for the
sequence mean, and :math:`QG\,E[1/(|y| + \text{others' tokens})]` for the token mean of Q queries. The baseline b
therefore acts through :math:`-b\nabla E[1]`, :math:`-b\nabla E[1/|o|]` and :math:`-b\,Q\nabla E[1/\sum L]`.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import Literal

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators.engine import State, step_on_groups
from simulators.environments import Environment
from simulators.methods import get_method
from simulators.tabular import kernels
from simulators.tabular.groups import all_groups
from simulators.tabular.policy import Policy, policy, response_direction, response_log_probs
from simulators.tabular.trees import Tree
from simulators.update import Update

Aggregation = Literal["token_sum", "token_mean", "sequence_mean"]
AGGREGATIONS: tuple[Aggregation, ...] = ("token_sum", "token_mean", "sequence_mean")


def response_probs(pi: Policy, env: Environment) -> Array:
    """Return the probability of every response, ``[..., Q, R]``."""
    return np.exp(response_log_probs(pi.log_probs, env.tree))


def expected_length(logits: Array, env: Environment) -> Array:
    """Return E|o| of every query, ``[..., Q]``, in tokens."""
    return expectation(response_probs(policy(logits), env), env.lengths)


def length_slope(direction: Array, pi: Policy, env: Environment) -> Array:
    """Return the first-order change of E|o| per unit step along a direction on the logits, ``[..., N, A] -> [...]``."""
    return expectation(response_probs(pi, env), env.lengths * response_direction(direction, pi, env.tree))


def mean_gradient(values: Array, pi: Policy, tree: Tree) -> Array:
    r"""Return :math:`\sum_y \pi_y f_y \nabla\log\pi(y)`, which is the gradient of E[f] in the logits.

    Args:
        values: f, ``[..., Q, R]``.
        pi: the policy.
        tree: the responses.

    Returns:
        ``[..., Q, N, A]``.
    """
    # A response's score is the sum of its tokens' scores, so that each of its tokens carries the whole weight.
    weighted = np.exp(response_log_probs(pi.log_probs, tree)) * values
    coefficients = np.repeat(weighted[..., None], tree.cells.shape[1], axis=-1)
    every_response = np.broadcast_to(np.arange(tree.responses), weighted.shape)
    return kernels.push(coefficients, every_response, cells=tree.cells, probs=pi.probs)


def expected_direction(
    pi: Policy,
    env: Environment,
    aggregation: Aggregation,
    *,
    group_size: int,
    gain: Array | float,
    baseline: Array | float,
) -> Array:
    """Return the closed form of the expected update, ``[S, Q, N, A]``.

    For the token mean the advantage must not depend on the other responses, which a constant baseline ensures.

    Args:
        pi: the policy, ``[S, Q, N, A]``.
        env: the environment.
        aggregation: how token losses are aggregated.
        group_size: G.
        gain: w, ``[S, Q]`` or one number.
        baseline: b, ``[S, Q]`` or one number.
    """
    values = np.asarray(gain)[..., None] * (env.arm_rewards - np.asarray(baseline)[..., None])
    return mean_gradient(values * token_share(pi, env, aggregation, group_size=group_size), pi, env.tree)


def token_share(pi: Policy, env: Environment, aggregation: Aggregation, *, group_size: int) -> Array:
    """Return the factor c_y of the module's formula, ``[S, Q, R]``."""
    probs = response_probs(pi, env)
    if aggregation == "token_sum":
        return np.ones_like(probs)
    if aggregation == "sequence_mean":
        return np.broadcast_to(1 / env.lengths, probs.shape)
    sharing = probs.shape[-2] * group_size
    return sharing * np.stack([_inverse_totals(p, env.lengths, group_size) for p in probs])


def _inverse_totals(probs: Array, lengths: Array, group_size: int) -> Array:
    """Return E[1/(|y| + tokens of all other responses)] of one mini-batch, ``[Q, R] -> [Q, R]``.

    The other responses are G - 1 of the same query and G of every other one. Their total length has the convolution of
    their length distributions as its distribution.
    """
    by_length = np.stack([np.bincount(lengths, weights=p) for p in probs])
    means = np.empty_like(probs)
    for query in range(len(probs)):
        counts = group_size - (np.arange(len(probs)) == query)
        others = reduce(np.convolve, np.repeat(by_length, counts, axis=0), np.ones(1))
        totals = np.add.outer(lengths, np.arange(len(others)))
        means[query] = (others / totals).sum(axis=-1)
    return means


def enumerated_direction(state: State, env: Environment, update: Update) -> Array:
    """Return the mean direction over all joint groups of the mini-batch, ``[S, Q, N, A]``, by the engine's own update.

    Unlike ``update_on_all_groups`` it is exact where queries share a normaliser, because the groups of Q queries are
    crossed.

    Args:
        state: the policies.
        env: the environment.
        update: the switches of the update.
    """
    log_probs = response_log_probs(policy(state.logits).log_probs, env.tree)
    groups, weights = all_groups(log_probs, update.group_size)  # [M, G], [M, S, Q]
    queries = log_probs.shape[-2]
    picks = np.array(list(product(range(len(groups)), repeat=queries)))  # [M**Q, Q]: a group for each query
    joint = weights[picks, :, np.arange(queries)].prod(axis=1)  # [M**Q, S]: queries sample independently
    shape = (len(picks), len(log_probs), queries, update.group_size)
    responses = np.broadcast_to(groups[picks][:, None], shape)
    wide = state._replace(
        logits=np.broadcast_to(state.logits, (len(picks), *state.logits.shape)),
        behaviour=np.broadcast_to(state.behaviour, (len(picks), *state.behaviour.shape)),
    )
    method = get_method(update.method, **update.options)
    step = step_on_groups(wide, env, update, method=method, responses=responses, rngs=())
    return np.einsum("ms,ms...->s...", joint, step.direction)
