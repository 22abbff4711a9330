"""What is recorded of an update: sums that must add up, predictions against small steps, bounds that must hold."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction as F
from importlib import import_module
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from qae_theory import estimator_names
from simulators import Update, bandit, environment, initial_state, token_tree, train, update_once
from simulators.engine import Step
from simulators.environments import Environment
from simulators.measures import (
    change_measures,
    displacement,
    first_order_by_sign,
    group_measures,
    pass_at_k,
    per_seed,
    sample_entropy_measures,
    state_measures,
    success_prob,
)
from simulators.tabular.policy import node_entropies, policy, response_bend, response_log_probs, sequence_entropy

Array = Any
ROUNDING = 1e-12  # sums of some hundred terms of size 1 at most
SEEDS = 3


def generators(seed: int) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(SEEDS)]


def world(kind: str, seed: int, *, queries: int = 4, spread: float = 1.0) -> tuple[Environment, Array]:
    """Random rewards and logits on a bandit of six arms or a token tree of seven responses."""
    rng = np.random.default_rng(seed)
    if kind == "bandit":
        env = bandit(rng.integers(0, 2, (SEEDS, queries, 6)))
    else:
        tree = token_tree(2, 2)
        env = environment(tree, rng.integers(0, 2, (SEEDS, queries, tree.responses)))
    shape = (SEEDS, queries, env.tree.nodes, env.tree.actions)
    return env, spread * rng.standard_normal(shape)


def one_step(kind: str, seed: int, update: Update) -> tuple[Step, Environment]:
    env, logits = world(kind, seed)
    return update_once(initial_state(logits, env), env, update, generators(seed + 1)), env


@pytest.mark.parametrize("kind", ["bandit", "tree"])
@pytest.mark.parametrize("method", estimator_names())
def test_the_first_order_change_is_split_without_rest(kind: str, method: str) -> None:
    update = Update(method=method, group_size=8, step_size=0.3)
    step, env = one_step(kind, 1, update)
    found = change_measures(step, env, update)
    np.testing.assert_allclose(found["positive"] + found["negative"], found["first_order"], atol=ROUNDING)
    np.testing.assert_allclose(found["hard"] + found["easy"], found["first_order"], atol=ROUNDING)
    np.testing.assert_allclose(found["hard_query"] + found["easy_query"], found["first_order"], atol=ROUNDING)


def test_the_split_by_sign_is_by_sign() -> None:
    """PSR has no negative part, NSR no positive one; under GRPO both are there."""
    for method, empty in (("psr", 1), ("nsr", 0)):
        step, env = one_step("tree", 2, Update(method=method, group_size=8))
        assert not first_order_by_sign(step, env)[empty].any()
        assert first_order_by_sign(step, env)[1 - empty].any()
    step, env = one_step("tree", 2, Update(group_size=8))
    assert all(part.any() for part in first_order_by_sign(step, env))


@pytest.mark.parametrize("kind", ["bandit", "tree"])
def test_orders_against_finite_differences(kind: str) -> None:
    """Of the sequence entropy along the step's own direction on the logits."""
    update = Update(method="qae", group_size=8, step_size=1.0)
    step, env = one_step(kind, 3, update)
    found = change_measures(step, env, update)

    def at(t: float) -> Array:
        return per_seed(sequence_entropy(policy(step.before.logits + t * step.direction), env.tree))

    h = 1e-3  # error of order h^2 = 1e-6 in both; rounding 1e-16 / h^2 = 1e-10 in the second
    np.testing.assert_allclose(found["first_order"], (at(h) - at(-h)) / (2 * h), atol=1e-5)
    second = (at(h) - 2 * at(0) + at(-h)) / h**2
    np.testing.assert_allclose(2 * found["second_order"], second, atol=1e-5)
    assert np.abs(found["second_order"] - second).max() > 1e-3  # control: without the half


