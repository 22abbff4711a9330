"""The coefficients are the gradient of the clipped surrogate; ratio, bounds and normalisers by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qae_theory.objective import clipped_surrogate, masked_objective
from qae_theory.paper.overlong import Overlong
from simulators.engine import Step, step_on_groups
from simulators.environments import bandit, environment
from simulators.methods import Method, TokenBatch, get_method
from simulators.objective import coefficients
from simulators.tabular.policy import policy, token_values
from simulators.tabular.trees import bandit_tree, token_tree
from simulators.update import Update
from tests.assertions import fitted_slope
from tests.simulators import slow
from tests.simulators.cases import Case, batch_of, policies, random_case, switches_of

METHODS = ["grpo", "dr_grpo", "qae", "gspo"]
STALE = 0.2  # ratios on both sides of every bound, and few near one


def run(case: Case, update: Update) -> Step:
    return step_on_groups(case.state, case.env, update, get_method(update.method), case.responses, ())


def surrogate(logits: Any, case: Case, update: Update, advantages: Any) -> Any:
    """Sum over a seed's tokens of qae_theory's clipped surrogate, over G times the length; ``[S]``."""
    method = get_method(update.method)
    mask = case.env.tree.token_mask[case.responses]

    def sampled(z: Any) -> Any:
        return np.take_along_axis(token_values(policy(z).log_probs, case.env.tree), case.responses[..., None], axis=-2)

    log_ratios = np.where(mask, sampled(logits) - sampled(case.state.behaviour), 0.0)
    lengths = case.env.lengths[case.responses][..., None]
    low, high = method.clip_low, method.clip_high
    if method.ratio == "sequence":
        ratios = np.exp(log_ratios.sum(axis=-1) / lengths[..., 0])
        return clipped_surrogate(ratios, advantages, clip_low=low, clip_high=high).sum(axis=(-2, -1)) / 5
    terms = clipped_surrogate(np.exp(log_ratios), advantages[..., None], clip_low=low, clip_high=high)
    return (np.where(mask, terms, 0.0) / (5 * lengths)).sum(axis=(-3, -2, -1))


def numerical_gradient(case: Case, update: Update, advantages: Any, step: float) -> Any:
    """Central differences in every logit of every seed at once."""
    gradient = np.zeros_like(case.state.logits)
    for index in np.ndindex(gradient.shape[1:]):
        shift = np.zeros(gradient.shape)
        shift[(slice(None), *index)] = step
        ends = [surrogate(case.state.logits + sign * shift, case, update, advantages) for sign in (1, -1)]
        gradient[(slice(None), *index)] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def far_from_bounds(case: Case, method: Method) -> bool:
    """Whether no ratio is so near a bound that a difference quotient would straddle it."""
    plain = batch_of(case, Update(method=method.name, group_size=5), 0)
    switches = switches_of(Update(method=method.name, group_size=5))
    for s in range(2):
        for q, group in enumerate(case.responses[s].tolist()):
            for y in group:
                for x in slow.ratios(*policies(case, s), q, y, plain, switches):
                    if min(abs(x - 1 + method.clip_low), abs(x - 1 - method.clip_high)) < 1e-4:
                        return False
    return True


@pytest.mark.parametrize("shape", ["bandit", "tree", "line"])
@pytest.mark.parametrize("name", METHODS)
def test_the_direction_is_the_gradient_of_the_surrogate(name: str, shape: str) -> None:
    update = Update(method=name, group_size=5, aggregation="sequence_mean")
    rng = np.random.default_rng(11)
    checked = 0
    while checked < 5:
        case = random_case(shape, rng, stale=STALE)
        if not far_from_bounds(case, get_method(name)):
            continue
        checked += 1
        step = run(case, update)
        numerical = numerical_gradient(case, update, step.rollouts.advantages, 1e-5)
        # Central differences: an error of step^2 = 1e-10, rounding of 1e-16 / step = 1e-11, times numbers of order 1.
        np.testing.assert_allclose(step.direction, numerical, atol=1e-8)
        # The control: the gradient without clipping is another one, unless nothing was clipped.
        free = run(case, update.model_copy(update={"clip_low": np.inf, "clip_high": np.inf}))
        cut = any(p.clipped_low.any() or p.clipped_high.any() for p in step.passes)
        assert cut != np.allclose(free.direction, numerical, atol=1e-8)


def test_difference_quotients_converge_at_second_order() -> None:
    update = Update(method="grpo", group_size=5, aggregation="sequence_mean")
    rng = np.random.default_rng(12)
    case = random_case("tree", rng, stale=0.01)  # all ratios inside the bounds: the surrogate is smooth
    step = run(case, update)
    steps = [1e-1, 3e-2, 1e-2, 3e-3]
    errors = [
        float(np.abs(step.direction - numerical_gradient(case, update, step.rollouts.advantages, h)).max())
        for h in steps
    ]
    # The largest step may reach a bound; the rest is second order, up to the curvature of the next order.
    assert fitted_slope(steps[1:], errors[1:]) == pytest.approx(2.0, abs=0.1)


def test_prop_41_s_masked_form_has_the_same_gradient() -> None:
    """QAE's coefficients at eps = 0 are the derivatives of qae_theory's masked objective in each log ratio."""
    rng = np.random.default_rng(13)
    for rewards in ([1, 0, 0, 0, 0], [1, 1, 1, 1, 0]):
        ratios = np.exp(rng.normal(scale=0.4, size=5))
        method = get_method("qae", eps=0.0)
        advantages = method.advantages(np.array(rewards, dtype=float))
        batch = one_token_batch(np.log(ratios), advantages)
        values = coefficients(batch, method, Update(group_size=5, aggregation="token_sum"), np.ones((1, 1, 5))).values
        h = 1e-6
        for i in range(5):
            up, down = ratios.copy(), ratios.copy()
            up[i], down[i] = ratios[i] * np.exp(h), ratios[i] * np.exp(-h)
            slope = (masked_objective(up, rewards, "qae") - masked_objective(down, rewards, "qae")) / (2 * h)
            assert values[0, 0, i, 0] == pytest.approx(float(slope), abs=1e-8)


def one_token_batch(log_ratios: Any, advantages: Any, mask: Any = None) -> TokenBatch:
    """One seed, one query, G responses of one token."""
    log_probs = np.asarray(log_ratios, dtype=float)[None, None, :, None]
    kept = np.ones(log_probs.shape, dtype=bool) if mask is None else np.asarray(mask)[None, None, :, None]
    a = np.broadcast_to(np.asarray(advantages, dtype=float)[None, None, :, None], log_probs.shape)
    return TokenBatch(log_probs, np.zeros_like(log_probs), np.zeros_like(log_probs), a, kept, ())


def values_of(log_ratios: Any, advantages: Any, update: Update, method: Method | None = None) -> list[float]:
    batch = one_token_batch(log_ratios, advantages)
    found = coefficients(batch, method or get_method("grpo"), update, np.ones((1, 1, len(log_ratios))))
    return np.round(found.values[0, 0, :, 0] * len(log_ratios), 12).tolist()


def test_bounds_cut_one_side_each() -> None:
    ratios = np.log([0.7, 0.9, 1.1, 1.3])
    update = Update(group_size=4, clip_low=0.2, clip_high=0.2, aggregation="token_sum")
    assert values_of(ratios, [1, 1, 1, 1], update) == [0.7, 0.9, 1.1, 0.0]
    assert values_of(ratios, [-1, -1, -1, -1], update) == [0.0, -0.9, -1.1, -1.3]


def test_a_ratio_on_the_bound_is_not_cut() -> None:
    update = Update(group_size=2, clip_low=0.0, clip_high=0.0, aggregation="token_sum")
    assert values_of([0.0, 0.0], [1, -1], update) == [1.0, -1.0]


def test_dual_clip_caps_large_ratios_of_negative_advantages() -> None:
    ratios = np.log([2.9, 3.1, 2.9, 3.1])
    update = Update(group_size=4, clip_high=np.inf, dual_clip=3.0, aggregation="token_sum")
    assert values_of(ratios, [-1, -1, 1, 1], update) == [-2.9, 0.0, 2.9, 3.1]


def test_a_clip_range_of_the_update_replaces_the_rule_s_own() -> None:
    ratios = np.log([1.25, 1.25])
    own = Update(group_size=2, aggregation="token_sum")
    assert values_of(ratios, [1, 1], own) == [0.0, 0.0]
    assert values_of(ratios, [1, 1], own, get_method("dapo")) == [1.25, 1.25]
    assert values_of(ratios, [1, 1], own.model_copy(update={"clip_high": 0.3})) == [1.25, 1.25]


def test_the_three_aggregations_by_hand() -> None:
    """Two queries with groups of two, of lengths (1, 2) and (3, 1): 1/G, 1/(G |o|), 2 queries over 7 tokens."""
    mask = np.array([[[True, False, False], [True, True, False]], [[True, True, True], [True, False, False]]])[None]
    lengths = mask.sum(axis=-1)
    zeros = np.zeros(mask.shape)
    batch = TokenBatch(zeros, zeros, zeros, np.ones(mask.shape), mask, ())
    wanted = {"token_sum": [[0.5, 0.5], [0.5, 0.5]], "token_mean": [[2 / 7] * 2] * 2}
    wanted["sequence_mean"] = [[0.5, 0.25], [1 / 6, 0.5]]
    for name, per_response in wanted.items():
        update = Update(group_size=2, aggregation=name)
        values = coefficients(batch, get_method("grpo"), update, lengths).values[0]
        np.testing.assert_allclose(values, mask[0] * np.array(per_response)[..., None], rtol=1e-12)


def test_the_token_mean_counts_kept_queries_only() -> None:
    mask = np.ones((1, 2, 2, 1), dtype=bool)
    mask[:, 1] = False
    zeros = np.zeros(mask.shape)
    batch = TokenBatch(zeros, zeros, zeros, np.ones(mask.shape), mask, ())
    found = coefficients(batch, get_method("grpo"), Update(group_size=2), np.ones((1, 2, 2)))
    np.testing.assert_allclose(found.values[0, :, :, 0], [[0.5, 0.5], [0.0, 0.0]])


def test_a_bandit_s_arms_count_their_given_lengths() -> None:
    """Arms of 2 and 4 tokens: a token mean over 6 tokens; GSPO's ratio is the root of that length."""
    env = bandit(np.array([[[1.0, 0.0]]]), np.array([2, 4]))
    case = random_case("bandit", np.random.default_rng(14), seeds=1, queries=1)
    state = case.state._replace(logits=np.array([[[[0.4, 0.0]]]]), behaviour=np.array([[[[0.0, 0.0]]]]))
    responses = np.array([[[0, 1]]])
    ratio = np.exp(policy(state.logits).log_probs[0, 0, 0] - np.log(0.5))
    wide = Update(group_size=2, clip_low=1.0, clip_high=np.inf)
    step = step_on_groups(state, env, wide, get_method("dr_grpo"), responses, ())
    np.testing.assert_allclose(step.passes[0].values[0, 0, :, 0], ratio * [0.5, -0.5] / 6, rtol=1e-12)
    update = wide.model_copy(update={"aggregation": "sequence_mean"})
    sequence = replace(get_method("dr_grpo"), ratio="sequence")
    step = step_on_groups(state, env, update, sequence, responses, ())
    roots = ratio ** np.array([1 / 2, 1 / 4])
    np.testing.assert_allclose(step.passes[0].values[0, 0, :, 0], roots * [0.5, -0.5] / [4, 8], rtol=1e-12)


