"""`optimiser`: the intervention does what it says, the analysis finds a planted push and no other."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulators.engine import Step, initial_state, update_once
from simulators.experiments.base import Record
from simulators.experiments.optimiser.analysis import analyse, statements
from simulators.experiments.optimiser.cells import (
    EXPERIMENT,
    OptimiserConfig,
    sampled_arms,
    steps_of,
    unsampled_scale,
    variants,
    without_unsampled_push,
)
from simulators.settings import make_config, shipped_config
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

TINY: dict[str, Any] = {
    "seeds": 2,
    "steps": 3,
    "world": {"queries": 2, "arms": 12},
    "group_size": 4,
    "adam_eps": (1e-8, 1.0),
    "gains": (0.001,),
    "decision_gain": 0.001,
}
ADAM = Update(method="qae", options={"k": "0.2"}, group_size=4, optimiser="adam")


def generators(seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]


def start() -> Start:
    return random_bandits(World(queries=3, arms=12), generators())


def first_step(update: Update = ADAM) -> Step:
    bandits = start()
    return update_once(initial_state(bandits.logits, bandits.env), bandits.env, update, generators(1))


def records(config: OptimiserConfig, seed: int = 0) -> list[Record]:
    return [
        record
        for cell in EXPERIMENT.cells(config)
        for record in EXPERIMENT.run_cell(cell.settings, np.random.SeedSequence([seed, cell.stream]))
    ]


def planted(config: OptimiserConfig, pushes: dict[str, float]) -> list[Record]:
    """Runs in which K's effect is .1 without the push, and this much more with it; noise is a tenth of that."""
    rng, rows = np.random.default_rng(2), []
    for variant in variants(config):
        for k in config.levels:
            for push in ("full", "sampled"):
                effect = (0.1 + pushes.get(variant, 0.0) * (push == "full")) * (k == config.levels[1])
                rows += [_row(variant, k, push, s, effect + rng.normal(0, 0.01)) for s in range(12)]
    return rows


def _row(variant: str, k: str, push: str, seed: int, value: float) -> Record:
    figures = ("success_gain", "sampled_part", "unsampled_part", "sampled_move", "unsampled_move")
    return {
        "variant": variant,
        "k": k,
        "push": push,
        "seed": seed,
        "entropy_change": value,
        "entropy_change_at_0.001": value,
        "unsampled_scale_0.5": 1e-4,
        "unsampled_scale_0.99": 1e-2,
        **dict.fromkeys(figures, 0.0),
    }


def test_runs_end_to_end_and_only_the_seed_matters() -> None:
    config = OptimiserConfig(**TINY)
    found = records(config)
    assert len(EXPERIMENT.cells(config)) == 4 * 2 * 2
    assert found == records(config)
    assert found != records(config, seed=1)
    analysis = EXPERIMENT.analyse(config, json.loads(json.dumps(found)))
    json.dumps(analysis, allow_nan=False)
    assert len(statements(analysis)) == 6


def test_the_intervention_holds_unsampled_logits_and_leaves_sampled_ones_alone() -> None:
    step = first_step()
    held = without_unsampled_push(step, ADAM)
    sampled = sampled_arms(step)
    assert sampled.sum() == sum(len(np.unique(group)) for group in step.rollouts.responses.reshape(-1, 4))
    moved, moved_before = held.after.logits - held.before.logits, step.after.logits - step.before.logits
    assert np.all(moved[~sampled] == 0)
    assert np.any(moved_before[~sampled] != 0)
    assert np.array_equal(moved[sampled], moved_before[sampled])
    assert np.array_equal(held.after.behaviour, held.after.logits)


def test_grpo_has_no_push_to_take_away() -> None:
    step = first_step(Update(method="grpo", group_size=4, optimiser="sgd"))
    assert np.abs(step.direction[~sampled_arms(step)]).max() < 1e-15  # claim `unsampled-logits`: sum A = 0
    assert np.abs(first_step().direction[~sampled_arms(first_step())]).max() > 1e-4


def test_full_runs_are_the_engine_s_own() -> None:
    bandits = start()
    state = initial_state(bandits.logits, bandits.env)
    full = list(steps_of(state, bandits.env, ADAM, push="full", steps=3, rngs=generators(1)))
    held = list(steps_of(state, bandits.env, ADAM, push="sampled", steps=3, rngs=generators(1)))
    again = state
    rngs = generators(1)
    for _ in range(3):
        again = update_once(again, bandits.env, ADAM, rngs).after
    assert np.array_equal(full[-1].after.logits, again.logits)
    assert not np.array_equal(held[-1].after.logits, again.logits)


def test_scale_is_of_non_zero_directions_on_unsampled_logits() -> None:
    direction = np.array([[1.0, -2.0, 3.0, 0.0], [0.0, 0.0, 5.0, 0.0]])
    unsampled = np.array([[True, True, False, True], [True, True, False, True]])
    found = unsampled_scale(direction, unsampled)
    assert found["unsampled_scale_0.5"][0] == pytest.approx(1.5)
    assert np.isnan(found["unsampled_scale_0.5"][1])


def test_finds_a_planted_push_that_fades_and_no_other() -> None:
    config = OptimiserConfig(**TINY)
    # Six intervals at 99 % together; the planted effects are 20 standard errors and more.
    found = analyse(config, planted(config, {"adam eps=1e-08": 0.2}))
    assert found["eps_past_scale"] == 1.0
    assert all(s.found and not s.control_found for s in statements(found))
    flat = analyse(config, planted(config, dict.fromkeys(variants(config), 0.2)))
    assert [s.found for s in statements(flat)] == [True, False, False] * 2
    assert not any(s.found for s in statements(analyse(config, planted(config, {}))))
    assert not any(s.found for s in statements(analyse(config, planted(config, {"adam eps=1e-08": -0.2}))))


def test_fading_is_not_found_where_no_eps_passes_the_scale() -> None:
    config = OptimiserConfig(**TINY)
    rows = [{**row, "unsampled_scale_0.99": 7.0} for row in planted(config, {"adam eps=1e-08": 0.2})]
    found = analyse(config, rows)
    assert found["eps_past_scale"] is None
    assert [s.found for s in statements(found)] == [True, True, False] * 2


def test_seeds_that_do_not_get_so_far_are_left_out_and_counted() -> None:
    config = OptimiserConfig(**TINY)
    rows = planted(config, {})
    for row in rows:
        if row["seed"] == 0 and row["variant"] == "sgd":
            row["entropy_change_at_0.001"] = None
    figure = analyse(config, rows)["k_effect"]["sgd"]["entropy_change_at_0.001"]["effect"]
    assert figure["draws"] == 11


def test_refuses_runs_that_miss_or_repeat_a_seed() -> None:
    config = OptimiserConfig(**TINY)
    rows = planted(config, {})
    for spoilt in (rows[1:], [*rows, rows[0]]):
        with pytest.raises(ValueError, match="records must be each of 12 seeds once"):
            analyse(config, spoilt)


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_are_read(quick: bool) -> None:
    assert isinstance(shipped_config(EXPERIMENT, quick=quick), OptimiserConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": ["0.8", "0.2"]}, "levels must be a smaller and a larger K"),
        ({"adam_eps": [1e-2, 1e-8]}, "adam_eps must be two or more increasing numbers"),
        ({"decision_gain": 0.3}, "decision_gain must be one of gains"),
        ({"steps": 0}, "steps"),
    ],
)
def test_refuses_bad_settings(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_config(EXPERIMENT, [TINY, change])
