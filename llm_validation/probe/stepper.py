"""Take steps from one checkpoint on one batch of rollouts, and compute what each changes.

Each arm starts from the same parameters and the same optimiser state. Steps of several sizes that differ in nothing
but the learning rate share one gradient: a single update of SGD, or of Adam from given moments, is linear in it. One
step by itself is in ``steps``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.models.float64 import float64_copy
from llm_validation.probe.arms import Weights, arm_weights
from llm_validation.probe.expansion import Tensors, context_log_probs, expand, first_derivative
from llm_validation.probe.measures import Measure
from llm_validation.probe.predictions import Derivatives, entropy
from llm_validation.probe.rollouts import Batch
from llm_validation.probe.steps import Moments, Setting, take_step
from qae_theory.arrays import Array
from qae_theory.softmax import log_softmax

REFERENCE = "mean"  # the arm by whose step at learning rate 1 the learning rates of sized settings are found


class Taken(NamedTuple):
    """Hold a step that was taken.

    Attributes:
        learning_rate: of the step.
        after: [C, V] next-token log-probabilities after it.
        derivatives: of the log-probabilities along it, [C, V] each.
    """

    learning_rate: float
    after: Array
    derivatives: Derivatives


class Unit(NamedTuple):
    """Hold a change of parameters, by name, and the derivatives of the log-probabilities along it, [C, V] each."""

    change: Tensors
    derivatives: Derivatives


class _Reference(NamedTuple):
    """Hold the reference arm's advantages, its step, and the root mean square of what it changes log pi by."""

    advantages: Array
    unit: Unit
    spread: float


class Stepper:
    """Take steps from one checkpoint on one batch; what two arms have in common is computed once.

    Args:
        model: in the arithmetic that training has; it is left as it was.
        batch: the rollouts.
        measure: of the entropy.
        pad: token id of padding.
        order: [Q G] order in which the responses are cut into mini-batches.
        moments: Adam's, by parameter name.
        optimiser: the training run's own, if there is one; it is watched and not used.
        precision: of measurements and derivatives, ``float64`` or, for a large model, ``float32``.
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
        precision: str = "float64",
    ) -> None:
        self.batch, self.measure = batch, measure
        self._model, self._precision = model, precision
        self._order, self._moments, self._optimiser = order, moments, optimiser
        self._rollouts, self._tokens = batch.contexts(pad=pad), batch.tokens()
        self._exact_model = exact_copy(model, precision)
        self._parameters: Tensors = {name: value.detach() for name, value in self._exact_model.named_parameters()}
        self.before = self._log_probs(self._parameters)
        self._references: dict[Setting, _Reference] = {}

    def steps(self, settings: Sequence[Setting], weights: Weights) -> Iterator[Taken]:
        """Yield the step of each setting that has one.

        Args:
            settings: settings of one unit, so that they share its gradient.
            weights: the arm's advantages.
        """
        unit: Unit | None = None
        for setting in settings:
            rate = self.rate(setting)
            if rate is None:
                continue
            unit = unit or self._unit(setting, weights.sampled)
            factor = 1.0 if setting.size is None else rate
            moved = {name: value + factor * unit.change[name] for name, value in self._parameters.items()}
            # Along factor times the change, the first derivative grows with the factor and the second with its square.
            derivatives = Derivatives(factor * unit.derivatives.first, factor**2 * unit.derivatives.second)
            yield Taken(rate, self._log_probs(moved), derivatives)

    def rate(self, setting: Setting) -> float | None:
        """Return the learning rate: the setting's own, or by the rule of ``Setting.size``.

        The size is the root mean square of the predicted change of log pi under the reference arm. None where that arm
        takes no step, because no group has two rewards.
        """
        if setting.size is None:
            return setting.learning_rate
        spread = self._reference(setting.unit).spread
        return setting.size / spread if spread > 0 else None

    def change(self, setting: Setting, advantages: Array) -> dict[str, Any]:
        """Return the parameters' change in one step with these advantages, [Q, G], by parameter name."""
        sampled = self.batch.sampled(self.before.shape[1]) if setting.hold_unsampled else None
        return take_step(
            self._model,
            self._rollouts,
            self._tokens,
            advantages.reshape(-1),
            setting,
            order=self._order,
            moments=self._moments,
            optimiser=self._optimiser,
            sampled=sampled,
            dtype=self._precision,
        )

    def first_order(self, setting: Setting, advantages: Array) -> Array:
        """Return the first-order change of the entropy in a step with these advantages, [Q] in nats per response."""
        change = self.change(setting, advantages)
        first = first_derivative(self._exact_model, self._parameters, change, self.measure.contexts)
        return self.measure.first_order(self.before, first.astype("float64"))

    def token_entropy(self) -> tuple[Array, Array]:
        """Return the entropy at every token of the rollouts in nats, and the token's response, [C] each."""
        return entropy(context_log_probs(self._exact_model, self._parameters, self._rollouts)), self._rollouts.row

    def _unit(self, setting: Setting, advantages: Array) -> Unit:
        """Return what the steps of all sizes of a setting share, or the step of a setting that has no size."""
        if setting.size is None:
            return self._along(self.change(setting, advantages))
        reference = self._reference(setting.unit)
        if np.array_equal(advantages, reference.advantages):
            return reference.unit
        return self._along(self.change(setting.unit, advantages))

    def _reference(self, unit: Setting) -> _Reference:
        """Return the reference arm's step at learning rate 1, which is taken once."""
        if unit not in self._references:
            advantages = arm_weights(REFERENCE, self.batch.rewards).sampled
            along = self._along(self.change(unit, advantages))
            spread = self.measure.displacement(self.before, along.derivatives.first)
            self._references[unit] = _Reference(advantages, along, spread)
        return self._references[unit]

    def _along(self, change: Tensors) -> Unit:
        """Return a change of parameters with the derivatives along it, [C, V] each in float64."""
        first, second = expand(self._exact_model, self._parameters, change, self.measure.contexts)
        return Unit(change, Derivatives(first.astype("float64"), second.astype("float64")))

    def _log_probs(self, parameters: Tensors) -> Array:
        """Return the log-probabilities at the measure's contexts, [C, V] in float64."""
        table = context_log_probs(self._exact_model, parameters, self.measure.contexts).astype("float64")
        # Single precision leaves sums of probabilities 1e-7 off 1, which is more than a small step changes entropy by.
        return np.asarray(log_softmax(table))


def exact_copy(model: Any, precision: str) -> Any:
    """Return a copy of the model for measurements: in float64 throughout, or as it is, in evaluation mode."""
    if precision == "float64":
        return float64_copy(model)
    import copy

    return copy.deepcopy(model).eval().requires_grad_(False)
