"""Corrections for noisy verifiers: exact tables, exact mean steps under noise, and gate misrouting against draws."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from qae_theory.baselines import is_hard_group
from qae_theory.group_expectation import gain
from simulators import Update
from simulators.methods import get_method
from simulators.methods.baselines.noisy_verifier import corrected_level, gate_misrouting
from simulators.outcomes import outcome_table
from simulators.verifier import VerifierNoise, observed
from tests.assertions import refuses

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
RATES = [(0.1, 0.2), (0.0, 0.3), (0.4, 0.25)]
GROUPS = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("std", ["population", "bessel"])
def test_backward_correction_is_a_no_op_under_standardisation(rates: tuple[float, float], std: str) -> None:
    corrected = get_method("backward_corrected", false_positive=rates[0], false_negative=rates[1], std=std, eps=0.0)
    grpo = get_method("grpo", std=std, eps=0.0)
    np.testing.assert_allclose(corrected.advantages(GROUPS), grpo.advantages(GROUPS), **CLOSE)


def test_a_verifier_worse_than_chance_is_turned_round() -> None:
    corrected = get_method("backward_corrected", false_positive=0.8, false_negative=0.7, eps=0.0)
    np.testing.assert_allclose(corrected.advantages(GROUPS), -get_method("grpo", eps=0.0).advantages(GROUPS), **CLOSE)


def mean_gain(method: Any, p: float, rates: tuple[float, float], size: int) -> float:
    """E[A | correct] - E[A | wrong], with the truth as the condition and verdicts in the group, by plain sums."""
    table = outcome_table(method, size)
    accepted = rates[0] + (1 - rates[0] - rates[1]) * p

    def given_verdict(verdict: int) -> float:
        total = 0.0
        for others in range(size):
            weight = comb(size - 1, others) * accepted**others * (1 - accepted) ** (size - 1 - others)
            total += weight * float((table.correct if verdict else table.wrong)[others + verdict])
        return total

    right = (1 - rates[1]) * given_verdict(1) + rates[1] * given_verdict(0)
    wrong = rates[0] * given_verdict(1) + (1 - rates[0]) * given_verdict(0)
    return right - wrong


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("p", [0.15, 0.7])
def test_what_errors_do_to_the_mean_step_and_what_corrections_undo(rates: tuple[float, float], p: float) -> None:
    """Errors scale it by J; the unstandardised backward correction undoes that, the forward one leaves J."""
    size, factor = 6, 1 - rates[0] - rates[1]
    named = {"false_positive": rates[0], "false_negative": rates[1]}
    rloo = mean_gain(get_method("dr_grpo"), p, rates, size)
    assert rloo == pytest.approx(factor * (size - 1) / size, rel=1e-12)
    corrected = mean_gain(get_method("backward_corrected", std="none", **named), p, rates, size)
    assert corrected == pytest.approx((size - 1) / size, rel=1e-12)
    forward = get_method("forward_corrected", false_negative=rates[1])
    assert mean_gain(forward, p, rates, size) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("rates", RATES)
def test_forward_correction_leaves_correct_responses_alone_in_the_mean(rates: tuple[float, float]) -> None:
    accepted, rejected = get_method("forward_corrected", false_negative=rates[1]).advantages([1.0, 0.0])
    assert (1 - rates[1]) * accepted + rates[1] * rejected == pytest.approx(0, abs=1e-15)
    assert rates[0] * accepted + (1 - rates[0]) * rejected == pytest.approx(rates[0] + rates[1] - 1, rel=1e-12)


def test_without_errors_they_are_grpo_nsr_and_qae() -> None:
    none = {"false_positive": 0, "false_negative": 0}
    for name, options, plain in (
        ("backward_corrected", none, "grpo"),
        ("forward_corrected", {"false_negative": 0}, "nsr"),
        ("qae_noisy", none, "qae"),
    ):
        wanted = get_method(plain).advantages(GROUPS)
        np.testing.assert_array_equal(get_method(name, **options).advantages(GROUPS), wanted)


@pytest.mark.parametrize("rates", [("1/10", "1/5"), ("0", "0.3"), ("0.4", "0.25")])
@pytest.mark.parametrize("k", ["0.2", "0.4", "0.75"])
def test_the_corrected_threshold_lies_at_the_true_rate(rates: tuple[str, str], k: str) -> None:
    """Exactly: verdicts at rho_0 + J p are hard at K' iff p <= 1 - K; at K they turn at (1 - K - rho_0)/J."""
    accepts, rejects = (Fraction(rate) for rate in rates)
    factor = 1 - accepts - rejects
    level = corrected_level(k, float(accepts), float(rejects))
    for percent in range(101):
        p = Fraction(percent, 100)
        seen = accepts + factor * p
        assert (seen <= 1 - level) == (p <= 1 - Fraction(k))
        assert (seen <= 1 - Fraction(k)) == (p <= (1 - Fraction(k) - accepts) / factor)


