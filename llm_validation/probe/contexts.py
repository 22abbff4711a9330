"""Define contexts: the prefixes of responses at which a next-token distribution is asked for, and where it is read off.

There are two kinds here: all prefixes of short responses (so that every response can be enumerated), and those that a
batch of rollouts passed through. Tries are in ``trie``. This is index arithmetic in NumPy; the model is in
``expansion``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qae_theory.arrays import Array
from qae_theory.checks import refuse

LARGEST = 2**16  # responses of one prompt that are enumerated at most: three tokens of a vocabulary of 40


@dataclass(frozen=True)
class Contexts:
    """Hold token rows to run through a model, and the positions in them that are contexts.

    Args:
        ids: [N, T] token ids, padded on the left.
        mask: [N, T], 1 where there is a token.
        row: [C] row of each context.
        column: [C] position whose output is the context's next-token distribution.
        visible: [N, T, T], the positions that each position attends to; None where that is itself and all before it.
    """

    ids: Array
    mask: Array
    row: Array
    column: Array
    visible: Array | None = None


@dataclass(frozen=True)
class Tree:
    """Hold the shape of all responses of at most ``length`` tokens.

    A response ends with the token ``end`` or has ``length`` tokens without it. Responses of a prompt are ordered by
    the length of their prefix; those that end early come first.

    Args:
        vocabulary: V, number of tokens.
        length: greatest length of a response.
        end: the token that ends a response.

    Raises:
        ValueError: there are more than ``LARGEST`` responses.
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
        """Return the number of prefixes of one prompt: sum over d < length of (V - 1)^d."""
        return sum((self.vocabulary - 1) ** depth for depth in range(self.length))

    @property
    def size(self) -> int:
        """Return the number of responses of one prompt."""
        return self.contexts + (self.vocabulary - 1) ** self.length

    def prefixes(self, depth: int) -> Array:
        """Return all prefixes of ``depth`` tokens, [(V-1)^depth, depth], in lexicographic order of their ranks."""
        grids = np.meshgrid(*[self.inner] * depth, indexing="ij")
        return np.stack(grids, -1).reshape(-1, depth) if depth else np.zeros((1, 0), dtype=int)

    def responses(self) -> list[tuple[int, ...]]:
        """Return the tokens of every response, in order."""
        ended = []
        for depth in range(self.length):
            ended += [(*prefix, self.end) for prefix in self.prefixes(depth).tolist()]
        return ended + [tuple(prefix) for prefix in self.prefixes(self.length).tolist()]

    def path(self, response: Sequence[int]) -> list[int]:
        """Return the contexts that a response passes through, as numbers in 0..contexts-1."""
        rank = {int(token): number for number, token in enumerate(self.inner)}
        passed, within, start = [], 0, 0
        for depth, token in enumerate(response):
            passed.append(start + within)
            start += (self.vocabulary - 1) ** depth
            # Prefixes of one depth are numbers in base V - 1; the end of text has no rank and is the last token.
            within = within * (self.vocabulary - 1) + rank.get(int(token), 0)
        return passed

    def log_probs(self, context_log_probs: Array) -> Array:
        """Return the responses' log-probabilities [..., size], given next-token log-probabilities [..., contexts, V].

        The map is linear, so that it takes derivatives of log-probabilities to derivatives just as well.
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

    A row is a prompt with the last token of every prefix, each of which attends to the prompt, its own prefix and
    itself: the prompt is run once, and not once per prefix.

    Args:
        prompts: token ids of each prompt.
        tree: all responses.
        pad: token id of padding.
    """
    prefixes: list[tuple[int, ...]] = []
    for depth in range(1, tree.length):
        prefixes += map(tuple, tree.prefixes(depth).tolist())
    number_of = {prefix: number for number, prefix in enumerate(prefixes)}
    last_tokens = [prefix[-1] for prefix in prefixes]
    ids, mask = pad_left([[*prompt, *last_tokens] for prompt in prompts], pad=pad)
    width = ids.shape[1]
    start = width - len(prefixes)  # where the prefixes begin; the prompt ends before
    branches = np.zeros((len(prefixes), len(prefixes)), dtype=bool)
    for prefix, number in number_of.items():
        branches[number, [number_of[prefix[:depth]] for depth in range(1, len(prefix) + 1)]] = True
    visible = np.tril(np.ones((width, width), dtype=bool)) & (mask[:, None, :] > 0)
    visible[:, start:, start:] = branches
    visible |= np.eye(width, dtype=bool)  # padding attends to itself: a softmax over nothing would be NaN
    row = np.repeat(np.arange(len(prompts)), tree.contexts)
    column = np.tile(start - 1 + np.arange(tree.contexts), len(prompts))
    return Contexts(ids, mask, row, column, visible)


def rollout_contexts(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], *, pad: int) -> Contexts:
    """Return the contexts of each token of each response.

    Args:
        prompts: token ids; ``prompts[i]`` is the prompt of ``responses[i]``.
        responses: token ids.
        pad: token id of padding.
    """
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    ids, mask = pad_left(rows, pad=pad)
    row = np.repeat(np.arange(len(rows)), [len(response) for response in responses])
    ends = [ids.shape[1] - len(response) + np.arange(len(response)) - 1 for response in responses]
    return Contexts(ids, mask, row, np.concatenate(ends))


def pad_left(rows: Sequence[Sequence[int]], *, pad: int) -> tuple[Array, Array]:
    """Return rows of token ids as an array padded on the left, and its mask, [N, T] each."""
    width = max(map(len, rows))
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, width - len(row) :] = row
        mask[number, width - len(row) :] = 1
    return ids, mask
