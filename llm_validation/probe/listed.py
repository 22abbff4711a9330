"""The entropy over the leaves of a trie: exact where whole responses cannot all be listed, but most of their mass can.

The functional is the entropy of the response up to where the trie ends. What open leaves still hold is enclosed by
``Trie.entropy_bounds``; their mass is recorded with every row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights
from llm_validation.probe.chain import Chain, chain_of_trie
from llm_validation.probe.predictions import Derivatives, Prediction
from llm_validation.probe.rollouts import Batch, moved_mass, taken_at
from llm_validation.probe.trie import Trie, trie_contexts
from qae_theory.arrays import Array
from qae_theory.entropy_change import entropy_change_bounds


class Listed:
    """The entropy over a trie's leaves.

    Args:
        batch: the rollouts.
        trie: of the responses to the batch's prompts.
        leaf_rewards: [L] of the leaves, 0 or 1; an open leaf has 0.
        pad: token id of padding.
    """

    functional = "leaves of a trie"

    def __init__(self, batch: Batch, trie: Trie, leaf_rewards: Array, *, pad: int) -> None:
        self._trie, self._leaf_rewards = trie, leaf_rewards
        self.contexts = trie_contexts(batch.prompts, trie, pad=pad)
        paths = [
            (query, index, context, token)
            for query, group in enumerate(batch.responses)
            for index, response in enumerate(group)
            for context, token in zip(trie.paths(query, response)[0], response, strict=False)
        ]
        query, index, self._visited, self._taken = np.array(paths).T
        self._by = (query, index)
        self._sampled = taken_at(self._visited, self._taken, trie.vocabulary)
        ends = np.searchsorted(trie.leaf_query(), np.arange(trie.queries + 1))
        self._parts = [slice(start, end) for start, end in pairwise(ends.tolist())]

    def success_prob(self, log_probs: Array) -> Array:
        """Return the probability of all right responses that are listed, [Q]."""
        right = np.exp(self._trie.log_probs(log_probs)) * self._leaf_rewards
        return np.bincount(self._trie.leaf_query(), weights=right, minlength=self._trie.queries)

    def entropy(self, log_probs: Array) -> Array:
        """Return the entropy over the leaves, [Q] in nats."""
        return self._trie.entropy(log_probs)

    def open_mass(self, log_probs: Array) -> Array:
        """Return the probability of open leaves, [Q]."""
        return self._trie.open_mass(log_probs)

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms of the change, exactly."""
        return chain_of_trie(self._trie, before, after)

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return what the step moved at the contexts of the rollouts that the trie has."""
        rows = before[self._visited], after[self._visited]
        return moved_mass(*rows, self._sampled, self._by[0], self._trie.queries)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi, under pi and over prompts."""
        squares = np.exp(self._trie.log_probs(before)) * self._trie.log_probs(first) ** 2
        return float(np.sqrt(squares.sum() / self._trie.queries))

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the bounds at the real change of the leaves' log-probabilities, [Q] each: a consistency check."""
        start, end = self._trie.log_probs(before), self._trie.log_probs(after)
        sides = [entropy_change_bounds(start[part], (end - start)[part], 1.0) for part in self._parts]
        low, high = zip(*sides, strict=True)
        return np.array(low), np.array(high)

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return rungs 1 and 2 as expectations over groups with these advantages.

        Rung 3 takes every context for a table of its own.
        """
        group_size = weights.sampled.shape[1]
        pushes = per_token * weights.sampled[self._by]
        logits = predictions.sampled_direction(before, self._visited, self._taken, pushes)
        # Logits as log-probabilities: at first order these lose the mean change.
        shifted = logits - (np.exp(before) * logits).sum(-1, keepdims=True)
        start, moved = self._trie.log_probs(before), self._trie.log_probs(shifted)
        first, second = (self._trie.log_probs(one) for one in derivatives)
        by_query = [
            predictions.enumerated(
                start[None, part],
                self._advantages(weights, query, part),
                per_token * group_size,
                moved[None, part],
                Derivatives(first[None, part], second[None, part]),
            )
            for query, part in enumerate(self._parts)
        ]
        return dict(_joined(by_query))

    def _advantages(self, weights: Weights, query: int, part: slice) -> Array:
        """Return the advantage of each leaf of a prompt, [1, n]."""
        right, wrong = weights.right[query], weights.wrong[query]
        return np.where(self._leaf_rewards[None, part] > 0, right, wrong)


def _joined(by_query: list[Mapping[str, Prediction]]) -> Iterator[tuple[str, Prediction]]:
    """Yield each rung's predictions of all prompts together, [Q]."""
    for rung in by_query[0]:
        sides = zip(*(one[rung] for one in by_query), strict=True)
        yield rung, Prediction(*(np.concatenate(side) for side in sides))
