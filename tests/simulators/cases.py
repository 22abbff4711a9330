"""Small random worlds for the engine, and their translation into the plain Python of ``slow``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from simulators.engine import State, Step
from simulators.environments import Environment, environment
from simulators.methods import get_method
from simulators.optimisers import Moments
from simulators.tabular.trees import Tree, bandit_tree, token_tree
from simulators.update import Update
from tests import oracles
from tests.simulators.slow import Batch, Policy, Switches

TREES = {"bandit": bandit_tree(4), "tree": token_tree(2, 2), "line": token_tree(1, 3)}


class Case(NamedTuple):
    """An environment, a policy off its behaviour policy, and groups."""

    env: Environment
    state: State
    responses: Any


def random_case(
    shape: str, rng: np.random.Generator, *, seeds: int = 2, queries: int = 3, group_size: int = 5, stale: float = 0.3
) -> Case:
    """Logits ``[S, Q, N, A]``; the policy is ``stale`` standard deviations away from the behaviour policy."""
    tree = TREES[shape]
    arm_rewards = (rng.random((seeds, queries, tree.responses)) < 0.5).astype(float)
    lengths = rng.integers(1, 6, tree.responses) if tree.is_bandit else None
    behaviour = rng.normal(size=(seeds, queries, tree.nodes, tree.actions))
    logits = behaviour + stale * rng.normal(size=behaviour.shape)
    responses = rng.integers(0, tree.responses, (seeds, queries, group_size))
    return Case(environment(tree, arm_rewards, lengths), State(logits, Moments(), behaviour), responses)


def tokens_of(tree: Tree) -> list[list[tuple[int, int]]]:
    """Each response as (node, action) pairs."""
    return [[divmod(int(cell), tree.actions) for cell in row if cell >= 0] for row in tree.cells]


def switches_of(update: Update) -> Switches:
    method = get_method(update.method, **update.options)
    return Switches(
        step_size=update.step_size,
        epochs=update.epochs,
        clip_low=method.clip_low if update.clip_low is None else update.clip_low,
        clip_high=method.clip_high if update.clip_high is None else update.clip_high,
        dual_clip=update.dual_clip,
        aggregation=update.aggregation,
        sequence_ratio=method.ratio == "sequence",
        importance_ratio=update.importance_ratio,
        optimiser=update.optimiser,
        adam_betas=update.adam_betas,
        adam_eps=update.adam_eps,
        max_grad_norm=update.max_grad_norm,
    )


def batch_of(case: Case, update: Update, seed: int) -> Batch:
    """Seed s's mini-batch, rewards and advantages worked out anew."""
    groups = case.responses[seed].tolist()
    lengths = [int(n) for n in case.env.lengths]
    correct = [[int(case.env.arm_rewards[seed, q, y]) for y in group] for q, group in enumerate(groups)]
    advantages = [
        advantages_of([reward(r, lengths[y], update) for r, y in zip(row, group, strict=True)], update.method)
        for row, group in zip(correct, groups, strict=True)
    ]
    kept = [not update.dynamic_sampling or 0 < sum(row) < len(row) for row in correct]
    return Batch(groups, advantages, kept, tokens_of(case.env.tree), lengths)


def reward(correct: int, length: int, update: Update) -> Fraction:
    """DAPO's reward, arXiv 2503.14476, Eq. 13, case by case."""
    value = Fraction((1 if correct else -1) if update.signed_rewards else correct)
    if update.overlong is None:
        return value
    limit, cache = update.overlong.max_length, update.overlong.cache
    if length <= limit - cache:
        return value
    return value + (Fraction(limit - cache - length, cache) if length <= limit else -1)


def advantages_of(group: list[Fraction], method: str) -> list[float]:
    """By the oracles' definitions; GSPO and DAPO have GRPO's."""
    estimator = {"gspo": "grpo", "dapo": "grpo"}.get(method, method)
    return [float(a) for a in oracles.advantages(group, estimator)]


def policies(case: Case, seed: int) -> tuple[Policy, Policy]:
    """Current and behaviour policy of one seed."""
    return case.state.logits[seed].tolist(), case.state.behaviour[seed].tolist()


def clipped(step: Step, seed: int) -> tuple[int, int]:
    """Tokens cut by the lower and by the upper bound over all passes."""
    return (
        sum(int(p.clipped_low[seed].sum()) for p in step.passes),
        sum(int(p.clipped_high[seed].sum()) for p in step.passes),
    )
