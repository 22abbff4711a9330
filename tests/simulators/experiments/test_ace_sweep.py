"""The sweep of ACE: alpha = 0 is GRPO, differences are paired by seed, and a length changes nothing on bandits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simulators.experiments.ace_sweep.cells import EXPERIMENT, AceSweepConfig, analyse, cells, run_cell
from simulators.experiments.base import Record
from simulators.experiments.league.conditions import LeagueCondition, update_of
from simulators.experiments.league.training import Length, measured
from simulators.settings import shipped_config

BANDITS = {
    "name": "bandits",
    "base": "bandits",
    "questions": {"queries": 4, "arms": 4},
    "update": {"step_size": 0.5, "epochs": 2, "group_size": 8},
}
TINY: dict[str, Any] = {
    "conditions": (BANDITS,),
    "alphas": (1.0, 4.0),
    "seeds": 3,
    "steps": 6,
    "every": 2,
    "gain": 0.01,
}


@pytest.fixture(scope="module")
def config() -> AceSweepConfig:
    return AceSweepConfig(**TINY)


@pytest.fixture(scope="module")
def records(config: AceSweepConfig) -> list[Record]:
    found = []
    for cell in cells(config):
        found += run_cell(cell.settings, np.random.SeedSequence(5, spawn_key=(cell.stream,)))
    return found


def of(records: list[Record], alpha: float, normalised: bool = False) -> list[Any]:
    wanted = [r for r in records if r["alpha"] == alpha and r["length_normalised"] is normalised]
    return [r["success_mean"] for r in sorted(wanted, key=lambda r: r["seed"])]


def test_no_penalty_is_grpo_on_the_same_draws(config: AceSweepConfig, records: list[Record]) -> None:
    condition = LeagueCondition.model_validate(BANDITS)
    children = np.random.SeedSequence(5, spawn_key=(0,)).spawn(3)
    update = update_of(condition, "grpo", options={})
    # ACE has DAPO's clip range, as every rule here without one of its own.
    update = update.model_copy(update={"clip_low": 0.2, "clip_high": 0.28})
    grpo = measured(condition.questions, update, Length(6, 2), children=children, gains=[0.01])
    np.testing.assert_array_equal(of(records, 0.0), grpo["success_mean"])
    assert of(records, 4.0) != of(records, 0.0)


def test_one_token_has_no_length(records: list[Record]) -> None:
    assert of(records, 4.0, True) == of(records, 4.0, False)


def test_differences_are_paired(config: AceSweepConfig, records: list[Record]) -> None:
    analysis = analyse(config, records)
    assert [(s["alpha"], s["length_normalised"]) for s in analysis["settings"]] == [
        (1.0, False),
        (1.0, True),
        (4.0, False),
        (4.0, True),
    ]
    wanted = np.mean(np.array(of(records, 4.0)) - np.array(of(records, 0.0)))
    assert analysis["settings"][2]["success_mean"]["estimate"] == pytest.approx(wanted, abs=1e-15)


def test_a_gain_that_a_seed_never_makes_has_no_figure(config: AceSweepConfig, records: list[Record]) -> None:
    measure = "sequence_per_success_at_0.01"
    without = [{**r, measure: None} if r["alpha"] == 1.0 and r["seed"] == 0 else r for r in records]
    settings = analyse(config, without)["settings"]
    assert settings[0][measure] is None
    assert settings[2][measure] is not None


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValidationError, match="every must be a divisor of steps = 6; got 4"):
        AceSweepConfig(**{**TINY, "every": 4})
    with pytest.raises(ValidationError, match="alphas must be different"):
        AceSweepConfig(**{**TINY, "alphas": (1.0, 1.0)})


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_can_be_run(quick: bool) -> None:
    config = shipped_config(EXPERIMENT, quick=quick)
    assert isinstance(config, AceSweepConfig)
    assert len(cells(config)) == len(config.conditions) * (1 + 2 * len(config.alphas))
