"""Hold tries of token prefixes: all contexts of some prompts down to chosen depths, and the entropy read off them.

A trie splits the responses of a prompt into leaves: a token that ends the response, or one after which the trie does
not go on. The entropy of that partition is exact whatever the trie is. It is the entropy of whole responses where no
leaf is open, and lies below it by what open leaves still hold, which :func:`Trie.entropy_bounds` encloses. This is
index arithmetic in NumPy; the model is in ``expansion``, and what is listed is chosen in ``growth``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llm_validation.probe.contexts import Contexts, pad_left
from qae_theory.arrays import Array
from qae_theory.checks import refuse

ROOT = -1
# Contexts of one prompt that share one row of tokens at most: its attention mask then has a million entries.
SHARED = 1024


@dataclass(frozen=True)
class Trie:
    """Hold the contexts of several prompts, each prompt's root among them; a context comes after the one it extends.

    Args:
        query: [C] prompt of each context, 0..Q-1, ascending.
        parent: [C] the context that it extends by one token; ``ROOT`` for the empty response.
        token: [C] that token; any number for a root.
        length: greatest length of a response in tokens.
        ends: tokens that end a response.
        vocabulary: V, number of tokens.
    """

    query: Array
    parent: Array
    token: Array
    length: int
    ends: tuple[int, ...]
    vocabulary: int

    @property
    def queries(self) -> int:
        """Return Q, the number of prompts."""
        return int(self.query[-1]) + 1

    @cached_property
    def depth(self) -> Array:
        """Return the number of tokens of each context's prefix, [C]."""
        depth = np.zeros(len(self.parent), dtype=int)
        for context in np.flatnonzero(self.parent != ROOT):
            depth[context] = depth[self.parent[context]] + 1
        return depth

    @cached_property
    def leaf(self) -> Array:
        """Return whether a token leads out of the trie, [C, V].

        It ends the response or begins a part that is not listed.
        """
        leaf = np.ones((len(self.parent), self.vocabulary), dtype=bool)
        inner = self.parent != ROOT
        leaf[self.parent[inner], self.token[inner]] = False
        return leaf

    @cached_property
    def closed(self) -> Array:
        """Return whether a leaf is a whole response, [C, V]."""
        last = np.zeros((len(self.parent), self.vocabulary), dtype=bool)
        last[self.depth + 1 == self.length] = True
        last[:, list(self.ends)] = True
        return np.asarray(self.leaf & last)

    def prefixes(self) -> list[tuple[int, ...]]:
        """Return the tokens of each context's prefix, [C]."""
        prefixes: list[tuple[int, ...]] = []
        for parent, token in zip(self.parent.tolist(), self.token.tolist(), strict=True):
            prefixes.append(() if parent == ROOT else (*prefixes[parent], token))
        return prefixes

    def reach(self, context_log_probs: Array) -> Array:
        """Return each context's log-probability given its prompt, [C], from next-token log-probabilities [C, V].

        The map is linear, so that it takes derivatives of log-probabilities to derivatives as well.
        """
        reached = np.zeros(len(self.parent))
        for context in np.flatnonzero(self.parent != ROOT):
            parent = self.parent[context]
            reached[context] = reached[parent] + context_log_probs[parent, self.token[context]]
        return reached

    def log_probs(self, context_log_probs: Array) -> Array:
        """Return the leaves' log-probabilities, [L], by context and then by token; linear, as :meth:`reach` is."""
        return np.asarray((self.reach(context_log_probs)[:, None] + context_log_probs)[self.leaf])

    def leaf_query(self) -> Array:
        """Return the prompt of each leaf, [L]."""
        return np.repeat(self.query, self.leaf.sum(axis=1))

    def entropy(self, context_log_probs: Array) -> Array:
        r"""Return :math:`-\sum_y\pi_y\log\pi_y` over each prompt's leaves, [Q], in nats."""
        listed = self.log_probs(context_log_probs)
        return np.bincount(self.leaf_query(), weights=-np.exp(listed) * listed, minlength=self.queries)

    def open_mass(self, context_log_probs: Array) -> Array:
        """Return the probability that a response leaves the trie before it ends, [Q]."""
        unlisted = self.leaf & ~self.closed
        probs = np.exp((self.reach(context_log_probs)[:, None] + context_log_probs)[unlisted])
        return np.bincount(np.repeat(self.query, unlisted.sum(axis=1)), weights=probs, minlength=self.queries)

    def entropy_bounds(self, context_log_probs: Array) -> tuple[Array, Array]:
        """Return bounds on the entropy of whole responses, [Q] each.

        An open leaf holds at most log V per token that may follow.
        """
        low = self.entropy(context_log_probs)
        unlisted = self.leaf & ~self.closed
        left = (self.length - self.depth - 1)[:, None] * np.log(self.vocabulary)
        probs = np.exp(self.reach(context_log_probs)[:, None] + context_log_probs) * unlisted
        above = np.bincount(self.query, weights=(probs * left).sum(axis=1), minlength=self.queries)
        return low, low + above

    def paths(self, query: int, response: Sequence[int]) -> tuple[list[int], int]:
        """Return the contexts that a response passes through, and how many of its tokens they cover.

        Args:
            query: the prompt.
            response: token ids.
        """
        children = self._children()
        here, passed = int(np.searchsorted(self.query, query)), []  # a prompt's root is its first context
        for number, token in enumerate(response):
            passed.append(here)
            child = children.get((here, int(token)))
            if child is None:
                return passed, number + 1
            here = child
        return passed, len(passed)

    def _children(self) -> dict[tuple[int, int], int]:
        """Return the context that each pair of a context and a token leads to."""
        inner = np.flatnonzero(self.parent != ROOT).tolist()
        return {(int(self.parent[context]), int(self.token[context])): context for context in inner}


