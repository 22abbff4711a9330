"""DPH-RL: the derivatives of its divergences, which queries are mastered, and the support of correct arms."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import pytest

from simulators import initial_state, train
from simulators.engine import State
from simulators.environments import bandit, environment
from simulators.methods import get_method
from simulators.methods.regularisers.dph_rl import PULLS
from simulators.optimisers import Moments
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.simulators.cases import TREES, tokens_of
from tests.simulators.methods.given import case_off_its_reference, direction_of, stepped

ALPHA = 0.2


def f(divergence: str, u: float) -> float:
    """The released formulas."""
    if divergence == "forward":
        return u - 1 - log(u)
    if divergence == "js":
        return u * log(u) - (u + 1) * log((u + 1) / 2)
    return (u ** (1 - ALPHA) - (1 - ALPHA) * u - ALPHA) / (ALPHA * (ALPHA - 1))


@pytest.mark.parametrize("divergence", PULLS)
@pytest.mark.parametrize("log_u", [-4.0, -0.5, 0.0, 0.3, 2.0])
def test_pulls_are_derivatives_in_the_log_probability(divergence: str, log_u: float) -> None:
    step = 1e-5
    slope = (f(divergence, exp(log_u + step)) - f(divergence, exp(log_u - step))) / (2 * step)
    found = float(PULLS[divergence](np.array(log_u), ALPHA))
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert f(divergence, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert float(PULLS[divergence](np.array(0.0), ALPHA)) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("divergence", PULLS)
@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_mastered_queries_descend_the_mean_over_stored_tokens(divergence: str, shape: str) -> None:
    """By central differences; queries that are not mastered get GRPO's direction."""
    case = case_off_its_reference(shape, 1)
    answers = np.random.default_rng(2).integers(0, TREES[shape].responses, (2, 3, 8))
    mastered = np.array([[True, False, True], [False, True, False]])
    case = case._replace(state=case.state._replace(memory={"answers": answers, "mastered": mastered}))
    found = direction_of(case, "dph_rl", divergence=divergence, coefficient=0.3)
    grpo = direction_of(case, "dapo")
    np.testing.assert_array_equal(found[~mastered], grpo[~mastered])
    paths = tokens_of(case.env.tree)
    reference = policy(case.state.reference)

    def loss(logits: Any, s: int, q: int) -> float:
        pi = policy(logits)
        tokens = [token for y in answers[s, q] for token in paths[int(y)]]
        ratios = [exp(float(pi.log_probs[s, q][t] - reference.log_probs[s, q][t])) for t in tokens]
        return 0.3 * sum(f(divergence, u) for u in ratios) / len(ratios)

    rng, step = np.random.default_rng(3), 1e-5
    for s, q in np.argwhere(mastered):
        along = np.zeros_like(case.state.logits)
        along[s, q] = rng.normal(size=along[s, q].shape)
        up, down = loss(case.state.logits + step * along, s, q), loss(case.state.logits - step * along, s, q)
        assert (found * along).sum() == pytest.approx((down - up) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_mean_of_forward_under_the_reference_is_kl() -> None:
    """Exact over the arms of a bandit, and so is the mean of its gradient: pi - reference."""
    rng = np.random.default_rng(4)
    pi, reference = (policy(rng.normal(size=(1, 5))).probs[0] for _ in range(2))
    mean = sum(float(r) * f("forward", float(p / r)) for p, r in zip(pi, reference, strict=True))
    assert mean == pytest.approx(float((reference * np.log(reference / pi)).sum()), rel=1e-12)
    pulls = PULLS["forward"](np.log(pi / reference), ALPHA)
    gradient = sum(reference[a] * pulls[a] * (np.eye(5)[a] - pi) for a in range(5))
    np.testing.assert_allclose(gradient, pi - reference, rtol=1e-9, atol=1e-12)


def test_a_query_is_mastered_if_all_stored_answers_are_correct() -> None:
    tree = TREES["tree"]
    right = np.zeros((2, 4, tree.responses))
    right[:, 0] = 1.0
    right[:, 2, 1:] = 1.0
    env = environment(tree, right)
    logits = np.random.default_rng(5).normal(size=(2, 4, tree.nodes, tree.actions))
    update = Update(method="dph_rl", group_size=4)
    step = next(train(initial_state(logits, env), env, update, 1, [np.random.default_rng(s) for s in (6, 7)]))
    memory = step.after.memory
    assert memory is not None
    assert memory["answers"].shape == (2, 4, 8)
    for s, q in np.ndindex(2, 4):
        expected = all(right[s, q, y] == 1 for y in memory["answers"][s, q])
        assert memory["mastered"][s, q] == expected
    assert memory["mastered"][:, 0].all()
    assert not memory["mastered"][:, [1, 3]].any()
    assert not step.rollouts.advantages[memory["mastered"]].any()


def test_stored_answers_leave_the_groups_as_any_other_rule_would_see_them() -> None:
    tree = TREES["tree"]
    env = environment(tree, (np.random.default_rng(8).random((1, 3, tree.responses)) < 0.5).astype(float))
    logits = np.zeros((1, 3, tree.nodes, tree.actions))
    seen = []
    for name in ("dph_rl", "grpo"):
        update = Update(method=name, group_size=4, step_size=1e-9)
        steps = train(initial_state(logits, env), env, update, 3, [np.random.default_rng(9)])
        seen.append([step.rollouts.responses for step in steps])
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("divergence", PULLS)
def test_a_correct_arm_that_was_lost_comes_back(divergence: str) -> None:
    """The reference gives two correct arms half each; the policy has all but lost one of them.

    GRPO leaves it lost, since both are correct; each divergence moves its probability from .01 to above .25.
    """
    reference = np.log(np.array([[[[0.4999, 0.4999, 0.0002]]]]))
    lost = np.log(np.array([[[[0.98, 0.01, 0.01]]]]))
    env = bandit([[[1.0, 1.0, 0.0]]])
    answers = np.array([[[0, 1, 0, 1, 0, 1, 0, 1]]])
    memory = {"answers": answers, "mastered": np.array([[True]])}
    state = State(lost, Moments(), lost, reference=reference, memory=memory)
    options = {"divergence": divergence, "coefficient": 0.2}
    found = {}
    for name, own in (("dph_rl", options), ("grpo", {})):
        rngs = [np.random.default_rng(10)]
        update = Update(method=name, options=own, group_size=8, step_size=4.0)
        *_, last = train(state, env, update, 50, rngs)
        found[name] = float(policy(last.after.logits).probs[0, 0, 0, 1])
    assert found["dph_rl"] > 0.25
    assert found["grpo"] < 0.1


def test_the_clip_range_is_dapo_s_and_the_first_pass_needs_no_memory() -> None:
    method = get_method("dph_rl")
    assert (method.clip_low, method.clip_high) == (0.2, 0.28)
    memory = stepped(case_off_its_reference("tree", 11), method).after.memory
    assert memory is not None
    assert set(memory) == {"answers", "mastered"}
