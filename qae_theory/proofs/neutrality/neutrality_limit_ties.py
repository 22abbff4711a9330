"""Tie claim ``neutrality-limit`` to the shipped gains, exactly at finite G and in float64, and replay its lemmas.

The proof is in ``neutrality_limit``; the binomial sums are written here once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import comb, pi, sqrt
from typing import Any

import numpy as np
import sympy

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.group_expectation import OutcomeAdvantages, expected_gain, gain
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.tools.checking import all_zero, for_all, rational
from qae_theory.proofs.tools.rule_formulas import exactly_equal

LEVELS = (Fraction(1, 5), Fraction(2, 5), Fraction(1, 2), Fraction(11, 20), Fraction(9, 10))
# From rare to frequent success, some of them at a threshold 1 - K of ``LEVELS``.
PROBABILITIES = tuple(Fraction(p) for p in ("1/50", "1/10", "2/5", "9/20", "1/2", "3/5", "4/5", "19/20"))


def group_form_steps() -> tuple[Step, ...]:
    """Return the ties of the shipped gains to expectations over the group's success rate."""
    return (
        Step(
            says=r"Tie: the shipped `gain`, on symbolic $p$, $c_m$ and $w_m$, is that sum over groups.",
            check=partial(_symbolic_group_form, shift=0),
            planted="m + 1 for m in the success rate",
            control=partial(_symbolic_group_form, shift=1),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `expected_gain` is $E[T(\hat p)]$ for GRPO and $E[F(\hat p)]$ for QAE, exactly.",
            check=partial(_shipped_group_form, flip=False),
            planted="K for 1 - K in F",
            control=partial(_shipped_group_form, flip=True),
            tie=True,
        ),
    )


def mean_deviation_step() -> Step:
    """Return the lemma that bounds the mean deviation of a success rate from above, with its replay."""
    return Step(
        says=r"**The mean deviation.** $E|\hat p - p| \le \sqrt{E(\hat p - p)^2} = s/\sqrt G$. Replayed "
        r"exactly.",
        check=partial(_mean_deviation, power=1),
        planted="s^2 / G, the variance itself",
        control=partial(_mean_deviation, power=2),
        citation="Cauchy-Schwarz; the variance of a mean of G iid Bernoulli variables is p(1-p)/G "
        "(W. Feller, An Introduction to Probability Theory and Its Applications, vol. 1)",
    )


def mean_deviation_below_step() -> Step:
    """Return the lemma that bounds the mean deviation of a success rate from below, with its replay."""
    return Step(
        says=r"**The mean deviation from below.** Hoelder: $E X^2 \le (E|X|)^{2/3}(E X^4)^{1/3}$, so where "
        r"$Gs^2 \ge 1$, $(E|\hat p-p|)^2 \ge (s^2/G)^3/(4s^4/G^2) = s^2/(4G)$. Replayed exactly.",
        check=partial(_mean_deviation_below, constant=4),
        planted="s^2 / G",
        control=partial(_mean_deviation_below, constant=1),
        citation="Hoelder's inequality (W. Rudin, Real and Complex Analysis)",
    )


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `neutrality-limit` to the shipped gains."""
    return (
        Step(
            says="Tie: the shipped `expected_gain` obeys both bounds of the limit, for many $G$, $K$ and $p$.",
            check=partial(_shipped_limit, rate=0.5),
            planted="rate 1/G",
            control=partial(_shipped_limit, rate=1.0),
            tie=True,
        ),
        Step(
            says=r"Tie: at $p = 1-K$ the shipped `expected_gain` obeys both bounds, its fitted slope is $-1/2$, and "
            r"$s^2\sqrt G(1/s - w)$ is close to $1/\sqrt{2\pi}$, which a central limit theorem gives.",
            check=partial(_shipped_rate, at=lambda k: 1 - k),
            planted="p = K",
            control=partial(_shipped_rate, at=lambda k: k),
            tie=True,
        ),
        Step(
            says="Tie: the fourth central moment of a success rate, summed over its binomial law, is the formula.",
            check=partial(_fourth_moments, shift=2),
            planted="G - 1 for G - 2",
            control=partial(_fourth_moments, shift=1),
            tie=True,
        ),
    )


def _shipped_group_form(effort: Effort, *, flip: bool) -> Finding:
    """Find whether the shipped gains are E[T] and E[F] over the group's success rate, exactly."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size, p, k in product(range(1, effort.pick(13, 7)), PROBABILITIES[1:4], LEVELS):
            # The control takes the wrong side of the gate.
            level = 1 - k if flip else k
            yield f"grpo, G={size}, p={p}", expected_gain(p, size, "grpo", eps=0), group_form("grpo", p, size, level)
            shipped = expected_gain(p, size, "qae", k=k, eps=0)
            yield f"qae, K={k}, G={size}, p={p}", shipped, group_form("qae", p, size, level)

    return exactly_equal(cases(), "G, three p, five K")


