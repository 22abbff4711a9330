"""Contexts: the prefixes of responses at which a next-token distribution is asked for, and what to read off there.

Two kinds: all prefixes of short responses (so that every response can be enumerated), and those that a batch of
rollouts passed through. Index arithmetic only, in NumPy; the model is in ``expansion``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qae_theory.arrays import Array
from qae_theory.checks import refuse

LARGEST = 2**16  # responses of one prompt that are enumerated at most


@dataclass(frozen=True)
class Contexts:
    """Token rows to run through a model, and the places in them that are contexts.

    Args:
        ids: [N, T] token ids, padded on the left.
        mask: [N, T], 1 where there is a token.
        row: [C] row of each context.
        column: [C] place whose output is the context's next-token distribution.
        visible: [N, T, T], the places that each place sees; None where that is itself and all before it.
    """

    ids: Array
    mask: Array
    row: Array
    column: Array
    visible: Array | None = None


@dataclass(frozen=True)
class Tree:
    """All responses of at most ``length`` tokens over ``vocabulary`` tokens, the last of them the end of text or not.

    Responses of a prompt are ordered by the length of their prefix; those that end early come first.
    """

    vocabulary: int
    length: int
    end: int

    def __post_init__(self) -> None:
        """Refuse a tree that is too large to list."""
        if self.size > LARGEST:
            refuse("length", self.length, f"such that there are at most {LARGEST} responses")

    @property
    def inner(self) -> Array:
        """Return the tokens that do not end a response."""
        return np.delete(np.arange(self.vocabulary), self.end)

    @property
    def contexts(self) -> int:
        """Return the prefixes of one prompt."""
        return sum((self.vocabulary - 1) ** depth for depth in range(self.length))

    @property
    def size(self) -> int:
        """Return the responses of one prompt."""
        return self.contexts + (self.vocabulary - 1) ** self.length

    def prefixes(self, depth: int) -> Array:
        """Return all prefixes of that many tokens, [(V-1)^depth, depth], in lexicographic order of tokens' ranks."""
        grids = np.meshgrid(*[self.inner] * depth, indexing="ij")
        return np.stack(grids, -1).reshape(-1, depth) if depth else np.zeros((1, 0), dtype=int)

    def responses(self) -> list[tuple[int, ...]]:
        """Return the tokens of every response, in order."""
        ended = [(*prefix, self.end) for depth in range(self.length) for prefix in self.prefixes(depth).tolist()]
        return ended + [tuple(prefix) for prefix in self.prefixes(self.length).tolist()]

    def path(self, response: Sequence[int]) -> list[int]:
        """Return the contexts that a response passes through, as numbers in 0..contexts-1."""
        rank = {int(token): number for number, token in enumerate(self.inner)}
        found, within, start = [], 0, 0
        for depth, token in enumerate(response):
            found.append(start + within)
            start += (self.vocabulary - 1) ** depth
            within = within * (self.vocabulary - 1) + rank.get(int(token), 0)
        return found

    def log_probs(self, context_log_probs: Array) -> Array:
        """Return the response log-probabilities [..., size] of next-token log-probabilities [..., contexts, V].

        Linear, so that it takes derivatives of log-probabilities to derivatives just as well.
        """
        batch, branching = context_log_probs.shape[:-2], self.vocabulary - 1
        ended, start, reached = [], 0, np.zeros((*batch, 1))
        for depth in range(self.length):
            here = context_log_probs[..., start : start + branching**depth, :]
            ended.append(reached + here[..., self.end])
            reached = (reached[..., None] + here[..., self.inner]).reshape(*batch, -1)
            start += branching**depth
        return np.concatenate([*ended, reached], axis=-1)


def tree_contexts(prompts: Sequence[Sequence[int]], tree: Tree, *, pad: int) -> Contexts:
    """Return every context of every prompt, prompt by prompt in the tree's order.

    A row is a prompt with the last token of every prefix, each of which sees the prompt, its own prefix and itself: the
    prompt is run once, not once a prefix.
    """
    prefixes = [tuple(one) for depth in range(1, tree.length) for one in tree.prefixes(depth).tolist()]
    place = {one: number for number, one in enumerate(prefixes)}
    ids, mask = pad_left([[*prompt, *(one[-1] for one in prefixes)] for prompt in prompts], pad=pad)
    width = ids.shape[1]
    start = width - len(prefixes)  # of the prefixes; the prompt ends before it
    branches = np.zeros((len(prefixes), len(prefixes)), dtype=bool)
    for one, number in place.items():
        branches[number, [place[one[:depth]] for depth in range(1, len(one) + 1)]] = True
    visible = np.tril(np.ones((width, width), dtype=bool)) & (mask[:, None, :] > 0)
    visible[:, start:, start:] = branches
    visible |= np.eye(width, dtype=bool)  # padding sees itself, so that no place sees nothing
    row = np.repeat(np.arange(len(prompts)), tree.contexts)
    column = np.tile(start - 1 + np.arange(tree.contexts), len(prompts))
    return Contexts(ids, mask, row, column, visible)


def rollout_contexts(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], *, pad: int) -> Contexts:
    """Return the contexts of each token of each response; ``prompts[i]`` is the prompt of ``responses[i]``."""
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    ids, mask = pad_left(rows, pad=pad)
    row = np.repeat(np.arange(len(rows)), [len(response) for response in responses])
    ends = [ids.shape[1] - len(response) + np.arange(len(response)) - 1 for response in responses]
    return Contexts(ids, mask, row, np.concatenate(ends))


def pad_left(rows: Sequence[Sequence[int]], *, pad: int) -> tuple[Array, Array]:
    """Return the rows of token ids as an array, padded on the left, and its mask."""
    width = max(map(len, rows))
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, width - len(row) :] = row
        mask[number, width - len(row) :] = 1
    return ids, mask
