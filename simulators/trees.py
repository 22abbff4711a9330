"""Response trees: every response of a short autoregressive policy, enumerated, as paths through softmax nodes.

A bandit is the tree with one node. Policies and rewards are elsewhere; a tree is only the combinatorics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array

LARGEST_TREE = 100_000


@dataclass(frozen=True)
class Tree:
    """Responses ``0..R-1`` over N nodes with A actions each.

    ``cells`` ``[R, T]``: where response y puts its t-th token, as ``node * A + action``; -1 after its end.
    """

    cells: Array
    nodes: int
    actions: int

    @cached_property
    def lengths(self) -> Array:
        """Tokens of each response, the end token included, ``[R]``."""
        return np.asarray((self.cells >= 0).sum(axis=-1))

    @cached_property
    def token_mask(self) -> Array:
        """True where a response has a token, ``[R, T]``."""
        return self.cells >= 0

    @property
    def responses(self) -> int:
        """R, the number of responses."""
        return len(self.cells)

    @property
    def is_bandit(self) -> bool:
        """Whether every response is one action of a single node."""
        return self.nodes == 1


def bandit_tree(arms: int) -> Tree:
    """One node; response y is action y.

    >>> bandit_tree(3).cells.tolist()
    [[0], [1], [2]]
    """
    _at_least("arms", arms, 2)
    return Tree(np.arange(arms)[:, None], nodes=1, actions=arms)


def token_tree(symbols: int, max_length: int) -> Tree:
    r"""All sequences of symbols that stop with the end token (action 0) or are cut at ``max_length`` tokens.

    There is a node for every prefix shorter than ``max_length``, :math:`\sum_{t<L} s^t` of them, each with
    ``symbols + 1`` actions. A cut response has ``max_length`` tokens and no end token, as a truncated rollout has.

    Args:
        symbols: number of symbols besides the end token, >= 1.
        max_length: L >= 1, in tokens, the end token included.

    Raises:
        ValueError: naming the argument; ``max_length`` where there would be over 100,000 responses.

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
    prefixes = [prefix for t in range(max_length) for prefix in product(range(1, actions), repeat=t)]
    node_of = {prefix: index for index, prefix in enumerate(prefixes)}
    sequences = [(*prefix, 0) for prefix in prefixes] + list(product(range(1, actions), repeat=max_length))
    cells = np.full((len(sequences), max_length), -1)
    for row, sequence in enumerate(sequences):
        for t, action in enumerate(sequence):
            cells[row, t] = node_of[sequence[:t]] * actions + action
    return Tree(cells, nodes=len(prefixes), actions=actions)


def _at_least(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        checks.refuse(name, value, f"an integer >= {least}")
