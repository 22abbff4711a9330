"""Take every arm's step at a checkpoint on the same rollouts, and record its entropy change beside the ladder.

Each arm starts from the same parameters and the same optimiser state. The entropy is that of the same prompts: exact
over all responses where these can be listed (``measures.Enumerated``) or over the leaves of a trie
(``listed.Listed``), else along the given rollouts (``measures.Sampled``); each row names which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights, arm_weights, is_scaled
from llm_validation.probe.stepper import Stepper, Taken
from llm_validation.probe.steps import Setting
from qae_theory.arrays import Array

Row = dict[str, Any]


def probe(
    stepper: Stepper, settings: Sequence[Setting], arms: Sequence[str], *, told: Callable[[], None] = lambda: None
) -> list[Row]:
    """Return one row for each setting, arm and prompt: what was measured, what each rung says, and the bounds, in nats.

    ``change`` is the change of ``functional``; ``frozen`` and ``visiting`` are both terms of the chain rule for whole
    responses, exact or estimated. ``guaranteed_*`` are bounds at the measured displacement, a consistency check; the
    rungs' bounds are at displacements predicted before the step. ``box_*`` is what H would change by if clipping kept
    every ratio of probabilities in its range. ``moved`` and ``moved_unsampled`` are the probability that the step
    moved, and its part on tokens that were never sampled.

    Args:
        stepper: at the checkpoint.
        settings: how steps are taken; one that has no step by its rule gives no rows.
        arms: names of the rules.
        told: is called after each setting and arm.
    """
    rows: list[Row] = []
    start = _start(stepper)
    for together in _of_one_unit(settings):
        possible = [setting for setting in together if stepper.rate(setting) is not None]
        measured: dict[bytes, list[_Measured]] = {}
        for arm in arms:
            weights = arm_weights(arm, stepper.batch.rewards)
            # Rules differ only through the advantages that they give: two that give the same ones take the same step.
            key = b"".join(part.tobytes() for part in weights)
            if key not in measured:
                measured[key] = [
                    _Measured(taken.learning_rate, _figures(stepper, start, setting, weights, taken))
                    for setting, taken in zip(possible, stepper.steps(possible, weights), strict=True)
                ]
            for setting, found in zip(possible, measured[key], strict=True):
                rows += _rows(stepper, setting, arm, found)
            for _ in together:
                told()
    return rows


class _Measured(NamedTuple):
    """Hold a step's learning rate and what was measured and predicted of it, [Q] each, by the column's name."""

    learning_rate: float
    figures: Mapping[str, Array]


def _rows(stepper: Stepper, setting: Setting, arm: str, measured: _Measured) -> Iterator[Row]:
    """Yield a row for each prompt."""
    facts = _facts(stepper, setting, arm, measured.learning_rate)
    for prompt in range(len(stepper.batch.rewards)):
        yield {**facts, "prompt": prompt, **{name: column[prompt].item() for name, column in measured.figures.items()}}


def _start(stepper: Stepper) -> dict[str, Array]:
    """Return the figures that all steps from the checkpoint share, [Q] each, by their column's name."""
    measure, before = stepper.measure, stepper.before
    return {
        "entropy": measure.entropy(before),
        "open_mass": measure.open_mass(before),
        "success_prob": measure.success_prob(before),
        "num_correct": stepper.batch.rewards.sum(-1).astype(int),
    }


def _figures(
    stepper: Stepper, start: Mapping[str, Array], setting: Setting, weights: Weights, taken: Taken
) -> dict[str, Array]:
    """Return the measured and predicted figures of one step beside those of its start, [Q] each, by column."""
    measure, before, after = stepper.measure, stepper.before, taken.after
    entropy = start["entropy"]
    low, high = measure.guaranteed(before, after)
    # The loss is a mean over the tokens of a mini-batch, of which each update takes one.
    per_token = taken.learning_rate * setting.updates / len(stepper.batch.tokens())
    chain = measure.chain(before, after)
    moved, unsampled = measure.moved(before, after)
    return {
        **start,
        "change": measure.entropy(after) - entropy,
        "frozen": chain.frozen,
        "visiting": chain.visiting,
        "guaranteed_low": low,
        "guaranteed_high": high,
        "box_low": -setting.clip_low * entropy,
        "box_high": setting.clip_high * entropy,
        "moved": moved,
        "moved_unsampled": unsampled,
        **predictions.columns(measure.rungs(before, weights, per_token, taken.derivatives)),
    }


def _facts(stepper: Stepper, setting: Setting, arm: str, learning_rate: float) -> Row:
    """Return the columns that are the same for every prompt."""
    nothing = float("nan")
    return {
        "functional": stepper.measure.functional,
        "optimiser": setting.optimiser,
        "adam_eps": setting.adam_eps if setting.optimiser == "adam" else nothing,
        "updates": setting.updates,
        "clipped": setting.clipped,
        "learning_rate": learning_rate,
        "size": nothing if setting.size is None else setting.size,
        "rounding": setting.rounding,
        "hold_unsampled": setting.hold_unsampled,
        "per_response": setting.per_response,
        "arm": arm,
        "scaled": is_scaled(arm),
        "group_size": stepper.batch.group_size,
    }


def _of_one_unit(settings: Sequence[Setting]) -> list[list[Setting]]:
    """Return the settings in groups that share a gradient.

    Sized settings that differ in their size alone share one; each other setting has its own.
    """
    by_unit: dict[tuple[bool, Setting], list[Setting]] = {}
    for setting in settings:
        sized = setting.size is not None
        by_unit.setdefault((sized, setting.unit if sized else setting), []).append(setting)
    return list(by_unit.values())


def by_sign(stepper: Stepper, arm: str) -> Row:
    """Return the entropy of tokens, and the first-order change of entropy, by the sign of the arm's advantages.

    ``entropy_positive``, ``entropy_negative``, ``entropy_zero`` are means over tokens, in nats; NaN where there are
    none. ``growth_positive`` and ``growth_negative`` are means over prompts of the first-order change that these
    responses' part of an SGD step at learning rate 1e-3 makes, in nats per response; they add up to the whole.

    Args:
        stepper: at the checkpoint.
        arm: name of the rule.
    """
    given = arm_weights(arm, stepper.batch.rewards).sampled
    token_entropy, response = stepper.token_entropy()
    sign = np.sign(given).reshape(-1)[response]
    row: Row = {}
    for name, value in (("positive", 1), ("negative", -1), ("zero", 0)):
        here = token_entropy[sign == value]
        row[f"entropy_{name}"] = float(here.mean()) if len(here) else float("nan")
    for name, value in (("positive", 1), ("negative", -1)):
        part = np.where(np.sign(given) == value, given, 0.0)
        row[f"growth_{name}"] = float(stepper.first_order(Setting(), part).mean())
    return row
