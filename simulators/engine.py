"""One update of a tabular policy, on sampled groups or on every possible group, and the loop around it.

The order is that of a trainer: sample from the behaviour policy, reward, advantage, then ``epochs`` passes over the
same groups. What is measured about an update is in ``measures``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qae_theory import _checks
from qae_theory._exact import Array
from simulators import kernels, optimisers
from simulators.environments import Environment
from simulators.groups import Generators, all_groups, sampled_groups
from simulators.methods import Method, TokenBatch, get_method
from simulators.objective import Coefficients, coefficients
from simulators.optimisers import Moments
from simulators.policy import node_entropies, policy, response_log_probs, token_values
from simulators.rewards import shaped_rewards
from simulators.update import Update


class State(NamedTuple):
    """Logits ``[S, ..., Q, N, A]``, the optimiser's moments, the behaviour policy's logits, and updates done."""

    logits: Array
    moments: Moments
    behaviour: Array
    updates: int = 0


class Rollouts(NamedTuple):
    """Groups of one update: responses, rewards before shaping (0/1), advantages and lengths, ``[..., Q, G]`` each.

    ``kept`` ``[..., Q]`` is false for groups that dynamic sampling drops.
    """

    responses: Array
    correct: Array
    rewards: Array
    advantages: Array
    lengths: Array
    kept: Array


class Step(NamedTuple):
    """An update: the states around it, its rollouts, and each pass's coefficients and the direction of the first."""

    before: State
    after: State
    rollouts: Rollouts
    passes: tuple[Coefficients, ...]
    direction: Array


def initial_state(logits: object, env: Environment) -> State:
    """State of a fresh run.

    Args:
        logits: ``[S, ..., Q, N, A]``; for a bandit ``[S, ..., Q, n]`` will do.
        env: the environment.

    Raises:
        ValueError: naming ``logits``.
    """
    z = _checks.vector("logits", logits, arms=env.tree.actions)
    if env.tree.is_bandit and z.ndim == env.arm_rewards.ndim:
        z = z[..., None, :]
    if z.shape[:-2] != env.arm_rewards.shape[:-1] or z.shape[-2] != env.tree.nodes or z.ndim < 4:
        wanted = (*env.arm_rewards.shape[:-1], env.tree.nodes, env.tree.actions)
        _checks.refuse("logits", logits, f"of shape {wanted}, with at least one leading axis (seeds)")
    return State(z, Moments(), z)


def update_once(state: State, env: Environment, update: Update, rngs: Generators) -> Step:
    """One update on sampled groups; seed s draws from ``rngs[s]``, one generator for each entry of axis 0."""
    method = get_method(update.method, **update.options)
    log_probs = response_log_probs(policy(state.behaviour).log_probs, env.tree)
    responses = sampled_groups(np.exp(log_probs), update.group_size, rngs)
    return step_on_groups(state, env, update, method, responses, rngs)


def train(state: State, env: Environment, update: Update, steps: int, rngs: Generators) -> Iterator[Step]:
    """``steps`` updates, one after the other."""
    for _ in range(steps):
        step = update_once(state, env, update, rngs)
        yield step
        state = step.after


def update_on_all_groups(state: State, env: Environment, update: Update, rngs: Generators = ()) -> tuple[Step, Array]:
    """The same update on every possible group: a step with a leading axis M, and the groups' probabilities.

    Weights are ``[M, S, ..., Q]``. Exact for each query by itself where queries do not share a normaliser or a gradient
    norm, which the token mean over several queries, dynamic sampling with it, and norm clipping make them do.

    Raises:
        ValueError: naming ``group_size`` where there would be over two million groups.
    """
    method = get_method(update.method, **update.options)
    log_probs = response_log_probs(policy(state.behaviour).log_probs, env.tree)
    groups, weights = all_groups(log_probs, update.group_size)
    lead = log_probs.shape[:-1]
    responses = np.broadcast_to(
        groups.reshape(len(groups), *(1,) * len(lead), -1), (len(groups), *lead, groups.shape[1])
    )
    wide = state._replace(
        logits=np.broadcast_to(state.logits, (len(groups), *state.logits.shape)),
        behaviour=np.broadcast_to(state.behaviour, (len(groups), *state.behaviour.shape)),
    )
    return step_on_groups(wide, env, update, method, responses, rngs), weights


def step_on_groups(
    state: State, env: Environment, update: Update, method: Method, responses: Array, rngs: Generators
) -> Step:
    """The update on given groups ``[..., Q, G]``."""
    rollouts = score(responses, env, update, method)
    behaviour = policy(state.behaviour)
    old = _sampled_tokens(behaviour.log_probs, env, responses)
    mask = env.tree.token_mask[responses] & rollouts.kept[..., None, None]
    advantages = np.broadcast_to(rollouts.advantages[..., None], mask.shape)
    logits, moments = state.logits, state.moments
    passes: list[Coefficients] = []
    first_direction = None
    for _ in range(update.epochs):
        pi = policy(logits)
        entropies = np.broadcast_to(node_entropies(pi)[..., None], pi.probs.shape)
        batch = TokenBatch(
            log_probs=_sampled_tokens(pi.log_probs, env, responses),
            old_log_probs=old,
            entropies=_sampled_tokens(entropies, env, responses),
            advantages=advantages,
            mask=mask,
            rngs=rngs,
        )
        passes.append(coefficients(batch, method, update, rollouts.lengths))
        direction = kernels.push(passes[-1].values, responses, env.tree.cells, pi.probs)
        first_direction = direction if first_direction is None else first_direction
        logits, moments = optimisers.apply(logits, direction, moments, update)
    assert first_direction is not None  # epochs >= 1
    done = state.updates + 1
    renew = update.behaviour_lag > 0 and done % update.behaviour_lag == 0
    after = State(logits, moments, logits if renew else state.behaviour, done)
    return Step(state, after, rollouts, tuple(passes), first_direction)


def score(responses: Array, env: Environment, update: Update, method: Method) -> Rollouts:
    """Rewards and advantages of given groups ``[..., Q, G]``."""
    arm_rewards = np.broadcast_to(env.arm_rewards, (*responses.shape[:-1], env.tree.responses))
    correct = np.take_along_axis(arm_rewards, responses, axis=-1)
    lengths = env.lengths[responses]
    rewards = shaped_rewards(correct, lengths, update)
    solved = correct.sum(axis=-1)
    mixed = (solved > 0) & (solved < correct.shape[-1])
    kept = mixed if update.dynamic_sampling else np.ones_like(mixed)
    return Rollouts(responses, correct, rewards, method.advantages(rewards), lengths, kept)


def _sampled_tokens(node_values: Array, env: Environment, responses: Array) -> Array:
    """Values of the sampled tokens, ``[..., Q, N, A]`` and ``[..., Q, G]`` to ``[..., Q, G, T]``."""
    if env.tree.is_bandit:
        return np.take_along_axis(node_values[..., 0, :], responses, axis=-1)[..., None]
    values = token_values(node_values, env.tree)
    return np.take_along_axis(values, responses[..., None], axis=-2)
