"""Contexts of an update as the engine makes them, from chosen responses. No test is here."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.environments import Environment, bandit, environment
from simulators.methods import Context
from simulators.rewards import shaped_rewards
from simulators.tabular.policy import policy
from simulators.tabular.trees import token_tree
from simulators.update import Update

TREE = token_tree(2, 3)


def context_of(
    env: Environment, logits: Any, responses: Any, *, memory: Any = None, verdicts: Any = None, update: Any = None
) -> Context:
    """The context of an update on these responses; ``verdicts`` stand for those of a verifier that errs."""
    arm_rewards = np.broadcast_to(env.arm_rewards, (*responses.shape[:-1], env.tree.responses))
    correct = np.take_along_axis(arm_rewards, responses, axis=-1) if verdicts is None else np.asarray(verdicts)
    lengths = env.lengths[responses]
    pi = policy(logits)
    return Context(
        responses=responses,
        verdicts=correct,
        rewards=shaped_rewards(correct, lengths, update or Update()),
        lengths=lengths,
        arm_rewards=arm_rewards,
        tree=env.tree,
        behaviour=pi,
        reference=pi,
        memory=memory or {},
        rngs=(),
    )


def bandit_context(rewards: Any, **others: Any) -> Context:
    """Rewards ``[S, ..., Q, G]`` of 0 and 1, drawn from a uniform bandit whose arm 1 is right and arm 0 wrong."""
    responses = np.asarray(rewards).astype(int)
    lead = responses.shape[:-1]
    env = bandit(np.broadcast_to([0.0, 1.0], (*lead, 2)))
    return context_of(env, np.zeros((*lead, 1, 2)), responses, **others)


def tree_context(rng: np.random.Generator, *, seeds: int = 3, queries: int = 4, group_size: int = 5) -> Context:
    """Random responses of random policies on a token tree with responses of one to three tokens."""
    lead = (seeds, queries)
    env = environment(TREE, (rng.random((*lead, TREE.responses)) < 0.5).astype(float))
    responses = rng.integers(0, TREE.responses, (*lead, group_size))
    return context_of(env, rng.normal(size=(*lead, TREE.nodes, TREE.actions)), responses)
