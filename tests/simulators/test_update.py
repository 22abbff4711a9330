"""The switches of an update: what is taken, and that everything else is refused by name."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simulators import Update
from simulators.methods import Method, get_method, method_names, register_method
from tests.assertions import refuses

BAD: list[tuple[dict[str, Any], str]] = [
    ({"method": "grpoo"}, "method"),
    ({"method": 3}, "method"),
    ({"options": {"k": "0.4"}}, "k"),  # GRPO has none
    ({"method": "qae", "options": {"k": 1.5}}, "k"),
    ({"method": "qae", "options": {"level": 0.4}}, "level"),
    ({"method": "constant", "options": {"baseline": nan}}, "baseline"),
    ({"method": "constant", "options": {"baseline": [0.1, 0.2]}}, "baseline"),
    ({"options": {"eps": -1e-6}}, "eps"),
    ({"group_size": 1}, "group_size"),
    ({"group_size": 0}, "group_size"),
    ({"group_size": 2.5}, "group_size"),
    ({"step_size": 0}, "step_size"),
    ({"step_size": -0.1}, "step_size"),
    ({"step_size": inf}, "step_size"),
    ({"step_size": nan}, "step_size"),
    ({"epochs": 0}, "epochs"),
    ({"clip_low": -0.1}, "clip_low"),
    ({"clip_low": 1.5}, "clip_low"),
    ({"clip_low": nan}, "clip_low"),
    ({"clip_high": -0.1}, "clip_high"),
    ({"clip_high": nan}, "clip_high"),
    ({"dual_clip": 1.0}, "dual_clip"),
    ({"dual_clip": nan}, "dual_clip"),
    ({"aggregation": "mean"}, "aggregation"),
    ({"optimiser": "lion"}, "optimiser"),
    ({"adam_eps": -1.0}, "adam_eps"),
    ({"adam_eps": inf}, "adam_eps"),
    ({"adam_betas": [0.9]}, "adam_betas"),
    ({"adam_betas": [0.9, 1.0]}, "adam_betas"),
    ({"adam_betas": [-0.1, 0.9]}, "adam_betas"),
    ({"adam_betas": [nan, 0.9]}, "adam_betas"),
    ({"max_grad_norm": 0}, "max_grad_norm"),
    ({"max_grad_norm": nan}, "max_grad_norm"),
    ({"behaviour_lag": -1}, "behaviour_lag"),
    ({"learning_rate": 0.1}, "learning_rate"),
]


@pytest.mark.parametrize(("bad", "name"), BAD)
def test_bad_switches_are_refused_by_name(bad: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Update.model_validate(bad)


def test_switches_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Update().step_size = 0.2  # type: ignore[misc]


def test_infinity_is_no_clip_and_none_is_the_rules_own() -> None:
    assert Update(clip_high=inf).clip_high == inf
    assert Update().clip_low is None
    assert Update(clip_low=0, clip_high=0).clip_low == 0


def test_json_and_back() -> None:
    update = Update.model_validate(
        {"method": "qae", "options": {"k": "0.6"}, "overlong": {"max_length": 4, "cache": 2}}
    )
    assert Update.model_validate_json(update.model_dump_json()) == update


@pytest.mark.parametrize(
    ("switches", "on_policy"),
    [
        ({}, True),
        ({"epochs": 2}, False),
        ({"behaviour_lag": 2}, False),
        ({"behaviour_lag": 0}, False),
    ],
)
def test_on_policy(switches: dict[str, Any], on_policy: bool) -> None:
    assert Update.model_validate(switches).on_policy is on_policy


@pytest.mark.parametrize("name", method_names())
@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_every_rule_refuses_rewards_that_are_not_finite(name: str, bad: float) -> None:
    rule = get_method(name)
    refuses(lambda: rule.advantages(np.array([1.0, bad])), "rewards", bad)


def test_an_unknown_rule_is_refused_with_the_names_that_exist() -> None:
    message = refuses(lambda: get_method("nope"), "method", "nope")
    assert all(name in message for name in method_names())


def test_a_name_is_given_once() -> None:
    def factory() -> Method:
        return get_method("grpo")

    with pytest.raises(ValueError, match="'grpo' is taken; registered methods: "):
        register_method("grpo", factory, source="nowhere")
