"""ACE's factor against a plain loop, and how it speeds up the decay of one planted overconfident wrong arm."""

from __future__ import annotations

from math import exp, log1p
from typing import Any

import numpy as np
import pytest

from simulators import update_on_all_groups
from simulators.engine import State
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.optimisers import Moments
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.simulators.methods.given import case_off_its_reference, given_batch, sampled_tokens


@pytest.mark.parametrize("length_normalised", [False, True])
@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_the_factor_is_that_of_a_plain_loop(shape: str, length_normalised: bool) -> None:
    case = case_off_its_reference(shape, 1)
    batch = given_batch(case)
    alpha = 0.7
    weights = get_method("ace", alpha=alpha, length_normalised=length_normalised).token_weights(batch)
    pi, reference = policy(case.state.logits), policy(case.state.reference)
    for place in np.ndindex(case.responses.shape):
        tokens = sampled_tokens(case, place)
        shift = sum(float(pi.log_probs[place[:2]][t] - reference.log_probs[place[:2]][t]) for t in tokens)
        shift = shift / len(tokens) if length_normalised else shift
        negative = batch.advantages[place][0] < 0
        expected = 1 + alpha * log1p(exp(shift)) if negative else 1.0
        np.testing.assert_allclose(weights[place][: len(tokens)], expected, rtol=1e-12)


PLANTED, TIMID = 1, 2  # wrong arms that the policy has four times, and a quarter of, the reference's probability of


def mean_fall(**options: Any) -> Any:
    """Exact expected change of each arm's log-probability in one update."""
    reference = np.log([[[[0.25, 0.125, 0.5, 0.125]]]])
    logits = np.log([[[[0.25, 0.5, 0.125, 0.125]]]])
    env = bandit([[[1.0, 0.0, 0.0, 1.0]]])
    state = State(logits, Moments(), logits, reference=reference)
    update = Update(method="ace", options=options, group_size=4, step_size=0.01)
    step, weights = update_on_all_groups(state, env, update)
    change = policy(step.after.logits).log_probs - policy(logits).log_probs
    return (weights[..., None, None] * change).sum(axis=0)[0, 0, 0]


def test_an_overconfident_wrong_arm_decays_faster() -> None:
    """Its fall grows with alpha, and in a larger proportion than that of a wrong arm of falling confidence."""
    falls = [mean_fall(alpha=alpha) for alpha in (0.0, 0.5, 1.0, 2.0)]
    planted = [-float(fall[PLANTED]) for fall in falls]
    assert 0 < planted[0] < planted[1] < planted[2] < planted[3]
    # What alpha = 2 adds to the push on an arm of its own is proportional to softplus of its shift.
    logits_added = np.array(falls[3]) - np.array(falls[0])
    assert logits_added[PLANTED] < logits_added[TIMID]


def test_the_factor_stays_finite_for_shifts_beyond_the_exponential() -> None:
    batch = given_batch(case_off_its_reference("bandit", 2))
    far = batch._replace(log_probs=batch.log_probs + 2000.0)
    weights = get_method("ace").token_weights(far)
    assert np.isfinite(weights).all()
    assert weights.max() > 1000
