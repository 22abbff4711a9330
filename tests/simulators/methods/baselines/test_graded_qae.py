"""Which gate keeps QAE's two regimes on rewards other than 0 and 1: by enumeration of shaped groups."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest

from qae_theory.paper.overlong import Overlong
from simulators.engine import step_on_groups
from simulators.environments import environment
from simulators.methods import get_method
from simulators.methods.baselines.graded_qae import mid_ranks
from simulators.update import Update
from tests import oracles
from tests.assertions import refuses
from tests.simulators.cases import random_case
from tests.simulators.methods.contexts import bandit_context

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
# (correct, reward) of DAPO's signs with an overlong penalty of 0, 1/2 or 1.
KINDS = [(1, 1.0), (1, 0.5), (1, 0.0), (0, -1.0), (0, -1.5), (0, -2.0)]
SIZES = (2, 3, 5)


def groups_of(size: int) -> list[list[tuple[int, float]]]:
    """Every multiset of that many shaped responses."""
    return [list(group) for group in combinations_with_replacement(KINDS, size)]


def advantages(gate: str, groups: list[list[tuple[int, float]]], k: str, **options: Any) -> Any:
    """Of groups of one size, in the engine's way: rewards from the shaping, correctness from the verifier."""
    correct, rewards = np.moveaxis(np.array(groups, dtype=float), -1, 0)
    method = get_method("graded_qae", gate=gate, k=k, **options)
    if method.context_advantages is None:
        return method.advantages(rewards)
    return method.context_advantages(bandit_context(correct[None])._replace(rewards=rewards[None]))[0]


def keeps_the_regimes(found: Any, group: list[tuple[int, float]], k: str) -> bool:
    """Hard groups move correct responses alone, and up; easy groups wrong ones alone, and down."""
    correct = np.array([c for c, _ in group], dtype=bool)
    hard = Fraction(int(correct.sum()), len(group)) <= 1 - Fraction(k)
    idle, moved = (found[~correct], found[correct]) if hard else (found[correct], found[~correct])
    return not idle.any() and bool((moved >= 0).all() if hard else (moved <= 0).all())


@pytest.mark.parametrize("k", ["0.2", "0.4", "0.7"])
def test_the_gate_on_correctness_keeps_the_regimes_and_the_others_do_not(k: str) -> None:
    broken = dict.fromkeys(("correctness", "levels", "ranks"), 0)
    count = 0
    for size in SIZES:
        groups = groups_of(size)
        count += len(groups)
        for gate in broken:
            for found, group in zip(advantages(gate, groups, k), groups, strict=True):
                broken[gate] += not keeps_the_regimes(found, group, k)
    assert broken["correctness"] == 0
    assert broken["levels"] > count / 4
    assert broken["ranks"] == broken["levels"]


def test_ranks_have_the_signs_of_levels() -> None:
    for size in SIZES:
        signs = [np.sign(advantages(gate, groups_of(size), "0.4")) for gate in ("levels", "ranks")]
        np.testing.assert_array_equal(*signs)


def test_ranks_bound_what_an_outlier_does() -> None:
    group = [(1, 1.0), (0, -1.0), (0, -1.0), (0, -2.0)]
    far = [*group[:3], (0, -1000.0)]
    near_ranks, far_ranks = advantages("ranks", [group, far], "0.6")
    np.testing.assert_array_equal(near_ranks, far_ranks)
    near, distant = advantages("levels", [group, far], "0.6")
    assert not np.allclose(near, distant, rtol=0.1)


@pytest.mark.parametrize("gate", ["correctness", "levels", "ranks"])
def test_on_binary_rewards_every_gate_is_qae(gate: str) -> None:
    for m in range(8):
        group = [(1, 1.0)] * m + [(0, 0.0)] * (7 - m)
        rewards = [Fraction(c) for c, _ in group]
        wanted = [float(a) for a in oracles.advantages(rewards, "qae", k=Fraction(2, 5))]
        # Ranks have another std, so that the same eps weighs otherwise: by parts in a million of a std of .1 or more.
        close = {"rtol": 1e-5} if gate == "ranks" else CLOSE
        np.testing.assert_allclose(advantages(gate, [group], "0.4")[0], wanted, **close)
        alone = get_method("graded_qae", gate=gate).advantages([float(r) for r in rewards])
        np.testing.assert_allclose(alone, wanted, **close)


def test_the_gate_on_correctness_is_the_plain_formula() -> None:
    group = [(1, 1.0), (0, -1.0), (0, -1.5), (0, -2.0)]
    std = float(np.std([r for _, r in group]))
    found = advantages("correctness", [group], "0.4", eps=0)[0]
    np.testing.assert_allclose(found, [(1.0 + 1.5) / std, 0, 0, 0], **CLOSE)
    easy = [(1, 1.0), (1, 0.5), (1, 0.0), (0, -2.0)]
    std = float(np.std([r for _, r in easy]))
    np.testing.assert_allclose(advantages("correctness", [easy], "0.4", eps=0)[0], [0, 0, 0, (-2 - 0.5) / std], **CLOSE)
    for dead in ([(1, 1.0), (1, 0.5)], [(0, -1.0), (0, -2.0)]):
        assert not advantages("correctness", [dead], "0.4").any()


def test_mid_ranks_are_counted() -> None:
    rng = np.random.default_rng(1)
    rewards = rng.integers(0, 3, (20, 6)).astype(float)
    for group, found in zip(rewards, mid_ranks(rewards), strict=True):
        for i, r in enumerate(group):
            places = [place for place, x in enumerate(sorted(group)) if x == r]
            assert found[i] == pytest.approx(sum(places) / len(places) / 5)
    assert mid_ranks(np.array([3.0])).tolist() == [0.0]


def test_the_engine_hands_over_the_verdicts() -> None:
    """With an overlong penalty a correct response's reward may be 0: the reward alone does not say that it is right."""
    case = random_case("tree", np.random.default_rng(2), queries=30)
    update = Update(method="graded_qae", group_size=5, overlong=Overlong(max_length=2, cache=2))
    env = environment(case.env.tree, case.env.arm_rewards)
    rollouts = step_on_groups(case.state, env, update, get_method("graded_qae"), case.responses, ()).rollouts
    groups = 0
    for index in np.ndindex(rollouts.correct.shape[:-1]):
        pairs = list(zip(rollouts.correct[index].astype(int).tolist(), rollouts.rewards[index].tolist(), strict=True))
        assert keeps_the_regimes(rollouts.advantages[index], pairs, "0.4")
        groups += any(c == 1 and r <= 0 for c, r in pairs)
    assert groups > 0


@pytest.mark.parametrize(
    ("option", "value"), [("gate", "median"), ("gate", None), ("k", 0.0), ("std", "batch"), ("eps", -1.0)]
)
def test_bad_options_are_refused(option: str, value: Any) -> None:
    refuses(lambda: get_method("graded_qae", **{option: value}), option, value)
