"""Policies on trees: probabilities, entropies by brute force and by the chain rule, first-order effects."""

from __future__ import annotations

from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from qae_theory import entropy
from simulators.tabular.kernels import sample
from simulators.tabular.policy import (
    Policy,
    node_entropies,
    node_visits,
    policy,
    response_direction,
    response_log_probs,
    sequence_entropy,
    token_entropy,
)
from simulators.tabular.trees import Tree, bandit_tree, token_tree

Array = Any
ROUNDING = 1e-12  # sums of up to a hundred terms of size 1 to 10


class Case(NamedTuple):
    tree: Tree
    logits: Array


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A small tree with logits ``[Q, N, A]`` of any spread up to 8."""
    size = draw(st.sampled_from([(1, 1), (1, 3), (2, 2), (2, 3), (3, 2)]))
    tree = draw(st.one_of(st.just(token_tree(*size)), st.integers(2, 6).map(bandit_tree)))
    spread = draw(st.sampled_from([0.0, 1.0, 8.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Case(tree, spread * rng.standard_normal((2, tree.nodes, tree.actions)))


def by_hand(case: Case, query: int) -> list[list[tuple[int, float]]]:
    """Every response as its (node, probability of its action) pairs, with plain loops."""
    z = np.exp(case.logits[query])
    z /= z.sum(axis=-1, keepdims=True)
    places = [[divmod(int(c), case.tree.actions) for c in row if c >= 0] for row in case.tree.cells]
    return [[(node, float(z[node, action])) for node, action in row] for row in places]


@given(cases())
def test_probabilities_sum_to_one_and_are_products_along_the_path(case: Case) -> None:
    probs = np.exp(response_log_probs(policy(case.logits).log_probs, case.tree))
    np.testing.assert_allclose(probs.sum(axis=-1), 1, rtol=ROUNDING)
    for q in range(2):
        expected = [np.prod([p for _, p in path]) for path in by_hand(case, q)]
        np.testing.assert_allclose(probs[q], expected, rtol=1e-11)  # exp of numbers up to 100, each to 1e-16


@given(cases())
def test_chain_rule(case: Case) -> None:
    """Sequence entropy is the sum over nodes of visits times node entropy; and the brute-force sum over responses."""
    pi = policy(case.logits)
    probs = np.exp(response_log_probs(pi.log_probs, case.tree))
    visits = node_visits(probs, case.tree)
    found = sequence_entropy(pi, case.tree)
    np.testing.assert_allclose(found, (visits * node_entropies(pi)).sum(axis=-1), rtol=1e-10, atol=ROUNDING)
    brute = -np.where(probs > 0, probs * np.log(np.where(probs > 0, probs, 1)), 0).sum(axis=-1)
    np.testing.assert_allclose(found, brute, rtol=1e-10, atol=ROUNDING)


@given(cases())
def test_token_entropy_by_brute_force(case: Case) -> None:
    """Mean over tokens that a long run of responses would have: expected summed entropy over expected length."""
    pi = policy(case.logits)
    found = token_entropy(pi, case.tree)
    for q in range(2):
        paths = by_hand(case, q)
        weights = [float(np.prod([p for _, p in path])) for path in paths]
        nodes = [float(entropy(case.logits[q, n])) for n in range(case.tree.nodes)]
        summed = sum(w * sum(nodes[n] for n, _ in path) for w, path in zip(weights, paths, strict=True))
        length = sum(w * len(path) for w, path in zip(weights, paths, strict=True))
        np.testing.assert_allclose(found[q], summed / length, rtol=1e-10, atol=ROUNDING)


def test_token_entropy_is_not_the_mean_over_nodes() -> None:
    """Control: a node that is hardly visited hardly counts."""
    tree = token_tree(1, 2)
    logits = np.array([[[5.0, 0.0], [0.0, 0.0]]])
    pi = policy(logits)
    assert token_entropy(pi, tree)[0] < 0.5 * node_entropies(pi).mean()


@given(cases())
def test_bandits_sequence_and_token_entropy_agree(case: Case) -> None:
    pi = policy(case.logits)
    if case.tree.is_bandit:
        np.testing.assert_allclose(sequence_entropy(pi, case.tree), token_entropy(pi, case.tree), rtol=ROUNDING)


@given(cases(), st.integers(0, 2**32 - 1))
def test_response_direction_against_finite_differences(case: Case, seed: int) -> None:
    direction = np.random.default_rng(seed).standard_normal(case.logits.shape)
    h = 1e-5  # central: h^2 = 1e-10 in error, 1e-15 * 30 / h = 3e-9 in rounding
    moved = [response_log_probs(policy(case.logits + s * h * direction).log_probs, case.tree) for s in (1, -1)]
    numeric = (moved[0] - moved[1]) / (2 * h)
    found = response_direction(direction, policy(case.logits), case.tree)
    np.testing.assert_allclose(found, numeric, atol=1e-7)


def test_uncentred_direction_is_caught_by_finite_differences() -> None:
    """Control: without subtracting each node's mean the difference quotient tells."""
    tree, rng = token_tree(2, 2), np.random.default_rng(0)
    logits, direction = rng.standard_normal((2, 1, tree.nodes, tree.actions))
    moved = [response_log_probs(policy(logits + s * 1e-5 * direction).log_probs, tree) for s in (1, -1)]
    wrong = response_log_probs(direction, tree)
    assert np.abs(wrong - (moved[0] - moved[1]) / 2e-5).max() > 0.1


@given(cases())
def test_node_visits_start_at_one_and_pass_on(case: Case) -> None:
    pi = policy(case.logits)
    visits = node_visits(np.exp(response_log_probs(pi.log_probs, case.tree)), case.tree)
    np.testing.assert_allclose(visits[..., 0], 1, rtol=ROUNDING)
    lengths = np.exp(response_log_probs(pi.log_probs, case.tree)) @ case.tree.lengths
    np.testing.assert_allclose(visits.sum(axis=-1), lengths, rtol=1e-11)  # expected length is the sum of visits


def test_policy_is_shift_invariant_at_each_node() -> None:
    rng = np.random.default_rng(1)
    logits, shift = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 1))
    np.testing.assert_allclose(policy(logits + 100 * shift).probs, policy(logits).probs, rtol=1e-11)


def test_extreme_logits_stay_finite() -> None:
    pi = policy(np.array([[[0.0, 1e4, -1e4]]]))
    assert np.isfinite(pi.log_probs).all()
    assert isinstance(pi, Policy)
    assert pi.probs.tolist() == [[[0.0, 1.0, 0.0]]]


def test_inverse_cdf_takes_the_interval_that_a_number_falls_in() -> None:
    probs = np.array([[0.25, 0.0, 0.5, 0.25]])
    draws = np.array([[0.0, 0.2499, 0.25, 0.7499, 0.75, np.nextafter(1, 0)]])
    assert sample(probs, draws).tolist() == [[0, 0, 2, 2, 3, 3]]
