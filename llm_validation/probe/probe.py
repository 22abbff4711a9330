"""The entropy probe: at a checkpoint, every arm's step on one and the same rollouts, its entropy change and the ladder.

Each arm starts from the same parameters and the same optimiser state. The entropy is that of the same prompts: exact
over all responses where these can be listed (``Enumerated``), else summed along the given rollouts (``Sampled``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from llm_validation.models.float64 import double_copy
from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights, arm_weights, is_scaled
from llm_validation.probe.contexts import Contexts, Tree, rollout_contexts, tree_contexts
from llm_validation.probe.expansion import Tensors, context_log_probs, expand
from llm_validation.probe.predictions import Derivatives, Prediction, entropy
from llm_validation.probe.steps import Moments, Setting, take_step
from qae_theory.arrays import Array
from qae_theory.entropy_change import entropy_change_bounds

Row = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Rollouts: ``responses[q][i]`` are token ids, the end of text included, and ``rewards`` [Q, G] are 0 or 1."""

    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[Sequence[int]]]
    rewards: Array

    @property
    def group_size(self) -> int:
        """G."""
        return self.rewards.shape[1]

    def contexts(self, *, pad: int) -> Contexts:
        """The contexts of every token; row q G + i is response i of prompt q."""
        prompts = [prompt for prompt in self.prompts for _ in range(self.group_size)]
        return rollout_contexts(prompts, [one for group in self.responses for one in group], pad=pad)

    def tokens(self) -> Array:
        """[C] the token taken at each context."""
        return np.array([token for group in self.responses for one in group for token in one])


class Measure(Protocol):
    """What is meant by the entropy of the prompts, and what the rungs say of it."""

    contexts: Contexts

    def success_prob(self, log_probs: Array) -> Array:
        """V of each prompt, [Q]; NaN where it is not known."""

    def entropy(self, log_probs: Array) -> Array:
        """Nats per response, [Q], of next-token log-probabilities at the contexts."""

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Bounds on the change, [Q] each, from the real change of log-probabilities."""

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """All rungs; ``per_token`` is the step size of a token of the loss."""


class Enumerated:
    """The entropy over all responses of a tree, exactly.

    Args:
        batch: the rollouts.
        tree: of all responses.
        arm_rewards: [Q, n] of all responses, 0 or 1.
        pad: token id of padding.
    """

    def __init__(self, batch: Batch, tree: Tree, arm_rewards: Array, *, pad: int) -> None:
        self._tree, self._arm_rewards, self._queries = tree, arm_rewards, len(batch.prompts)
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

    def _responses(self, log_probs: Array) -> Array:
        return self._tree.log_probs(log_probs.reshape(self._queries, self._tree.contexts, self._tree.vocabulary))

    def success_prob(self, log_probs: Array) -> Array:
        """The probability of all right responses."""
        return (np.exp(self._responses(log_probs)) * self._arm_rewards).sum(-1)

    def entropy(self, log_probs: Array) -> Array:
        """Of whole responses."""
        return entropy(self._responses(log_probs))

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """The remainder bound at the real change of the responses' log-probabilities."""
        start, end = self._responses(before), self._responses(after)
        return entropy_change_bounds(start, end - start, 1.0)

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Rungs 1, 2 as expectations over groups with these advantages; 3 with every context a table of its own."""
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

    def __init__(self, batch: Batch, *, vocabulary: int, max_length: int, pad: int) -> None:
        self._group_size = batch.group_size
        self._possible = sum(vocabulary**length for length in range(1, max_length + 1))
        self.contexts, self._tokens = batch.contexts(pad=pad), batch.tokens()
        self._owner = self.contexts.row // batch.group_size
        # Responses that share a prefix share the context: its table is pushed by all of them.
        prefixes: dict[tuple[int, ...], int] = {}
        same = []
        for query, group in enumerate(batch.responses):
            for response in group:
                for depth in range(len(response)):
                    same.append(prefixes.setdefault((query, *response[:depth]), len(prefixes)))
        self._same = np.array(same)

    def success_prob(self, log_probs: Array) -> Array:
        """Not known."""
        del log_probs
        return np.full(self._owner[-1] + 1, np.nan)

    def entropy(self, log_probs: Array) -> Array:
        """Along the rollouts."""
        return np.bincount(self._owner, weights=entropy(log_probs)) / self._group_size

    def guaranteed(self, before: Array, after: Array) -> tuple[Array, Array]:
        """The remainder bounds of all contexts, added up."""
        low, high = entropy_change_bounds(before, after - before, 1.0)
        summed = predictions.summed(Prediction(low, low, high), self._owner, self._group_size)
        return summed.low, summed.high

    def rungs(
        self, before: Array, weights: Weights, per_token: float, derivatives: Derivatives
    ) -> Mapping[str, Prediction]:
        """Rungs 1 and 2 from the sampled responses, 3 to 5 from their tokens."""
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


class Stepper:
    """Steps from one checkpoint on one batch; what two arms have in common is computed once.

    Args:
        model: in the arithmetic that training has; left as it was.
        batch: the rollouts.
        measure: of the entropy.
        pad: token id of padding.
        order: [Q G] order of the responses for mini-batches.
        moments: Adam's, by parameter name.
        optimiser: the training run's own, if there is one: watched.
    """

    def __init__(
        self,
        model: Any,
        batch: Batch,
        measure: Measure,
        *,
        pad: int,
        order: Array,
        moments: Moments | None = None,
        optimiser: Any = None,
    ) -> None:
        self.batch, self.measure = batch, measure
        self._model = model
        self._order, self._moments, self._optimiser = order, moments, optimiser
        self._rollouts, self._tokens = batch.contexts(pad=pad), batch.tokens()
        self._double = double_copy(model)
        self._parameters: Tensors = {name: value.detach() for name, value in self._double.named_parameters()}
        self.before = context_log_probs(self._double, self._parameters, measure.contexts)
        self._steps: dict[tuple[Setting, bytes], tuple[Array, Derivatives]] = {}

    def step(self, setting: Setting, weights: Weights) -> tuple[Array, Derivatives]:
        """Log-probabilities after the step, and their derivatives along it."""
        key = (setting, weights.sampled.tobytes())
        if key not in self._steps:
            change = self.change(setting, weights.sampled)
            after = {name: value + change[name] for name, value in self._parameters.items()}
            self._steps[key] = (
                context_log_probs(self._double, after, self.measure.contexts),
                Derivatives(*expand(self._double, self._parameters, change, self.measure.contexts)),
            )
        return self._steps[key]

    def change(self, setting: Setting, advantages: Array) -> dict[str, Any]:
        """The parameters' change in one step with these advantages, [Q, G]."""
        return take_step(
            self._model,
            self._rollouts,
            self._tokens,
            advantages.reshape(-1),
            setting,
            order=self._order,
            moments=self._moments,
            optimiser=self._optimiser,
        )

    def token_entropy(self) -> tuple[Array, Array]:
        """Entropy at every token of the rollouts, in nats, and the response that it belongs to, [C] each."""
        return entropy(context_log_probs(self._double, self._parameters, self._rollouts)), self._rollouts.row

    def rows(self, setting: Setting, arm: str) -> Iterator[Row]:
        """One row a prompt: what was measured, what each rung says, and the guaranteed bounds."""
        weights = arm_weights(arm, self.batch.rewards)
        after, derivatives = self.step(setting, weights)
        measure, before = self.measure, self.before
        start = measure.entropy(before)
        low, high = measure.guaranteed(before, after)
        per_token = setting.learning_rate * setting.updates / len(self._tokens)
        table = {
            "entropy": start,
            "change": measure.entropy(after) - start,
            "guaranteed_low": low,
            "guaranteed_high": high,
            "success_prob": measure.success_prob(before),
            "num_correct": self.batch.rewards.sum(-1).astype(int),
            **predictions.columns(measure.rungs(before, weights, per_token, derivatives)),
        }
        adam = setting.optimiser == "adam"
        facts = {
            "optimiser": setting.optimiser,
            "adam_eps": setting.adam_eps if adam else float("nan"),
            "updates": setting.updates,
            "clipped": setting.clipped,
            "arm": arm,
            "scaled": is_scaled(arm),
            "group_size": self.batch.group_size,
        }
        for prompt in range(len(start)):
            yield {**facts, "prompt": prompt, **{name: column[prompt].item() for name, column in table.items()}}