def test_qae_noisy_is_qae_at_the_corrected_level() -> None:
    wanted = get_method("qae", k="12/25").advantages(GROUPS)
    np.testing.assert_array_equal(get_method("qae_noisy").advantages(GROUPS), wanted)
    assert gain(0.3, outcome_table(get_method("qae_noisy"), 5)) == gain(
        0.3, outcome_table(get_method("qae", k="12/25"), 5)
    )
    Update(method="qae_noisy")  # fit for training


QUERIES, DRAWS = 20, 20_000
ERROR_RATE = 1e-6  # for all queries of one case together (Bonferroni)


@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("rho0", "rho1"), [(0.2, 0.1), (0.05, 0.35), (0.3, 0.3)])
def test_misrouting_is_that_of_drawn_groups(rho0: float, rho1: float, shared: float) -> None:
    """Power: an error of .03 in a probability is over six standard errors, and is found in all but 1 in 1,000 cases."""
    p = np.linspace(0.025, 0.975, QUERIES)
    named = {"false_positive": rho0, "false_negative": rho1, "shared": shared}
    rng = np.random.default_rng(3)
    correct = (rng.random((1, QUERIES, DRAWS, 8)) < p[:, None, None]).astype(float)
    verdicts = observed(correct, VerifierNoise(**named), [rng])[0]
    level = corrected_level("0.4", rho0, rho1)
    for gate in (Fraction(2, 5), level):
        hard = is_hard_group(verdicts.sum(axis=-1).astype(int), 8, gate)
        wrong = np.where(p[:, None] <= 0.6, ~hard, hard).sum(axis=-1)
        predicted = gate_misrouting(p, 8, k="0.4", level=gate, **named)
        assert consistent(wrong, predicted)
        assert not consistent(wrong, np.clip(predicted + 0.03, 0, 1))


def consistent(counts: Any, probs: Any) -> bool:
    """Two-sided binomial tests of all queries."""
    low, high = stats.binom.cdf(counts, DRAWS, probs), stats.binom.sf(counts - 1, DRAWS, probs)
    return bool((np.minimum(low, high) > ERROR_RATE / 2 / QUERIES).all())


def test_misrouting_without_errors_is_the_binomial_tail() -> None:
    """theory.md's number: V = .5, K = .4, G = 16 has .227."""
    assert float(gate_misrouting(0.5, 16, k="0.4")) == pytest.approx(0.227, abs=5e-4)


def test_only_the_corrected_gate_stops_misrouting_as_groups_grow() -> None:
    """A query between the two thresholds: uncorrected the error tends to 1, corrected to 0; shared errors stay."""
    rates = {"false_positive": 0.3, "false_negative": 0.0}
    level = corrected_level("0.4", 0.3, 0.0)
    p = 0.5  # hard at K = .4, but seen at .65
    errors = {
        gate: [float(gate_misrouting(p, size, k="0.4", level=gate, **rates)) for size in (8, 64, 512)]
        for gate in (None, level)
    }
    assert errors[None][0] < errors[None][1] < errors[None][2]
    assert errors[None][2] > 0.95
    assert errors[level][0] > errors[level][1] > errors[level][2]
    assert errors[level][2] < 0.01
    stays = float(gate_misrouting(p, 512, k="0.4", level=level, shared=1.0, **rates))
    assert stays > 0.25


@pytest.mark.parametrize(
    ("name", "options", "wrong"),
    [
        ("backward_corrected", {"false_positive": 1.2}, "false_positive"),
        ("backward_corrected", {"false_positive": 0.4, "false_negative": 0.6}, "false_negative"),
        ("backward_corrected", {"std": "batch"}, "std"),
        ("backward_corrected", {"eps": -1.0}, "eps"),
        ("forward_corrected", {"false_negative": -0.1}, "false_negative"),
        ("qae_noisy", {"false_positive": 0.6, "false_negative": 0.6}, "false_negative"),
        ("qae_noisy", {"k": "1"}, "k"),
        ("qae_noisy", {"eps": float("nan")}, "eps"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], wrong: str) -> None:
    refuses(lambda: get_method(name, **options), wrong, options[wrong])


@pytest.mark.parametrize("name", ["backward_corrected", "forward_corrected"])
def test_other_rewards_than_0_and_1_are_refused(name: str) -> None:
    assert get_method(name).binary_only
    refuses(lambda: get_method(name).advantages([1.0, -1.0]), "rewards", [1.0, -1.0])
