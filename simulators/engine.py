"""Take one update of a tabular policy, on sampled groups or on every possible group, and loop over updates.

The order is that of a trainer: sample from the behaviour policy, reward, compute advantages, then make ``epochs``
passes over the same groups, and let the rule remember what it needs. ``measures`` defines what is recorded about an
update, and ``fused`` takes many updates at speed without any record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators import optimisers
from simulators.environments import Environment
from simulators.methods import Context, Memory, Method, TokenBatch, get_method
from simulators.objective import Coefficients, coefficients
from simulators.optimisers import Moments
from simulators.rewards import shaped_rewards
from simulators.tabular import kernels
from simulators.tabular.groups import Generators, all_groups, sampled_groups
from simulators.tabular.policy import Policy, node_entropies, policy, response_log_probs, sampled_token_values
from simulators.update import Update
from simulators.verifier import observed


class State(NamedTuple):
    """Hold what training goes on from.

    ``logits`` ``[S, ..., Q, N, A]`` are the policy's, ``moments`` the optimiser's, ``behaviour`` the logits of the
    policy that samples, and ``updates`` counts the updates done. ``reference`` holds the logits that training started
    from, and ``memory`` what the rule has remembered; each is None where nothing is known of it yet, and is then taken
    from the policy as it stands.
    """

    logits: Array
    moments: Moments
    behaviour: Array
    updates: int = 0
    reference: Array | None = None
    memory: Memory | None = None


class Rollouts(NamedTuple):
    """Groups of one update, ``[..., Q, G]`` each: responses, whether they are correct, rewards, advantages and lengths.

    ``correct`` is the truth, 0 or 1, before any noise of the verifier and any shaping; ``rewards`` is what the
    advantages are computed from. ``kept`` ``[..., Q]`` is false for groups that dynamic sampling drops.
    """

    responses: Array
    correct: Array
    rewards: Array
    advantages: Array
    lengths: Array
    kept: Array


class Step(NamedTuple):
    """Hold an update: the states before and after, its rollouts, and the coefficients of each pass.

    ``direction`` ``[..., Q, N, A]`` is that of the first pass, before the optimiser.
    """

    before: State
    after: State
    rollouts: Rollouts
    passes: tuple[Coefficients, ...]
    direction: Array


def initial_state(logits: object, env: Environment) -> State:
    """Return the state of a fresh run, whose behaviour policy is the policy itself.

    Args:
        logits: finite, ``[S, ..., Q, N, A]``; for a bandit ``[S, ..., Q, n]`` will do.
        env: the environment.

    Returns:
        A state with no updates done.

    Raises:
        ValueError: ``logits`` are not finite, or their shape does not fit the environment.
    """
    z = checks.vector("logits", logits, arms=env.tree.actions)
    if env.tree.is_bandit and z.ndim == env.arm_rewards.ndim:
        # A bandit is a tree with one node, whose axis is added here.
        z = z[..., None, :]
    if z.shape[:-2] != env.arm_rewards.shape[:-1] or z.shape[-2] != env.tree.nodes or z.ndim < 4:
        wanted = (*env.arm_rewards.shape[:-1], env.tree.nodes, env.tree.actions)
        checks.refuse("logits", logits, f"of shape {wanted}, with at least one leading axis (seeds)")
    return State(z, Moments(), z, reference=z)


def update_once(state: State, env: Environment, update: Update, rngs: Generators) -> Step:
    """Return one update on sampled groups.

    Args:
        state: where training stands.
        env: the environment.
        update: the switches of the update.
        rngs: S generators, one for each entry of axis 0; the groups of seed s come from ``rngs[s]`` alone.

    Returns:
        The step, with everything that ``measures`` reads.
    """
    method = get_method(update.method, **update.options)
    pi = policy(state.behaviour)
    probs = pi.probs[..., 0, :] if env.tree.is_bandit else np.exp(response_log_probs(pi.log_probs, env.tree))
    responses = sampled_groups(probs, update.group_size, rngs)
    return step_on_groups(state, env, update, method=method, responses=responses, rngs=rngs)


def train(state: State, env: Environment, update: Update, steps: int, rngs: Generators) -> Iterator[Step]:
    """Yield ``steps`` updates, each going on from the one before it.

    Args:
        state: where training starts.
        env: the environment.
        update: the switches of every update.
        steps: number of updates.
        rngs: S generators, as for :func:`update_once`.
    """
    for _ in range(steps):
        step = update_once(state, env, update, rngs=rngs)
        yield step
        state = step.after


def update_on_all_groups(state: State, env: Environment, update: Update, rngs: Generators = ()) -> tuple[Step, Array]:
    """Return the same update on every possible group: a step with a leading axis M, and the groups' probabilities.

    It is exact for each query by itself. Where queries share a normaliser or a gradient norm, that is not the update of
    a mini-batch: the token mean over several queries, dynamic sampling with it, and norm clipping share one.

    Args:
        state: where training stands.
        env: the environment.
        update: the switches of the update.
        rngs: generators for rules that draw at random; other rules need none.

    Returns:
        The step, with M groups along axis 0, and the weights of the groups, ``[M, S, ..., Q]``.

    Raises:
        ValueError: there would be over two million groups (the message names ``group_size``), the verifier is noisy
            (``noise``), or the rule remembers earlier updates (``method``).
    """
    method = get_method(update.method, **update.options)
    if update.noise is not None:
        checks.refuse("noise", update.noise, "left out where every group is enumerated")
    if method.start is not None:
        checks.refuse("method", update.method, "a rule without a memory where every group is enumerated")
    log_probs = response_log_probs(policy(state.behaviour).log_probs, env.tree)
    groups, weights = all_groups(log_probs, update.group_size)
    # Every query and seed gets the same M groups; only their weights differ.
    lead = log_probs.shape[:-1]
    singleton_axes = (1,) * len(lead)
    aligned = groups.reshape(len(groups), *singleton_axes, -1)
    responses = np.broadcast_to(aligned, (len(groups), *lead, groups.shape[1]))
    logits = np.broadcast_to(state.logits, (len(groups), *state.logits.shape))
    # The two stay one object where they are one, because that is how `step_on_groups` knows an on-policy pass.
    same = state.behaviour is state.logits
    behaviour = logits if same else np.broadcast_to(state.behaviour, (len(groups), *state.behaviour.shape))
    reference = None if state.reference is None else np.broadcast_to(state.reference, logits.shape)
    wide = state._replace(logits=logits, behaviour=behaviour, reference=reference)
    return step_on_groups(wide, env, update, method=method, responses=responses, rngs=rngs), weights


def step_on_groups(
    state: State, env: Environment, update: Update, method: Method, responses: Array, rngs: Generators
) -> Step:
    """Return the update on given groups of responses.

    Args:
        state: where training stands.
        env: the environment.
        update: the switches of the update.
        method: the rule; ``update.method`` names it, but experiments may hand over a changed one.
        responses: ``[..., Q, G]``.
        rngs: generators for rules that draw at random.

    Returns:
        The step after all passes.
    """
    behaviour = policy(state.behaviour)
    context = _context(state, env, update, behaviour=behaviour, responses=responses, rngs=rngs)
    if method.start is not None and state.memory is None:
        context = context._replace(memory=method.start(context))
    rollouts = _rollouts(context, update, method=method)
    # Importance ratios are taken against the policy that sampled, in every pass.
    old = sampled_token_values(behaviour.log_probs, env.tree, responses)
    # Dropped groups keep their places in the arrays and are masked out.
    mask = env.tree.token_mask[responses] & rollouts.kept[..., None, None]
    advantages = np.broadcast_to(rollouts.advantages[..., None], mask.shape)
    logits, moments = state.logits, state.moments
    passes: list[Coefficients] = []
    first_direction = None
    for _ in range(update.epochs):
        # The first pass of an on-policy update is at the behaviour policy itself, whose softmax is at hand.
        pi = behaviour if logits is state.behaviour else policy(logits)
        # A token has the entropy of its node, whichever action was sampled there.
        entropies = np.broadcast_to(node_entropies(pi)[..., None], pi.probs.shape)
        batch = TokenBatch(
            log_probs=sampled_token_values(pi.log_probs, env.tree, responses),
            old_log_probs=old,
            entropies=sampled_token_values(entropies, env.tree, responses),
            advantages=advantages,
            mask=mask,
            rngs=rngs,
            policy=pi,
            context=context,
        )
        passes.append(coefficients(batch, method, update, lengths_qg=rollouts.lengths))
        direction = kernels.push(passes[-1].values, responses, cells=env.tree.cells, probs=pi.probs)
        if method.direction is not None:
            direction = direction + method.direction(batch, passes[-1].weights)
        first_direction = direction if first_direction is None else first_direction
        logits, moments = optimisers.apply(logits, direction, moments=moments, update=update)
    assert first_direction is not None  # `Update` has epochs >= 1
    done = state.updates + 1
    # The behaviour policy catches up after every L-th update; at lag 0 it stays as it is for ever.
    renew = update.behaviour_lag > 0 and done % update.behaviour_lag == 0
    memory = context.memory if method.remember is None else method.remember(context, policy(logits))
    after = State(
        logits,
        moments,
        behaviour=logits if renew else state.behaviour,
        updates=done,
        reference=state.reference,
        memory=memory or None,
    )
    return Step(before=state, after=after, rollouts=rollouts, passes=tuple(passes), direction=first_direction)


def _context(
    state: State, env: Environment, update: Update, *, behaviour: Policy, responses: Array, rngs: Generators
) -> Context:
    """Return what a rule may see of the update on these responses, ``[..., Q, G]``."""
    arm_rewards = np.broadcast_to(env.arm_rewards, (*responses.shape[:-1], env.tree.responses))
    verdicts = observed(np.take_along_axis(arm_rewards, responses, axis=-1), update.noise, rngs)
    lengths = env.lengths[responses]
    # At the first update the reference is the behaviour policy itself, whose softmax is at hand.
    reference = None if state.reference is state.behaviour else state.reference
    return Context(
        responses=responses,
        verdicts=verdicts,
        rewards=shaped_rewards(verdicts, lengths, update),
        lengths=lengths,
        arm_rewards=arm_rewards,
        tree=env.tree,
        behaviour=behaviour,
        reference=behaviour if reference is None else policy(reference),
        memory=state.memory or {},
        rngs=rngs,
    )


def _rollouts(context: Context, update: Update, method: Method) -> Rollouts:
    """Return rewards and advantages of the context's groups, and which of them are kept.

    Args:
        context: the groups.
        update: says whether degenerate groups are dropped.
        method: turns rewards into advantages.

    Returns:
        The rollouts, ``[..., Q, G]`` each.
    """
    if method.context_advantages is None:
        advantages = method.advantages(context.rewards)
    else:
        advantages = method.context_advantages(context)
    # Dynamic sampling drops groups that the verifier finds all correct or all wrong.
    kept = np.ones(context.rewards.shape[:-1], dtype=bool)
    if update.dynamic_sampling:
        accepted = context.verdicts.sum(axis=-1)
        kept = (accepted > 0) & (accepted < context.verdicts.shape[-1])
    return Rollouts(
        responses=context.responses,
        correct=np.take_along_axis(context.arm_rewards, context.responses, axis=-1),
        rewards=context.rewards,
        advantages=advantages,
        lengths=context.lengths,
        kept=kept,
    )
