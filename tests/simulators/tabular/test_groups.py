"""Sampled groups against every possible group: the same law, and with it the same entropy change; wrong ones are told.

Error rate of every test: 1e-6, fixed beforehand. Each states its power against the wrong hypothesis of its control.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from qae_theory.entropy_change import entropy_change
from simulators.engine import State, Step, step_on_groups, update_on_all_groups
from simulators.environments import Environment, bandit, environment
from simulators.measures import displacement
from simulators.methods import get_method
from simulators.optimisers import Moments
from simulators.tabular import kernels
from simulators.tabular.groups import all_groups, sampled_groups
from simulators.tabular.policy import policy, response_log_probs
from simulators.tabular.trees import token_tree
from simulators.update import Update
from tests.assertions import refuses

ERROR_RATE = 1e-6
LEAST_EXPECTED = 10  # cells of the chi-square that expect fewer are thrown together, so that its law is near enough
GROUPS = 40_000


class World(NamedTuple):
    """One policy ``[1, 1, N, A]`` and its environment."""

    logits: Any
    env: Environment
    group_size: int


def world(shape: str) -> World:
    if shape == "bandit":
        return World(np.array([[[[0.8, -0.5, 0.3, -1.2]]]]), bandit(np.array([[[1.0, 0.0, 0.0, 1.0]]])), 5)
    tree = token_tree(2, 2)
    logits = np.random.default_rng(21).normal(size=(1, 1, tree.nodes, tree.actions))
    return World(logits, environment(tree, np.array([[[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]]])), 3)


def log_probs_of(w: World) -> Any:
    return response_log_probs(policy(w.logits).log_probs, w.env.tree)


def draws(w: World, log_probs: Any, rng: np.random.Generator) -> Any:
    """Sampled groups ``[GROUPS, G]``."""
    wide = np.broadcast_to(np.exp(log_probs), (1, GROUPS, *log_probs.shape[1:]))
    return sampled_groups(wide, w.group_size, [rng])[0, :, 0]


def counts_of(sampled: Any, multisets: Any, responses: int) -> Any:
    """How often each multiset occurs."""
    codes = [np.sort(g, axis=-1) @ responses ** np.arange(g.shape[-1]) for g in (multisets, sampled)]
    order = np.argsort(codes[0])
    place = order[np.searchsorted(codes[0], codes[1], sorter=order)]
    return np.bincount(place, minlength=len(multisets))


def pooled(values: Any, weights: Any) -> Any:
    """``values`` of the cells that expect enough, the rare ones' added to the least of those: a partition."""
    common = np.flatnonzero(weights * GROUPS >= LEAST_EXPECTED)
    host = common[np.argmin(weights[common])]
    cells = values.astype(float)
    cells[host] = values.sum() - values[np.setdiff1d(common, host)].sum()
    return cells[common]


def chi_square(counts: Any, weights: Any) -> float:
    """p-value of the counts under the weights."""
    seen, expected = pooled(counts, weights), pooled(weights, weights) * counts.sum()
    return float(stats.chi2.sf((np.square(seen - expected) / expected).sum(), len(seen) - 1))


def power(weights: Any, wrong: Any) -> float:
    """Of the chi-square test at the error rate, from the non-central law."""
    cells, others = pooled(weights, weights), pooled(wrong, weights)
    shift = GROUPS * (np.square(others - cells) / cells).sum()
    degrees = len(cells) - 1
    return float(stats.ncx2.sf(stats.chi2.isf(ERROR_RATE, degrees), degrees, shift))


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_sampled_groups_have_the_enumerated_law(shape: str) -> None:
    w = world(shape)
    log_probs = log_probs_of(w)
    multisets, weights = all_groups(log_probs, w.group_size)
    counts = counts_of(draws(w, log_probs, np.random.default_rng(22)), multisets, w.env.tree.responses)
    assert counts.sum() == GROUPS
    assert chi_square(counts, weights[:, 0, 0]) > ERROR_RATE


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_groups_of_a_flatter_policy_are_told_apart(shape: str) -> None:
    """The control: the policy at temperature 1.1."""
    w = world(shape)
    log_probs = log_probs_of(w)
    flat = log_probs / 1.1 - np.log(np.exp(log_probs / 1.1).sum(axis=-1, keepdims=True))
    multisets, weights = all_groups(log_probs, w.group_size)
    assert power(weights[:, 0, 0], all_groups(flat, w.group_size)[1][:, 0, 0]) > 0.99
    counts = counts_of(draws(w, flat, np.random.default_rng(23)), multisets, w.env.tree.responses)
    assert chi_square(counts, weights[:, 0, 0]) < ERROR_RATE


def entropy_changes(step: Step, w: World) -> Any:
    """Over whole updates, flat."""
    moved = displacement(step, w.env)
    return entropy_change(np.broadcast_to(log_probs_of(w), moved.shape), moved, 1.0).ravel()


