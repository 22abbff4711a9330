"""Prove claim ``remainder``: eta h_1 - (eta rho)^2 L_- / 2 <= Delta H <= eta h_1 + (eta rho)^2 L_+ / 2.

rho is the spread max d - min d of the direction, and L_- and L_+ bound the second derivative of entropy along the step
on n arms. SymPy does the derivatives on any number of arms, z3 and ball arithmetic the inequalities. The lemma on
variance and third moment is in ``remainder_joint_lemma``, the ties of the shipped bounds are in ``remainder_ties``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import flint
import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import (
    curvature_brackets,
    entropy_change,
    first_order_entropy_change,
    second_order_entropy_change,
)
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, LOG_PROB, X, Y
from qae_theory.proofs.carriers.series import first_coefficients, moving_logits
from qae_theory.proofs.entropy_change import remainder_joint_lemma as joint_lemma
from qae_theory.proofs.entropy_change import remainder_ties as bounds_ties
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import policies
from qae_theory.proofs.tools.checking import all_zero, ball, both, certainly_positive, for_all, valid, zero
from qae_theory.softmax import covariance, entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "remainder",
            "joint-lemma",
            Kind.PROOF,
            Role.FOR,
            (*_curvature(), *joint_lemma.steps(), *_split(), *_brackets(), *_taylor(), *bounds_ties.steps()),
        )
    )


def _curvature() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Derivatives of moments as in claim `identity`. Applied twice to the shipped `entropy`, run on "
            r"any number of arms, they give $\varphi'' = -\mathrm{Var}(d) - E[(\log\pi - E\log\pi)(d - E "
            r"d)^2]$, which is what the shipped `second_order_entropy_change` returns on the same arms. With "
            r"$X = -\log\pi$, $D = d - E d$ and $V = E D^2$: $\varphi'' = -V + \mathrm{Cov}(X, D^2)$. It "
            r"holds at every $t$, as $\mathrm{softmax}(z + td)$ is a softmax policy.",
            check=partial(_second_derivative, sign=-1),
            planted="+Var(d)",
            control=partial(_second_derivative, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$\varphi''$ is $\rho^2$ times its value for $(d - \min d)/\rho \in [0,1]$: a shift drops out, "
            r"a factor comes out squared (shipped function, any number of arms). If $\rho = 0$, "
            r"$\varphi'' = 0$. So let $d \in [0,1]$.",
            check=partial(_scaling, power=2),
            planted="a factor comes out once",
            control=partial(_scaling, power=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped second-order change on floats and balls is twice the second coefficient of the "
            r"shipped `entropy` run on power series.",
            check=partial(_automatic, factor=2),
            planted="the coefficient itself",
            control=partial(_automatic, factor=1),
            tie=True,
        ),
    )


def _split() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Split at a level $T \ge 0$: $X = Y + Z$ with $Y = \min(X, T)$ and $Z = \max(X - T, 0)$. By "
            r"linearity $\varphi'' = -V + \mathrm{Cov}(Y, D^2) + E[Z D^2] - E[Z]\,V$.",
            check=partial(_linear_split, sign=-1),
            planted="plus E[Z] V",
            control=partial(_linear_split, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"An arm adds $p(-\log p - T)$ to $E Z$ if that is positive. With $p = e^{-T-1}q$ it is $e^{-T-1}(q "
            r"- q\log q)$, at most $e^{-T-1}$ because $\log(1/q) \le 1/q - 1$ (the named lemma of claim "
            r"`self-covariance`). So $E Z \le n\,e^{-T-1}$.",
            check=partial(_tail, most=1),
            planted="at most e^(-T-1)/2",
            control=partial(_tail, most=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $0 \le D^2 \le 1$, $0 \le Z$ and $0 \le V$: $-\varphi'' \le (1 + E Z)\,V + "
            r"|\mathrm{Cov}(Y, D^2)|$ and $\varphi'' \le -V + |\mathrm{Cov}(Y, D^2)| + E Z$. Here $Y = T x$ "
            r"with $x \in [0,1]$: the joint lemma applies.",
            check=partial(_two_sides, top=1),
            planted="0 <= D^2 <= 2",
            control=partial(_two_sides, top=2),
            generality=Generality.GENERAL,
        ),
    )


def _brackets() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Below take $T = \log n$, where $n e^{-T-1} = 1/e$: $-\varphi'' \le G(1+1/e, \log n) = L_-$. "
            r"Above take $T = \log(n/c) - 1$, where $n e^{-T-1} = c$: $\varphi'' \le G(-1, \log(n/c) - 1) + "
            r"c = L_+$. Both $T$ are $\ge 0$. ($G(\cdot, T)$ grows with its first argument.)",
            check=partial(_levels, shift=1),
            planted="T = log(n/c)",
            control=partial(_levels, shift=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped `curvature_brackets` are $L_-$ and $L_+$ (ball arithmetic, $10^{-14}$ relative).",
            check=partial(_shipped_brackets, constant="3"),
            planted="c = 1/(5 sqrt 3)",
            control=partial(_shipped_brackets, constant="25/12"),
            tie=True,
        ),
        Step(
            says=r"They imply the stated brackets: $(1-s^2)(a+Ts)/4 \le a/4 + T\,(1-s^2)s/4 \le a/4 + cT$ for $a "
            r"\ge 0$, so $L_- \le (1+1/e)/4 + c\log n$; and $G(-1,T) \le G(0,T) = cT$, so $L_+ \le "
            r"c\,(\log(n/c) - 1) + c = c\log(6\sqrt3\,n)$.",
            check=partial(_implies_stated, c_squared=Fraction(1, 108)),
            planted="c = 1/(12 sqrt 3)",
            control=partial(_implies_stated, c_squared=Fraction(1, 432)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"In numbers: $(1+1/e)/4 < 0.342$, $c < 0.0963$ and $c\log(6\sqrt3) < 0.342$.",
            check=partial(_numbers, half="0.342"),
            planted="0.341 for 0.342",
            control=partial(_numbers, half="0.341"),
            generality=Generality.GENERAL,
        ),
    )


def _taylor() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Taylor's theorem with Lagrange's remainder, a named lemma: $\varphi$ is smooth, so $\Delta H "
            r"= \varphi(\eta) - \varphi(0) = \eta\varphi'(0) + \frac{\eta^2}{2}\varphi''(t)$ for some $t$ "
            r"between 0 and $\eta$, and $\varphi'(0) = h_1$ by claim `identity`. (Replayed in ball "
            r"arithmetic: $2(\Delta H - \eta h_1)/\eta^2$ lies between values of $\varphi''$ on the "
            r"segment, widened by their variation over a tenth of it.)",
            check=partial(_lagrange, factor=2),
            planted="(Delta H - eta h_1)/eta^2",
            control=partial(_lagrange, factor=1),
            citation="Rudin, Principles of Mathematical Analysis (1976), Theorem 5.15",
        ),
        Step(
            says=r"Hence $\eta h_1 - \frac{\eta^2}{2}\rho^2L_- \le \Delta H \le \eta h_1 + "
            r"\frac{\eta^2}{2}\rho^2L_+$, and $|\Delta H - \eta h_1| \le \frac{\eta^2}{2}\rho^2(0.342 + "
            r"0.0963\log n)$; besides $0 \le H \le \log n$.",
            check=partial(_assemble, halves=2),
            planted="eta^2/4 for eta^2/2",
            control=partial(_assemble, halves=4),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The remainder is of second order, on the shipped functions: $|\Delta H - \eta h_1|$ falls "
            r"with a fitted slope of at least 1.9 in $\eta$, and $|\Delta H - \eta h_1 - "
            r"\frac{\eta^2}{2}\varphi''|$ with at least 2.9.",
            check=partial(_orders, scale=1.0),
            planted="h_1 and the second derivative 1.01 times as large",
            control=partial(_orders, scale=1.01),
            tie=True,
        ),
    )


def _second_derivative(*, sign: int) -> Finding:
    """Find whether the shipped entropy, differentiated twice, is the shipped second-order change and the formula."""
    shipped = for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    # The rule for one derivative, used twice: no other rule is trusted.
    twice = moments.along_step(moments.along_step(for_any_policy(lambda arms: entropy(arms.logits()))))
    excess, surprise = DIRECTION - moments.mean(DIRECTION), LOG_PROB - moments.mean(LOG_PROB)
    formula = sign * moments.mean(excess**2) - moments.mean(surprise * excess**2)
    covaried = for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(-LOG_PROB), arms.entries(excess**2)))
    in_x = sign * moments.mean(excess**2) + covaried
    return all_zero([shipped - formula, shipped - in_x, twice - shipped], sympy.expand)


def _scaling(*, power: int) -> Finding:
    """Find whether the second derivative for m + rho d is rho^2 times that for d."""
    rho, least = sympy.symbols("rho m", real=True)

    def curvature(direction: Any) -> Any:
        return for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(direction)))

    return zero(curvature(least + rho * DIRECTION) - rho**power * curvature(DIRECTION), sympy.expand)


def _automatic(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped second-order change is twice the entropy's second coefficient on power series."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            with flint.ctx.workdps(400):  # log sum exp of a gap of 700 needs 300 digits to see the small arm
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                second = factor * first_coefficients(entropy(moving_logits(z, d, 3)))[2]
                shipped = second_order_entropy_change(case.logits, case.direction)
                # 1e-30: d - E d is off by an ulp, and its square may be all that is left on a peaked policy.
                scale = flint.arb(1e-13) * abs(second) + flint.arb(1e-30)
                yield case.label, exact.close(shipped, second, relative=1.0, scale=scale)

    return for_all(cases(), "policies from uniform to peaked")


def _linear_split(*, sign: int) -> Finding:
    """Find whether the covariance with D^2 splits at a level as the claim says."""
    # X = Y + Z with Y and Z in the place of the generic quantities x and y.
    square = (DIRECTION - moments.mean(DIRECTION)) ** 2

    def with_square(quantity: Any) -> Any:
        return for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(quantity), arms.entries(square)))

    rest = moments.mean(Y * square) + sign * moments.mean(Y) * moments.mean(square)
    return zero(with_square(X + Y) - with_square(X) - rest, sympy.expand)


def _tail(*, most: Any) -> Finding:
    """Find whether one arm adds at most ``most`` times exp(-T - 1) to E Z."""
    level, q = sympy.symbols("T q", positive=True)
    # With this p the logarithm splits off the level, and q is free.
    p = sympy.exp(-level - 1) * q
    identity = zero(
        sympy.expand_log(p * (-sympy.log(p) - level)) - sympy.exp(-level - 1) * (q - q * sympy.log(q)), sympy.expand
    )
    r, log_inverse = z3.Reals("q ell")
    bound = valid(r + r * log_inverse <= z3.Q(Fraction(most).numerator, Fraction(most).denominator),
                  r > 0, log_inverse * r <= 1 - r)  # fmt: skip
    return both(bound, identity)


def _two_sides(*, top: int) -> Finding:
    """Find whether the second derivative lies between the two sides that the joint lemma bounds."""
    v, cov, size, z_mean, z_square, second = z3.Reals("V cov size EZ EZD second")
    facts = (
        v >= 0, z_mean >= 0, z_square >= 0, z_square <= top * z_mean, size >= cov, size >= -cov,
        second == -v + cov + z_square - z_mean * v,
    )  # fmt: skip
    below = valid(-second <= (1 + z_mean) * v + size, *facts)
    above = valid(second <= -v + size + z_mean, *facts)
    return both(below, above)


def _levels(*, shift: int) -> Finding:
    """Find whether the two choices of T give n exp(-T - 1) = 1/e and c."""
    n = sympy.Symbol("n", positive=True)
    c = 1 / (6 * sympy.sqrt(3))
    residuals = [
        n * sympy.exp(-sympy.log(n) - 1) - sympy.exp(-1),
        n * sympy.exp(-(sympy.log(n / c) - shift) - 1) - c,
    ]
    # T is least at n = 1: log(6 sqrt 3) - 1 > 1, so that a = -1 >= -T in the joint lemma.
    least = certainly_positive(sympy.log(1 / c) - 2, "log(6 sqrt 3) - 2")
    return both(all_zero(residuals, sympy.simplify), least)


def _shipped_brackets(effort: Effort, *, constant: str) -> Finding:
    """Find whether the shipped brackets are L_- and L_+ to 1e-14, for n from 1 to 1e9."""

    def cases() -> Iterator[tuple[str, bool]]:
        for n in effort.pick((1, 2, 3, 5, 10, 100, 1000, 151_936, 10**9), (1, 2, 5, 1000, 151_936)):
            with flint.ctx.workdps(40):
                c = 1 / (6 * ball(Fraction(constant)).sqrt())
                arms = flint.arb(n)
                below = exact.largest(1 + flint.arb(-1).exp(), arms.log() if n > 1 else 0)
                above = exact.largest(flint.arb(-1), (arms / c).log() - 1) + c
                for name, shipped, truth in zip(("-", "+"), curvature_brackets(n), (below, above), strict=True):
                    # 1e-14, which `entropy_change_bounds` allows for: a few ulp, more where G(-1, T) cancels.
                    yield f"L_{name}, n = {n}", exact.close(shipped, truth, relative=1e-14)

    return for_all(cases(), "n from 1 to 10^9")


def _implies_stated(*, c_squared: Fraction) -> Finding:
    """Find whether G(a, T) is at most a/4 + c T, with c the maximum of (1 - s^2) s / 4."""
    a, t, s, c = z3.Reals("a T s c")
    unit = (s >= 0, s <= 1)
    # c by its square, since z3 decides polynomials and not roots.
    constant = (c > 0, c * c == z3.Q(c_squared.numerator, c_squared.denominator))
    third = valid((1 - s * s) * s / 4 <= c, *unit, *constant)
    cap = (1 - s * s) * s / 4 <= c
    below = valid((1 - s * s) * (a + t * s) / 4 <= a / 4 + c * t, a >= 0, t >= 0, *unit, cap)
    above = valid((1 - s * s) * (t * s - 1) / 4 <= c * t, t >= 0, *unit, cap)
    return both(third, below, above)


def _numbers(*, half: str) -> Finding:
    """Find whether the quoted decimals bound the constants."""
    c = 1 / (6 * flint.arb(3).sqrt())
    cases = [
        ("(1 + 1/e)/4", bool((1 + flint.arb(-1).exp()) / 4 < flint.arb(half))),
        ("c", bool(c < flint.arb("0.0963"))),
        ("c log(6 sqrt 3)", bool(c * (1 / c).log() < flint.arb(half))),
    ]
    return for_all(cases, "three constants in ball arithmetic")


def _lagrange(effort: Effort, *, factor: int) -> Finding:
    """Find whether ``factor`` times the rest over eta^2 lies between values of the second derivative along the step."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            if len(case.logits) > 10 or np.ptp(case.logits) > 100 or len(case.logits) == 1:
                continue
            with flint.ctx.workdps(exact.DIGITS):
                z, d, eta = exact.balls(case.logits), exact.balls(case.direction), flint.arb(1) / 2
                taylor = factor * (exact.entropy_change(z, d, eta) - eta * exact.slope(z, d)) / eta**2
                along = []
                for tenth in range(11):
                    moved = [a + eta * tenth / 10 * b for a, b in zip(z, d, strict=True)]
                    along.append(exact.curvature(moved, d))
                # Between two of the eleven points the derivative may leave their range by about as much as it varies
                # from one to the next.
                slack = max(abs(x - y) for x, y in pairwise(along))
                yield case.label, bool(min(along) - slack <= taylor) and bool(taylor <= max(along) + slack)

    return for_all(cases(), "policies of few arms, eta = 1/2")


