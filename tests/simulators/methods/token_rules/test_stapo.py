"""STAPO's mask against a plain loop, the two bounds on a token's gradient, and the spikes that the mask takes away."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from simulators.engine import State, step_on_groups
from simulators.environments import bandit
from simulators.methods import TokenBatch, get_method
from simulators.methods.token_rules.tokens import linear_quantile
from simulators.optimisers import Moments
from simulators.tabular import kernels
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.simulators.methods.given import case_off_its_reference, given_batch


def plain_mask(batch: TokenBatch, s: int, rare: float, level: float) -> dict[tuple[int, ...], bool]:
    """Which of seed s's valid tokens are dropped."""
    assert batch.context is not None
    places = [tuple(int(i) for i in place) for place in np.argwhere(batch.mask[s])]
    low = [place for place in places if exp(batch.log_probs[s][place]) < rare]
    entropies = sorted(float(batch.entropies[s][p]) for p in low if batch.context.verdicts[s][p[:2]] == 1)
    dropped = dict.fromkeys(places, False)
    if entropies:
        place = level * (len(entropies) - 1)
        below = int(place)
        above = min(below + 1, len(entropies) - 1)
        limit = entropies[below] + (place - below) * (entropies[above] - entropies[below])
        for token in low:
            dropped[token] = bool(batch.advantages[s][token] > 0 and batch.entropies[s][token] < limit)
    return dropped


@pytest.mark.parametrize("shape", ["bandit", "tree", "line"])
@pytest.mark.parametrize("level", [0.0, 0.5, 0.75, 1.0])
def test_the_mask_is_that_of_a_plain_loop(shape: str, level: float) -> None:
    batch = given_batch(case_off_its_reference(shape, 3, queries=6, group_size=8))
    weights = get_method("stapo", rare=0.4, level=level).token_weights(batch)
    dropped = 0
    for s in range(len(weights)):
        for place, drop in plain_mask(batch, s, 0.4, level).items():
            assert weights[s][place] == (0.0 if drop else 1.0)
            dropped += drop
    assert dropped > 0 or level == 0.0  # nothing is below the least entropy


def test_the_paper_s_values_and_normaliser() -> None:
    method = get_method("stapo")
    assert (method.clip_low, method.clip_high, method.normalise_kept) == (0.2, 0.28, True)
    assert not get_method("stapo", normaliser="all").normalise_kept
    batch = given_batch(case_off_its_reference("bandit", 4, queries=2, group_size=6))
    # Two tokens at .0019 and .0021 differ at the bound .002 alone.
    probs = np.full(batch.mask.shape, 0.5)
    probs[:, 0, 0], probs[:, 0, 1] = 0.0019, 0.0021
    context = batch.context
    assert context is not None
    verdicts = np.ones_like(context.verdicts)
    entropies = np.where(np.arange(6) < 2, 0.1, 0.2)[None, None, :, None] * np.ones(batch.mask.shape)
    # A second rare token of higher entropy, whose presence puts the first below the quantile.
    probs[:, 1, 4] = 0.0019
    planted = batch._replace(
        log_probs=np.log(probs),
        entropies=entropies,
        advantages=np.ones(batch.mask.shape),
        context=context._replace(verdicts=verdicts),
    )
    weights = method.token_weights(planted)
    assert [tuple(place) for place in np.argwhere(weights[0] == 0)] == [(0, 0, 0)]


def test_quantiles_are_numpy_s_and_an_empty_one_has_nothing_below() -> None:
    rng = np.random.default_rng(5)
    values, valid = rng.normal(size=(3, 24)), rng.random((3, 24)) < 0.5
    valid[2] = False
    for level in (0.0, 0.1, 0.5, 0.75, 1.0):
        found = linear_quantile(values, valid, level)
        for s in range(2):
            assert found[s] == pytest.approx(np.quantile(values[s][valid[s]], level), rel=1e-12)
        assert found[2] == -np.inf


def bounds(probs: np.ndarray, token: int) -> tuple[float, float, float]:
    """Lower bound, engine's squared norm and upper bound of a token's gradient at w = 1."""
    n = len(probs)
    logits = np.log(probs)[None, None]
    pi = policy(logits)
    direction = kernels.push(np.ones((1, 1, 1)), np.array([[token]]), cells=np.arange(n)[:, None], probs=pi.probs)
    entropy = -sum(float(p) * log(p) for p in probs)
    c = (n - 1) / (n * log(n) ** 2)
    own = float(probs[token])
    return 1 - 2 * own + exp(-entropy), float(np.square(direction).sum()), 2 - 2 * own - c * entropy**2


def test_both_bounds_hold_for_every_policy_and_are_reached() -> None:
    rng = np.random.default_rng(6)
    for n in (2, 3, 5, 50):
        for temperature in (0.0, 0.1, 1.0, 5.0):
            z = temperature * rng.normal(size=n)
            probs = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            lower, norm, upper = bounds(probs, int(rng.integers(n)))
            # 1e-12 is far above the rounding of numbers below 2.
            assert lower <= norm + 1e-12
            assert norm <= upper + 1e-12
            if temperature == 0.0:  # the uniform policy reaches both: no larger constant would do
                assert lower == pytest.approx(norm, rel=1e-12)
                assert upper == pytest.approx(norm, rel=1e-12)


def test_spikes_fall() -> None:
    """Three quarters of the rare tokens at confident nodes lose their gradient, and no other token does.

    Eight queries have a node that is ever less confident, and a correct rare arm that was sampled once: its squared
    norm is near 2 w^2, and below .002 w^2 for the common arm.
    """
    rare = np.geomspace(1e-5, 1.9e-3, 8)
    probs = np.stack([1 - 3 * rare, rare, rare, rare], axis=-1)
    logits = np.log(probs)[None, :, None, :]
    env = bandit(np.broadcast_to(np.array([0.0, 1.0, 0.0, 0.0]), (1, 8, 4)))
    responses = np.broadcast_to(np.array([1, 0, 0, 0]), (1, 8, 4))
    state = State(logits, Moments(), logits)
    squares = {}
    for name in ("stapo", "dapo"):
        step = step_on_groups(
            state, env, Update(aggregation="token_sum"), method=get_method(name), responses=responses, rngs=()
        )
        own = np.take_along_axis(probs[None], responses, axis=-1)
        squares[name] = step.passes[0].values[..., 0] ** 2 * (1 - 2 * own + np.square(probs).sum(axis=-1)[..., None])
    spikes = squares["dapo"] > 0.01
    assert spikes.sum() == 8
    assert (squares["stapo"][spikes] > 0).sum() == 2
    assert not squares["stapo"][spikes][:6].any()
    np.testing.assert_array_equal(squares["stapo"][~spikes], squares["dapo"][~spikes])
