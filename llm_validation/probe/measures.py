"""Define what is meant by the entropy of a probe's prompts: over all responses, or along sampled ones.

A third measure, over the leaves of a trie, is in ``listed``. What the rungs predict is in ``predictions``.
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
from qae_theory.entropy_change import entropy_change_bounds, first_order_entropy_change


class Measure(Protocol):
    """A measure of the entropy of the prompts, and what the rungs say of its change.

    Attributes:
        contexts: where next-token distributions are needed.
        functional: the measure's name in tables.
    """

    contexts: Contexts
    functional: str

    def success_prob(self, log_probs: Array) -> Array:
        """Return V, the probability of a right response, of each prompt, [Q]; NaN where it is not known."""

    def entropy(self, log_probs: Array) -> Array:
        """Return the entropy in nats per response, [Q], given next-token log-probabilities [C, V] at the contexts."""

    def open_mass(self, log_probs: Array) -> Array:
        """Return the probability of responses that are not listed, [Q]; NaN where responses are sampled."""

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms of the change of the entropy of whole responses, [Q] each."""

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the probability that the step moved at visited contexts, and its part on tokens never taken there.

        Both are ``[Q]``.
        """

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi of whole responses, under pi and over prompts."""

    def first_order(self, before: Array, first: Array) -> Array:
        """Return the first-order change of the entropy, [Q], for a derivative of the log-probabilities, [C, V]."""

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return bounds on the change of entropy, [Q] each, from the real change of log-probabilities."""

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return the predictions of all rungs, by the rung's name.

        Args:
            before: [C, V] next-token log-probabilities.
            weights: the arm's advantages.
            per_token: step size of a token of the loss.
            derivatives: of the log-probabilities along the real change of parameters.
        """


class Enumerated:
    """Measure the entropy over all responses of a tree, exactly; the methods are those of :class:`Measure`.

    Args:
        batch: the rollouts.
        tree: the tree of all responses.
        arm_rewards: [Q, n] rewards of all responses, 0 or 1.
        pad: token id of padding.
    """

    functional = "all responses"

    def __init__(self, batch: Batch, tree: Tree, arm_rewards: Array, *, pad: int) -> None:
        self._tree, self._arm_rewards, self._queries = tree, arm_rewards, len(batch.prompts)
        # The trie has the tree's contexts in the same order; the chain rule is written for tries.
        self._trie = complete_trie(self._queries, length=tree.length, ends=(tree.end,), vocabulary=tree.vocabulary)
        self.contexts = tree_contexts(batch.prompts, tree, pad=pad)
        visits = []
        for query, group in enumerate(batch.responses):
            for index, response in enumerate(group):
                for context, token in zip(tree.path(response), response, strict=True):
                    visits.append((query, index, context, token))
        queries, indices, contexts, self._taken = np.array(visits).T
        self._visited = queries * tree.contexts + contexts
        self._by = (queries, indices)
        self._sampled = taken_at(self._visited, self._taken, tree.vocabulary)

    def _responses(self, log_probs: Array) -> Array:
        """Return the responses' log-probabilities, [Q, n], given those of next tokens."""
        return self._tree.log_probs(log_probs.reshape(self._queries, self._tree.contexts, self._tree.vocabulary))

    def success_prob(self, log_probs: Array) -> Array:
        """Return the probability of all right responses, [Q]."""
        return (np.exp(self._responses(log_probs)) * self._arm_rewards).sum(-1)

    def entropy(self, log_probs: Array) -> Array:
        """Return the entropy of whole responses, [Q]."""
        return entropy(self._responses(log_probs))

    def open_mass(self, log_probs: Array) -> Array:
        """Return zeros, [Q], because nothing is left out."""
        del log_probs
        return np.zeros(self._queries)

    def chain(self, before: Array, after: Array) -> Chain:
        """Return both terms, exactly."""
        return chain_of_trie(self._trie, before, after)

    def moved(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return what the step moved at the contexts of the rollouts, [Q] each."""
        return moved_mass(before[self._visited], after[self._visited], self._sampled, self._by[0], self._queries)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi over all responses."""
        squares = np.exp(self._responses(before)) * self._responses(first) ** 2
        return float(np.sqrt(squares.sum() / self._queries))

    def first_order(self, before: Array, first: Array) -> Array:
        """Return the first-order change of the entropy of whole responses, [Q]."""
        return first_order_entropy_change(self._responses(before), self._responses(first))

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the remainder bounds at the real change of the responses' log-probabilities, [Q] each."""
        start, end = self._responses(before), self._responses(after)
        return entropy_change_bounds(start, end - start, 1.0)

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return the prediction of every rung of the ladder, by the rung's name.

        Rungs 1 and 2 are expectations over groups with these advantages; rung 3 treats each context as a table of its
        own.
        """
        group_size = weights.sampled.shape[1]
        pushes = per_token * weights.sampled[self._by]
        logits = predictions.sampled_direction(before, self._visited, self._taken, pushes)
        # Log-probabilities move as the logits do less the mean of that change, at first order.
        shifted = logits - (np.exp(before) * logits).sum(-1, keepdims=True)
        return predictions.enumerated(
            self._responses(before),
            weights.of(self._arm_rewards),
            step_size=per_token * group_size,
            sampled=self._responses(shifted),
            derivatives=Derivatives(*map(self._responses, derivatives)),
        )


class Sampled:
    """Measure the entropy summed along the rollouts, per response; the methods are those of :class:`Measure`.

    The rollouts' contexts stay as they are; only the distributions there change.

    Args:
        batch: the rollouts.
        vocabulary: number of tokens.
        max_length: longest response in tokens, from which the number of possible responses follows.
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
        """Return the entropy along the rollouts, [Q]."""
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
        """Return what the step moved at the contexts of the rollouts, [Q] each."""
        return moved_mass(before, after, self._taken, self._owner, int(self._owner[-1]) + 1)

    def displacement(self, before: Array, first: Array) -> float:
        """Return the root mean square of the derivative of log pi over the sampled responses."""
        del before  # the responses are drawn from pi already
        taken = first[np.arange(len(self._tokens)), self._tokens]
        return float(np.sqrt(np.mean(np.bincount(self.contexts.row, weights=taken) ** 2)))

    def first_order(self, before: Array, first: Array) -> Array:
        """Return the first-order change of the entropy along the rollouts, [Q]."""
        changes = first_order_entropy_change(before, first)
        return np.bincount(self._owner, weights=changes) / self._group_size

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return the remainder bounds of all contexts, added up, [Q] each."""
        low, high = entropy_change_bounds(before, after - before, 1.0)
        summed = predictions.summed(Prediction(low, low, high), self._owner, self._group_size)
        return summed.low, summed.high

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Return rungs 1 and 2 from the sampled responses, and 3 to 5 from their tokens."""
        responses, group_size = self.contexts.row, self._group_size
        taken = before[np.arange(len(before)), self._tokens]
        totals = np.bincount(responses, weights=taken).reshape(-1, group_size)
        step = per_token * group_size
        of_responses = {}
        for name in ("identity", "centred"):
            of_responses[name] = predictions.from_samples(
                totals, weights.sampled, step, responses=self._possible, centred=name == "centred"
            )
        # One row for each distinct context: all visits to it push the same table.
        unique = np.unique(self._same, return_index=True)[1]
        pushes = per_token * weights.sampled.reshape(-1)[responses]
        direction = predictions.sampled_direction(before[unique], self._same, self._tokens, pushes)[self._same]
        along = predictions.along_rollouts(
            before, self._owner, per_response=group_size, sampled=direction, derivatives=derivatives
        )
        return of_responses | dict(along)
