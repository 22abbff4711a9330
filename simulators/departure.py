"""Measure exactly how far a rule's mean update lies off the line on which every rule of rewards alone moves.

Claim `neutrality` says that the mean update of such a rule is w grad p. ``simulators.neutrality`` tests by sampling
whether that is so; here every group is enumerated, for small trees and groups.
"""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.engine import State, step_on_groups
from simulators.environments import Environment, environment
from simulators.methods import Memory, Method, get_method
from simulators.neutrality import predict
from simulators.optimisers import Moments
from simulators.outcomes import outcome_table
from simulators.tabular.groups import all_groups
from simulators.tabular.policy import policy, response_log_probs
from simulators.update import Update


def departure(
    method: Method,
    logits: Array,
    env: Environment,
    *,
    group_size: int,
    reference: Array | None = None,
    memory: Memory | None = None,
) -> Array:
    r"""Return the share of a rule's mean update that is off the line of grad p, for each query as its own mini-batch.

    With :math:`d = E[\text{update}]` over all groups, on-policy, unclipped and with tokens summed, it is
    :math:`\|d - (d'v)v\|/\|d\|`, where v is the unit vector of grad p: 0 for every rule that depends on rewards alone,
    and at most 1.

    Args:
        method: the rule; one that draws at random cannot be enumerated.
        logits: of the policies, ``[Q, N, A]``.
        env: Q queries.
        group_size: G.
        reference: logits of the reference policy, ``[Q, N, A]``; the policy itself if not given.
        memory: what the rule remembers, with axis 0 the query; made by the rule itself if not given.

    Returns:
        ``[Q]``; 0 where the mean update is 0.

    Raises:
        ValueError: there are over two million groups, or a query has only one direction to move in.
    """
    along = predict(logits, env, outcome_table(get_method("grpo"), group_size)).along
    # Each query becomes a seed of its own with one query, so that none shares a mini-batch with another.
    apart = environment(env.tree, env.arm_rewards[:, None])
    wide = logits[:, None]
    groups, weights = all_groups(response_log_probs(policy(wide).log_probs, env.tree), group_size)
    count, lead = len(groups), wide.shape[:2]
    responses = np.broadcast_to(groups[:, None, None], (count, *lead, group_size))
    current = np.broadcast_to(wide, (count, *wide.shape))
    started = current if reference is None else np.broadcast_to(reference[:, None], current.shape)
    remembered = memory and {name: np.broadcast_to(value, (count, *value.shape)) for name, value in memory.items()}
    state = State(current, Moments(), current, reference=started, memory=remembered)
    update = Update(group_size=group_size, aggregation="token_sum")
    step = step_on_groups(state, apart, update, method=method, responses=responses, rngs=())
    mean = (weights[..., None, None] * step.direction).sum(axis=0)[:, 0]
    size = np.sqrt(np.square(mean).sum(axis=(-2, -1)))
    on_line = (mean * along).sum(axis=(-2, -1), keepdims=True) * along
    off = np.sqrt(np.square(mean - on_line).sum(axis=(-2, -1)))
    return np.divide(off, size, out=np.zeros_like(size), where=size > 0)
