"""One update of a tabular policy, on sampled groups or on every possible group, and the loop around it.

The order is that of a trainer: sample from the behaviour policy, reward, advantage, then ``epochs`` passes over the
same groups. What is measured about an update is in ``measures``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.group_expectation import OutcomeAdvantages, outcome_advantages
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
    z = checks.vector("logits", logits, arms=env.tree.actions)
    if env.tree.is_bandit and z.ndim == env.arm_rewards.ndim:
        z = z[..., None, :]
    if z.shape[:-2] != env.arm_rewards.shape[:-1] or z.shape[-2] != env.tree.nodes or z.ndim < 4:
        wanted = (*env.arm_rewards.shape[:-1], env.tree.nodes, env.tree.actions)
        checks.refuse("logits", logits, f"of shape {wanted}, with at least one leading axis (seeds)")
    return State(z, Moments(), z)


def update_once(state: State, env: Environment, update: Update, rngs: Generators) -> Step:
    """One update on sampled groups; seed s draws from ``rngs[s]``, one generator for each entry of axis 0."""
    method = get_method(update.method, **update.options)
    pi = policy(state.behaviour)
    probs = pi.probs[..., 0, :] if env.tree.is_bandit else np.exp(response_log_probs(pi.log_probs, env.tree))
    responses = sampled_groups(probs, update.group_size, rngs)
    return step_on_groups(state, env, update, method, responses, rngs)


def train(state: State, env: Environment, update: Update, steps: int, rngs: Generators) -> Iterator[Step]:
    """``steps`` updates, one after the other."""
    for _ in range(steps):
        step = update_once(state, env, update, rngs)
        yield step
        state = step.after


def advance(
    state: State, env: Environment, update: Update, steps: int, rngs: Generators, batch: int | None = None
) -> State:
    """The state after ``steps`` updates, recording nothing: :func:`train`'s, up to rounding, from the same draws.

    On-policy SGD on a bandit with an estimator's advantages runs in one fused kernel over ``batch`` queries at a time,
    which bounds the memory that it needs beside the logits and never changes a result. Any other update is
    :func:`update_once`, on all queries at once.

    Raises:
        ValueError: naming ``steps``, ``batch`` or ``rngs``.
    """
    if len(rngs) != len(state.logits):
        checks.refuse("rngs", rngs, f"{len(state.logits)} generators, one for each seed")
    if steps < 0:
        checks.refuse("steps", steps, "an integer >= 0")
    if batch is not None and batch < 1:
        checks.refuse("batch", batch, "None or an integer >= 1")
    table = fused_table(env, update)
    for done in range(steps):
        if table is not None and state.behaviour is state.logits:
            return _advance_fused(state, env, update, table, steps - done, rngs, batch)
        state = update_once(state, env, update, rngs).after
    return state


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
    logits = np.broadcast_to(state.logits, (len(groups), *state.logits.shape))
    same = state.behaviour is state.logits
    behaviour = logits if same else np.broadcast_to(state.behaviour, (len(groups), *state.behaviour.shape))
    wide = state._replace(logits=logits, behaviour=behaviour)
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
        pi = behaviour if logits is state.behaviour else policy(logits)
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


def fused_table(env: Environment, update: Update) -> OutcomeAdvantages | None:
    """Advantages by number of right responses, where these and 1/G are all there is to an update's coefficients."""
    method = get_method(update.method, **update.options)
    plain = update.optimiser == "sgd" and update.max_grad_norm is None and update.on_policy
    plain = plain and update.overlong is None and not update.signed_rewards
    one_over_group = update.aggregation == "token_sum" or bool(np.all(env.lengths == 1))
    if not (env.tree.is_bandit and plain and one_over_group and method.rewards_alone and method.estimator is not None):
        return None
    correct, wrong = outcome_advantages(update.group_size, method.estimator, **(method.options or {}))
    if update.dynamic_sampling:
        degenerate = np.isin(np.arange(update.group_size + 1), (0, update.group_size))
        correct, wrong = np.where(degenerate, 0.0, correct), np.where(degenerate, 0.0, wrong)
    return OutcomeAdvantages(correct, wrong)


def _advance_fused(
    state: State,
    env: Environment,
    update: Update,
    table: OutcomeAdvantages,
    steps: int,
    rngs: Generators,
    batch: int | None,
) -> State:
    """``steps`` fused updates, the first into new logits, the others in place; a seed draws in its queries' order."""
    source, rewards = (values.reshape(-1, env.tree.actions) for values in (state.logits, env.arm_rewards))
    z = np.empty(source.shape)
    per_seed = len(z) // len(rngs)
    size = max(1, min(batch or len(z), len(z)))
    uniforms = np.empty((size, update.group_size))
    for _ in range(steps):
        for start in range(0, len(z), size):
            rows = slice(start, min(start + size, len(z)))
            draws = uniforms[: rows.stop - start]
            _draw(draws, start, per_seed, rngs)
            kernels.group_update(source[rows], rewards[rows], *table, draws, update.step_size, out=z[rows])
        source = z
    logits = z.reshape(state.logits.shape)
    return State(logits, state.moments, logits, state.updates + steps)


def _draw(out: Array, start: int, per_seed: int, rngs: Generators) -> None:
    """Fill rows ``start``, ``start + 1``, ... of all seeds' uniforms, each row from its own seed's generator."""
    done = 0
    while done < len(out):
        seed, place = divmod(start + done, per_seed)
        count = min(per_seed - place, len(out) - done)
        rngs[seed].random(out=out[done : done + count])
        done += count
