"""`optimiser`: where K's effect on entropy comes from, under SGD, clipped SGD and Adam with eps from 1e-8 upwards.

Many arms, most of them hardly ever sampled. The effect of K is the entropy under the larger K less that under the
smaller. Each optimiser runs twice: as it is (``full``), and with the direction on logits whose arm is not in the step's
group set to 0 before the optimiser (``sampled``). What the first has over the second, the unsampled push carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory.arrays import Array
from qae_theory.claims.model import Kind
from qae_theory.curves.trajectories import at_gain
from qae_theory.runs.settings import Positive
from simulators import optimisers
from simulators.engine import State, Step, initial_state, update_once
from simulators.environments import Environment
from simulators.experiments.base import Cell, ClaimEvidence, Config, Experiment, Record
from simulators.experiments.optimiser.analysis import analyse, statements
from simulators.groups import Generators
from simulators.measures import per_seed, state_measures, surprise_product
from simulators.policy import policy
from simulators.update import Update
from simulators.worlds import Difficulty, World, random_bandits

PUSHES = ("full", "sampled")
QUANTILES = (0.5, 0.9, 0.99)


class OptimiserConfig(Config):
    """Sizes. ``levels``: the smaller and the larger K.

    Adam's step size is ``adam_step_size (1 + eps / sampled_scale)``: logits with gradients of ``sampled_scale``, about
    those of sampled arms, move equally fast at every eps, so that a large eps slows down the others alone.
    """

    levels: tuple[str, str] = ("0.2", "0.8")
    seeds: Annotated[int, Field(ge=2)] = 16
    world: World = World(queries=16, arms=128, spread=2.5, difficulty=Difficulty(low=0.1, high=0.9))
    group_size: Annotated[int, Field(ge=2)] = 8
    steps: Annotated[int, Field(ge=1)] = 100
    step_size: Positive = 1.0
    max_grad_norm: Positive = 0.5
    adam_step_size: Positive = 0.03
    sampled_scale: Positive = 0.1
    adam_eps: tuple[Positive, ...] = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    gains: tuple[Positive, ...] = (0.02, 0.05, 0.1)
    decision_gain: Positive = 0.05

    @model_validator(mode="after")
    def _in_order(self) -> OptimiserConfig:
        if float(self.levels[0]) >= float(self.levels[1]):
            raise ValueError(f"levels must be a smaller and a larger K; got {self.levels}")
        if list(self.adam_eps) != sorted(set(self.adam_eps)) or len(self.adam_eps) < 2:
            raise ValueError(f"adam_eps must be two or more increasing numbers; got {self.adam_eps}")
        if self.decision_gain not in self.gains:
            raise ValueError(f"decision_gain must be one of gains = {self.gains}; got {self.decision_gain}")
        return self


def variants(config: OptimiserConfig) -> dict[str, dict[str, Any]]:
    """Name and fields of the update of every optimiser."""
    sgd = {"optimiser": "sgd", "step_size": config.step_size}
    adams = {
        f"adam eps={eps:g}": {
            "optimiser": "adam",
            "adam_eps": eps,
            "step_size": config.adam_step_size * (1 + eps / config.sampled_scale),
        }
        for eps in config.adam_eps
    }
    return {"sgd": sgd, "sgd norm_clip": {**sgd, "max_grad_norm": config.max_grad_norm}, **adams}


def cells(config: OptimiserConfig) -> list[Cell]:
    """One cell for each optimiser, K and push, all on the same random numbers."""
    sizes = config.model_dump(mode="json")
    return [
        Cell(f"{name} K={k} {push}", {**sizes, "variant": name, "k": k, "push": push})
        for name in variants(config)
        for k in config.levels
        for push in PUSHES
    ]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """One record a seed: entropy at the end and at equal progress, and what sampled and unsampled logits did."""
    config = OptimiserConfig.model_validate({name: settings[name] for name in OptimiserConfig.model_fields})
    rngs = [np.random.default_rng(s) for s in seeds.spawn(config.seeds)]
    start = random_bandits(config.world, rngs)
    update = Update(
        method="qae",
        options={"k": settings["k"]},
        group_size=config.group_size,
        **variants(config)[settings["variant"]],
    )
    run = observed(
        steps_of(initial_state(start.logits, start.env), start.env, update, settings["push"], config.steps + 1, rngs),
        start.env,
    )
    labels = {name: settings[name] for name in ("variant", "k", "push")}
    columns = summary(run, config)
    return [
        {**labels, "seed": s, **{name: _or_none(column[s]) for name, column in columns.items()}}
        for s in range(config.seeds)
    ]


def steps_of(state: State, env: Environment, update: Update, push: str, steps: int, rngs: Generators) -> Iterator[Step]:
    """Updates one after the other, the direction on unsampled logits left out where ``push`` is ``sampled``."""
    for _ in range(steps):
        step = update_once(state, env, update, rngs)
        if push == "sampled":
            step = without_unsampled_push(step, update)
        yield step
        state = step.after


def sampled_arms(step: Step) -> Array:
    """Which arms are in their query's group, ``[..., Q, 1, A]`` as the logits."""
    shape = step.before.logits.shape
    found = np.zeros((*shape[:-2], shape[-1]), dtype=bool)
    np.put_along_axis(found, step.rollouts.responses, True, axis=-1)
    return found[..., None, :]


