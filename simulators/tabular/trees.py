"""Enumerate every response of a short autoregressive policy, as paths through a tree of softmax nodes.

A bandit is the tree with one node. A tree is only the combinatorics; policies and rewards are defined elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array

# Arrays of responses times tokens are held for every query and seed; beyond this many responses they fill the memory.
LARGEST_TREE = 100_000


@dataclass(frozen=True)
class Tree:
    """Responses ``0..R-1`` as paths over N nodes with A actions each.

    ``cells`` ``[R, T]`` tells where response y puts its t-th token, as ``node * A + action``; it is -1 after the
    response's end.
    """

    cells: Array
    nodes: int
    actions: int

    @cached_property
    def lengths(self) -> Array:
        """Number of tokens of each response, the end token included, ``[R]``."""
        return np.asarray((self.cells >= 0).sum(axis=-1))

    @cached_property
    def token_mask(self) -> Array:
        """Return where a response has a token, ``[R, T]`` of bool."""
        return self.cells >= 0

    @property
    def responses(self) -> int:
        """Number R of responses."""
        return len(self.cells)

    @property
    def is_bandit(self) -> bool:
        """Return whether every response is one action of a single node."""
        return self.nodes == 1


def bandit_tree(arms: int) -> Tree:
    """Return the tree with one node, whose response y is action y.

    Args:
        arms: number of responses, >= 2.

    Returns:
        A tree with ``cells`` ``[arms, 1]``.

    Raises:
        ValueError: ``arms`` is no integer >= 2.

    >>> bandit_tree(3).cells.tolist()
    [[0], [1], [2]]
    """
    _at_least("arms", arms, 2)
    return Tree(np.arange(arms)[:, None], nodes=1, actions=arms)


def token_tree(symbols: int, max_length: int) -> Tree:
    r"""Return all sequences of symbols that stop with the end token (action 0) or are cut at ``max_length`` tokens.

    There is a node for every prefix shorter than ``max_length`` L, :math:`\sum_{t<L} s^t` of them for s symbols, each
    with ``symbols + 1`` actions. A cut response has ``max_length`` tokens and no end token, as a truncated rollout has.

    Args:
        symbols: number s of symbols besides the end token, >= 1.
        max_length: L >= 1, in tokens, the end token included.

    Returns:
        A tree with ``cells`` ``[R, L]``.

    Raises:
        ValueError: an argument is out of its range, or there would be over 100,000 responses (then ``max_length``).

    >>> tree = token_tree(2, 2)  # "end", "a end", "a a", "a b", "b end", ...
    >>> tree.responses, tree.nodes, tree.lengths.tolist()
    (7, 3, [1, 2, 2, 2, 2, 2, 2])
    """
    _at_least("symbols", symbols, 1)
    _at_least("max_length", max_length, 1)
    actions = symbols + 1
    responses = sum(symbols**t for t in range(max_length + 1))
    if responses > LARGEST_TREE:
        checks.refuse("max_length", max_length, f"small enough for {LARGEST_TREE} responses, not {responses}")
    prefixes: list[tuple[int, ...]] = []
    for length in range(max_length):
        prefixes += product(range(1, actions), repeat=length)
    node_of = {prefix: index for index, prefix in enumerate(prefixes)}
    ended = [(*prefix, 0) for prefix in prefixes]
    cut = list(product(range(1, actions), repeat=max_length))
    sequences = [*ended, *cut]
    cells = np.full((len(sequences), max_length), -1)
    for response, sequence in enumerate(sequences):
        for t, action in enumerate(sequence):
            cells[response, t] = node_of[sequence[:t]] * actions + action
    return Tree(cells, nodes=len(prefixes), actions=actions)


def _at_least(name: str, value: int, least: int) -> None:
    """Refuse a value that is no integer >= ``least``; a bool is no number here."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        checks.refuse(name, value, f"an integer >= {least}")
