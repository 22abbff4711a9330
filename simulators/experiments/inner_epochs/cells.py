"""Train every rule with repeated passes over the same groups and several clip-highs, at equal steps and equal progress.

In a tabular policy mini-batches of distinct queries stay on-policy, so that inner epochs are passes over the same
groups. All runs of an analysis share their starts and random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K, is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.claims.model import Kind
from qae_theory.curves.trajectories import at_gain
from qae_theory.runs.settings import Positive
from simulators.engine import Step, initial_state, train
from simulators.environments import Environment
from simulators.experiments.base import Cell, ClaimEvidence, Config, Experiment, Record, RuleName
from simulators.experiments.common.rules import COMPARED
from simulators.experiments.common.trajectories import or_none, stacked
from simulators.experiments.inner_epochs.analysis import TOTALS, analyse, statements
from simulators.measures import change_measures, group_measures, state_measures
from simulators.methods import get_method
from simulators.update import MaybeInfinite, Update
from simulators.worlds import World, random_bandits

ClipHigh = Annotated[MaybeInfinite, Field(ge=0)]


class InnerEpochsConfig(Config):
    """Sizes, the rules (those that the paper's comparisons are about, unless named), and the clip ranges.

    ``gains``, of success, are where entropy is compared. They must span several updates of 16 passes, between which a
    curve is taken as straight. ``clip_low`` and each of ``clip_highs`` are the same for all rules, in place of their
    own ranges, so that the rules differ in their advantages and masks alone.
    """

    methods: tuple[RuleName, ...] = COMPARED
    epochs: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16)
    clip_highs: tuple[ClipHigh, ...] = (0.20, 0.22, 0.24, 0.26, 0.28, np.inf)
    clip_low: Annotated[float, Field(ge=0, le=1)] = 0.2
    seeds: Annotated[int, Field(ge=2)] = 16
    world: World = World(queries=16, arms=8)
    group_size: Annotated[int, Field(ge=2)] = 8
    steps: Annotated[int, Field(ge=1)] = 12
    step_size: Positive = 0.5
    gains: tuple[Positive, ...] = (0.1, 0.2)

    @model_validator(mode="after")
    def _sweeps(self) -> InnerEpochsConfig:
        """Refuse sweeps that do not ascend, and rules that are named twice."""
        for name in ("epochs", "clip_highs"):
            values = list(getattr(self, name))
            if values != sorted(set(values)) or len(values) < 2:
                raise ValueError(f"{name} must be two or more increasing numbers; got {getattr(self, name)}")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods must be one or more different rules; got {self.methods}")
        return self


def cells(config: InnerEpochsConfig) -> list[Cell]:
    """Return a cell for each rule and number of passes, all on the same random numbers."""
    sizes = config.model_dump(mode="json")
    sizes["clip_highs"] = [str(clip) for clip in config.clip_highs]  # JSON has no infinity, but text may say inf
    listed = []
    for method in config.methods:
        for epochs in config.epochs:
            listed.append(Cell(f"{method} epochs={epochs}", {**sizes, "method": method, "passes": epochs}))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return a record for each clip-high and seed."""
    config = InnerEpochsConfig.model_validate({name: settings[name] for name in InnerEpochsConfig.model_fields})
    children = seeds.spawn(config.seeds)
    method, epochs = settings["method"], settings["passes"]
    records = []
    for clip in config.clip_highs:
        of_seeds = run(config, method, epochs, clip_high=clip, children=children)
        for seed, measures in enumerate(of_seeds):
            labels = {"method": method, "epochs": epochs, "clip_high": str(clip), "seed": seed}
            records.append({**labels, **measures})
    return records


def run(
    config: InnerEpochsConfig, method: str, epochs: int, *, clip_high: float, children: list[np.random.SeedSequence]
) -> list[Record]:
    """Train with one rule, number of passes and clip-high, and return what happened, a record for each seed.

    Generators are made anew from ``children``, so that all runs draw the same numbers.
    """
    rngs = [np.random.default_rng(child) for child in children]
    start = random_bandits(config.world, rngs)
    update = Update(
        method=method,
        group_size=config.group_size,
        step_size=config.step_size,
        epochs=epochs,
        clip_low=config.clip_low,
        clip_high=clip_high,
    )
    state = initial_state(start.logits, start.env)
    # One update more than is counted: its measures before the update are those after the last.
    steps = train(state, start.env, update, steps=config.steps + 1, rngs=rngs)
    columns = summary(observed(steps, start.env, update), config)
    records = []
    for seed in range(config.seeds):
        records.append({name: or_none(column[seed]) for name, column in columns.items()})
    return records


def observed(steps: Any, env: Environment, update: Update) -> dict[str, Array]:
    """Return curves ``[S, steps + 1]``; measures of an update are those of the update that starts there."""
    records = []
    for step in steps:
        state, group = state_measures(step, env, ks=()), group_measures(step)
        change = change_measures(step, env, update)
        records.append(
            {
                **{name: state[name] for name in ("sequence_entropy", "success")},
                **{name: group[name] for name in ("clip_low_fraction", "clip_high_fraction")},
                **{name: change[name] for name in ("bound_violations", "rows")},
                **clips_by_regime(step, update),
            }
        )
    return stacked(records)


def clips_by_regime(step: Step, update: Update) -> dict[str, Array]:
    """Return the clipped tokens of all passes by side and by regime of their group, ``[S]`` each.

    A group is hard as the rule's own K has it, or at the default level for a rule without K.
    """
    options = get_method(update.method, **update.options).options or {}
    level = quantile_level(options.get("k", DEFAULT_K))
    hard = is_hard_group(step.rollouts.correct.sum(axis=-1), update.group_size, level)[..., None, None]
    # A mask is summed over passes as a number, since a token may be clipped in several of them.
    low = sum(p.clipped_low.astype(np.int64) for p in step.passes)
    high = sum(p.clipped_high.astype(np.int64) for p in step.passes)
    return {
        "low_in_hard": _count(low * hard),
        "low_in_easy": _count(low * ~hard),
        "high_in_hard": _count(high * hard),
        "high_in_easy": _count(high * ~hard),
    }


def summary(curves: Mapping[str, Array], config: InnerEpochsConfig) -> dict[str, Array]:
    """Return what a run did, ``[S]`` each: changes at the end and at gains of success, clip fractions and counts."""
    entropy, success = curves["sequence_entropy"], curves["success"]
    change = entropy - entropy[:, :1]
    # A rule that gains success faster has had fewer updates to move entropy when it reaches a gain.
    progress = at_gain(success, change, config.gains)
    updates = slice(0, config.steps)  # the update after the last belongs to no run
    totals = (*TOTALS, "bound_violations", "rows")
    return {
        "entropy_change": change[:, -1],
        "success_gain": success[:, -1] - success[:, 0],
        **{f"entropy_change_at_{gain:g}": progress[:, i] for i, gain in enumerate(config.gains)},
        **{name: curves[name][:, updates].mean(axis=1) for name in ("clip_low_fraction", "clip_high_fraction")},
        **{name: curves[name][:, updates].sum(axis=1) for name in totals},
    }


def _count(values: Any) -> Array:
    """Return the sum over all axes but the first, ``[S, ...] -> [S]``."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1).sum(axis=1)


EXPERIMENT = Experiment(
    name="inner-epochs",
    summary="passes over the same groups x clip-high for every rule: entropy at equal steps and per success gained",
    config=InnerEpochsConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(
        ClaimEvidence(
            claim="clip-sides",
            name="clips counted by side and regime",
            kind=Kind.TRAINING,
            statements=statements,
        ),
    ),
)
