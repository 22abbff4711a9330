"""Shapley values and interactions: by their definition over orders, and what additive and joint games must give."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from qae_theory.arrays import Array
from simulators.experiments.channels.shapley import shapley_interactions, shapley_values, subsets

PLAYERS = 4


def random_game(seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((1 << PLAYERS, 3))


def mean_over_orders(values: Array) -> Array:
    """Each switch's marginal contribution, averaged over the orders in which switches are turned on."""
    total = np.zeros((PLAYERS, *values.shape[1:]))
    orders = list(permutations(range(PLAYERS)))
    for order in orders:
        row = 0
        for i in order:
            total[i] += values[row | 1 << i] - values[row]
            row |= 1 << i
    return total / len(orders)


def without(values: Array, player: int, *, on: bool) -> Array:
    """The game of the others with one switch fixed."""
    return np.stack([v for row, v in enumerate(values) if bool(row >> player & 1) == on])


@pytest.mark.parametrize("seed", range(3))
def test_is_the_mean_over_orders_and_adds_up(seed: int) -> None:
    values = random_game(seed)
    found = shapley_values(values)
    assert found == pytest.approx(mean_over_orders(values), abs=1e-12)
    assert found.sum(axis=0) == pytest.approx(values[-1] - values[0], abs=1e-12)


def test_an_interaction_is_what_one_switch_adds_to_the_other_s_value() -> None:
    # Grabisch and Roubens' recursion: I_ij is j's Shapley value with i on less that with i off.
    values = random_game(0)
    for i in range(PLAYERS):
        change = shapley_values(without(values, i, on=True)) - shapley_values(without(values, i, on=False))
        others = [j for j in range(PLAYERS) if j != i]
        assert shapley_interactions(values)[i, others] == pytest.approx(change, abs=1e-12)


def test_an_additive_game_has_no_interactions_and_a_joint_one_has_nothing_else() -> None:
    on = np.array([[row >> i & 1 for i in range(3)] for row in range(8)])
    assert shapley_values(on @ [1.0, -2.0, 0.0]) == pytest.approx([1.0, -2.0, 0.0], abs=1e-12)
    assert shapley_interactions(on @ [1.0, -2.0, 0.0]) == pytest.approx(np.zeros((3, 3)), abs=1e-12)
    joint = (on[:, 0] * on[:, 2]).astype(float)
    assert shapley_values(joint) == pytest.approx([0.5, 0.0, 0.5])
    assert shapley_interactions(joint)[0, 2] == pytest.approx(1.0)
    assert shapley_interactions(joint)[0, 1] == pytest.approx(0.0)


def test_one_switch_has_the_whole() -> None:
    assert shapley_values(np.array([1.0, 4.0])).tolist() == [3.0]
    assert shapley_interactions(np.array([1.0, 4.0])).tolist() == [[0.0]]


def test_subsets_are_in_the_order_of_the_rows() -> None:
    assert subsets(("a", "b", "c"))[5] == ("a", "c")
    assert len(subsets(("a", "b", "c"))) == 8


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros(1), np.zeros(0), np.zeros(())])
def test_refuses_what_is_no_lattice(values: Array) -> None:
    with pytest.raises(ValueError, match="values must be 2\\^m rows"):
        shapley_values(values)
