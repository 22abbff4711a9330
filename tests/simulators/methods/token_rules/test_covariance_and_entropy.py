"""What the older token rules are for: covariance rules raise the change of entropy, high-entropy tokens hold it longer.

Differences are paired by seed. A test asks for a t-statistic of at least 6, an error rate below 1e-7 at 63 degrees of
freedom; the effects are many times that, and the other half of each comparison is a control that must not reach it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qae_theory.curves.trajectories import at_gain
from simulators.engine import initial_state, step_on_groups, train
from simulators.measures import per_seed, state_measures
from simulators.methods import Method, TokenBatch, get_method
from simulators.methods.token_rules import tokens
from simulators.tabular.groups import sampled_groups
from simulators.tabular.policy import policy, response_log_probs, sequence_entropy
from simulators.update import Update
from simulators.worlds import World, random_bandits

SEEDS = 64
FOUND = 6.0
WITHOUT_CLIP = replace(get_method("grpo"), clip_low=np.inf, clip_high=np.inf)


def entropy_changes(method: Method, *, epochs: int) -> Any:
    """The change of entropy in one update on the same starts and groups for every rule, ``[S]`` in nats."""
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(11).spawn(SEEDS)]
    start = random_bandits(World(queries=32, arms=8), rngs)
    state = initial_state(start.logits, start.env)
    probs = np.exp(response_log_probs(policy(state.logits).log_probs, start.env.tree))
    responses = sampled_groups(probs, 8, rngs)
    update = Update(group_size=8, step_size=0.2, epochs=epochs)
    step = step_on_groups(state, start.env, update, method=method, responses=responses, rngs=rngs)
    before, after = (sequence_entropy(policy(s.logits), start.env.tree) for s in (step.before, step.after))
    return per_seed(after - before)


def t_statistic(differences: Any) -> float:
    return float(differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences))))


def smallest_dropped() -> Method:
    """Clip-Cov turned round: it drops the tokens of smallest covariance."""

    def weights(batch: TokenBatch) -> Any:
        keys = np.where(batch.mask, -tokens.token_covariances(batch), -np.inf)
        return np.where(tokens.largest(keys, tokens.share_counts(batch.mask, tokens.checked_share(0.05))), 0.0, 1.0)

    return replace(WITHOUT_CLIP, token_weights=weights)


def test_clip_cov_raises_the_expected_change_of_entropy() -> None:
    """arXiv 2505.22617, with a share that a mini-batch of 256 tokens can show."""
    plain = entropy_changes(WITHOUT_CLIP, epochs=1)
    clipped = get_method("clip_cov", share=0.05, low=0.0, high=np.inf)
    assert t_statistic(entropy_changes(clipped, epochs=1) - plain) > FOUND
    assert t_statistic(entropy_changes(smallest_dropped(), epochs=1) - plain) < -FOUND


def test_kl_cov_raises_it_from_the_second_pass_on() -> None:
    rule = get_method("kl_cov", share=0.05, beta=1.0)
    np.testing.assert_array_equal(entropy_changes(rule, epochs=1), entropy_changes(WITHOUT_CLIP, epochs=1))
    assert t_statistic(entropy_changes(rule, epochs=4) - entropy_changes(WITHOUT_CLIP, epochs=4)) > FOUND


@pytest.mark.parametrize(("name", "slower"), [("high_entropy", True), ("kl_cov", False)])
def test_high_entropy_tokens_hold_entropy_longer_at_equal_reward(name: str, slower: bool) -> None:
    """arXiv 2506.01939: entropy where success has first risen by .1; the control is a rule that has no such effect."""
    differences = at_equal_reward(name) - at_equal_reward("dapo")
    assert (t_statistic(differences) > FOUND) is slower


def at_equal_reward(name: str) -> Any:
    """Entropy change where success has first gained .1, under the same starts for every rule, ``[S]`` in nats."""
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(12).spawn(SEEDS)]
    start = random_bandits(World(queries=16, arms=16), rngs)
    update = Update(method=name, group_size=16, step_size=0.25, epochs=4)
    curves: dict[str, list[Any]] = {"sequence_entropy": [], "success": []}
    for step in train(initial_state(start.logits, start.env), start.env, update, steps=24, rngs=rngs):
        measures = state_measures(step, start.env, ks=())
        for figure, values in curves.items():
            values.append(measures[figure])
    entropy, success = (np.stack(values, axis=1) for values in curves.values())
    return at_gain(success, entropy - entropy[:, :1], [0.1])[:, 0]