def sampled_changes(w: World, update: Update, rng: np.random.Generator) -> Any:
    """Entropy changes of GROUPS updates on sampled groups."""
    responses = draws(w, log_probs_of(w), rng)[None, :, None]
    wide = np.broadcast_to(w.logits, (1, GROUPS, *w.logits.shape[1:]))
    state = State(wide, Moments(), wide)
    method = get_method(update.method)
    return entropy_changes(step_on_groups(state, w.env, update, method, responses, [rng]), w)


def exact_changes(w: World, update: Update) -> tuple[Any, Any]:
    """Entropy change of every possible group, and the groups' probabilities."""
    step, weights = update_on_all_groups(State(w.logits, Moments(), w.logits), w.env, update)
    return entropy_changes(step, w), weights.ravel()


def largest_gap(xs: Any, x_weights: Any, ys: Any, y_weights: Any) -> float:
    """Kolmogorov's distance between two discrete laws; values equal but for rounding count as equal."""
    places = np.round(np.concatenate([xs, ys]), 9)
    signed = np.concatenate([x_weights / x_weights.sum(), -y_weights / y_weights.sum()])
    order = np.argsort(places, kind="stable")
    sums = np.cumsum(signed[order])
    last = np.append(np.diff(places[order]) > 0, True)
    return float(np.abs(sums[last]).max())


# Dvoretzky, Kiefer, Wolfowitz and Massart: P(gap > t) <= 2 exp(-2 n t^2) for any law, discrete ones too, at every n.
THRESHOLD = float(np.sqrt(np.log(2 / ERROR_RATE) / (2 * GROUPS)))
RULES = ("grpo", "qae")


def updates(name: str, *, epochs: int = 1) -> Update:
    return Update(method=name, group_size=5, step_size=1.0, aggregation="token_sum", epochs=epochs)


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_sampled_entropy_change_has_its_exact_law_and_no_other_rule_s(shape: str, epochs: int) -> None:
    w = world(shape)
    laws = {name: exact_changes(w, one_of(w, name, epochs)) for name in RULES}
    samples = {name: sampled_changes(w, one_of(w, name, epochs), np.random.default_rng(24)) for name in RULES}
    even = np.ones(GROUPS)
    apart = largest_gap(*laws["qae"], *laws["grpo"])
    # By the same inequality the power is at least 1 - 2 exp(-2 n (apart - threshold)^2).
    assert 1 - 2 * np.exp(-2 * GROUPS * (apart - THRESHOLD) ** 2) > 0.99
    for name, other in (RULES, RULES[::-1]):
        assert largest_gap(samples[name], even, *laws[name]) <= THRESHOLD
        assert largest_gap(samples[name], even, *laws[other]) > THRESHOLD


def one_of(w: World, name: str, epochs: int) -> Update:
    return updates(name, epochs=epochs).model_copy(update={"group_size": w.group_size})


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_mean_entropy_changes_agree(shape: str) -> None:
    """The exact mean lies within the normal bound of the sampled one, and the other rule's does not."""
    w = world(shape)
    means = {name: float(np.dot(*exact_changes(w, one_of(w, name, 1)))) for name in RULES}
    sample = sampled_changes(w, one_of(w, "qae", 1), np.random.default_rng(25))
    error = sample.std(ddof=1) / np.sqrt(GROUPS)
    bound = stats.norm.isf(ERROR_RATE / 2)
    assert abs(sample.mean() - means["qae"]) <= bound * error
    assert abs(means["grpo"] - means["qae"]) > (bound + stats.norm.isf(0.01)) * error  # power .99 at least
    assert abs(sample.mean() - means["grpo"]) > bound * error


def test_every_multiset_once_and_weights_sum_to_one() -> None:
    w = world("tree")
    multisets, weights = all_groups(log_probs_of(w), 3)
    assert len(multisets) == 84  # 7 + 3 - 1 over 3
    assert len({tuple(sorted(row)) for row in multisets.tolist()}) == 84
    assert weights.shape == (84, 1, 1)
    assert float(weights.sum()) == pytest.approx(1.0, rel=1e-12)


def test_a_seed_draws_from_its_own_generator() -> None:
    probs = np.full((3, 2, 4), 0.25)
    generators = [np.random.default_rng(s) for s in (1, 2, 1)]
    found = sampled_groups(probs, 50, generators)
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    alone = sampled_groups(probs[1:2], 50, [np.random.default_rng(2)])
    np.testing.assert_array_equal(alone[0], found[1])


def test_impossible_arms_are_never_drawn() -> None:
    probs = np.array([[[0.0, 1.0, 0.0]]])
    assert (sampled_groups(probs, 1000, [np.random.default_rng(26)]) == 1).all()


def test_a_draw_on_an_edge_belongs_to_the_arm_above_it() -> None:
    """Draws are in [0, 1), so that each arm has [left, right): an arm of probability 0 is not drawn at 0 either."""
    draws_on_edges = np.array([[0.0, 0.25, 0.5, np.nextafter(1, 0)]])
    assert kernels.sample(np.array([[0.0, 0.5, 0.5]]), draws_on_edges).tolist() == [[1, 1, 2, 2]]


def test_too_many_groups_are_refused() -> None:
    refuses(lambda: all_groups(np.zeros((1, 30)), 16), "group_size", 16)
