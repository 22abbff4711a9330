"""Where does K's effect on entropy come from, under SGD, clipped SGD and Adam with eps from 1e-8 upwards?

The bandits have many arms, most of them hardly ever sampled. The effect of K is the entropy under the larger K less
that under the smaller one. Each optimiser runs twice: as it is (``full``), and with the direction on logits whose arm
is not in the step's group set to 0 before the optimiser (``sampled``). What the first run has over the second is what
the push on unsampled logits carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
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
from simulators.experiments.common.trajectories import or_none, stacked
from simulators.experiments.optimiser.analysis import analyse, statements
from simulators.measures import per_seed, state_measures, surprise_product
from simulators.tabular.groups import Generators
from simulators.tabular.policy import policy
from simulators.update import Update
from simulators.worlds import Difficulty, World, random_bandits

PUSHES = ("full", "sampled")
QUANTILES = (0.5, 0.9, 0.99)


class OptimiserConfig(Config):
    """Sizes of the experiment. ``levels`` are the smaller and the larger K.

    Adam's step size is ``adam_step_size (1 + eps / sampled_scale)``. Logits with gradients of ``sampled_scale``, about
    those of sampled arms, then move equally fast at every eps, so that a large eps slows down the others alone.
    ``decision_gain`` is the gain of success at which the statements compare.
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
        """Refuse levels or eps that do not ascend, and a gain for decisions that is not measured."""
        if float(self.levels[0]) >= float(self.levels[1]):
            raise ValueError(f"levels must be a smaller and a larger K; got {self.levels}")
        if list(self.adam_eps) != sorted(set(self.adam_eps)) or len(self.adam_eps) < 2:
            raise ValueError(f"adam_eps must be two or more increasing numbers; got {self.adam_eps}")
        if self.decision_gain not in self.gains:
            raise ValueError(f"decision_gain must be one of gains = {self.gains}; got {self.decision_gain}")
        return self


def variants(config: OptimiserConfig) -> dict[str, dict[str, Any]]:
    """Return the name and the update's fields of every optimiser."""
    sgd = {"optimiser": "sgd", "step_size": config.step_size}
    fields: dict[str, dict[str, Any]] = {
        "sgd": sgd,
        "sgd norm_clip": {**sgd, "max_grad_norm": config.max_grad_norm},
    }
    for eps in config.adam_eps:
        step_size = config.adam_step_size * (1 + eps / config.sampled_scale)
        fields[f"adam eps={eps:g}"] = {"optimiser": "adam", "adam_eps": eps, "step_size": step_size}
    return fields


def cells(config: OptimiserConfig) -> list[Cell]:
    """Return a cell for each optimiser, K and push, all on the same random numbers."""
    sizes = config.model_dump(mode="json")
    listed = []
    for name, k, push in product(variants(config), config.levels, PUSHES):
        listed.append(Cell(f"{name} K={k} {push}", {**sizes, "variant": name, "k": k, "push": push}))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return a record for each seed: entropy at the end and at equal progress, and what each kind of logits did."""
    config = OptimiserConfig.model_validate({name: settings[name] for name in OptimiserConfig.model_fields})
    rngs = [np.random.default_rng(s) for s in seeds.spawn(config.seeds)]
    start = random_bandits(config.world, rngs)
    update = Update(
        method="qae",
        options={"k": settings["k"]},
        group_size=config.group_size,
        **variants(config)[settings["variant"]],
    )
    state = initial_state(start.logits, start.env)
    # One update more than is counted: its measures before the update are those after the last.
    steps = steps_of(state, start.env, update, push=settings["push"], steps=config.steps + 1, rngs=rngs)
    columns = summary(observed(steps, start.env), config)
    labels = {name: settings[name] for name in ("variant", "k", "push")}
    records = []
    for seed in range(config.seeds):
        measures = {name: or_none(column[seed]) for name, column in columns.items()}
        records.append({**labels, "seed": seed, **measures})
    return records


def steps_of(
    state: State, env: Environment, update: Update, *, push: str, steps: int, rngs: Generators
) -> Iterator[Step]:
    """Yield updates one after the other, without the direction on unsampled logits where ``push`` is ``sampled``."""
    for _ in range(steps):
        step = update_once(state, env, update, rngs=rngs)
        if push == "sampled":
            step = without_unsampled_push(step, update)
        yield step
        state = step.after


def sampled_arms(step: Step) -> Array:
    """Return which arms are in their query's group, ``[..., Q, 1, A]`` as the logits."""
    shape = step.before.logits.shape
    is_sampled = np.zeros((*shape[:-2], shape[-1]), dtype=bool)
    np.put_along_axis(is_sampled, step.rollouts.responses, True, axis=-1)
    return is_sampled[..., None, :]