def test_response_bend_against_finite_differences() -> None:
    env, logits = world("tree", 12)
    direction, h = np.random.default_rng(13).standard_normal(logits.shape), 1e-3
    here, ahead, behind = (response_log_probs(policy(logits + t * direction).log_probs, env.tree) for t in (0.0, h, -h))
    second = (ahead - 2 * here + behind) / h**2
    found = response_bend(direction, policy(logits), env.tree)
    np.testing.assert_allclose(found, second, atol=1e-5)  # h^2 times a fourth derivative of size 1
    assert np.abs(found + second).max() > 0.1


def errors_of_prediction(kind: str, *, orders: int) -> tuple[Array, Array]:
    """Step sizes, and the largest distance of the actual change from the prediction to so many orders."""
    sizes, errors = 2.0 ** -np.arange(2, 9), []
    for size in sizes:
        update = Update(group_size=8, step_size=float(size))
        step, env = one_step(kind, 4, update)
        found = change_measures(step, env, update)
        predicted = found["first_order"] + (found["second_order"] if orders == 2 else 0)
        errors.append(np.abs(found["entropy_change"] - predicted).max())
    return sizes, np.array(errors)


@pytest.mark.parametrize(
    ("kind", "orders", "slope"), [("bandit", 1, 2), ("tree", 1, 2), ("bandit", 2, 3), ("tree", 2, 3)]
)
def test_prediction_errors_fall_with_the_step(kind: str, orders: int, slope: int) -> None:
    """Fitted slope in the step of the remainder: one more than the orders predicted, from 1/4 to 1/256."""
    sizes, errors = errors_of_prediction(kind, orders=orders)
    fitted = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert abs(fitted - slope) < 0.15  # the next order is 1/8 of the remainder in the middle of the range
    assert errors.min() > 1e-12  # above rounding, so that the slope means something


def test_the_slope_tells_one_order_from_two() -> None:
    sizes, errors = errors_of_prediction("bandit", orders=1)
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] < 2.5


def measured(kind: str, update: Update, *, steps: int = 25) -> Iterator[dict[str, Array]]:
    env, logits = world(kind, 6, spread=1.5)
    for step in train(initial_state(logits, env), env, update, steps, generators(7)):
        yield change_measures(step, env, update)


TRAJECTORIES = [
    {"method": method, "optimiser": optimiser, "step_size": 0.5 if optimiser == "sgd" else 0.1, "group_size": 8}
    for method in estimator_names()
    for optimiser in ("sgd", "adam")
]


@pytest.mark.parametrize("kind", ["bandit", "tree"])
def test_bounds_hold_at_every_step_of_every_estimator(kind: str) -> None:
    violations = rows = 0.0
    for switches in TRAJECTORIES:
        for found in measured(kind, Update.model_validate(switches)):
            violations += found["bound_violations"].sum()
            rows += found["rows"].sum()
            assert np.all(found["lower_bound"] <= found["entropy_change"])
            assert np.all(found["entropy_change"] <= found["upper_bound"])
    assert violations == 0
    assert rows == len(TRAJECTORIES) * 25 * SEEDS * 4