def probe(
    stepper: Stepper, settings: Sequence[Setting], arms: Sequence[str], *, told: Callable[[], None] = lambda: None
) -> list[Row]:
    """Every setting with every arm: one row a setting, arm and prompt, in nats."""
    rows = []
    for setting in settings:
        for arm in arms:
            rows += list(stepper.rows(setting, arm))
            told()
    return rows


def by_sign(stepper: Stepper, arm: str) -> Row:
    """Entropy of tokens, and the first-order change of entropy, by the sign of the arm's advantages.

    ``entropy_positive``, ``entropy_negative``, ``entropy_zero``: mean over tokens, in nats; NaN where there are none.
    ``growth_positive``, ``growth_negative``: mean over prompts of the first-order change that these responses' part of
    an SGD step at learning rate 1e-3 makes, in nats per response; they add up to the whole.
    """
    given = arm_weights(arm, stepper.batch.rewards).sampled
    token_entropy, response = stepper.token_entropy()
    sign = np.sign(given).reshape(-1)[response]
    row: Row = {}
    for name, value in (("positive", 1), ("negative", -1), ("zero", 0)):
        here = token_entropy[sign == value]
        row[f"entropy_{name}"] = float(here.mean()) if len(here) else float("nan")
    nothing = np.zeros(len(given))
    for name, value in (("positive", 1), ("negative", -1)):
        part = Weights(np.where(np.sign(given) == value, given, 0.0), nothing, nothing)
        _, derivatives = stepper.step(Setting(), part)
        rungs = stepper.measure.rungs(stepper.before, part, 1.0, derivatives)
        row[f"growth_{name}"] = float(rungs["first_order"].change.mean())
    return row
