"""Train every seed with one update rule, and return what the league measures, one number for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.progress import late_mean
from qae_theory.curves.trajectories import at_gain
from simulators.engine import Step, initial_state, train
from simulators.environments import Environment
from simulators.experiments.common.trajectories import stacked
from simulators.experiments.league.questions import Questions, starts
from simulators.measures import state_measures, success_prob
from simulators.update import Update

# The worst query of a seed is noisy with tens of queries; the mean of the worst tenth says the same with less noise.
WORST = 0.1
CURVES = ("success", "pass@16", "worst_tenth", "sequence_entropy", "token_entropy")


class Length(NamedTuple):
    """Hold how long a run is and how often it is recorded, in updates; ``every`` divides ``steps``."""

    steps: int
    every: int


def measured(
    questions: Questions,
    update: Update,
    length: Length,
    *,
    children: Sequence[np.random.SeedSequence],
    gains: Sequence[float],
) -> dict[str, Array]:
    """Return the measures of a run, ``[S]`` each.

    Generators are made anew from ``children``, so that all rules draw the same starts and the same uniform numbers.

    Args:
        questions: what is asked.
        update: the rule and its switches.
        length: of the run.
        children: one seed sequence for each of S seeds.
        gains: of success, at which entropy is read.

    Returns:
        As :func:`summary`.
    """
    rngs = [np.random.default_rng(child) for child in children]
    start = starts(questions, rngs)
    records = []
    state = initial_state(start.logits, start.env)
    # The state before the update after the last is the one after the last.
    for count, step in enumerate(train(state, start.env, update, steps=length.steps + 1, rngs=rngs)):
        if count % length.every == 0:
            records.append(state_figures(step, start.env))
    return summary(stacked(records), gains)


def state_figures(step: Step, env: Environment) -> dict[str, Array]:
    """Return the measures ``CURVES`` of the policy before the update, ``[S]`` each; entropies are in nats."""
    worst = worst_mean(success_prob(step, env))
    return {**state_measures(step, env, ks=(16,)), "worst_tenth": worst}


def worst_mean(success: Array) -> Array:
    """Return the mean success of each seed's worst tenth of queries, at least one, ``[S, Q] -> [S]``."""
    count = max(1, round(WORST * success.shape[-1]))
    return np.asarray(np.sort(success, axis=-1)[..., :count].mean(axis=-1))


def summary(curves: dict[str, Array], gains: Sequence[float]) -> dict[str, Array]:
    """Return one number for each seed from curves ``[S, records]``.

    Args:
        curves: those of ``CURVES``.
        gains: of success.

    Returns:
        ``success_mean`` over the run; ``success`` (pass@1), ``pass@16``, ``worst_tenth``, ``sequence_entropy`` and
        ``token_entropy`` over its last quarter; ``highest_rise`` of sequence entropy over its start; and for each gain
        the changes of both entropies per success gained there, NaN for a seed that never gains so much.
    """
    steps = np.arange(curves["success"].shape[1])
    figures = {name: late_mean(steps, curves[name]) for name in CURVES}
    figures["success_mean"] = curves["success"].mean(axis=1)
    rise = curves["sequence_entropy"] - curves["sequence_entropy"][:, :1]
    figures["highest_rise"] = rise.max(axis=1)
    for kind in ("sequence", "token"):
        curve = curves[f"{kind}_entropy"]
        at = at_gain(curves["success"], curve - curve[:, :1], gains)
        for i, gain in enumerate(gains):
            figures[f"{kind}_per_success_at_{gain:g}"] = at[:, i] / gain
    return figures