def test_aggregations_agree_where_every_response_has_one_token() -> None:
    case = random_case("bandit", np.random.default_rng(15))
    env = environment(bandit_tree(4), case.env.arm_rewards)
    directions = [
        step_on_groups(
            case.state, env, Update(group_size=5, aggregation=a), get_method("grpo"), case.responses, ()
        ).direction
        for a in ("token_sum", "token_mean", "sequence_mean")
    ]
    np.testing.assert_allclose(directions[1], directions[0], rtol=1e-12)
    np.testing.assert_allclose(directions[2], directions[0], rtol=1e-12)


def test_overlong_penalty_by_hand() -> None:
    """L = 3, c = 2: 0 up to one token, -1/2 at two, -1 from three on; signs +1/-1."""
    tree = token_tree(1, 4)  # responses of 1, 2, 3, 4 and 4 tokens
    env = environment(tree, np.array([[[1.0, 1.0, 0.0, 1.0, 0.0]]]))
    case = random_case("bandit", np.random.default_rng(16), seeds=1, queries=1)
    logits = np.zeros((1, 1, tree.nodes, tree.actions))
    state = case.state._replace(logits=logits, behaviour=logits)
    update = Update(method="dr_grpo", group_size=5, signed_rewards=True, overlong=Overlong(max_length=3, cache=2))
    step = step_on_groups(state, env, update, get_method("dr_grpo"), np.arange(5)[None, None], ())
    assert step.rollouts.rewards[0, 0].tolist() == [1.0, 0.5, -2.0, 0.0, -2.0]
    assert step.rollouts.correct[0, 0].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]
    np.testing.assert_allclose(step.rollouts.advantages[0, 0], np.array([1, 0.5, -2, 0, -2]) + 0.5, rtol=1e-12)


def test_weights_of_zero_leave_the_token_mean_where_a_rule_says_so() -> None:
    batch = one_token_batch([0.0, 0.0, 0.0, 0.0], [1, 1, 1, 1])

    def first_only(tokens: TokenBatch) -> Any:
        return np.arange(4)[None, None, :, None] == 0

    update = Update(group_size=4)
    for normalise, wanted in ((False, 0.25), (True, 1.0)):
        method = replace(get_method("grpo"), token_weights=first_only, normalise_kept=normalise)
        values = coefficients(batch, method, update, np.ones((1, 1, 4))).values[0, 0, :, 0]
        np.testing.assert_allclose(values, [wanted, 0, 0, 0])


def test_nothing_is_read_off_the_mask() -> None:
    batch = one_token_batch([0.0, 50.0], [1, 1], mask=[True, False])
    found = coefficients(batch, get_method("grpo"), Update(group_size=2, aggregation="token_sum"), np.ones((1, 1, 2)))
    assert found.values[0, 0, :, 0].tolist() == [0.5, 0.0]
    assert not found.clipped_high.any()
