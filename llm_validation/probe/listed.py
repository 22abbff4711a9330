"""Measure the entropy over the leaves of a trie, where whole responses are too many to list.

The functional is the entropy of the response up to where the trie ends, and is exact. What open leaves still hold is
enclosed by ``Trie.entropy_bounds``; their mass is recorded with every row.
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
from qae_theory.entropy_change import entropy_change_bounds, first_order_entropy_change


class Listed:
    """Measure the entropy over a trie's leaves, as a :class:`llm_validation.probe.measures.Measure`.

    Args:
        batch: the rollouts.
        trie: the trie of responses to the batch's prompts.
        leaf_rewards: [L] rewards of the leaves, 0 or 1; an open leaf has 0.
        pad: token id of padding.
    """

    functional = "leaves of a trie"

    def __init__(self, batch: Batch, trie: Trie, leaf_rewards: Array, *, pad: int) -> None:
        self._trie, self._leaf_rewards = trie, leaf_rewards
        self.contexts = trie_contexts(batch.prompts, trie, pad=pad)
        visits = []
        for query, group in enumerate(batch.responses):
            for index, response in enumerate(group):
                # Not strict: a rollout may leave the trie before it ends.
                for context, token in zip(trie.paths(query, response)[0], response, strict=False):
                    visits.append((query, index, context, token))
        queries, indices, self._visited, self._taken = np.array(visits).T
        self._by = (queries, indices)
        self._sampled = taken_at(self._visited, self._taken, trie.vocabulary)
        self._start: tuple[Array, Array] | None = None
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
        """Return what the step moved at the contexts of the rollouts that the trie has, [Q] each."""
        rows = before[self._visited], after[self._visited]
        return moved_mass(*rows, self._sampled, self._by[0], self._trie.queries)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi, under pi and over prompts."""
        squares = np.exp(self._leaves(before)) * self._trie.log_probs(first) ** 2
        return float(np.sqrt(squares.sum() / self._trie.queries))

    def first_order(self, before: Array, first: Array) -> Array:
        """Return the first-order change of the entropy, [Q]."""
        start, along = self._leaves(before), self._trie.log_probs(first)
        return np.array([first_order_entropy_change(start[part], along[part]) for part in self._parts])

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return bounds at the real change of the leaves' log-probabilities, [Q] each: a consistency check."""
        start, end = self._leaves(before), self._trie.log_probs(after)
        sides = [entropy_change_bounds(start[part], (end - start)[part], 1.0) for part in self._parts]
        low, high = zip(*sides, strict=True)
        return np.array(low), np.array(high)

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return the prediction of every rung of the ladder, by the rung's name.

        Rungs 1 and 2 are expectations over groups with these advantages; rung 3 treats each context as a table of its
        own.

        Args:
            before: [C, V] next-token log-probabilities.
            weights: the arm's advantages.
            per_token: step size of a token of the loss.
            derivatives: of the log-probabilities along the real change of parameters.
        """
        group_size = weights.sampled.shape[1]
        pushes = per_token * weights.sampled[self._by]
        logits = predictions.sampled_direction(before, self._visited, self._taken, pushes)
        # Log-probabilities move as the logits do less the mean of that change, at first order.
        shifted = logits - (np.exp(before) * logits).sum(-1, keepdims=True)
        start, moved = self._leaves(before), self._trie.log_probs(shifted)
        first, second = (self._trie.log_probs(derivative) for derivative in derivatives)
        by_query = []
        # Prompt by prompt, since they have different numbers of leaves.
        for query, part in enumerate(self._parts):
            rungs = predictions.enumerated(
                start[None, part],
                self._advantages(weights, query, part),
                step_size=per_token * group_size,
                sampled=moved[None, part],
                derivatives=Derivatives(first[None, part], second[None, part]),
            )
            by_query.append(rungs)
        return dict(_joined(by_query))

    def _leaves(self, before: Array) -> Array:
        """Return the leaves' log-probabilities before the step, [L], which are kept: every arm's step starts there."""
        if self._start is None or self._start[0] is not before:
            self._start = before, self._trie.log_probs(before)
        return self._start[1]

    def _advantages(self, weights: Weights, query: int, part: slice) -> Array:
        """Return the advantage of each leaf of a prompt, [1, n]."""
        right, wrong = weights.right[query], weights.wrong[query]
        return np.where(self._leaf_rewards[None, part] > 0, right, wrong)


def _joined(by_query: list[Mapping[str, Prediction]]) -> Iterator[tuple[str, Prediction]]:
    """Yield each rung with its predictions for all prompts together, [Q]."""
    for rung in by_query[0]:
        of_rung = [rungs[rung] for rungs in by_query]
        yield rung, Prediction(*map(np.concatenate, zip(*of_rung, strict=True)))
