"""Identification: the true candidate is in the class, the class is what the data cannot tell apart, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.audit.demo import folder
from llm_validation.audit.estimator.candidates import Candidate
from llm_validation.audit.estimator.made import options_of
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.train.rollouts import group_advantages
from qae_theory import advantages
from qae_theory.advantages import estimator_names
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited, found
from tests.llm_validation.audit.classes import UNDIVIDED, holds, identified, logged_as, rewards, rules

# What trainers log in, and beside them what is nearly exact and what was cut off in text.
LOGGED = ("float32", "bfloat16", *(pytest.param(one, marks=pytest.mark.slow) for one in ("float64", "4 decimals")))


@pytest.mark.parametrize("precision", LOGGED)
@pytest.mark.parametrize(("name", "options"), list(rules()), ids=str)
def test_the_true_rule_is_in_the_class(name: str, options: dict[str, Any], precision: str) -> None:
    reward = rewards()
    result = identified(reward, logged_as(advantages(reward, name, **options), precision))
    assert holds(result.members, name, options), result.members


@pytest.mark.parametrize(("name", "options"), list(rules()), ids=str)
def test_every_member_of_the_class_makes_the_logged_numbers(name: str, options: dict[str, Any]) -> None:
    reward = rewards(groups=60)
    logged = logged_as(advantages(reward, name, **options), "float32")
    for member in identified(reward, logged).members:
        kept = {
            key: value for key, value in member.options.items() if key != "std" or value in ("population", "bessel")
        }
        if member.options.get("std") in ("none", "batch"):
            continue
        np.testing.assert_allclose(advantages(reward, member.name, **kept), logged, rtol=2e-6, atol=2e-6)


def test_float32_tells_eps_of_a_millionth_from_none_and_a_hundredth_of_it_not() -> None:
    reward = rewards(size=16)
    eps = {
        float(one.options["eps"])
        for one in identified(reward, logged_as(advantages(reward, "grpo", eps=0), "float32")).members
    }
    assert eps == {0.0, 1e-8}
    only = identified(reward, logged_as(advantages(reward, "grpo", eps=1e-6), "float32")).members
    assert {float(one.options["eps"]) for one in only} == {1e-6}
    coarse = identified(reward, logged_as(advantages(reward, "grpo", eps=0), "bfloat16")).members
    assert {float(one.options["eps"]) for one in coarse} >= {0.0, 1e-8, 1e-6, 1e-5, 1e-4}


def test_levels_of_one_rank_cannot_be_told_apart() -> None:
    """K = .4 and .41 have rank 7 of 16, and .45 has rank 8."""
    reward = rewards(size=16)
    levels = {str(one.options.get("k")) for one in identified(reward, advantages(reward, "qae", k="0.4")).members}
    assert {"0.4", "0.41", "0.43"} <= levels
    assert not levels & {"0.37", "0.44", "0.45"}


def test_the_linear_quantile_is_told_from_the_exact_one_where_it_leaks() -> None:
    reward = rewards(size=8)
    result = identified(reward, advantages(reward, "qae_linear", k="0.4", std="population"))
    assert {one.name for one in result.members} == {"qae_linear"}


@pytest.mark.parametrize("std", ["none", "batch"])
def test_the_divisor_may_be_absent_or_the_batchs(std: str) -> None:
    reward = rewards(size=8)
    centred = advantages(reward, "dr_grpo")
    batch = np.repeat(reward.reshape(-1, 32).std(axis=1, ddof=1), 4)[:, None]
    logged = centred if std == "none" else centred / (batch + 1e-4)
    result = identified(reward, logged_as(logged, "float32"))
    assert holds(result.members, "grpo", {"std": std} if std == "none" else {"std": std, "eps": 1e-4})


def test_a_rule_that_is_not_registered_is_none_with_the_nearest() -> None:
    reward = rewards(size=8)
    middle = np.median(reward, axis=1, keepdims=True)
    result = identified(reward, (reward - 0.5 * middle) / (reward.std(axis=1, keepdims=True) + 0.3))
    assert not result.fits
    assert result.record()["name"] == "none"
    assert result.nearest is not None
    assert result.deviation > 1e-2


def test_one_wrong_advantage_in_ten_thousand_is_enough() -> None:
    reward = rewards(size=8, groups=1200)
    logged = advantages(reward, "grpo")
    logged[np.flatnonzero(reward.std(axis=1))[700], 3] += 1e-3
    result = identified(reward, logged)
    assert not result.fits
    assert result.deviation == pytest.approx(1e-3, rel=0.05)


def test_a_rule_of_correctness_is_found_beside_shaped_rewards() -> None:
    correct = rewards(size=8)
    shaped = correct - np.random.default_rng(1).uniform(0, 0.4, correct.shape)
    result = identified(shaped, advantages(correct, "pos_mask", k="0.4"), correct)
    assert result.members[0].name == "pos_mask"
    assert result.members[0].options["gate"] == "correctness"


def test_what_is_configured_comes_first() -> None:
    reward = rewards(size=16)
    logged = advantages(reward, "qae", k="0.41")
    assert identified(reward, logged, estimator="qae", k="0.41").members[0].options["k"] == "0.41"
    assert identified(reward, logged).members[0].options["k"] == "0.4"


def test_the_remainder_of_equal_rewards_does_not_hide_the_rule() -> None:
    """float32 leaves .05 to .1 where all rewards are .7; that is ``phantom-advantage``, and the rule is GRPO's."""
    reward = rewards(size=8) + 0.7
    logged = advantages(reward, "grpo", std="bessel", eps=1e-6)
    logged[reward.std(axis=1) == 0] = 0.07
    assert identified(reward, logged, reward - 0.7).members[0].name == "grpo"


