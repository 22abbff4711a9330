r"""How a policy update moves the expected response length: the exact first order, in closed form and by enumeration.

On-policy, binary rewards, :math:`E[A_i \mid R_i = r] = w (r - b)`. The expected update is
:math:`w\sum_y \pi_y (r_y - b)\, c_y \nabla\log\pi(y)` with :math:`c_y = 1` for the token sum, :math:`1/|y|` for the
sequence mean and :math:`QG\,E[1/(|y| + \text{others' tokens})]` for the token mean of Q queries; b therefore acts
through :math:`-b\nabla E[1]`, :math:`-b\nabla E[1/|o|]` and :math:`-b\,Q\nabla E[1/\sum L]`.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import Literal

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators import kernels
from simulators.engine import State, step_on_groups
from simulators.environments import Environment
from simulators.groups import all_groups
from simulators.methods import get_method
from simulators.policy import Policy, policy, response_direction, response_log_probs
from simulators.trees import Tree
from simulators.update import Update

Aggregation = Literal["token_sum", "token_mean", "sequence_mean"]
AGGREGATIONS: tuple[Aggregation, ...] = ("token_sum", "token_mean", "sequence_mean")


def response_probs(pi: Policy, env: Environment) -> Array:
    """Probability of every response, ``[..., Q, R]``."""
    return np.exp(response_log_probs(pi.log_probs, env.tree))


def expected_length(logits: Array, env: Environment) -> Array:
    """E|o| of every query, ``[..., Q]``, in tokens."""
    return expectation(response_probs(policy(logits), env), env.lengths)


def length_slope(direction: Array, pi: Policy, env: Environment) -> Array:
    """First-order change of E|o| per unit step along a direction on the logits, ``[..., N, A] -> [...]``."""
    return expectation(response_probs(pi, env), env.lengths * response_direction(direction, pi, env.tree))


def mean_gradient(values: Array, pi: Policy, tree: Tree) -> Array:
    r""":math:`\sum_y \pi_y f_y \nabla\log\pi(y)`, ``[..., Q, R] -> [..., Q, N, A]``: the gradient of E[f]."""
    weighted = np.exp(response_log_probs(pi.log_probs, tree)) * values
    coefficients = np.repeat(weighted[..., None], tree.cells.shape[1], axis=-1)
    return kernels.push(coefficients, np.broadcast_to(np.arange(tree.responses), weighted.shape), tree.cells, pi.probs)


def expected_direction(
    pi: Policy,
    env: Environment,
    aggregation: Aggregation,
    group_size: int,
    *,
    gain: Array | float,
    baseline: Array | float,
) -> Array:
    """Closed form of the expected update, ``[S, Q, N, A]``; gain and baseline ``[S, Q]``, or constants.

    For the token mean the advantage must not depend on the other responses: a constant baseline.
    """
    values = np.asarray(gain)[..., None] * (env.arm_rewards - np.asarray(baseline)[..., None])
    return mean_gradient(values * token_share(pi, env, aggregation, group_size), pi, env.tree)


def token_share(pi: Policy, env: Environment, aggregation: Aggregation, group_size: int) -> Array:
    """c_y of the module's formula, ``[S, Q, R]``."""
    probs = response_probs(pi, env)
    if aggregation == "token_sum":
        return np.ones_like(probs)
    if aggregation == "sequence_mean":
        return np.broadcast_to(1 / env.lengths, probs.shape)
    sharing = probs.shape[-2] * group_size
    return sharing * np.stack([_inverse_totals(p, env.lengths, group_size) for p in probs])


def _inverse_totals(probs: Array, lengths: Array, group_size: int) -> Array:
    """E[1/(|y| + tokens of all other responses)] of one mini-batch, ``[Q, R] -> [Q, R]``."""
    by_length = np.stack([np.bincount(lengths, weights=p) for p in probs])
    result = np.empty_like(probs)
    for x in range(len(probs)):
        counts = group_size - (np.arange(len(probs)) == x)
        others = reduce(np.convolve, np.repeat(by_length, counts, axis=0), np.ones(1))
        totals = np.add.outer(lengths, np.arange(len(others)))
        result[x] = (others / totals).sum(axis=-1)
    return result


def enumerated_direction(state: State, env: Environment, update: Update) -> Array:
    """Mean direction over all joint groups of the mini-batch, ``[S, Q, N, A]``, by the engine's own update.

    Unlike ``update_on_all_groups`` it is exact where queries share a normaliser: the groups of Q queries are crossed.
    """
    log_probs = response_log_probs(policy(state.logits).log_probs, env.tree)
    groups, weights = all_groups(log_probs, update.group_size)  # [M, G], [M, S, Q]
    queries = log_probs.shape[-2]
    picks = np.array(list(product(range(len(groups)), repeat=queries)))  # [M**Q, Q]
    joint = weights[picks, :, np.arange(queries)].prod(axis=1)  # [M**Q, S]
    shape = (len(picks), len(log_probs), queries, update.group_size)
    responses = np.broadcast_to(groups[picks][:, None], shape)
    wide = state._replace(
        logits=np.broadcast_to(state.logits, (len(picks), *state.logits.shape)),
        behaviour=np.broadcast_to(state.behaviour, (len(picks), *state.behaviour.shape)),
    )
    method = get_method(update.method, **update.options)
    step = step_on_groups(wide, env, update, method, responses, ())
    return np.einsum("ms,ms...->s...", joint, step.direction)
