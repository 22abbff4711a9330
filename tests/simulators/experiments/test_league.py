"""`league`: every registered rule runs, another package's by name; planted effects are found and no others."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulators.experiments.base import Record
from simulators.experiments.league.analysis import analyse
from simulators.experiments.league.cells import EXPERIMENT, LeagueConfig
from simulators.experiments.league.conditions import LeagueCondition, stored, stream_of, update_of
from simulators.experiments.league.training import CURVES, summary, worst_mean
from simulators.methods import method_names, register_method
from simulators.methods.model import registry
from simulators.methods.model.registry import Method
from simulators.settings import make_config, shipped_config

BANDITS: dict[str, Any] = {
    "name": "bandits",
    "base": "bandits",
    "questions": {"queries": 4, "arms": 4},
    "update": {"step_size": 0.5, "epochs": 2, "group_size": 4},
}
NOISY = {**BANDITS, "name": "noisy", "factor": "noise"}
NOISY["update"] = {**BANDITS["update"], "noise": {"false_positive": 0.1, "false_negative": 0.2}}
TREES: dict[str, Any] = {
    "name": "trees",
    "base": "trees",
    "questions": {"substrate": "trees", "queries": 2, "symbols": 2, "max_length": 2},
    "update": {"group_size": 4},
}
SITUATION = {"name": "noise", "conditions": ("noisy",), "measure": "success_mean", "better": "higher"}
TINY: dict[str, Any] = {
    "conditions": (BANDITS, NOISY, TREES),
    "tuned": ("bandits",),
    "situations": (SITUATION,),
    "seeds": 2,
    "tuning_seeds": 1,
    "steps": 2,
    "every": 1,
    "gains": (0.001,),
}


def config_of(**changes: Any) -> LeagueConfig:
    return LeagueConfig(**{**TINY, **changes})


def records(config: LeagueConfig, *, seed: int = 0) -> list[Record]:
    rows = []
    for cell in EXPERIMENT.cells(config):
        settings = json.loads(json.dumps(cell.settings))
        rows += EXPERIMENT.run_cell(settings, np.random.SeedSequence(seed, spawn_key=(cell.stream,)))
    return json.loads(json.dumps(rows, allow_nan=False))


def planted(config: LeagueConfig, effect: float, seeds: int = 12) -> list[Record]:
    """Under noise QAE has this much more success than GRPO, and everything else is noise of .01 a seed."""
    rng = np.random.default_rng(7)
    rows = []
    measures = [*CURVES, "success_mean", "highest_rise", "sequence_per_success_at_0.001", "token_per_success_at_0.001"]
    for condition in ("bandits", "noisy", "trees"):
        kinds = ["equal settings", "tuned", "half", "double"] if condition == "bandits" else ["equal settings"]
        for rule in config.rules:
            for kind in kinds:
                for seed in range(seeds):
                    row = {name: 0.5 + rng.normal(0, 0.01) for name in measures}
                    row["success_mean"] += effect * (rule == "qae" and condition == "noisy")
                    row["success_mean"] -= abs(effect) * (kind == "half")
                    chosen = {} if kind == "equal settings" else {"step_factor": 1.0, "own_factor": 1.0}
                    rows.append({"condition": condition, "rule": rule, "kind": kind, "seed": seed, **chosen, **row})
    return rows


def test_every_registered_rule_runs_and_only_the_seed_matters() -> None:
    config = config_of()
    assert config.rules == method_names()
    found = records(config)
    equal = [row for row in found if row["kind"] == "equal settings"]
    assert len(equal) == len(method_names()) * 3 * 2
    assert all(0 <= row["success"] <= 1 and row["sequence_entropy"] >= 0 for row in equal)
    assert found == records(config)
    assert found != records(config, seed=1)
    analysis = EXPERIMENT.analyse(config, found)
    json.dumps(analysis, allow_nan=False)
    assert set(analysis["situations"][0]["rules"]) == set(method_names()) - {"grpo"}


def test_a_seed_does_not_depend_on_how_many_there_are() -> None:
    few = config_of(rules=("grpo", "qae"), tuned=())
    more = config_of(rules=("grpo", "qae"), tuned=(), seeds=3)
    assert records(few) == [row for row in records(more) if row["seed"] < 2]


def test_rules_start_alike_and_conditions_with_the_same_questions_too() -> None:
    config = config_of()
    assert [stream_of(condition, config.conditions) for condition in config.conditions] == [0, 0, 2]
    streams = {cell.stream for cell in EXPERIMENT.cells(config) if cell.settings["tune"]}
    assert streams.isdisjoint(cell.stream for cell in EXPERIMENT.cells(config) if not cell.settings["tune"])


def test_a_condition_without_a_clip_survives_plain_json() -> None:
    free = LeagueCondition(**{**BANDITS, "update": {"clip_low": 1.0, "clip_high": np.inf}})
    kept = json.loads(json.dumps(stored(free), allow_nan=False))
    assert update_of(LeagueCondition.model_validate(kept), "grpo") == update_of(free, "grpo")
    assert update_of(free, "grpo").clip_high == np.inf


def test_a_rule_of_another_package_takes_part_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    def halved(strength: float) -> Method:
        return Method("halved", "here", lambda rewards: strength * (rewards - rewards.mean(-1, keepdims=True)))

    register_method("halved", halved, source="here", strength=0.5)
    config = make_config(EXPERIMENT, [TINY, {"rules": ["halved", "grpo"]}])
    assert isinstance(config, LeagueConfig)
    analysis = EXPERIMENT.analyse(config, records(config))
    assert set(analysis["tuned"]["bandits"]["wrong"]) == {"halved"}
    assert set(analysis["conditions"]["trees"]["success"]) == {"halved", "grpo"}


def test_rules_that_correct_for_noise_are_told_its_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    def corrected(false_positive: float, false_negative: float) -> Method:
        factor = 1 - false_positive - false_negative
        return Method("corrected", "here", lambda rewards: (rewards - false_positive) / factor)

    register_method("corrected", corrected, source="here", false_positive=0.3, false_negative=0.3)
    noisy, clean = LeagueCondition(**NOISY), LeagueCondition(**BANDITS)
    assert update_of(noisy, "corrected").options == {"false_positive": 0.1, "false_negative": 0.2}
    wrong = update_of(noisy, "corrected", options={"false_positive": 0.3})
    assert wrong.options == {"false_positive": 0.3, "false_negative": 0.2}
    assert update_of(clean, "corrected").options == {"false_positive": 0.0, "false_negative": 0.0}
    assert update_of(noisy, "grpo").options == {}


@pytest.mark.parametrize(("effect", "verdict"), [(0.1, "held"), (-0.1, "worse"), (0.0, "no difference")])
def test_a_planted_effect_is_found_and_no_other(effect: float, verdict: str) -> None:
    """With .1 against noise of .01 in 12 seeds the effect is 24 standard errors; the generator was not chosen."""
    config = config_of(rules=("grpo", "qae", "rloo"))
    found = analyse(config, planted(config, effect))
    rules = found["situations"][0]["rules"]
    assert rules["qae"]["verdict"] == verdict
    assert rules["rloo"]["verdict"] == "no difference"
    (statement,) = found["statements"]
    assert (statement["found"], statement["detail"]) == ((True, "qae") if effect > 0 else (False, "none"))
    assert not statement["control_found"]
    noisy = found["conditions"]["noisy"]["success_mean"]
    place = {0.1: (1, 1), -0.1: (3, 3), 0.0: (1, 3)}[effect]
    assert (noisy["qae"]["rank"]["best"], noisy["qae"]["rank"]["worst"]) == place
    lost = found["noise"]["noisy"]["qae"]
    assert (lost["low"] > 0, lost["high"] < 0) == (effect > 0, effect < 0)
    wrong = found["tuned"]["bandits"]["wrong"]["qae"]
    assert (wrong["half"]["high"] < 0) == (effect != 0)
    assert wrong["double"]["low"] < 0 < wrong["double"]["high"]


def test_runs_that_do_not_get_so_far_are_not_compared() -> None:
    config = config_of(rules=("grpo", "qae"), situations=({**SITUATION, "measure": "sequence_per_success_at_0.001"},))
    rows = planted(config, 0.0)
    for row in rows:
        if row["rule"] == "qae":
            row["sequence_per_success_at_0.001"] = None
    found = analyse(config, rows)
    assert found["situations"][0]["rules"]["qae"]["verdict"] == "not comparable"
    assert found["conditions"]["noisy"]["sequence_per_success_at_0.001"]["qae"]["rank"] is None


def test_measures_are_read_off_the_curves() -> None:
    curves = {name: np.linspace(0, 1, 9)[None] for name in CURVES}
    curves["success"] = np.array([[0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6]])
    curves["sequence_entropy"] = np.array([[2.0, 2.2, 2.1, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0]])
    figures = {name: float(value[0]) for name, value in summary(curves, (0.1, 0.5)).items()}
    assert figures["success_mean"] == pytest.approx(0.2 / 9 + 0.1 / 3 + 0.4 / 9 + 0.5 / 9 + 3.0 / 9)
    assert figures["success"] == pytest.approx(0.6)
    assert figures["highest_rise"] == pytest.approx(0.2)
    assert figures["sequence_per_success_at_0.1"] == pytest.approx(2.0)
    assert np.isnan(figures["sequence_per_success_at_0.5"])


def test_the_worst_tenth_is_that_of_each_seed() -> None:
    success = np.stack([np.linspace(0, 1, 20), np.linspace(1, 0, 20)])
    np.testing.assert_allclose(worst_mean(success), [1 / 38, 1 / 38])
    np.testing.assert_allclose(worst_mean(np.array([[0.3, 0.2]])), [0.2])


@pytest.mark.parametrize("quick", [True, False])
def test_shipped_sizes_are_read_and_have_every_situation(quick: bool) -> None:
    config = shipped_config(EXPERIMENT, quick=quick)
    assert isinstance(config, LeagueConfig)
    assert len(config.situations) == 4
    assert config.rules == method_names()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": ["qae", "qae"]}, "rules must be different"),
        ({"rules": ["qae", "rloo"]}, "reference must be one of the rules; got 'grpo'"),
        ({"rules": ["qae", "nosuch"]}, "nosuch"),
        ({"conditions": [BANDITS, BANDITS]}, "conditions must have different names"),
        ({"tuned": ["nosuch"]}, "got no 'nosuch'"),
        ({"situations": [{**SITUATION, "conditions": ["nosuch"]}]}, "got no 'nosuch'"),
        ({"every": 3}, "every must be a divisor of steps = 2; got 3"),
        ({"conditions": [{**BANDITS, "update": {"method": "qae"}}]}, "method must be left out"),
        ({"conditions": [{**BANDITS, "update": {"group_size": 1}}]}, "group_size"),
    ],
)
def test_refuses_bad_settings(change: dict[str, Any], message: str) -> None:
    base = {**TINY, "tuned": (), "situations": ()} if "conditions" in change else TINY
    with pytest.raises(ValueError, match=message):
        make_config(EXPERIMENT, [base, change])