def test_uniform_groups_alone_say_nothing(tmp_path: Path) -> None:
    world = worlds.made(0, success=(1e-3, 1.0))
    worlds.open_instruct(tmp_path, worlds.with_rewards(world, np.zeros(world.reward.shape)))
    content = audited(tmp_path)
    assert content["estimator"] is None
    assert "estimator-mismatch" in {one["check"] for one in content["unchecked"]}


def test_groups_that_lost_responses_are_left_out(tmp_path: Path) -> None:
    worlds.open_instruct(tmp_path, worlds.made(0, groups=20))
    path = tmp_path / "run_rollouts_000000.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for number, line in enumerate(lines) if number % 37) + "\n")
    estimator = audited(tmp_path)["estimator"]
    assert estimator["name"] == "grpo"
    assert estimator["left_out"] >= 8


def trained() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every rule that ``qae train`` can be told to use, with every divisor that it has."""
    yield from rules()
    for name in ("grpo", "qae", "qae_linear"):
        level = {} if name == "grpo" else {"k": "0.6"}
        yield name, {"std": "none", **level}
        yield name, {"std": "batch", "eps": 1e-6, **level}
    for name in UNDIVIDED:
        for std in ("population", "bessel", "batch"):
            yield name, {"std": std, "eps": 1e-6}


def write_own_log(folder: Path, name: str, options: dict[str, Any]) -> None:
    """The log of ``qae train`` under a rule, on made-up rewards."""
    world = worlds.made(5, groups=24, size=8)
    made = [group_advantages(batch.ravel(), 8, name, options).astype(np.float32) for batch in world.reward]
    logged = np.stack(made).astype(np.float64).reshape(world.reward.shape)
    worlds.own(folder, worlds.replace(world, advantage=logged))


def trained_cases() -> Iterator[Any]:
    """The rules of ``trained``; an eps that is not the trainer's own is out of the default run."""
    for name, options in trained():
        marks = [] if options.get("eps", 1e-6) == 1e-6 else [pytest.mark.slow]
        yield pytest.param(name, options, marks=marks)