@pytest.mark.parametrize("kind", ["bandit", "tree"])
def test_bounds_with_a_tenth_of_the_curvature_are_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control, along the same trajectories."""
    module = import_module("qae_theory.entropy_change")  # the package has a function of that name
    brackets = module.curvature_brackets

    def tenth(arms: int) -> tuple[float, float]:
        below, above = brackets(arms)
        return below / 10, above / 10

    monkeypatch.setattr(module, "curvature_brackets", tenth)
    violations = sum(
        found["bound_violations"].sum()
        for switches in TRAJECTORIES
        for found in measured(kind, Update.model_validate(switches))
    )
    assert violations > 0


@given(st.fractions(0, 1, max_denominator=1000), st.integers(1, 64))
def test_pass_at_k_is_exact(p: F, k: int) -> None:
    found = float(pass_at_k(np.array(float(p)), k))
    # float(p) is off by 1e-16, which 1 - (1-p)^k multiplies by up to k; relative to p k or 1, whichever is less.
    assert abs(found - float(1 - (1 - p) ** k)) <= 1e-14 * min(1.0, float(p) * k) + 1e-15


def test_pass_at_k_keeps_small_probabilities() -> None:
    assert float(pass_at_k(np.array(1e-18), 16)) == pytest.approx(1.6e-17, rel=1e-12)
    assert float(pass_at_k(np.array(1.0), 1)) == 1


def test_success_before_and_after() -> None:
    step, env = one_step("tree", 8, Update(method="psr", group_size=8))
    before, after = success_prob(step, env), success_prob(step, env, after=True)
    moved = np.exp(response_log_probs(policy(step.before.logits).log_probs, env.tree) + displacement(step, env))
    np.testing.assert_allclose(after, (moved * env.arm_rewards).sum(axis=-1), rtol=1e-11)
    found = state_measures(step, env, ks=(1, 4))
    np.testing.assert_allclose(found["success"], per_seed(before), rtol=ROUNDING)
    np.testing.assert_allclose(found["pass@1"], found["success"], atol=1e-15)
    assert np.all(found["pass@4"] >= found["pass@1"])
    assert set(found) == {"sequence_entropy", "token_entropy", "success", "pass@1", "pass@4"}


def test_shares_by_plain_counting() -> None:
    update = Update(method="qae", group_size=6, dynamic_sampling=True)
    step, _ = one_step("bandit", 9, update)
    found = group_measures(step, k="0.4")
    for s in range(SEEDS):
        counts = dict.fromkeys(("positive", "negative", "zero", "mixed", "hard", "zero_in_mixed"), 0)
        for q in range(4):
            correct = int(step.rollouts.correct[s, q].sum())
            mixed = 0 < correct < 6
            counts["mixed"] += mixed
            counts["hard"] += F(correct, 6) <= 1 - F(2, 5)
            for a in step.rollouts.advantages[s, q]:
                sign = "zero" if a == 0 or not mixed else "positive" if a > 0 else "negative"
                counts[sign] += 1
                counts["zero_in_mixed"] += mixed and sign == "zero"
        for name in ("positive", "negative", "zero"):
            assert found[f"{name}_share"][s] == pytest.approx(counts[name] / 24)
        assert found["mixed_groups"][s] == pytest.approx(counts["mixed"] / 4)
        assert found["hard_groups"][s] == pytest.approx(counts["hard"] / 4)
        assert found["zero_share_mixed"][s] == pytest.approx(counts["zero_in_mixed"] / max(1, 6 * counts["mixed"]))


@pytest.mark.parametrize("kind", ["bandit", "tree"])
def test_sample_entropies_by_plain_loops(kind: str) -> None:
    step, env = one_step(kind, 10, Update(group_size=6))
    found = sample_entropy_measures(step, env)
    entropies = node_entropies(policy(step.before.logits))
    for s in range(SEEDS):
        tokens: dict[int, list[float]] = {1: [], -1: []}
        for q in range(4):
            for y, a in zip(step.rollouts.responses[s, q], step.rollouts.advantages[s, q], strict=True):
                nodes = [int(cell) // env.tree.actions for cell in env.tree.cells[y] if cell >= 0]
                if a != 0:
                    tokens[int(np.sign(a))] += [float(entropies[s, q, n]) for n in nodes]
        for name, sign in (("positive", 1), ("negative", -1)):
            expected = np.mean(tokens[sign]) if tokens[sign] else np.nan
            assert found[f"{name}_sample_entropy"][s] == pytest.approx(expected, nan_ok=True)


def test_no_samples_of_a_sign_is_nan() -> None:
    step, env = one_step("bandit", 11, Update(method="psr", group_size=4))
    assert np.isnan(sample_entropy_measures(step, env)["negative_sample_entropy"]).all()


def test_measures_are_means_over_all_but_the_seed() -> None:
    assert per_seed(np.arange(12).reshape(2, 2, 3)).tolist() == [2.5, 8.5]
