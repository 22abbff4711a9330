"""Predicted against actual expected entropy change of a sampled group's step, to second order.

Enumerated bandits give the order of what is left over: its fitted slope in the step size is 3 where the prediction is
right and 2 where the second-order term is left out. Larger bandits, out of enumeration's reach, test that term by
sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field
from scipy.stats import norm

from qae_theory import entropy_change, estimator_names, expected_entropy_change, first_order_entropy_change
from qae_theory._exact import Array
from qae_theory.group_expectation import expected_first_order_change, expected_second_order_change
from simulators.engine import initial_state, update_once
from simulators.environments import bandit
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.measures import displacement
from simulators.policy import policy, response_direction, response_log_probs
from simulators.statistics import bonferroni, mean_interval
from simulators.update import Update
from simulators.worlds import Difficulty, World, random_bandits

# The next term is of relative size eta times a constant of order 1: at steps below .064 it bends a slope by less.
SLOPE_TOLERANCE = 0.15
# Enumerated sums of entropy changes are accurate to about 1e-16; a residual this far above is no rounding.
ROUND_OFF = 1e-13


class SecondOrderConfig(Config):
    """Sizes: ``policies`` enumerated bandits, ``pooled`` of them a slope; ``draws`` groups of the larger bandit."""

    steps: tuple[float, ...] = Field(min_length=3)
    policies: int = Field(ge=2)
    pooled: int = Field(ge=1)
    arms: int = Field(ge=2)
    group_size: int = Field(ge=2)
    sampled_arms: int = Field(ge=2)
    sampled_group_size: int = Field(ge=2)
    sampled_step: float = Field(gt=0)
    draws: int = Field(ge=100)


def cells(config: SecondOrderConfig) -> list[Cell]:
    """One cell an estimator, all on the same bandits."""
    settings = config.model_dump(mode="json", exclude={"seed", "level"})
    return [Cell(name, {**settings, "estimator": name}) for name in estimator_names()]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Enumerated residuals, one record a bandit and step; sampled curvature, one record."""
    exact, sampled = (np.random.default_rng(child) for child in seeds.spawn(2))
    return [*_enumerated(settings, exact), _sampled(settings, sampled)]


def _enumerated(settings: Mapping[str, Any], rng: np.random.Generator) -> list[Record]:
    rule, size = settings["estimator"], settings["group_size"]
    world = World(queries=settings["policies"], arms=settings["arms"], difficulty=Difficulty(low=0.05, high=0.95))
    start = random_bandits(world, [rng])
    records = []
    for index, (z, r) in enumerate(zip(start.logits[0], start.env.arm_rewards[0], strict=True)):
        first = float(expected_first_order_change(z, r, size, rule))
        second = float(expected_second_order_change(z, r, size, rule))
        for step in settings["steps"]:
            actual = float(expected_entropy_change(z, r, size, rule, step))
            records.append(
                {
                    "kind": "enumerated",
                    "estimator": rule,
                    "bandit": index,
                    "step": step,
                    "actual": actual,
                    "first_order": step * first,
                    "second_order": step**2 / 2 * second,
                }
            )
    return records


def _sampled(settings: Mapping[str, Any], rng: np.random.Generator) -> Record:
    """Mean over sampled groups of what the sampled first-order change leaves over, against the predicted curvature."""
    rule, size, step_size = settings["estimator"], settings["sampled_group_size"], settings["sampled_step"]
    world = World(queries=1, arms=settings["sampled_arms"], difficulty=Difficulty(low=0.2, high=0.8))
    start = random_bandits(world, [rng])
    z, r = start.logits[0, 0], start.env.arm_rewards[0, 0]
    left_over = _left_over(z, r, rule, size, step_size, settings["draws"], rng)
    # Half a step: the third-order terms of two steps cancel in 8 f(eta/2) - f(eta) = eta^2 times the curvature's half.
    halved = _left_over(z, r, rule, size, step_size / 2, settings["draws"], rng)
    curvature = (8 * halved - left_over) / step_size**2
    return {
        "kind": "sampled",
        "estimator": rule,
        "mean": float(curvature.mean()),
        "std": float(curvature.std(ddof=1)),
        "draws": len(curvature),
        "predicted": float(expected_second_order_change(z, r, size, rule)) / 2,
    }