def trie_of(prefixes: Sequence[Iterable[Sequence[int]]], *, length: int, ends: Sequence[int], vocabulary: int) -> Trie:
    """Return the trie with these prefixes of each prompt, and with all that they extend.

    Args:
        prefixes: for each prompt, token sequences after which the trie still lists every token; the root is always
            one.
        length: greatest length of a response.
        ends: tokens that end a response.
        vocabulary: number of tokens.

    Raises:
        ValueError: a prefix is as long as a response, or goes on after its end.
    """
    query: list[int] = []
    parent: list[int] = []
    token: list[int] = []
    for number, listed in enumerate(prefixes):
        places: dict[tuple[int, ...], int] = {(): len(query)}
        query.append(number)
        parent.append(ROOT)
        token.append(0)
        # By length, so that what a prefix extends has its place already.
        for prefix in sorted(_closure(listed), key=lambda tokens: (len(tokens), tokens)):
            if len(prefix) >= length or set(prefix) & set(ends):
                refuse("prefixes", prefix, f"prefixes shorter than {length} tokens, without an end of text")
            places[prefix] = len(query)
            query.append(number)
            parent.append(places[prefix[:-1]])
            token.append(prefix[-1])
    return Trie(np.array(query), np.array(parent), np.array(token), length, tuple(ends), vocabulary)


def complete_trie(queries: int, *, length: int, ends: Sequence[int], vocabulary: int) -> Trie:
    """Return the trie of every response to every prompt.

    Args:
        queries: number of prompts.
        length: greatest length of a response.
        ends: tokens that end a response.
        vocabulary: number of tokens.
    """
    inner = [token for token in range(vocabulary) if token not in set(ends)]
    prefixes: list[tuple[int, ...]] = [()]
    listed: list[tuple[int, ...]] = []
    for _ in range(length - 1):
        prefixes = [(*prefix, token) for prefix in prefixes for token in inner]
        listed += prefixes
    return trie_of([listed] * queries, length=length, ends=ends, vocabulary=vocabulary)


def trie_contexts(prompts: Sequence[Sequence[int]], trie: Trie, *, pad: int) -> Contexts:
    """Return the contexts of a trie as rows of tokens, in the trie's order.

    Where a prompt has at most ``SHARED`` contexts they share one row: the prompt, then the last token of each prefix,
    which attends to the prompt, its own prefix and itself. Else each context has a row of its own.

    Args:
        prompts: token ids of each prompt.
        trie: the contexts.
        pad: token id of padding.
    """
    counts = np.bincount(trie.query, minlength=len(prompts))
    return _shared(prompts, trie, counts, pad) if counts.max() <= SHARED else _apart(prompts, trie, pad)


def _closure(prefixes: Iterable[Sequence[int]]) -> set[tuple[int, ...]]:
    """Return the prefixes and all that they extend, without the empty one."""
    closed: set[tuple[int, ...]] = set()
    for prefix in prefixes:
        for depth in range(len(prefix), 0, -1):
            part = tuple(int(token) for token in prefix[:depth])
            if part in closed:  # and then so is everything that it extends
                break
            closed.add(part)
    return closed


def _apart(prompts: Sequence[Sequence[int]], trie: Trie, pad: int) -> Contexts:
    """Return contexts in rows of their own."""
    rows = [[*prompts[query], *prefix] for query, prefix in zip(trie.query.tolist(), trie.prefixes(), strict=True)]
    ids, mask = pad_left(rows, pad=pad)
    return Contexts(ids, mask, np.arange(len(rows)), np.full(len(rows), ids.shape[1] - 1))


def _shared(prompts: Sequence[Sequence[int]], trie: Trie, counts: Array, pad: int) -> Contexts:
    """Return contexts of which those of one prompt share a row."""
    starts = np.cumsum(counts) - counts
    rows = [
        [*prompt, *trie.token[start + 1 : start + count].tolist()]
        for prompt, start, count in zip(prompts, starts, counts, strict=True)
    ]
    ids, mask = pad_left(rows, pad=pad)
    width = ids.shape[1]
    visible = np.tril(np.ones((width, width), dtype=bool)) & (mask[:, None, :] > 0)
    columns = []
    for row, (start, count) in enumerate(zip(starts, counts, strict=True)):
        nodes = width - count + 1  # where the tokens after the prompt begin
        # The causal mask alone would let a context attend to others that merely stand before it in the row.
        visible[row, nodes:, nodes:] = False
        for within in range(1, count):
            # The position attends to what its parent's position attends to, and to itself.
            place, parent = nodes + within - 1, trie.parent[start + within] - start
            visible[row, place, place] = True
            if parent > 0:
                visible[row, place, nodes:] |= visible[row, nodes + parent - 1, nodes:]
        columns.append(nodes - 1 + np.arange(count))
    visible |= np.eye(width, dtype=bool)  # padding attends to itself: a softmax over nothing would be NaN
    return Contexts(ids, mask, trie.query, np.concatenate(columns), visible)