def _symbolic_group_form(effort: Effort, *, shift: int) -> Finding:
    """Find whether the shipped gain of a symbolic table is the sum over groups."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for n in range(1, effort.pick(8, 6)):
        c, w = (sympy.symbols(f"{side}0:{n + 1}") for side in "cw")
        form = sympy.S(0)
        for m in range(n + 1):
            # The binomial law of m, written from its definition.
            weight, x = comb(n, m) * p**m * (1 - p) ** (n - m), sympy.Rational(m + shift, n)
            form += weight * (x * c[m] / p - (1 - x) * w[m] / (1 - p))
        residuals.append(expression(gain(scalar(p), OutcomeAdvantages(formulas(c), formulas(w)))) - form)
    return all_zero(residuals)


def group_form(rule: str, p: Fraction, size: int, k: Fraction) -> Any:
    """Return E[T(m/G)] for GRPO or E[F(m/G)] for QAE, exactly (the integrands of claim ``neutrality-limit``).

    Args:
        rule: ``grpo`` or ``qae``.
        p: success probability.
        size: G.
        k: quantile level K, which GRPO does not read.
    """
    total = sympy.S(0)
    for m, weight in binomial_weights(p, size):
        x = Fraction(m, size)
        if rule == "grpo":
            value = sympy.sqrt(rational(x * (1 - x))) / rational(p * (1 - p))
        elif x <= 1 - k:
            value = sympy.sqrt(rational(x / (1 - x))) / rational(p)
        else:
            value = sympy.sqrt(rational((1 - x) / x)) / rational(1 - p)
        total += rational(weight) * value
    return total


def binomial_weights(p: Fraction, size: int) -> Iterator[tuple[int, Fraction]]:
    """Yield each m = 0..G with its probability C(G, m) p^m (1 - p)^(G - m), exactly.

    Args:
        p: success probability.
        size: G.
    """
    for m in range(size + 1):
        yield m, comb(size, m) * p**m * (1 - p) ** (size - m)


def _mean_deviation(effort: Effort, *, power: int) -> Finding:
    """Find whether the mean deviation is at most the root of the variance p (1 - p)/G, exactly."""

    def cases() -> Iterator[tuple[str, bool]]:
        for p, size in product(PROBABILITIES, range(1, effort.pick(65, 17))):
            square = p * (1 - p) / size
            yield f"p={p}, G={size}", _moment(p, size, 2) == square and _deviation(p, size) ** 2 <= square**power

    return for_all(cases(), "eight p, every G")


def _mean_deviation_below(effort: Effort, *, constant: int) -> Finding:
    """Find whether the mean deviation is at least s/sqrt(constant G) where G s^2 >= 1, exactly."""

    def cases() -> Iterator[tuple[str, bool]]:
        for p, size in product(PROBABILITIES, range(1, effort.pick(65, 17))):
            if size * p * (1 - p) >= 1:
                yield f"p={p}, G={size}", _deviation(p, size) ** 2 >= p * (1 - p) / (constant * size)

    return for_all(cases(), "eight p, every G >= 1/s^2")


def _deviation(p: Fraction, size: int) -> Fraction:
    """Return E|m/G - p|."""
    return sum((weight * abs(Fraction(m, size) - p) for m, weight in binomial_weights(p, size)), Fraction(0))


def _moment(p: Fraction, size: int, power: int) -> Fraction:
    """Return E (m/G - p)^power."""
    return sum((weight * (Fraction(m, size) - p) ** power for m, weight in binomial_weights(p, size)), Fraction(0))


def _fourth_moments(effort: Effort, *, shift: int) -> Finding:
    """Find whether the fourth central moment, summed over the binomial law, is the formula."""

    def cases() -> Iterator[tuple[str, bool]]:
        for p, size in product(PROBABILITIES, range(1, effort.pick(17, 9))):
            square = p * (1 - p)
            formula = square * (1 + 3 * (size - shift) * square) / Fraction(size) ** 3
            yield f"p={p}, G={size}", _moment(p, size, 4) == formula

    return for_all(cases(), "eight p, every G")


def _shipped_limit(effort: Effort, *, rate: float) -> Finding:
    """Find whether the shipped gains are within C/G^rate of the limit."""
    sizes = effort.pick((2, 3, 10, 64, 500, 4096), (2, 10, 64, 1024))
    return for_all(_limit_cases(sizes, rate), f"G in {sizes}, eight p, five K")


def _limit_cases(sizes: tuple[int, ...], rate: float) -> Iterator[tuple[str, bool]]:
    """Yield whether each gap of a shipped gain to the limit is within its bound."""
    p = np.array([float(x) for x in PROBABILITIES])
    limit = 1 / np.sqrt(p * (1 - p))
    for size in sizes:
        gap = np.abs(expected_gain(p, size, "grpo", eps=0) - limit)
        yield f"grpo, G={size}", bool(np.all(gap <= limit**2 / size**rate))
        for k in LEVELS:
            # The constant C of the limit for QAE.
            widest = np.maximum(1 / (float(k) * p), 1 / ((1 - float(k)) * (1 - p)))
            gap = np.abs(expected_gain(p, size, "qae", k=k, eps=0) - limit)
            yield f"qae, K={k}, G={size}", bool(np.all(gap <= widest / size**rate))


def _shipped_rate(effort: Effort, *, at: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped gap at p = 1 - K has the rate G^(-1/2) and the constant of the central limit theorem."""
    sizes = [2**power for power in range(5, effort.pick(13, 11))]
    cases = []
    for k in LEVELS:
        p = float(at(k))
        square = p * (1 - p)
        gaps = np.array([1 / sqrt(square) - float(expected_gain(p, size, "qae", k=k, eps=0)) for size in sizes])
        scaled = gaps * np.sqrt(sizes) * square
        # The lower bound is claimed where G s^2 >= 1.
        inside = [size * square < 1 or 1 / 8 <= value <= 1 for size, value in zip(sizes, scaled.tolist(), strict=True)]
        cases.append((f"bounds, K={k}", all(inside)))
        slope = np.polyfit(np.log(sizes[-4:]), np.log(np.abs(gaps[-4:])), 1)[0]
        # The next term is smaller by G^(-1/2) or 1/G: a few per cent at these G.
        cases.append((f"slope {slope:.3f}, K={k}", abs(slope + 0.5) < 0.05))
        cases.append((f"constant, K={k}", abs(scaled[-1] * sqrt(2 * pi) - 1) < 0.05))
    return for_all(cases, f"five K, G to {sizes[-1]}")