def without_unsampled_push(step: Step, update: Update) -> Step:
    """Return the same one-pass update of a bandit, with the direction on unsampled logits 0 before the optimiser."""
    direction = np.where(sampled_arms(step), step.direction, 0.0)
    logits, moments = optimisers.apply(step.before.logits, direction, moments=step.before.moments, update=update)
    # An on-policy update samples next from the policy that it leaves behind.
    after = step.after._replace(logits=logits, behaviour=logits, moments=moments)
    return step._replace(after=after, direction=direction)


def observed(steps: Iterator[Step], env: Environment) -> dict[str, Array]:
    """Return curves ``[S, steps]``; measures of an update are those of the update that starts there.

    ``sampled_part`` and ``unsampled_part`` are the first-order entropy changes from logits whose arm is in the group
    and from the others. ``never_sampled`` is the share of arms that no group has held so far, and
    ``never_sampled_mass`` their probability.
    """
    records: list[dict[str, Array]] = []
    ever: Array | None = None
    for step in steps:
        sampled = sampled_arms(step)
        ever = sampled if ever is None else ever | sampled
        pi = policy(step.before.logits)
        moved = step.after.logits - step.before.logits
        # The gradient of entropy in the logits is minus the surprise product, so that these are its first-order
        # changes.
        parts = -surprise_product(pi.log_probs) * moved
        records.append(
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
    return stacked(records)


def unsampled_scale(direction: Array, unsampled: Array) -> dict[str, Array]:
    """Return quantiles of the size of the non-zero directions on unsampled logits, ``[S]`` each; NaN without any."""
    # Queries with a degenerate group have no direction, and would pull the quantiles to 0.
    sizes = np.where(unsampled & (direction != 0), np.abs(direction), np.nan).reshape(len(direction), -1)
    defined = ~np.isnan(sizes).all(axis=1)
    quantiles = np.full((len(QUANTILES), len(sizes)), np.nan)
    if defined.any():  # NumPy warns about the quantiles of nothing
        quantiles[:, defined] = np.nanquantile(sizes[defined], QUANTILES, axis=1)
    return {f"unsampled_scale_{q:g}": quantiles[i] for i, q in enumerate(QUANTILES)}


def masked_mean(values: Array, mask: Array) -> Array:
    """Return the mean over the entries of a seed in ``mask``, ``[S]``; 0 without any."""
    flat, chosen = (values * mask).reshape(len(values), -1), mask.reshape(len(values), -1)
    return np.asarray(flat.sum(axis=1) / np.maximum(chosen.sum(axis=1), 1))


def summary(run: Mapping[str, Array], config: OptimiserConfig) -> dict[str, Array]:
    """Return what a run did, ``[S]`` each.

    That is the entropy change at the end and at each gain of success, sums and means over the run, and the scales at
    its start.
    """
    entropy, success = run["sequence_entropy"], run["success"]
    change = entropy - entropy[:, :1]
    progress = at_gain(success, change, config.gains)
    before_last = slice(0, config.steps)  # the update after the last belongs to no run
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
    """Return the sum over arms, as a mean over queries: ``[S, ..., Q, N, A] -> [S]``."""
    return per_seed(values.sum(axis=(-2, -1)))


EXPERIMENT = Experiment(
    name="optimiser",
    summary="SGD, clipped SGD and Adam by eps: what the push on unsampled logits carries of K's effect on entropy",
    config=OptimiserConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(
        ClaimEvidence(
            claim="adam-unsampled",
            name="K's effect with and without the push",
            kind=Kind.TRAINING,
            statements=statements,
        ),
    ),
)
