"""The channels' off-states: expected updates against every group, gains against the theory, two rules made one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qae_theory import expected_gain
from qae_theory.arrays import Array
from qae_theory.paper.overlong import Overlong
from simulators.engine import initial_state, update_on_all_groups
from simulators.environments import bandit
from simulators.experiments.channels import switches as channel_steps
from simulators.experiments.channels.switches import (
    Plan,
    channel_step,
    gain_factor,
    level_advantages,
    multinomial,
    rule_gains,
)
from simulators.methods import get_method
from simulators.outcomes import outcome_table
from simulators.update import Update

GROUP = 3
REWARDS = np.array([[[1, 0, 0, 1], [0, 1, 0, 0]]] * 2, dtype=float)
LENGTHS = [2, 4, 8, 2]


def logits(seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((2, 2, 4))


def generators(seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]


def plan(on: set[str], rule: str = "qae", rival: str = "grpo", **switches: object) -> Plan:
    update = Update(method=rule, group_size=GROUP, **switches)  # type: ignore[arg-type]
    own, other = (rule_gains(name, {}, GROUP) for name in (rule, rival))
    return Plan(get_method(rule), update, frozenset(on), own, other, replicas=4)


@pytest.mark.parametrize("rewards", [{}, {"signed_rewards": True, "overlong": Overlong(max_length=8, cache=4)}])
@pytest.mark.parametrize("rule", ["qae", "grpo", "dr_grpo"])
def test_noise_off_is_the_mean_over_every_group(rule: str, rewards: dict[str, object]) -> None:
    env = bandit(REWARDS, LENGTHS)
    state = initial_state(logits(), env)
    settings = plan({"weighting", "coupling"}, rule, aggregation="token_sum", **rewards)
    step = channel_step(state, env, settings, rngs=generators())
    every, weights = update_on_all_groups(state, env, settings.update)
    mean = (weights[..., None, None] * every.direction).sum(axis=0)
    assert step.direction == pytest.approx(mean, abs=1e-12)
    assert not np.allclose(step.direction, 1.05 * mean, rtol=1e-3)  # negative control: a 5 % error is seen


def test_clipped_passes_without_noise_cut_by_the_sign_of_the_advantage() -> None:
    env = bandit(REWARDS)
    state = initial_state(logits(), env)
    step = channel_step(state, env, plan(set(), "grpo", epochs=6, step_size=2.0), rngs=generators())
    low, high = (np.stack([getattr(p, name) for p in step.passes]) for name in ("clipped_low", "clipped_high"))
    arms = REWARDS.shape[-1]
    assert high.any()
    assert low.any()
    assert not high[..., arms:, :].any()  # the first half carries A > 0, the second A < 0
    assert not low[..., :arms, :].any()


def test_all_off_is_one_step_for_both_rules_and_all_on_is_not() -> None:
    env = bandit(REWARDS)
    state = initial_state(logits(), env)

    def moved(on: set[str], rule: str, rival: str) -> Array:
        return channel_step(state, env, plan(on, rule, rival), rngs=generators()).direction

    for pair in (("qae", "grpo"), ("grpo", "dr_grpo"), ("psr", "nsr")):
        assert moved(set(), *pair) == pytest.approx(moved(set(), *pair[::-1]), abs=1e-12)
    for channel in ("coupling", "noise"):
        assert not np.allclose(moved({channel}, "qae", "grpo"), moved({channel}, "grpo", "qae"))
    assert np.allclose(moved({"weighting"}, "qae", "grpo"), moved({"weighting"}, "grpo", "qae"))
    assert not np.allclose(moved({"weighting"}, "grpo", "dr_grpo"), moved({"weighting"}, "dr_grpo", "grpo"))


def test_gains_are_those_of_the_theory() -> None:
    p = np.array([0.1, 0.4, 0.73])
    for rule in ("qae", "grpo", "dr_grpo"):
        gains = rule_gains(rule, {}, GROUP)
        assert gains.at_group(p) == pytest.approx(expected_gain(p, GROUP, rule), rel=1e-12)
    # Claim `neutrality-limit`; the table is linear between m/1024, an error of about 1e-5 at p = .1.
    assert rule_gains("qae", {}, GROUP).at_limit(p) == pytest.approx(1 / np.sqrt(p * (1 - p)), rel=1e-4)


def test_factor_is_one_with_the_gain_s_channels_on() -> None:
    p = np.array([[0.2, 0.7]])
    assert gain_factor(p, plan({"weighting", "coupling"})) == pytest.approx(1.0)
    assert gain_factor(p, plan(set()))[0, 1] != pytest.approx(1.0, rel=1e-2)


def test_rules_that_look_at_tokens_are_averaged_over_groups() -> None:
    env = bandit(REWARDS)
    state = initial_state(logits(), env)
    step = channel_step(state, env, plan(set(), "high_entropy"), rngs=generators())
    assert step.rollouts.responses.shape[-1] == 4 * GROUP
    sums = step.rollouts.advantages.reshape(2, 2, 4, GROUP).sum(axis=-1)
    assert sums == pytest.approx(np.zeros((2, 2, 4)), abs=1e-9)  # GRPO's add up to 0 within each group


def test_lengths_weigh_a_response_by_the_inverse_of_its_own() -> None:
    env = bandit(REWARDS, LENGTHS)
    state = initial_state(logits(), env)
    on = channel_step(state, env, plan({"lengths"}, aggregation="sequence_mean"), rngs=generators())
    off = channel_step(state, env, plan(set(), aggregation="token_sum"), rngs=generators())
    relative = (1 / np.array(LENGTHS)) / (1 / np.array(LENGTHS)).mean()
    assert on.passes[0].values[..., 0] == pytest.approx(off.passes[0].values[..., 0] * np.tile(relative, 2))


def test_level_advantages_are_those_of_the_group_itself() -> None:
    levels = np.array([-2.0, -1.0, 1.0])
    others, table = level_advantages(get_method("qae"), levels, GROUP)
    assert others.sum(axis=-1).tolist() == [GROUP - 1] * 6
    for own in range(3):
        for row, counts in enumerate(others):
            group = np.concatenate([[levels[own]], np.repeat(levels, counts)])
            assert table[own, row] == pytest.approx(get_method("qae").advantages(group)[0])


def test_multinomial_adds_up_also_where_a_level_has_no_mass() -> None:
    others, _ = level_advantages(get_method("grpo"), np.array([0.0, 0.5, 1.0]), 4)
    assert multinomial(np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]), others).sum(axis=-1) == pytest.approx([1, 1])


def test_tables_of_rules_that_look_at_other_groups_are_those_of_a_lone_group() -> None:
    table = outcome_table(get_method("a_grae"), GROUP)
    assert table.correct[0] == table.wrong[GROUP] == 0
    assert table.correct[1] > 0 > table.wrong[1]


def test_refuses_a_rule_that_does_not_push_towards_success(monkeypatch: pytest.MonkeyPatch) -> None:
    grpo = get_method("grpo")
    backwards = replace(grpo, name="backwards", estimator=None, advantages=lambda rewards: -grpo.advantages(rewards))
    monkeypatch.setattr(channel_steps, "get_method", lambda name, **options: backwards)
    with pytest.raises(ValueError, match=r"positive gain .* 'backwards' has not"):
        rule_gains("backwards", {}, GROUP)
