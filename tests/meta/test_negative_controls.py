"""The property tests reject what is slightly wrong, each for its own reason.

Each control is one token away from the truth: a flipped inequality, K for 1 - K, the mean for the quantile, Bessel for
population, a wrong constant.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from itertools import product
from typing import Any

import numpy as np
import pytest

import qae_theory
from tests import oracles
from tests.assertions import assert_close
from tests.qae_theory import shipped

LEVELS = (F(2, 5), F(1, 2), F(2, 3), F(9, 10))
GROUPS = [group for size in (2, 3, 5) for group in product((0, 1), repeat=size) if 0 < sum(group) < size]
GROUPS.append((1,) + (0,) * 9)  # at K = .9 on the threshold, where binary floats go wrong
Rule = Callable[[tuple[int, ...], F], Any]


def shipped_rule(group: tuple[int, ...], k: F) -> Any:
    return qae_theory.advantages(group, "qae", k=k)


def gate_acts_on_one_side(rule: Rule) -> None:
    """Hard groups push successes up and leave failures; easy groups the other way round."""
    for group, k in product(GROUPS, LEVELS):
        hard = F(sum(group), len(group)) <= 1 - k
        expected = [(1 if r else 0) if hard else (0 if r else -1) for r in group]
        assert np.sign(rule(group, k)).tolist() == expected, f"signs of {group} at K = {k}"


def advantages_are_as_defined(rule: Rule) -> None:
    for group, k in product(GROUPS, LEVELS):
        assert_close(rule(group, k), oracles.advantages([F(r) for r in group], "qae", k=k))


def flipped_inequality(group: tuple[int, ...], k: F) -> Any:
    hard = F(sum(group), len(group)) >= 1 - k
    return np.array([r - (0 if hard else 1) for r in group]) / (np.std(group) + 1e-6)


def strict_inequality(group: tuple[int, ...], k: F) -> Any:
    hard = F(sum(group), len(group)) < 1 - k
    return np.array([r - (0 if hard else 1) for r in group]) / (np.std(group) + 1e-6)


CONTROLS: dict[str, Rule] = {
    "a flipped inequality": flipped_inequality,
    "a strict inequality": strict_inequality,
    "1 - K for K": lambda group, k: qae_theory.advantages(group, "qae", k=1 - k),
    "the mean for the quantile": lambda group, k: qae_theory.advantages(group, "grpo"),
    "interpolation for the order statistic": lambda group, k: qae_theory.advantages(group, "qae_linear", k=k),
    "a floating-point gate": lambda group, k: (
        np.array([r - float(np.mean(group) > 1 - float(k)) for r in group]) / (np.std(group) + 1e-6)
    ),
}


def test_the_shipped_rule_passes() -> None:
    gate_acts_on_one_side(shipped_rule)
    advantages_are_as_defined(shipped_rule)


@pytest.mark.parametrize("control", CONTROLS)
def test_wrong_gates_are_rejected_for_their_signs(control: str) -> None:
    with pytest.raises(AssertionError, match="signs of"):
        gate_acts_on_one_side(CONTROLS[control])


@pytest.mark.parametrize(
    ("control", "wrong"),
    [
        ("Bessel for population", {"std": "bessel"}),
        ("eps left out", {"eps": 0}),
        ("another eps", {"eps": 1e-5}),
    ],
)
def test_wrong_scales_pass_the_gate_and_are_rejected_for_their_values(control: str, wrong: dict[str, Any]) -> None:
    def rule(group: tuple[int, ...], k: F) -> Any:
        return qae_theory.advantages(group, "qae", k=k, **wrong)

    gate_acts_on_one_side(rule)
    with pytest.raises(AssertionError, match="expected"):
        advantages_are_as_defined(rule)


def brackets_are_those_of_the_claim() -> None:
    for n in (2, 5, 151_936):
        assert_close(np.array(shipped("entropy_change").curvature_brackets(n)), list(oracles.curvature_brackets(n)))


def test_a_wrong_constant_in_the_remainder_bound_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    brackets_are_those_of_the_claim()
    module = shipped("entropy_change")
    monkeypatch.setattr(module, "THIRD_MOMENT_CONSTANT", module.THIRD_MOMENT_CONSTANT * 1.001)
    with pytest.raises(AssertionError, match="expected"):
        brackets_are_those_of_the_claim()


def test_a_bound_that_is_too_tight_is_broken_by_some_step(monkeypatch: pytest.MonkeyPatch) -> None:
    module = shipped("entropy_change")
    z, d = np.log([0.05, 0.95]), [1.0, 0.0]
    etas = [0.05, 0.1, 0.2, -0.05, -0.1, -0.2]

    def broken() -> bool:
        lower, upper = qae_theory.entropy_change_bounds(z, d, etas, method="brackets")
        truth = qae_theory.entropy_change(z, d, etas)
        return bool(((truth < lower) | (truth > upper)).any())

    assert not broken()
    real = module.curvature_brackets
    monkeypatch.setattr(module, "curvature_brackets", lambda n: tuple(x / 10 for x in real(n)))
    assert broken()
