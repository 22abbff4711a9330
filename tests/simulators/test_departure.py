"""Exactly how far rules that look at more than rewards leave the line of grad p; all others stay on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from simulators.departure import departure
from simulators.environments import Environment, environment
from simulators.methods import get_method, method_names
from simulators.tabular.trees import token_tree
from tests.simulators.test_neutrality import OPTIONS

GROUP_SIZE = 4
QUERIES = 12


class World12(NamedTuple):
    """Policies and references ``[Q, N, A]``, and what is right."""

    logits: Any
    reference: Any
    env: Environment


@pytest.fixture(scope="module")
def trees() -> World12:
    """12 random policies on the tree of seven responses of one or two tokens."""
    rng = np.random.default_rng(1)
    tree = token_tree(2, 2)
    right = rng.random((QUERIES, tree.responses)) < 0.4
    right[:, 0], right[:, 1] = True, False
    shape = (QUERIES, tree.nodes, tree.actions)
    return World12(rng.normal(size=shape), rng.normal(size=shape), environment(tree, right.astype(float)))


def level(value: float) -> Any:
    return np.full(QUERIES, value)


def all_mastered() -> dict[str, Any]:
    """Eight stored answers of each query, drawn evenly."""
    answers = np.random.default_rng(2).integers(0, 7, (QUERIES, 1, 8))
    return {"answers": answers, "mastered": np.ones((QUERIES, 1), dtype=bool)}


# The multiplier of a tilted quantile that has seen nothing yet.
UNSEEN = {"multiplier": level(1.0), "quantiles": np.full((QUERIES, 100), np.nan)}


def steered(delay: int) -> dict[str, Any]:
    """A loop that waits for an entropy near that of these trees."""
    return {"integral": level(0.5), "k": level(0.5), "target": level(0.9), "errors": np.zeros((QUERIES, delay))}


# Options and memories under which a rule acts at all in this world, and the mean share of its update off the line.
LEAVING: dict[str, tuple[dict[str, Any], dict[str, Any] | None, float]] = {
    "high_entropy": ({}, None, 0.547),
    "ace": ({}, None, 0.207),
    "stapo": ({"rare": 0.3}, None, 0.0447),
    "oar": ({}, None, 0.228),
    "less": ({"least_run": 1}, None, 0.105),
    "disco": ({"tau": 1.0}, None, 0.0436),
    "entropy_bonus": ({"coefficient": 0.1}, None, 0.0622),
    "adaptive_entropy": ({}, {"coefficient": level(0.1), "entropy": level(0.0)}, 0.0358),
    "aer": ({}, {"alpha": level(0.1), "target": level(1.0)}, 0.0336),
    "kl_penalty": ({}, None, 0.0629),
    "trajectory_entropy": ({}, {"dual": level(0.1), "target": level(1.0)}, 0.0633),
    "dph_rl": ({}, all_mastered(), 0.883),
    "grpo_lambda": ({}, None, 0.1703),
    "tilted_quantile": ({"cost": "length", "limit": 1.5, "rate": 0.0}, UNSEEN, 0.04878),
    # A tree's logged entropy is that of the sampled nodes, so that K reads the group in the same update.
    "qae_steered": ({"proportional": 5.0}, steered(0), 0.1002),
}
# Options and memories under which the same rules depend on rewards alone, at the reference and on-policy.
STAYING: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "kl_cov": ({}, None),
    "high_entropy": ({"share": 1.0}, None),
    "ace": ({}, None),
    "stapo": ({}, None),
    "oar": ({"level": 0.0, "beta": 0.0}, None),
    "disco": ({"tau": float("inf"), "beta": 0.0}, None),
    "entropy_bonus": ({"coefficient": 0.0}, None),
    "adaptive_entropy": ({}, {"coefficient": level(0.1), "entropy": level(np.inf)}),
    "aer": ({}, {"alpha": level(0.0), "target": level(1.0)}),
    "kl_penalty": ({}, None),
    "trajectory_entropy": ({}, {"dual": level(0.0), "target": level(1.0)}),
    "grpo_lambda": ({"alpha": 0.0}, None),
    "tilted_quantile": ({"cost": "failure"}, UNSEEN),
    "graded_qae": ({"gate": "correctness"}, None),
    "qae_steered": ({"proportional": 5.0, "delay": 1}, steered(1)),
    "streaming_quantile": ({}, {"baseline": np.full((QUERIES, 1), 0.3)}),
}
ROUNDING = 1e-10  # a few hundred multisets, each with an error of some 1e-16 of a direction of size about 1


@pytest.mark.parametrize("name", LEAVING)
def test_rules_that_look_at_more_leave_the_line(name: str, trees: World12) -> None:
    options, memory, share = LEAVING[name]
    method = get_method(name, **options)
    off = departure(method, trees.logits, trees.env, group_size=GROUP_SIZE, reference=trees.reference, memory=memory)
    assert off.mean() == pytest.approx(share, rel=5e-3)  # given to three digits
    assert (off <= 1).all()


@pytest.mark.parametrize("name", STAYING)
def test_the_same_rules_stay_on_it_where_rewards_alone_decide(name: str, trees: World12) -> None:
    options, memory = STAYING[name]
    off = departure(get_method(name, **options), trees.logits, trees.env, group_size=GROUP_SIZE, memory=memory)
    assert off.max() < ROUNDING


# A rule that remembers has a w of its own in every update, and a memory that a test would have to make up.
METHODS = {name: get_method(name, **OPTIONS.get(name, {})) for name in method_names()}
ALONE = [name for name, method in METHODS.items() if method.rewards_alone and method.start is None]


@pytest.mark.parametrize("name", ALONE)
def test_rules_of_rewards_alone_stay_on_the_line(name: str, trees: World12) -> None:
    off = departure(METHODS[name], trees.logits, trees.env, group_size=GROUP_SIZE, reference=trees.reference)
    assert off.max() < ROUNDING
