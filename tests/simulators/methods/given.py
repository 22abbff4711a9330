"""What the engine gives to a rule, for tests that call the rule's own functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from simulators.engine import Step, step_on_groups
from simulators.environments import environment
from simulators.methods import Method, TokenBatch, get_method
from simulators.tabular.policy import Policy
from simulators.tabular.trees import Tree
from simulators.update import Update
from tests.simulators.cases import Case, random_case, tokens_of

SEQUENCE_MEAN = Update(aggregation="sequence_mean", clip_low=1.0, clip_high=np.inf)


def case_off_its_reference(shape: str, seed: int, **sizes: Any) -> Case:
    """A policy, the stale policy that sampled and a third one as reference."""
    rng = np.random.default_rng(seed)
    case = random_case(shape, rng, **sizes)
    reference = case.state.logits + rng.normal(size=case.state.logits.shape)
    return case._replace(state=case.state._replace(reference=reference))


def on_tree(tree: Tree, seed: int, *, seeds: int = 2, queries: int = 3, group_size: int = 5) -> Case:
    """A random case on a tree of one's own."""
    rng = np.random.default_rng(seed)
    right = (rng.random((seeds, queries, tree.responses)) < 0.5).astype(float)
    template = random_case("bandit", rng)
    logits = rng.normal(size=(seeds, queries, tree.nodes, tree.actions))
    state = template.state._replace(logits=logits, behaviour=logits, reference=logits)
    return Case(environment(tree, right), state, rng.integers(0, tree.responses, (seeds, queries, group_size)))


def given_batch(case: Case, update: Update = SEQUENCE_MEAN) -> TokenBatch:
    """The batch of the first pass."""
    seen: list[TokenBatch] = []

    def look(batch: TokenBatch) -> Any:
        seen.append(batch)
        return np.ones(batch.mask.shape)

    stepped(case, replace(get_method("grpo"), token_weights=look), update)
    return seen[0]


def stepped(case: Case, method: Method, update: Update = SEQUENCE_MEAN) -> Step:
    """The update of a case by a rule."""
    rngs = [np.random.default_rng([7, s]) for s in range(len(case.responses))]
    return step_on_groups(case.state, case.env, update, method=method, responses=case.responses, rngs=rngs)


def direction_of(case: Case, name: str, update: Update = SEQUENCE_MEAN, **options: Any) -> Any:
    return stepped(case, get_method(name, **options), update).direction


def sampled_tokens(case: Case, place: tuple[int, int, int]) -> list[tuple[int, int]]:
    """(node, action) pairs of one sampled response."""
    return tokens_of(case.env.tree)[int(case.responses[place])]


def node_entropy(pi: Policy, place: tuple[int, int], node: int) -> float:
    """In nats, by a plain sum."""
    return -sum(float(p) * float(q) for p, q in zip(pi.probs[place][node], pi.log_probs[place][node], strict=True))
