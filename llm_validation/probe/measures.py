"""What is meant by the entropy of a probe's prompts: over all responses, or along sampled ones.

A third one, over the leaves of a trie, is in ``listed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights
from llm_validation.probe.chain import Chain, chain_of_rollouts, chain_of_trie
from llm_validation.probe.contexts import Contexts, Tree, tree_contexts
from llm_validation.probe.predictions import Derivatives, Prediction, entropy
from llm_validation.probe.rollouts import Batch, moved_mass, taken_at
from llm_validation.probe.trie import complete_trie
from qae_theory.arrays import Array
from qae_theory.entropy_change import entropy_change_bounds


class Measure(Protocol):
    """What is meant by the entropy of the prompts, and what the rungs say of it."""

    contexts: Contexts
    functional: str

    def success_prob(self, log_probs: Array) -> Array:
        """Return V of each prompt, [Q]; NaN where it is not known."""

    def entropy(self, log_probs: Array) -> Array:
        """Return nats per response, [Q], from next-token log-probabilities at the contexts."""

    def open_mass(self, log_probs: Array) -> Array:
        """Return the probability of what is not listed, [Q]; NaN where responses are sampled."""

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms of the change of the entropy of whole responses, [Q] each."""

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the probability that the step moved at visited contexts, and its part on tokens never taken there.

        Both are ``[Q]``.
        """

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi of whole responses, under pi and over prompts."""

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the bounds on the change, [Q] each, from the real change of log-probabilities."""

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return all rungs; ``per_token`` is the step size of a token of the loss."""


class Enumerated:
    """The entropy over all responses of a tree, exactly.

    Args:
        batch: the rollouts.
        tree: of all responses.
        arm_rewards: [Q, n] of all responses, 0 or 1.
        pad: token id of padding.
    """

    functional = "all responses"

    def __init__(self, batch: Batch, tree: Tree, arm_rewards: Array, *, pad: int) -> None:
        self._tree, self._arm_rewards, self._queries = tree, arm_rewards, len(batch.prompts)
        # The same contexts in the same order.
        self._trie = complete_trie(self._queries, length=tree.length, ends=(tree.end,), vocabulary=tree.vocabulary)
        self.contexts = tree_contexts(batch.prompts, tree, pad=pad)
        paths = [
            (query, index, context, token)
            for query, group in enumerate(batch.responses)
            for index, response in enumerate(group)
            for context, token in zip(tree.path(response), response, strict=True)
        ]
        query, index, context, self._taken = np.array(paths).T
        self._visited = query * tree.contexts + context
        self._by = (query, index)
        self._sampled = taken_at(self._visited, self._taken, tree.vocabulary)

    def _responses(self, log_probs: Array) -> Array:
        return self._tree.log_probs(log_probs.reshape(self._queries, self._tree.contexts, self._tree.vocabulary))

    def success_prob(self, log_probs: Array) -> Array:
        """Return the probability of all right responses."""
        return (np.exp(self._responses(log_probs)) * self._arm_rewards).sum(-1)

    def entropy(self, log_probs: Array) -> Array:
        """Return the entropy of whole responses."""
        return entropy(self._responses(log_probs))

    def open_mass(self, log_probs: Array) -> Array:
        """Return zeros, because nothing is left out."""
        del log_probs
        return np.zeros(self._queries)

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms, exactly."""
        return chain_of_trie(self._trie, before, after)

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return what the step moved at the contexts of the rollouts."""
        return moved_mass(before[self._visited], after[self._visited], self._sampled, self._by[0], self._queries)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the displacement over all responses."""
        squares = np.exp(self._responses(before)) * self._responses(first) ** 2
        return float(np.sqrt(squares.sum() / self._queries))

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the remainder bound at the real change of the responses' log-probabilities."""
        start, end = self._responses(before), self._responses(after)
        return entropy_change_bounds(start, end - start, 1.0)

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
        return predictions.enumerated(
            self._responses(before),
            weights.of(self._arm_rewards),
            per_token * group_size,
            self._responses(shifted),
            Derivatives(*map(self._responses, derivatives)),
        )


class Sampled:
    """The entropy summed along the rollouts, per response: their contexts stay, only the distributions there change.

    Args:
        batch: the rollouts.
        vocabulary: tokens.
        max_length: longest response, for the number of possible ones.
        pad: token id of padding.
    """

    functional = "contexts of sampled responses, frozen"

    def __init__(self, batch: Batch, *, vocabulary: int, max_length: int, pad: int) -> None:
        self._group_size = batch.group_size
        self._possible = sum(vocabulary**length for length in range(1, max_length + 1))
        self.contexts, self._tokens = batch.contexts(pad=pad), batch.tokens()
        self._owner = self.contexts.row // batch.group_size
        self._same = batch.prefixes()  # responses that share a prefix share its table: it is pushed by all of them
        self._taken = batch.sampled(vocabulary)

    def success_prob(self, log_probs: Array) -> Array:
        """Return NaN, because sampled responses do not tell it."""
        del log_probs
        return np.full(self._owner[-1] + 1, np.nan)

    def entropy(self, log_probs: Array) -> Array:
        """Return the entropy along the rollouts."""
        return np.bincount(self._owner, weights=entropy(log_probs)) / self._group_size

    def open_mass(self, log_probs: Array) -> Array:
        """Return NaN, because sampled responses do not tell it."""
        del log_probs
        return np.full(self._owner[-1] + 1, np.nan)

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms, estimated without bias."""
        return chain_of_rollouts(
            before, after, row=self.contexts.row, tokens=self._tokens, owner=self._owner, group_size=self._group_size
        )

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return what the step moved at the contexts of the rollouts."""
        return moved_mass(before, after, self._taken, self._owner, int(self._owner[-1]) + 1)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the displacement over the sampled responses."""
        del before
        taken = first[np.arange(len(self._tokens)), self._tokens]
        return float(np.sqrt(np.mean(np.bincount(self.contexts.row, weights=taken) ** 2)))

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the remainder bounds of all contexts, added up."""
        low, high = entropy_change_bounds(before, after - before, 1.0)
        summed = predictions.summed(Prediction(low, low, high), self._owner, self._group_size)
        return summed.low, summed.high

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return the rungs 1 and 2 from the sampled responses, 3 to 5 from their tokens."""
        responses, group_size = self.contexts.row, self._group_size
        taken = before[np.arange(len(before)), self._tokens]
        totals = np.bincount(responses, weights=taken).reshape(-1, group_size)
        step = per_token * group_size
        first = {
            name: predictions.from_samples(
                totals, weights.sampled, step, responses=self._possible, centred=name == "centred"
            )
            for name in ("identity", "centred")
        }
        unique = np.unique(self._same, return_index=True)[1]
        pushes = per_token * weights.sampled.reshape(-1)[responses]
        direction = predictions.sampled_direction(before[unique], self._same, self._tokens, pushes)[self._same]
        return first | dict(predictions.along_rollouts(before, self._owner, group_size, direction, derivatives))
