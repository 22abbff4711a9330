r"""The change of the entropy of whole responses in two terms: contexts frozen, and visits that move.

The entropy of a response is the sum over contexts of the probability of coming there times the entropy of the next
token. A step changes both factors. With :math:`P(c)` the probability of a context, :math:`H_c` the entropy of its next
token and :math:`R_c` the entropy still to come from there on, primes after the step,

.. math:: \Delta H = \sum_c P(c)\,[H'_c - H_c] + \sum_c P(c) \sum_t [\pi'(t|c) - \pi(t|c)]\, R'_{ct},

exactly, for a step of any size: the first sum is the frozen term, the second the visiting term. At first order they are
:math:`-\sum_c P(c)\,\mathrm{Cov}_c(\log\pi, l')` and :math:`\sum_c P(c)\,\mathrm{Cov}_c(l', R)`, with :math:`l'` the
derivative of :math:`\log\pi`. Whoever adds up token entropies along sampled responses sees the frozen term alone.

Source: claim `sequence-chain-rule` of this suite. NumPy only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_validation.probe.predictions import entropy
from llm_validation.probe.trie import ROOT, Trie
from qae_theory.arrays import Array


class Chain(NamedTuple):
    """Hold both terms of each prompt, ``[Q]`` each, in nats per response; they add up to the change.

    Attributes:
        frozen: the change at contexts that stay as likely as they were.
        visiting: the change that comes from contexts becoming more or less likely.
    """

    frozen: Array
    visiting: Array


def chain_of_trie(trie: Trie, before: Array, after: Array) -> Chain:
    """Return both terms of the change of the entropy over a trie's leaves, exactly.

    Args:
        trie: the contexts.
        before: [C, V] next-token log-probabilities.
        after: [C, V] next-token log-probabilities after the step.
    """
    reached = np.exp(trie.reach(before))
    moved = np.exp(after) - np.exp(before)
    frozen = reached * (entropy(after) - entropy(before))
    visiting = reached * _over_children(trie, moved, remaining_entropy(trie, after))
    return Chain(_by_query(trie, frozen), _by_query(trie, visiting))


def first_order_chain(trie: Trie, before: Array, first: Array) -> Chain:
    """Return both terms of the change at first order.

    Args:
        trie: the contexts.
        before: [C, V] next-token log-probabilities.
        first: [C, V] their derivative along the step.
    """
    reached, moved = np.exp(trie.reach(before)), np.exp(before) * first
    frozen = -reached * (moved * (before + 1)).sum(axis=1)
    visiting = reached * _over_children(trie, moved, remaining_entropy(trie, before))
    return Chain(_by_query(trie, frozen), _by_query(trie, visiting))


def remaining_entropy(trie: Trie, log_probs: Array) -> Array:
    """Return the entropy still to come from each context on, down to the trie's leaves, [C].

    R_c = H_c + sum_t pi(t|c) R_ct, computed from the deepest contexts upwards.
    """
    remaining = entropy(log_probs)
    for context in range(len(trie.parent) - 1, -1, -1):  # a context comes after the one that it extends
        parent = trie.parent[context]
        if parent != ROOT:
            remaining[parent] += np.exp(log_probs[parent, trie.token[context]]) * remaining[context]
    return np.asarray(remaining)


def chain_of_rollouts(before: Array, after: Array, row: Array, tokens: Array, owner: Array, group_size: int) -> Chain:
    r"""Return unbiased estimates of both terms from responses sampled before the step.

    The frozen term is the mean over responses of :math:`\sum_t [H'_t - H_t]`, the visiting term that of :math:`\sum_t
    (w_t - 1) H'_t`, where :math:`w_t` is the probability of the first t tokens after the step over that before.

    Args:
        before: [C, V] next-token log-probabilities at every token of the responses, response by response.
        after: [C, V] after the step.
        row: [C] the response that a context belongs to.
        tokens: [C] the token taken there.
        owner: [C] the prompt, 0..Q-1.
        group_size: responses of a prompt.
    """
    taken = (after - before)[np.arange(len(tokens)), tokens]
    summed = np.cumsum(taken)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    # The running sum goes on through all responses; what it had at the start of each is taken off.
    offset = (summed - taken)[starts][np.cumsum(np.diff(row, prepend=-1) != 0) - 1]
    weight = np.exp(summed - taken - offset)  # of the tokens before this one in the same response
    frozen = entropy(after) - entropy(before)
    visiting = (weight - 1) * entropy(after)
    terms = (np.bincount(owner, weights=term) / group_size for term in (frozen, visiting))
    return Chain(*terms)


def _over_children(trie: Trie, moved: Array, remaining: Array) -> Array:
    """Return for each context the sum over its extensions of probability moved times what remains there, [C]."""
    total = np.zeros(len(trie.parent))
    inner = np.flatnonzero(trie.parent != ROOT)
    # np.add.at, because one context has several extensions and plain indexing would keep the last of them only.
    np.add.at(total, trie.parent[inner], moved[trie.parent[inner], trie.token[inner]] * remaining[inner])
    return total


def _by_query(trie: Trie, values: Array) -> Array:
    """Return the sum of the contexts' values of each prompt, [Q]."""
    return np.bincount(trie.query, weights=values, minlength=trie.queries)