def _left_over(
    z: Array, r: Array, rule: str, size: int, step_size: float, draws: int, rng: np.random.Generator
) -> Array:
    """Entropy change less its first-order part, of ``draws`` independent sampled groups."""
    update = Update(method=rule, group_size=size, step_size=step_size, aggregation="token_sum")
    env = bandit(np.broadcast_to(r, (1, draws, len(r))))
    step = update_once(initial_state(np.broadcast_to(z, (1, draws, len(z))), env), env, update, [rng])
    pi = policy(step.before.logits)
    log_probs = response_log_probs(pi.log_probs, env.tree)
    actual = entropy_change(log_probs, displacement(step, env), 1.0)
    first = step_size * first_order_entropy_change(log_probs, response_direction(step.direction, pi, env.tree))
    return np.asarray(actual - first)[0]


def analyse(config: SecondOrderConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Slopes of the enumerated residuals, and the sampled curvature against its prediction, for every estimator."""
    names = sorted({row["estimator"] for row in records})
    level = bonferroni(config.level, len(names))
    found = {}
    for name in names:
        rows = [row for row in records if row["estimator"] == name]
        second = slopes(rows, ("first_order", "second_order"), config.pooled)
        first = slopes(rows, ("first_order",), config.pooled)
        sampled = next(row for row in rows if row["kind"] == "sampled")
        found[name] = {
            "slopes": len(second),
            "slope_min": min(second),
            "slope": mean_interval(np.array(second), level=level).record(),
            "violations": sum(slope < 3 - SLOPE_TOLERANCE for slope in second),
            "slope_without_second_order": mean_interval(np.array(first), level=level).record(),
            "control_rejected": sum(slope < 3 - SLOPE_TOLERANCE for slope in first) / len(first),
            "sampled": sampled_curvature(sampled, level),
            "sampled_control": sampled_curvature({**sampled, "predicted": 1.5 * sampled["predicted"]}, level),
        }
    return {
        "tolerance": SLOPE_TOLERANCE,
        "violations": sum(entry["violations"] for entry in found.values()),
        "estimators": found,
    }


def slopes(rows: Sequence[Record], terms: Sequence[str], pooled: int) -> list[float]:
    """Fitted slopes of log residual in log step, the residual being the root mean square over ``pooled`` bandits.

    One bandit's residual may change its sign inside the window, where its logarithm has a pole; the mean square of
    several does not. Residuals at round-off are left out, and so is a pool with fewer than three others.
    """
    enumerated = [row for row in rows if row["kind"] == "enumerated"]
    squares: dict[tuple[int, float], list[float]] = {}
    for row in enumerated:
        residual = row["actual"] - sum(row[term] for term in terms)
        squares.setdefault((row["bandit"] // pooled, row["step"]), []).append(residual**2)
    found = []
    for pool in sorted({pool for pool, _ in squares}):
        points = [(step, np.sqrt(np.mean(values))) for (owner, step), values in squares.items() if owner == pool]
        above = [(step, residual) for step, residual in points if residual > ROUND_OFF]
        if len(above) >= 3:
            log_steps, log_residuals = np.log(np.array(above)).T
            found.append(float(np.polyfit(log_steps, log_residuals, 1)[0]))
    return found


def sampled_curvature(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    """Whether the predicted half curvature lies in the sample mean's interval (normal, as draws are thousands)."""
    half = float(norm.ppf(0.5 + level / 2) * row["std"] / np.sqrt(row["draws"]))
    low, high = row["mean"] - half, row["mean"] + half
    return {
        "estimate": row["mean"],
        "low": low,
        "high": high,
        "level": level,
        "draws": row["draws"],
        "predicted": row["predicted"],
        "covered": bool(low <= row["predicted"] <= high),
    }


EXPERIMENT = Experiment(
    name="second-order",
    summary="predicted against actual E[dH]; the remainder's order; the sampled curvature",
    config=SecondOrderConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
)
