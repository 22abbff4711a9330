"""Steer K by an entropy target beside fixed levels, drive the loop across its stability boundary, and misroute groups.

Three parts: ``hold`` trains at fixed levels and in the loop; ``boundary`` measures how entropy answers K at the period
at which a delayed loop would swing, predicts the largest stable gain from that, and runs the loop below and above it;
``routing`` computes exactly where groups go when the verifier errs.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from qae_theory.runs.settings import Positive
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.experiments.common.conditions import Condition
from simulators.experiments.common.fields import GroupSize, Level, Some
from simulators.experiments.common.trajectories import seed_records
from simulators.experiments.steered_k import loops
from simulators.experiments.steered_k.analysis import OPEN_LOOP, STEERED, analyse
from simulators.experiments.steered_k.routing import wrong_share
from simulators.methods.baselines.noisy_verifier import corrected_level
from simulators.methods.steered.stability import largest_stable_gain, spectral_radius
from simulators.verifier import VerifierNoise
from simulators.worlds import World

HOLD, BOUNDARY, ROUTING = "hold", "boundary", "routing"
HIGH_LEVEL, LOW_LEVEL = 0.7, 0.3  # of the square wave that measures the response
SWEEPS = 5  # periods of a run across the boundary, and of the square wave
BOUNDS = (0.1, 0.9)  # of K in the loop
WIDE = 0.5 * (BOUNDS[1] - BOUNDS[0]) / 2  # half of a swing from bound to bound


class HoldCondition(Condition):
    """Hold a condition under which levels are compared; neither its bandits nor its updates go without saying."""

    world: World
    update: dict[str, Any]


class SteeredKConfig(Config):
    """Sizes of the three parts.

    ``band`` is half the width of the band in nats, ``window`` the updates in which it counts, ``wanted`` the share of
    them that has to lie in it. ``gain``, ``proportional`` and ``delay`` are the loop's. ``boundary`` is the condition
    of the second part, ``delays`` and ``factors`` (of the predicted largest stable gain) what it sweeps. It begins
    after ``warm_up_steps`` at the level ``balance``, with the switches ``warm_up`` on top of the condition's.
    """

    conditions: tuple[HoldCondition, ...] = Field(min_length=1)
    levels: Some[Positive] = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
    gain: Annotated[float, Field(ge=0)] = 0.1
    proportional: Annotated[float, Field(ge=0)] = 10.0
    delay: Annotated[int, Field(ge=0)] = 5
    band: Positive = 0.05
    wanted: Annotated[float, Field(gt=0, lt=1)] = 0.9
    window: tuple[int, int] = (20, 150)
    seeds: Annotated[int, Field(ge=2)] = 16
    boundary: HoldCondition
    warm_up: dict[str, Any] = Field(default_factory=dict)
    warm_up_steps: Annotated[int, Field(ge=0)] = 40
    balance: Annotated[float, Field(gt=0, lt=1)] = 0.6
    delays: Some[Annotated[int, Field(ge=1)]] = (4, 8)
    factors: Some[Positive] = (0.25, 0.5, 1.0, 2.0, 4.0)
    ks: Some[Level] = ("0.2", "0.4", "0.6")
    group_sizes: Some[GroupSize] = (8, 16, 64)
    noises: Some[VerifierNoise]

    @field_validator("window")
    @classmethod
    def _window(cls, window: tuple[int, int]) -> tuple[int, int]:
        """Refuse a window that does not run forwards."""
        if not 0 <= window[0] < window[1]:
            raise ValueError(f"window must be two increasing numbers of updates; got {window}")
        return window


def cells(config: SteeredKConfig) -> list[Cell]:
    """Return a cell for each condition and arm, one for each delay, and one for the routing."""
    stored = config.model_dump(mode="json")
    listed = []
    for stream, condition in enumerate(config.conditions):
        for arm in arms(config):
            settings = {**stored, "part": HOLD, "condition": condition.name, "arm": arm}
            listed.append(Cell(f"hold {condition.name}: {arm}", settings, stream=stream))
    for delay in config.delays:
        settings = {**stored, "part": BOUNDARY, "at": delay}
        listed.append(Cell(f"boundary, delay {delay}", settings, stream=len(config.conditions)))
    listed.append(Cell(ROUTING, {**stored, "part": ROUTING}))
    return listed


def arms(config: SteeredKConfig) -> dict[str, dict[str, Any] | float]:
    """Return what is compared under each condition: fixed levels, the loop, and the loop without gains."""
    listed: dict[str, dict[str, Any] | float] = {f"K = {k:g}": k for k in config.levels}
    shared = {"low": BOUNDS[0], "high": BOUNDS[1], "delay": config.delay}
    listed[STEERED] = {"gain": config.gain, "proportional": config.proportional, **shared}
    listed[OPEN_LOOP] = {"gain": 0.0, "proportional": 0.0, **shared}
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return the records of one cell."""
    config = SteeredKConfig.model_validate({name: settings[name] for name in SteeredKConfig.model_fields})
    if settings["part"] == ROUTING:
        return routing_records(config)
    children = seeds.spawn(config.seeds)
    if settings["part"] == HOLD:
        return hold_records(config, settings["condition"], settings["arm"], children)
    return boundary_records(config, settings["at"], children)


