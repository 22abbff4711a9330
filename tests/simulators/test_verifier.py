"""A noisy verifier's rates, shared errors, and that its draws are each seed's own and stay aligned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from simulators.verifier import VerifierNoise, observed

ERROR_RATE = 1e-6  # of each statistical test; no seed was chosen
GROUPS, SIZE = 20_000, 4


def truth(rng: np.random.Generator, *, seeds: int = 1, groups: int = GROUPS) -> Any:
    return (rng.random((seeds, groups, SIZE)) < 0.5).astype(float)


def flips(noise: VerifierNoise, *, seed: int = 1) -> tuple[Any, Any]:
    """The truth ``[groups, G]`` and which of it is judged wrongly."""
    rng = np.random.default_rng(seed)
    correct = truth(rng)
    return correct[0], (observed(correct, noise, [rng]) != correct)[0]


def agrees(count: int, trials: int, rate: float) -> bool:
    """A two-sided binomial test."""
    return float(stats.binomtest(count, trials, rate).pvalue) > ERROR_RATE


@pytest.mark.parametrize("shared", [0.0, 0.3])
@pytest.mark.parametrize(("rho0", "rho1"), [(0.2, 0.05), (0.0, 0.4), (0.35, 0.35)])
def test_each_kind_is_judged_wrongly_at_its_own_rate(rho0: float, rho1: float, shared: float) -> None:
    """On one response of each group, which are independent whatever is shared.

    Power: of 10,000 responses of a kind, a rate that is off by .04 lies over eight standard errors away.
    """
    correct, wrong = flips(VerifierNoise(false_positive=rho0, false_negative=rho1, shared=shared))
    for kind, rate in ((0, rho0), (1, rho1)):
        chosen = correct[:, 0] == kind
        count, trials = int(wrong[chosen, 0].sum()), int(chosen.sum())
        assert agrees(count, trials, rate)
        assert not agrees(count, trials, rate + 0.04)


def test_own_errors_are_independent_within_a_group() -> None:
    """Both of two responses err at the product of their rates; a correlation of .1 would be found."""
    _, wrong = flips(VerifierNoise(false_positive=0.2, false_negative=0.2))
    both = int((wrong[:, 0] & wrong[:, 1]).sum())
    assert agrees(both, GROUPS, 0.04)
    assert not agrees(both, GROUPS, 0.04 + 0.1 * 0.16)


@pytest.mark.parametrize("shared", [0.25, 1.0])
def test_shared_errors_come_together(shared: float) -> None:
    """Of equal rates q two responses err together at q (shared + (1 - shared) q)."""
    rate = 0.2
    _, wrong = flips(VerifierNoise(false_positive=rate, false_negative=rate, shared=shared))
    both = int((wrong[:, 0] & wrong[:, 1]).sum())
    expected = shared * rate + (1 - shared) * rate**2
    assert agrees(both, GROUPS, expected)
    assert not agrees(both, GROUPS, expected + 0.03)
    if shared == 1:
        assert (wrong.all(axis=-1) | ~wrong.any(axis=-1)).all()


def test_a_shared_draw_with_unequal_rates_errs_on_the_larger_kind_first() -> None:
    correct, wrong = flips(VerifierNoise(false_positive=0.1, false_negative=0.4, shared=1.0))
    misjudged_wrong_ones = (wrong & (correct == 0)).any(axis=-1)
    right_ones = correct == 1
    assert (wrong[misjudged_wrong_ones] | ~right_ones[misjudged_wrong_ones]).all()


def test_a_verifier_that_always_errs_turns_everything_round() -> None:
    correct, wrong = flips(VerifierNoise(false_positive=1.0, false_negative=1.0))
    assert wrong.all()
    correct, wrong = flips(VerifierNoise(false_positive=0.0, false_negative=1.0))
    np.testing.assert_array_equal(wrong, correct == 1)


def test_without_noise_nothing_is_drawn() -> None:
    rng, untouched = np.random.default_rng(2), np.random.default_rng(2)
    correct = truth(np.random.default_rng(3), groups=5)
    assert observed(correct, None, [rng]) is correct
    assert rng.random() == untouched.random()


@pytest.mark.parametrize(
    "other",
    [
        VerifierNoise(),
        VerifierNoise(false_positive=0.4, false_negative=0.1),
        VerifierNoise(false_positive=0.4, shared=1.0),
    ],
)
def test_draws_of_two_settings_stay_aligned(other: VerifierNoise) -> None:
    """Whatever the rates are, as many numbers are drawn, so that the next update's groups are the same."""
    following = []
    for noise in (VerifierNoise(false_positive=0.1, false_negative=0.2, shared=0.5), other):
        rng = np.random.default_rng(4)
        observed(truth(np.random.default_rng(5), groups=6), noise, [rng])
        following.append(rng.random())
    assert following[0] == following[1]


def test_a_larger_rate_errs_where_a_smaller_one_does() -> None:
    """The same uniform numbers decide, so that errors are nested in the rate."""
    _, few = flips(VerifierNoise(false_positive=0.1, false_negative=0.1, shared=0.5))
    _, many = flips(VerifierNoise(false_positive=0.3, false_negative=0.3, shared=0.5))
    assert not (few & ~many).any()
    assert (many & ~few).any()


def test_errors_of_a_seed_are_its_own() -> None:
    noise = VerifierNoise(false_positive=0.3, false_negative=0.3, shared=0.5)
    correct = truth(np.random.default_rng(6), seeds=3, groups=50)
    together = observed(correct, noise, [np.random.default_rng([7, s]) for s in range(3)])
    for s in (2, 0, 1):
        alone = observed(correct[s : s + 1], noise, [np.random.default_rng([7, s])])
        np.testing.assert_array_equal(alone[0], together[s])
    assert not np.array_equal(together[0] != correct[0], together[1] != correct[1])


def test_mini_batches_have_errors_of_their_own() -> None:
    correct = np.zeros((1, 3, 50, SIZE))
    noise = VerifierNoise(false_positive=0.5)
    verdicts = observed(correct, noise, [np.random.default_rng(8)])
    assert verdicts.shape == correct.shape
    assert not np.array_equal(verdicts[0, 0], verdicts[0, 1])


@pytest.mark.parametrize("name", ["false_positive", "false_negative", "shared"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_rates_outside_0_and_1_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        VerifierNoise(**{name: value})
