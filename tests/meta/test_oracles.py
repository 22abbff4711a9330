"""The oracles themselves: against numbers worked out by hand, and against each other by another route."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import product

import flint
import pytest

from tests import oracles


def test_quantiles_by_hand() -> None:
    group = [F(3), F(1), F(2), F(2)]
    assert [oracles.lower_quantile(group, F(j, 8)) for j in range(1, 8)] == [1, 1, 2, 2, 2, 2, 3]
    assert oracles.linear_quantile([F(0), F(1)], F(2, 5)) == F(2, 5)
    assert oracles.linear_quantile([F(5)], F(2, 5)) == 5


def test_root_and_deviation_by_hand() -> None:
    assert oracles.root(F(9, 4)) == F(3, 2)
    assert abs(oracles.root(F(2)) ** 2 - 2) < F(1, 10**58)  # cut off after 60 digits
    assert abs(oracles.root(F(2, 10**400)) ** 2 * 10**400 - 2) < F(1, 10**58)
    assert oracles.deviation([F(0), F(2)], "population") == 1
    assert oracles.deviation([F(0), F(1), F(2)], "bessel") == 1


def test_advantages_by_hand() -> None:
    group = [F(1), F(0), F(0), F(0), F(0)]
    assert oracles.advantages(group, "qae", eps=F(0)) == [F(5, 2), 0, 0, 0, 0]
    assert oracles.advantages(group, "grpo", eps=F(0)) == [2, *[F(-1, 2)] * 4]
    assert oracles.advantages(group, "rloo") == [1, *[F(-1, 4)] * 4]
    assert oracles.advantages(group, "neg_mask", eps=F(0)) == [F(5, 2), 0, 0, 0, 0]
    assert oracles.advantages(group, "pos_mask", eps=F(0)) == [F(5, 2), *[F(-5, 2)] * 4]
    assert oracles.masked_advantages([F(1), F(9), F(0)], [True, False, True], "dr_grpo") == [F(1, 2), 0, F(-1, 2)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_gain_of_rloo_style_rules(size: int) -> None:
    assert oracles.gain(F(1, 3), size, "psr") == (1 if size > 1 else 0)
    assert oracles.gain(F(1, 3), size, "dr_grpo") == F(size - 1, size)


def test_softmax_oracles_agree_with_closed_forms() -> None:
    with flint.ctx.workdps(60):
        third = flint.arb(1) / 3
        assert oracles.entropy([0.0, 0.0]).overlaps(flint.arb(2).log())
        # C of (1/3, 2/3): pi_1 pi_2 (pi_2 - pi_1) log 2.
        probs = [third, 2 * third]
        covariance = oracles.covariance(probs, [p.log() for p in probs], probs)
        assert abs(covariance - flint.arb(2).log() * 2 / 27) < flint.arb("1e-50")
        assert oracles.entropy_change([0.0, 0.0], [1.0, 0.0], 0.0).contains(0)


def test_hessian_is_the_derivative_of_the_gradient() -> None:
    # Central differences at 60 digits with a step of 1e-15 are good to 1e-29 or so.
    z, h = [F(1, 3), F(-1, 2), F(1)], F(1, 10**15)
    hessian = oracles.entropy_hessian(z)
    with flint.ctx.workdps(60):
        for i, j in product(range(3), repeat=2):
            e_i, e_j = ([F(int(y == x)) for y in range(3)] for x in (i, j))
            up = oracles.first_order([a + h * b for a, b in zip(z, e_j, strict=True)], e_i)
            down = oracles.first_order([a - h * b for a, b in zip(z, e_j, strict=True)], e_i)
            assert abs((up - down) / (2 * oracles.ball(h)) - hessian[i][j]) < flint.arb("1e-25")


def test_first_order_is_the_derivative_of_the_entropy() -> None:
    z, d, h = [F(1, 3), F(-1, 2), F(1)], [F(1), F(2), F(-1)], F(1, 10**15)
    with flint.ctx.workdps(60):
        central = (oracles.entropy_change(z, d, h) - oracles.entropy_change(z, d, -h)) / (2 * oracles.ball(h))
        assert abs(central - oracles.first_order(z, d)) < flint.arb("1e-25")  # the h^2 term is about 1e-30


def test_expectation_over_groups_has_total_mass_one() -> None:
    mass = oracles.expected_over_groups([0.0, 1.0, 2.0], [1, 0, 0], 2, "grpo", lambda d: flint.arb(1))
    with flint.ctx.workdps(60):
        assert abs(mass - 1) < flint.arb("1e-50")
