"""Checks of rewards; each passes what is right and fails or warns of what is planted."""

from __future__ import annotations

import pytest

from llm_validation.cluster.checks import rewards as module
from llm_validation.cluster.checks.rewards import Levels
from llm_validation.verl_engine.configuration.record import Configuration
from tests.llm_validation.cluster.collect.settings_of_runs import overlong, run

BINARY = Levels((0.0,), (1.0,))
DAPO = Levels((-1.0,), (1.0,), 1.0)


@pytest.mark.parametrize(
    ("config", "levels", "state", "shown"),
    [
        (run(), BINARY, "ok", "wrong 0, right 1"),
        (run(algorithm__adv_estimator="grpo"), BINARY, "ok", "wrong 0, right 1"),
        (overlong(), DAPO, "warning", "gate-nonbinary"),
        (overlong(algorithm__adv_estimator="qae_linear"), DAPO, "warning", "gate-nonbinary"),
        (overlong(algorithm__advantage_gate="correctness"), DAPO, "ok", "less up to 1 for length"),
        (overlong(algorithm__adv_estimator="grpo"), DAPO, "ok", "less up to 1 for length"),
        (overlong(algorithm__adv_estimator="pos_mask"), DAPO, "ok", "less up to 1 for length"),
        (run(), Levels((0.0, 0.1), (1.0,)), "warning", "gate-nonbinary"),
        (run(algorithm__use_kl_in_reward=True), BINARY, "warning", "use_kl_in_reward"),
        (run(algorithm__correct_above=None), BINARY, "ok", "wrong 0, right 1"),
    ],
)
def test_levels_that_an_estimator_can_take(config: Configuration, levels: Levels, state: str, shown: str) -> None:
    check = module.check_levels(config.algorithm, levels)
    assert (check.state, shown in check.sentence) == (state, True), check.sentence


@pytest.mark.parametrize(
    ("config", "levels", "shown"),
    [
        (overlong(algorithm__adv_estimator="pos_mask", algorithm__correct_above=None), DAPO, "pos_mask needs"),
        (overlong(algorithm__adv_estimator="neg_mask", algorithm__correct_above=None), DAPO, "neg_mask needs"),
        (
            run(algorithm__adv_estimator="neg_mask", algorithm__correct_above=None),
            Levels((0.0,), (2.0,)),
            "neg_mask needs",
        ),
        (
            overlong(algorithm__advantage_gate="correctness", algorithm__correct_above=None),
            DAPO,
            "gate=correctness needs",
        ),
        # Thresholds of another scale: every response counts as right, every one as wrong, a long right one as wrong
        (run(algorithm__correct_above=-0.5), BINARY, "correct_above = -0.5 does not part wrong from right"),
        (run(algorithm__correct_above=1.0), BINARY, "at least 0 and below 1"),
        (overlong(algorithm__correct_above=0.5), DAPO, "at least -1 and below 0"),
        (run(), None, "not known"),
    ],
)
def test_wrong_levels_fail(config: Configuration, levels: Levels | None, shown: str) -> None:
    check = module.check_levels(config.algorithm, levels)
    assert (check.state, shown in check.sentence) == ("failed", True), check.sentence


def test_the_overlong_punishment_is_the_one_that_runs() -> None:
    assert module.check_overlong(run()).sentence == "off"
    assert module.check_overlong(overlong()).sentence == "from 64 tokens on, 1 at 96"
    other = module.check_overlong(overlong(reward__reward_manager__name="naive"))
    assert (other.state, "only 'dapo' reads it" in other.sentence) == ("failed", True)
    assert module.check_overlong(overlong(data__max_response_length=200)).state == "warning"


@pytest.mark.parametrize("length", [0, 97])
def test_an_overlong_buffer_that_verl_refuses_fails(length: int) -> None:
    buffer = {"enable": True, "len": length, "penalty_factor": 1.0}
    config = overlong(reward__reward_kwargs={"max_resp_len": 96, "overlong_buffer_cfg": buffer})
    assert module.check_overlong(config).state == "failed"