def _assemble(*, halves: int) -> Finding:
    """Find whether Taylor's form and the brackets of the second derivative give the bounds on the change."""
    eta, first, second, change, below, above, rho = z3.Reals("eta h second change below above rho")
    facts = (
        # Taylor with Lagrange's remainder: second is the second derivative somewhere on the way.
        change == eta * first + eta * eta * second / 2,
        second >= -rho * rho * below,
        second <= rho * rho * above,
    )
    square = eta * eta * rho * rho / halves
    inside = z3.And(change >= eta * first - square * below, change <= eta * first + square * above)
    return valid(inside, *facts)


def _orders(effort: Effort, *, scale: float) -> Finding:
    """Find whether the remainders of the shipped predictions fall at least with orders 2 and 3, less a tenth."""

    def cases() -> Iterator[tuple[str, bool]]:
        # The third-order term at 0.01 is 1e-7 of the change: far above the shipped change's 1e-14.
        steps = np.logspace(-1, -2, 5)
        for case in policies(effort):
            if case.flat or np.ptp(case.logits) > 30:
                continue  # flat: no first order; peaked: every order is of the size of its smallest arm
            line = steps * scale * first_order_entropy_change(case.logits, case.direction)
            square = steps**2 / 2 * scale * second_order_entropy_change(case.logits, case.direction)
            change = entropy_change(case.logits, case.direction, steps)
            for order, rest in ((2, change - line), (3, change - line - square)):
                slope = np.polyfit(np.log(steps), np.log(np.abs(rest)), 1)[0]
                yield f"{case.label}, order {order}: slope {slope:.3f}", bool(slope > order - 0.1)

    return for_all(cases(), "fitted slopes")
