"""Hold the rollouts that a probe is taken on, and tell which tokens were taken where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llm_validation.probe.contexts import Contexts, rollout_contexts
from qae_theory.arrays import Array


@dataclass(frozen=True)
class Batch:
    """Hold the rollouts of one step, with their rewards.

    Attributes:
        prompts: token ids of each prompt.
        responses: ``responses[q][i]`` are the token ids of response i to prompt q, the end of text included.
        rewards: [Q, G], each 0 or 1.
    """

    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[Sequence[int]]]
    rewards: Array

    @property
    def group_size(self) -> int:
        """Return G, the number of responses to each prompt."""
        return self.rewards.shape[1]

    def contexts(self, *, pad: int) -> Contexts:
        """Return the contexts of every token; row q G + i is response i of prompt q."""
        prompts: list[Sequence[int]] = []
        responses: list[Sequence[int]] = []
        for prompt, group in zip(self.prompts, self.responses, strict=True):
            prompts += [prompt] * self.group_size
            responses += group
        return rollout_contexts(prompts, responses, pad=pad)

    def tokens(self) -> Array:
        """Return the token taken at each context, [C]."""
        taken: list[int] = []
        for group in self.responses:
            for response in group:
                taken += response
        return np.array(taken)

    def prefixes(self) -> Array:
        """Return a number for each context's prompt and prefix, [C].

        Contexts of responses that share a prefix have the same number: they share one table of logits.
        """
        number_of: dict[tuple[int, ...], int] = {}
        numbers = []
        for query, group in enumerate(self.responses):
            for response in group:
                for depth in range(len(response)):
                    numbers.append(number_of.setdefault((query, *response[:depth]), len(number_of)))
        return np.array(numbers)

    def sampled(self, vocabulary: int) -> Array:
        """Return whether some response of the group took a token at a context, [C, V]."""
        return taken_at(self.prefixes(), self.tokens(), vocabulary)


def taken_at(contexts: Array, tokens: Array, vocabulary: int) -> Array:
    """Return for each visit which tokens were taken at its context by any visit, [M, V] of bool.

    Args:
        contexts: [M] a number for the context of each visit.
        tokens: [M] the token taken at each visit.
        vocabulary: V, number of tokens.
    """
    table = np.zeros((int(contexts.max()) + 1, vocabulary), dtype=bool)
    table[contexts, tokens] = True
    return table[contexts]


def moved_mass(before: Array, after: Array, sampled: Array, owner: Array, queries: int) -> tuple[Array, Array]:
    """Return how much probability a step moved at visited contexts, and how much of it on tokens never taken there.

    Args:
        before: [M, V] next-token log-probabilities at each visit.
        after: [M, V] after the step.
        sampled: [M, V] as :func:`taken_at` gives it.
        owner: [M] the prompt of each visit.
        queries: Q, number of prompts.

    Returns:
        Mean over each prompt's visits, [Q] each, of half the sum of absolute changes: over all tokens, and over those
        that were never taken.
    """
    change = np.abs(np.exp(after) - np.exp(before)) / 2
    visits = np.bincount(owner, minlength=queries)
    everywhere, unsampled = change.sum(axis=1), np.where(sampled, 0.0, change).sum(axis=1)
    total = np.bincount(owner, weights=everywhere, minlength=queries) / visits
    never_taken = np.bincount(owner, weights=unsampled, minlength=queries) / visits
    return total, never_taken
