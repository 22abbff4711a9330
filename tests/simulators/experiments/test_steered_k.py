"""`steered-k`: routing against enumeration and sampling, what is read off loops, boundaries, and planted effects."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from qae_theory.baselines import is_hard_group
from simulators.experiments.base import Record
from simulators.experiments.steered_k import loops
from simulators.experiments.steered_k.analysis import OPEN_LOOP, STEERED, analyse, boundaries, edge
from simulators.experiments.steered_k.cells import EXPERIMENT, SteeredKConfig, arms, routing_records
from simulators.experiments.steered_k.routing import accepted_given_correct, misrouted, wrong_share
from simulators.settings import make_config, shipped_config
from simulators.update import Update
from simulators.verifier import VerifierNoise, observed
from simulators.worlds import World

CONDITION: dict[str, Any] = {"name": "Adam", "world": {"queries": 4, "arms": 4}, "update": {"group_size": 4}}
TINY: dict[str, Any] = {
    "conditions": (CONDITION,),
    "levels": (0.2, 0.8),
    "window": (1, 3),
    "seeds": 2,
    "boundary": CONDITION,
    "warm_up_steps": 1,
    "delays": (1,),
    "factors": (0.5, 2.0),
    "ks": ("0.4",),
    "group_sizes": (4,),
    "noises": ({"false_positive": 0.3}, {"false_positive": 0.3, "shared": 1.0}),
}
NOISES = (
    VerifierNoise(false_positive=0.1, false_negative=0.2),
    VerifierNoise(false_positive=0.3, false_negative=0.2, shared=1.0),
    VerifierNoise(false_negative=0.4, shared=0.5),
)


def records(config: SteeredKConfig) -> list[Record]:
    rows = []
    for cell in EXPERIMENT.cells(config):
        settings = json.loads(json.dumps(cell.settings))
        rows += EXPERIMENT.run_cell(settings, np.random.SeedSequence(0, spawn_key=(cell.stream,)))
    return json.loads(json.dumps(rows, allow_nan=False))


def test_the_experiment_runs_whole_and_gives_the_same_again() -> None:
    config = SteeredKConfig(**TINY)
    found = records(config)
    assert found == records(config)
    analysis = EXPERIMENT.analyse(config, found)
    json.dumps(analysis, allow_nan=False)
    assert set(analysis["hold"]["Adam"]) == {"K = 0.2", "K = 0.8", STEERED, OPEN_LOOP}
    assert len(analysis["statements"]) == 4


# Routing


@pytest.mark.parametrize("noise", NOISES)
def test_accepted_counts_follow_from_every_flip(noise: VerifierNoise) -> None:
    """Against a sum over all ways in which independent draws, or the one shared draw, can flip four verdicts."""
    size = 4
    table = accepted_given_correct(size, noise)
    for m in range(size + 1):
        truth = [1] * m + [0] * (size - m)
        wanted = np.zeros(size + 1)
        for flips in product((0, 1), repeat=size):
            chance = 1.0
            for right, flip in zip(truth, flips, strict=True):
                rate = noise.false_negative if right else noise.false_positive
                chance *= rate if flip else 1 - rate
            wanted[sum(right ^ flip for right, flip in zip(truth, flips, strict=True))] += (1 - noise.shared) * chance
        # One draw u for the group, in tenths: every rate here is a multiple of a tenth.
        for tenth in range(10):
            u = (tenth + 0.5) / 10
            seen = [right ^ (u < (noise.false_negative if right else noise.false_positive)) for right in truth]
            wanted[sum(seen)] += noise.shared / 10
        np.testing.assert_allclose(table[m], wanted, atol=1e-12)


def test_misrouted_share_is_that_of_the_simulator_s_verifier() -> None:
    """20,000 groups against the exact probability; the interval of six standard errors fails once in 1e9."""
    noise, k, size, p = NOISES[1], Fraction(2, 5), 8, 0.5
    rng = np.random.default_rng(3)
    truth = (rng.random((1, 20_000, size)) < p).astype(float)
    seen = observed(truth, noise, [np.random.default_rng(4)])
    hard = is_hard_group(truth.sum(-1), size, k)
    taken = is_hard_group(seen.sum(-1), size, k)
    exact = float(misrouted(np.array(p), size, noise, k=k, seen=k))
    assert abs((hard != taken).mean() - exact) < 6 * np.sqrt(exact * (1 - exact) / 20_000)
    # The control: the same groups under independent errors of the same rates are misrouted at another rate.
    other = float(misrouted(np.array(p), size, noise.model_copy(update={"shared": 0.0}), k=k, seen=k))
    assert abs(other - exact) > 6 * np.sqrt(exact / 20_000)


def test_each_noise_has_the_corrected_level_of_its_rates() -> None:
    config = shipped_config(EXPERIMENT, quick=True)
    assert isinstance(config, SteeredKConfig)
    routes = {(r["false_positive"], r["false_negative"], r["k"]): r["corrected_k"] for r in routing_records(config)}
    for (accepts, rejects, k), level in routes.items():
        rho0, rho1, at = Fraction(str(accepts)), Fraction(str(rejects)), Fraction(k)
        assert 1 - Fraction(level) == rho0 + (1 - rho0 - rho1) * (1 - at)
    assert len(set(routes.values())) > 2


def test_without_noise_nothing_is_misrouted() -> None:
    assert wrong_share(8, VerifierNoise(), k=Fraction(2, 5), seen=Fraction(2, 5)) == 0
    assert wrong_share(8, VerifierNoise(), k=Fraction(2, 5), seen=Fraction(4, 5)) > 0.1


# Loops


def test_a_run_is_that_of_the_updates_one_after_the_other() -> None:
    world, children = World(queries=4, arms=4), np.random.SeedSequence(1).spawn(2)
    updates = [loops.update_at({"group_size": 4}, 0.4), Update(method="qae_steered", options={"k": 0.4}, group_size=4)]
    found = loops.run(world, updates, children, fixed=[0.4])
    assert found.entropies.shape == (3, 2)
    np.testing.assert_allclose(found.levels, 0.4)
    alone = loops.run(world, updates, children[1:], fixed=[0.4])
    np.testing.assert_array_equal(alone.entropies[:, 0], found.entropies[:, 1])


def test_holding_is_counted_in_the_window_alone() -> None:
    entropies = np.array([[1.0], [5.0], [1.02], [1.2], [0.97], [9.0]])
    levels = np.array([[0.4], [0.1], [0.5], [0.9], [0.4]])
    found = loops.held(loops.Run(entropies, levels, np.zeros(1)), band=0.05, window=(2, 4), bounds=(0.1, 0.9))
    assert found["in_band"][0] == pytest.approx(2 / 3)
    assert found["distance"][0] == pytest.approx((0.02 + 0.2 + 0.03) / 3)
    assert found["drift"][0] == pytest.approx(-0.03)
    assert found["at_bound"][0] == pytest.approx(1 / 3)
    assert found["in_band_free"][0] == pytest.approx(1.0)  # the update outside the band is the one at the bound
    tight = loops.held(loops.Run(entropies, levels, np.zeros(1)), band=0.05, window=(2, 4), bounds=(0.4, 0.9))
    assert tight["in_band_free"][0] == pytest.approx(1.0)  # of the one update that is inside
    stuck = loops.held(loops.Run(entropies, levels * 0, np.zeros(1)), band=0.05, window=(2, 4), bounds=(0.1, 0.9))
    assert np.isnan(stuck["in_band_free"][0])


def test_the_response_is_that_of_a_linear_plant() -> None:
    levels = np.array([0.3, 0.3, 0.7, 0.7] * 5)
    entropies = np.concatenate([[2.0], 2.0 + np.cumsum(0.05 * levels - 0.01)])[:, None]
    assert loops.response(entropies, levels, settle=4)[0] == pytest.approx(0.05)


def test_amplitudes_are_those_of_a_wave_on_a_slope() -> None:
    t = np.arange(60)
    wave = (0.1 * np.sin(2 * np.pi * t / 20))[:, None]
    found = loops.amplitudes(wave, 20)
    assert found.shape == (3, 1)
    np.testing.assert_allclose(found, 0.1, atol=0.05)  # a sine over one period has a slope of its own, which goes too
    np.testing.assert_allclose(loops.amplitudes(wave + 0.02 * t[:, None], 20), found, rtol=1e-12)
    assert not loops.oscillates(found, wide=0.2)[0]
    assert loops.oscillates(3 * found, wide=0.2)[0]


# Analysis


def test_the_edge_is_where_half_the_seeds_swing() -> None:
    factors = (0.5, 1.0, 2.0)
    assert edge({"0.5": 0.0, "1": 0.5, "2": 1.0}, factors) == pytest.approx(np.sqrt(2))
    assert edge({"0.5": 0.0, "1": 0.2, "2": 0.4}, factors) is None
    assert edge({"0.5": 1.0, "1": 1.0, "2": 1.0}, factors) is None


def test_a_plant_that_does_not_answer_has_no_boundary() -> None:
    rows = [{"delay": 3, "factor": 0.0, "seed": 0, "response": -0.1, "oscillates": None}]
    found = boundaries(rows, (0.5, 1.0))["3"]
    assert found["edge"] is None
    assert found["predicted_gain"] is None


def planted(config: SteeredKConfig, *, loop_holds: bool, fixed_hold: bool, at: float) -> list[Record]:
    """The loop and the fixed levels hold or not, and seeds swing from a multiple ``at`` of the prediction on."""
    rows: list[Record] = []
    for arm in arms(config):
        holds = loop_holds if arm == STEERED else fixed_hold and arm != OPEN_LOOP
        for seed in range(12):
            figures = dict.fromkeys(
                ("distance", "drift", "at_bound", "success_gain", "in_band_free"), 0.01 * (seed % 3)
            )
            in_band = (0.99 if holds else 0.3) + 0.001 * (seed % 2)
            rows.append({"part": "hold", "condition": "Adam", "arm": arm, "seed": seed, "in_band": in_band, **figures})
    for factor in config.factors:
        for seed in range(4):
            swings = float(factor >= at)
            labels = {"part": "boundary", "delay": 4, "factor": factor, "response": 0.1, "growth": 1.0}
            rows.append({**labels, "seed": seed, "oscillates": swings})
    for shared in (0.0, 1.0):
        better, worse = (0.1, 0.2) if shared == 0 else (0.2, 0.1)
        noise = {"false_positive": 0.3, "false_negative": 0.0, "shared": shared, "k": "2/5", "group_size": 4}
        rows.append({"part": "routing", **noise, "wrong": worse, "wrong_corrected": better})
    return rows


@pytest.mark.parametrize(
    ("loop_holds", "fixed_hold", "at", "found"),
    [
        (True, False, 2.0, [True, True, True, True]),
        (False, False, 2.0, [False, True, True, True]),
        (True, True, 2.0, [False, True, True, True]),
        (True, False, 0.5, [True, False, True, True]),
    ],
)
def test_planted_effects_are_found_and_no_others(
    loop_holds: bool, fixed_hold: bool, at: float, found: list[bool]
) -> None:
    config = SteeredKConfig(**{**TINY, "factors": (0.25, 0.5, 1.0, 2.0, 8.0, 16.0)})
    statements = analyse(config, planted(config, loop_holds=loop_holds, fixed_hold=fixed_hold, at=at))["statements"]
    assert [statement["found"] for statement in statements] == found
    assert not any(statement["control_found"] for statement in statements)


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_are_read(quick: bool) -> None:
    assert isinstance(shipped_config(EXPERIMENT, quick=quick), SteeredKConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": (5, 5)}, "window must be two increasing numbers"),
        ({"delays": ()}, "delays"),
        ({"balance": 1.0}, "balance"),
        ({"boundary": {**CONDITION, "update": {"group_size": 1}}}, "group_size"),
    ],
)
def test_refuses_bad_settings(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_config(EXPERIMENT, [TINY, change])