def without_unsampled_push(step: Step, update: Update) -> Step:
    """The same one-pass update of a bandit with the direction on unsampled logits 0 before the optimiser."""
    direction = np.where(sampled_arms(step), step.direction, 0.0)
    logits, moments = optimisers.apply(step.before.logits, direction, step.before.moments, update)
    after = step.after._replace(logits=logits, behaviour=logits, moments=moments)
    return step._replace(after=after, direction=direction)


def observed(steps: Iterator[Step], env: Environment) -> dict[str, Array]:
    """Per record and seed, ``[S, steps]`` each; what describes an update is that of the update that starts there."""
    rows, ever = [], None
    for step in steps:
        sampled = sampled_arms(step)
        ever = sampled if ever is None else ever | sampled
        pi = policy(step.before.logits)
        moved = step.after.logits - step.before.logits
        parts = -surprise_product(pi.log_probs) * moved
        rows.append(
            {
                **state_measures(step, env, ks=()),
                "sampled_part": _query_mean(parts * sampled),
                "unsampled_part": _query_mean(parts * ~sampled),
                "sampled_move": masked_mean(np.abs(moved), sampled),
                "unsampled_move": masked_mean(np.abs(moved), ~sampled),
                **unsampled_scale(step.direction, ~sampled),
                "never_sampled": per_seed(~ever),
                "never_sampled_mass": _query_mean(pi.probs * ~ever),
            }
        )
    return {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]}


def unsampled_scale(direction: Array, unsampled: Array) -> dict[str, Array]:
    """Quantiles of the size of the non-zero directions on unsampled logits, ``[S]`` each; NaN without any."""
    sizes = np.where(unsampled & (direction != 0), np.abs(direction), np.nan).reshape(len(direction), -1)
    some = ~np.isnan(sizes).all(axis=1)
    found = np.full((len(QUANTILES), len(sizes)), np.nan)
    if some.any():
        found[:, some] = np.nanquantile(sizes[some], QUANTILES, axis=1)
    return {f"unsampled_scale_{q:g}": found[i] for i, q in enumerate(QUANTILES)}


def masked_mean(values: Array, mask: Array) -> Array:
    """Mean over the entries of a seed in ``mask``, ``[S]``; 0 without any."""
    flat, chosen = (x.reshape(len(values), -1) for x in (values * mask, mask))
    return np.asarray(flat.sum(axis=1) / np.maximum(chosen.sum(axis=1), 1))


def summary(run: Mapping[str, Array], config: OptimiserConfig) -> dict[str, Array]:
    """``[S]`` each: entropy change at the end and at each gain, sums and means over the run, scales at its start."""
    entropy, success = run["sequence_entropy"], run["success"]
    change = entropy - entropy[:, :1]
    progress = at_gain(success, change, config.gains)
    before_last = slice(0, config.steps)
    return {
        "entropy_change": change[:, -1],
        "success_gain": success[:, -1] - success[:, 0],
        **{f"entropy_change_at_{gain:g}": progress[:, i] for i, gain in enumerate(config.gains)},
        **{name: run[name][:, before_last].sum(axis=1) for name in ("sampled_part", "unsampled_part")},
        **{name: run[name][:, before_last].mean(axis=1) for name in ("sampled_move", "unsampled_move")},
        **{name: run[name][:, 0] for name in run if name.startswith("unsampled_scale")},
        **{name: run[name][:, -1] for name in ("never_sampled", "never_sampled_mass")},
    }


def _query_mean(values: Array) -> Array:
    """Sum over arms, mean over queries: ``[S, ..., Q, N, A] -> [S]``."""
    return per_seed(values.sum(axis=(-2, -1)))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


EXPERIMENT = Experiment(
    name="optimiser",
    summary="SGD, clipped SGD and Adam by eps: what the push on unsampled logits carries of K's effect on entropy",
    config=OptimiserConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("adam-unsampled", "K's effect with and without the push", Kind.TRAINING, statements),),
)