def hold_records(config: SteeredKConfig, name: str, arm: str, children: list[np.random.SeedSequence]) -> list[Record]:
    """Return a record for each seed of one arm under one condition."""
    condition = next(one for one in config.conditions if one.name == name)
    law = arms(config)[arm]
    steps = config.window[1] + 1
    if isinstance(law, dict):
        updates = [loops.steered_update(condition.update, law)] * steps
        found = loops.run(condition.world, updates, children)
    else:
        found = loops.run(
            condition.world, [loops.update_at(condition.update, law)] * steps, children, fixed=[law] * steps
        )
    figures = loops.held(found, band=config.band, window=config.window, bounds=BOUNDS)
    return seed_records(figures, part=HOLD, condition=name, arm=arm)


def boundary_records(config: SteeredKConfig, delay: int, children: list[np.random.SeedSequence]) -> list[Record]:
    """Return the measured response, the predicted boundary, and whether K swings, by multiple of the boundary.

    The critical oscillation of a delayed integrator has the period 2 (2d + 1). The loop is closed after a warm-up at
    ``balance``, when some levels raise entropy and others lower it: a balance lies within reach then.
    """
    half = 2 * delay + 1
    period = 2 * half
    warm_up = [loops.update_at({**config.boundary.update, **config.warm_up}, config.balance)] * config.warm_up_steps
    # The wave begins in the middle of a half, so that its first half period does not tilt the mean.
    wave = [HIGH_LEVEL if ((t + half // 2) // half) % 2 else LOW_LEVEL for t in range(SWEEPS * period)]
    probes = warm_up + [loops.update_at(config.boundary.update, k) for k in wave]
    probed = loops.run(config.boundary.world, probes, children, fixed=[config.balance] * len(warm_up) + wave)
    g = float(loops.response(probed.entropies[len(warm_up) :], np.array(wave), settle=period).mean())
    labels = {"part": BOUNDARY, "delay": delay, "response": g}
    if g <= 0:  # entropy does not rise with K here, so that no gain of this sign can hold it
        return [{**labels, "factor": 0.0, "seed": 0, "oscillates": None}]
    largest = largest_stable_gain(persistence=1.0, delay=delay) / g
    records: list[Record] = []
    for factor in config.factors:
        law = {"gain": 0.0, "proportional": factor * largest, "delay": delay, "k": config.balance}
        bounded = {**law, "low": BOUNDS[0], "high": BOUNDS[1]}
        updates = warm_up + [loops.steered_update(config.boundary.update, bounded)] * (SWEEPS * period)
        fixed = [config.balance] * len(warm_up)
        found = loops.run(config.boundary.world, updates, children, fixed=fixed)
        of_periods = loops.amplitudes(found.levels[len(warm_up) :], period)
        growth = spectral_radius(persistence=1.0, integral=0.0, proportional=factor * largest * g, delay=delay)
        figures = {
            "first": of_periods[0],
            "last": of_periods[-2:].mean(axis=0),
            "oscillates": loops.oscillates(of_periods, wide=WIDE).astype(float),
        }
        records += seed_records(figures, **labels, factor=factor, growth=growth**period)
    return records


def routing_records(config: SteeredKConfig) -> list[Record]:
    """Return the exact share of misrouted groups by noise, G and K, at K itself and at the corrected level."""
    records = []
    for noise in config.noises:
        for k in map(Fraction, config.ks):
            corrected = corrected_level(k, noise.false_positive, noise.false_negative)
            for group_size in config.group_sizes:
                records.append(
                    {
                        "part": ROUTING,
                        **noise.model_dump(mode="json"),
                        "k": str(k),
                        "group_size": group_size,
                        "corrected_k": str(corrected),
                        "wrong": wrong_share(group_size, noise, k=k, seen=k),
                        "wrong_corrected": wrong_share(group_size, noise, k=k, seen=corrected),
                    }
                )
    return records


EXPERIMENT = Experiment(
    name="steered-k",
    summary="K steered by an entropy target: does it hold, when does it oscillate; and QAE's gate under verifier noise",
    config=SteeredKConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