@pytest.mark.parametrize(("name", "options"), list(trained_cases()), ids=str)
def test_the_trainers_own_advantages_are_found_in_its_log(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """As ``qae train`` makes and writes them: a batch at a time, in float32, as JSON."""
    write_own_log(tmp_path, name, options)
    configured = {key: str(value) if key == "k" else value for key, value in options.items()}
    content = audited(tmp_path, estimator=name, **configured)
    estimator = content["estimator"]
    members = [Candidate(one["name"], one["options"]) for one in (estimator, *estimator["equivalents"])]
    assert holds(members, name, options), members
    assert "estimator-mismatch" not in found(content)


@pytest.mark.parametrize("name", estimator_names())
def test_another_rule_than_the_configured_one_in_the_trainers_log_is_a_finding(name: str, tmp_path: Path) -> None:
    write_own_log(tmp_path, name, {})
    assert "estimator-mismatch" in found(audited(tmp_path, estimator="nsr" if name == "psr" else "psr"))


@pytest.mark.parametrize("name", UNDIVIDED)
def test_a_rule_that_divides_only_if_told_to_is_tried_with_a_divisor_only_if_it_is_configured(name: str) -> None:
    reward = rewards(size=8)
    logged = advantages(reward, name, std="population")
    assert not any(one.name == name for one in identified(reward, logged).members)
    divided = {"std": "population", "eps": 1e-6}
    assert holds(identified(reward, logged, estimator=name, std="population").members, name, divided)
    undivided = advantages(reward, name)
    plain = [one for one in identified(reward, undivided).members if one.name == name]
    told = [one for one in identified(reward, undivided, estimator=name, std="bessel").members if one.name == name]
    assert plain == told == [Candidate(name)]


@pytest.mark.parametrize(
    ("estimator", "std", "used"),
    [
        *((name, "batch", {"std": "population"}) for name in UNDIVIDED),
        *((name, "none", {}) for name in ("grpo", *UNDIVIDED)),
        *((name, "bessel", {"std": "bessel"}) for name in ("grpo", *UNDIVIDED)),
        ("grpo", "batch", {}),
    ],
)
def test_the_divisor_with_which_advantages_are_made_has_the_zeros_of_the_configured_one(
    estimator: str, std: str, used: dict[str, Any]
) -> None:
    assert options_of(AuditSettings(estimator=estimator, std=std)) == used


@pytest.mark.parametrize(
    ("told", "std"),
    [
        ({"estimator": "dr_grpo"}, None),
        ({"estimator": "rloo", "eps": 1e-4}, None),
        ({"estimator": "dr_grpo", "std": "batch"}, "batch"),
        ({"estimator": "qae"}, "bessel"),
        ({"estimator": "grpo"}, "bessel"),
        ({}, "bessel"),
    ],
)
def test_the_divisor_of_another_rule_is_not_taken_for_that_of_an_undivided_one(
    told: dict[str, Any], std: str | None
) -> None:
    assert AuditSettings(**told).over(AuditSettings(estimator="grpo", std="bessel")).std == std
    own = AuditSettings(estimator="rloo", std="bessel")
    assert AuditSettings(estimator="rloo").over(own).std == AuditSettings().over(own).std == "bessel"


def test_the_stored_run_of_qae_train_is_the_released_codes_rule() -> None:
    estimator = audited(folder())["estimator"]
    assert (estimator["name"], estimator["options"]["k"], estimator["options"]["std"]) == (
        "qae_linear",
        "0.4",
        "bessel",
    )


def test_trls_own_advantages_are_grpo_with_its_eps() -> None:
    estimator = audited(Path(__file__).parent / "fixtures" / "trl")["estimator"]
    assert (estimator["name"], estimator["options"]) == ("grpo", {"std": "bessel", "eps": 1e-4})
    assert estimator["equivalents"] == []
