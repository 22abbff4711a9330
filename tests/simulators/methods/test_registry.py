"""The registry of methods: names, options, refusals; and that what is registered runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simulators.methods import get_method, method_names, register_method
from simulators.methods.model import registry
from simulators.methods.model.registry import Method, finite_number
from simulators.update import Update
from tests.assertions import refuses

EXPECTED = {
    "grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask", "dapo", "gspo",
    "w_reinforce", "a_grae", "clip_cov", "kl_cov", "high_entropy",
}  # fmt: skip


def test_the_methods_of_the_comparison_are_there() -> None:
    assert set(method_names()) >= EXPECTED


@pytest.mark.parametrize("name", method_names())
def test_every_method_has_its_name_and_source(name: str) -> None:
    method = get_method(name)
    assert method.name in (name, "dapo")
    assert method.source
    advantages = method.advantages(np.array([[1.0, 0.0, 0.0, 1.0]]))
    assert advantages.shape == (1, 4)
    assert advantages.dtype == np.float64


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name 'gspo' is taken; registered methods: .*kl_cov"):
        register_method("gspo", lambda: get_method("grpo"), source="nowhere")


def test_an_unknown_name_lists_what_there_is() -> None:
    message = refuses(lambda: get_method("gpso"), "method", "gpso")
    assert all(name in message for name in method_names())


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gspo", "k", "0.4"),
        ("gspo", "eps", -1.0),
        ("w_reinforce", "lam", -0.1),
        ("w_reinforce", "lam", float("nan")),
        ("a_grae", "alpha", 0.0),
        ("a_grae", "batch_success", 1.5),
        ("a_grae", "std", "sample"),
        ("clip_cov", "share", 0.0),
        ("clip_cov", "share", "much"),
        ("clip_cov", "share", True),
        ("clip_cov", "low", float("inf")),
        ("clip_cov", "high", 1.0),
        ("kl_cov", "share", 1.1),
        ("kl_cov", "beta", -1.0),
        ("kl_cov", "std", "sample"),
        ("high_entropy", "share", -0.2),
    ],
)
def test_bad_options_are_refused_by_name(name: str, option: str, value: Any) -> None:
    refuses(lambda: get_method(name, **{option: value}), option, value)
    with pytest.raises(ValidationError, match=option):
        Update(method=name, options={option: value})


def test_rules_beyond_rewards_say_so() -> None:
    alone = {name: get_method(name).rewards_alone for name in EXPECTED}
    assert {name for name, yes in alone.items() if not yes} == {"clip_cov", "kl_cov", "high_entropy", "a_grae"}
    assert get_method("a_grae", batch_success=0.3).rewards_alone


def test_clip_ranges_are_the_papers() -> None:
    clips = {name: (m.clip_low, m.clip_high) for name in EXPECTED for m in [get_method(name)]}
    assert clips["gspo"] == (3e-4, 4e-4)
    assert clips["grpo"] == (0.2, 0.2)
    assert clips["dapo"] == clips["high_entropy"] == (0.2, 0.28)
    assert clips["clip_cov"] == clips["kl_cov"] == (np.inf, np.inf)


def test_a_finite_number_keeps_to_its_bounds() -> None:
    assert finite_number("x", 3, least=3.0) == 3.0
    refuses(lambda: finite_number("x", 3, least=3.0, strict=True), "x", 3, says="> 3")
    refuses(lambda: finite_number("x", 4, least=0.0, most=1.0), "x", 4, says=">= 0 and <= 1")
    refuses(lambda: finite_number("x", [1.0]), "x", [1.0])


def test_a_method_of_one_s_own_can_be_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    def own(scale: float) -> Method:
        return Method("own", "here", lambda rewards: scale * rewards)

    register_method("own", own, source="here", scale=2.0)
    assert get_method("own").advantages(np.ones(2)).tolist() == [2.0, 2.0]
    assert get_method("own", scale=3.0).advantages(np.ones(2)).tolist() == [3.0, 3.0]
    refuses(lambda: get_method("own", size=1), "size", 1, says="['scale']")
    with pytest.raises(ValueError, match="name 'own' is taken"):
        register_method("own", own, source="here", scale=2.0)
