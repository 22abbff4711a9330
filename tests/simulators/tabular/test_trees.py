"""Trees of responses against a plain recursive enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from simulators.tabular.trees import Tree, bandit_tree, token_tree
from tests.assertions import refuses

SIZES = [(s, length) for s in (1, 2, 3) for length in (1, 2, 3, 4)]


def walk(symbols: int, left: int, prefix: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every response as its tokens, 0 the end token, by recursion on the tokens left."""
    if left == 0:
        yield prefix
        return
    yield (*prefix, 0)
    for symbol in range(1, symbols + 1):
        yield from walk(symbols, left - 1, (*prefix, symbol))


def spelled(tree: Tree) -> list[tuple[int, ...]]:
    """Every response of a tree as its tokens."""
    return [tuple(int(cell) % tree.actions for cell in row if cell >= 0) for row in tree.cells]


@pytest.mark.parametrize(("symbols", "length"), SIZES)
def test_responses_are_those_of_a_recursive_enumeration(symbols: int, length: int) -> None:
    responses = spelled(token_tree(symbols, length))
    expected = list(walk(symbols, length))
    assert len(set(responses)) == len(responses)
    assert set(responses) == set(expected)
    assert set(responses) != set(walk(symbols, length + 1))  # control: one token more


@pytest.mark.parametrize(("symbols", "length"), SIZES)
def test_one_node_for_each_prefix(symbols: int, length: int) -> None:
    """A node stands for one prefix and a prefix for one node; cells tell them apart by node and action."""
    tree = token_tree(symbols, length)
    prefix_of: dict[int, tuple[int, ...]] = {}
    for row, tokens in zip(tree.cells, spelled(tree), strict=True):
        for t in range(len(tokens)):
            node = int(row[t]) // tree.actions
            assert prefix_of.setdefault(node, tokens[:t]) == tokens[:t]
    assert len(prefix_of) == len(set(prefix_of.values())) == tree.nodes == sum(symbols**t for t in range(length))


@given(st.integers(1, 4), st.integers(1, 4))
def test_lengths_and_mask(symbols: int, length: int) -> None:
    tree = token_tree(symbols, length)
    assert tree.lengths.tolist() == [len(tokens) for tokens in spelled(tree)]
    assert (tree.token_mask.sum(axis=-1) == tree.lengths).all()
    assert tree.responses == (length + 1 if symbols == 1 else (symbols ** (length + 1) - 1) // (symbols - 1))
    for mask in tree.token_mask:  # tokens first, then nothing
        assert sorted(mask.tolist(), reverse=True) == mask.tolist()


def test_a_cut_response_has_no_end_token() -> None:
    tree = token_tree(2, 3)
    cut = [tokens for tokens in spelled(tree) if 0 not in tokens]
    assert len(cut) == 2**3
    assert all(len(tokens) == 3 for tokens in cut)


def test_bandit_is_one_node() -> None:
    tree = bandit_tree(4)
    assert tree.is_bandit
    assert (tree.responses, tree.nodes, tree.actions) == (4, 1, 4)
    assert spelled(tree) == [(0,), (1,), (2,), (3,)]
    assert token_tree(3, 1).is_bandit
    assert not token_tree(1, 2).is_bandit


@pytest.mark.parametrize("value", [1, 0, -1, 2.0, True, "3", None])
def test_bad_number_of_arms(value: Any) -> None:
    refuses(lambda: bandit_tree(value), "arms", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2"])
def test_bad_sizes_of_a_token_tree(value: Any) -> None:
    refuses(lambda: token_tree(value, 2), "symbols", value)
    refuses(lambda: token_tree(2, value), "max_length", value)


def test_a_tree_too_large_to_enumerate_is_refused() -> None:
    refuses(lambda: token_tree(10, 5), "max_length", 5, says="111111")
