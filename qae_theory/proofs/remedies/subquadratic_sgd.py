"""Refute claim ``subquadratic-sgd``, a mean square error of order eta on every quantile problem, and prove its rescue.

The quantile loss of 0/1 rewards is piecewise linear. At p = 1 - K it is flat between 0 and 1 and the error does not
shrink with the step; elsewhere it has a kink, an exponential function of the distance contracts, and the error is even
of order eta^2 (``-if``). At K = 1/2 the constants are explicit.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.remedies.streaming_quantile import stationary, stationary_steps
from qae_theory.proofs.tools.checking import all_zero, both, for_all, valid, with_witness
from qae_theory.proofs.tools.groups import binary_group, number

HALF = Fraction(1, 2)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "subquadratic-sgd-if"
    against = (_witness(), *_flat())
    ledger.add(Evidence("subquadratic-sgd", "flat-loss", Kind.WITNESS, Role.AGAINST, against))
    proof = (*_drift(), *stationary_steps(), *_kink(), _tie())
    ledger.add(Evidence(rescued, "drift", Kind.PROOF, Role.UNDER, proof))
    ledger.add(Evidence(rescued, "flat-loss", Kind.WITNESS, Role.WITHOUT, (_witness(),)))


def _witness() -> Step:
    return Step(
        says=r"$p = K = \frac12$, $b_K = 0$ (shipped `quantile_baseline` of a population with one half right): the "
        r"exact stationary law of the streaming quantile has $E(b-b_K)^2 \ge \frac14$ at $\eta = 1, \frac12, "
        r"\frac14$ and $\frac18$ alike.",
        check=partial(_error_stays, p=HALF),
        planted="p = 1/5",
        control=partial(_error_stays, p=Fraction(1, 5)),
        generality=Generality.GENERAL,
    )


def _flat() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For every $L = 2/\eta$: at $p = \frac12$ the law is $\frac12, 1, \ldots, 1, \frac12$ over $L+1$, "
            r"so $E\,b^2 = \frac{2L^3+L+3}{6L^2(L+1)} \ge \frac14$, which tends to $\frac13$. (The loss is flat on "
            r"$[0, 1]$, so every $b$ there is a minimiser: the assumption of local strong convexity fails.)",
            check=partial(_square_of_flat, least=Fraction(1, 4)),
            planted="at least 1/3",
            control=partial(_square_of_flat, least=Fraction(1, 3)),
            generality=Generality.GENERAL,
        ),
    )


def _drift() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$q > K$, so $b_K = 0$. With $v = e^{\theta b/\eta}$ a step inside $[0, 1)$ multiplies $v$ on "
            r"average by $\phi(\theta) = p\,e^{\theta K} + q\,e^{-\theta(1-K)}$. $\phi(0) = 1$ and $\phi'(0) = K - q "
            r"< 0$, so some $\theta > 0$, which does not depend on $\eta$, has $\phi(\theta) < 1$.",
            check=partial(_contracts, missed=True),
            planted="phi'(0) = K - p",
            control=partial(_contracts, missed=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$q < K$, so $b_K = 1$: the same with $e^{\theta(1-b)/\eta}$, $q$ for $p$ and $1-K$ for $K$.",
            check=partial(_mirrored, level=-1),
            planted="K kept",
            control=partial(_mirrored, level=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"From 1 on a step multiplies $v$ by $e^{-\theta(1-K)}$; below 0, where $v < 1$, the next $v$ is at "
            r"most $e^{\theta K}$. With $\gamma < 1$ the larger of $\phi(\theta)$ and $e^{-\theta(1-K)}$, the mean "
            r"of the next $v$ is at most $\gamma v + e^{\theta K}$ everywhere, and in a stationary law ($b$ is "
            r"bounded, so $E\,v$ is finite) $E\,v \le e^{\theta K}/(1-\gamma)$.",
            check=partial(_bounded_mean, kept=1),
            planted="e^(theta K)/2 for e^(theta K)",
            control=partial(_bounded_mean, kept=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$e^y \ge y^2/2$ for $y \ge 0$ (the derivative of $e^y - 1 - y - y^2/2$ is $e^y - 1 - y \ge 0$), "
            r"and $b \ge -\eta(1-K)$. So $E\,b^2 \le \eta^2[(1-K)^2 + \frac{2}{\theta^2}\frac{e^{\theta "
            r"K}}{1-\gamma}]$: order $\eta^2$, for every $\eta$.",
            check=partial(_second_moment, half=2),
            planted="e^y >= y^2",
            control=partial(_second_moment, half=1),
            generality=Generality.GENERAL,
        ),
    )


def _kink() -> tuple[Step, ...]:
    return (
        Step(
            says=r"At $K = \frac12$ explicitly. Tails: $T_i = \rho^i[\frac{i^2}{1-\rho} + \frac{2i\rho}{(1-\rho)^2} + "
            r"\frac{\rho(1+\rho)}{(1-\rho)^3}]$ has $T_i - T_{i+1} = i^2\rho^i$ and $T_i \ge 0$ for $0 < \rho < 1$. "
            r"So $\sum_{i\le N}i^2\rho^i \le T_0 = \frac{\rho(1+\rho)}{(1-\rho)^3}$ for every $N$.",
            check=partial(_tail, factor=2),
            planted="i rho/(1 - rho)^2",
            control=partial(_tail, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$p < \frac12$: $b_K = 0$ and $\rho = p/q < 1$. The weights sum to at least 1, the squares to at "
            r"most $q + \sum_{i\le L}i^2\rho^i$, as the top weighs $q\rho^L \le \rho^L$. So $E\,b^2 \le "
            r"\frac{\eta^2}4(1 + \frac{\rho(1+\rho)}{(1-\rho)^3})$.",
            check=partial(_bound_below, top=1),
            planted="squares at most sum i^2 rho^i alone",
            control=partial(_bound_below, top=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$p > \frac12$: $b_K = 1$ and $\sigma = q/p < 1$. Counted from the top the weights over $\rho^L$ "
            r"are $q, \sigma, \sigma^2, \ldots, \sigma^L$ and $q\sigma^L \le \sigma^{L+1}$; they sum to at least "
            r"$\sigma$, so $E(1-b)^2 \le \frac{\eta^2}4\frac{1+\sigma}{(1-\sigma)^3}$.",
            check=partial(_bound_above, shift=1),
            planted="the lowest weight at most sigma^(L + 2)",
            control=partial(_bound_above, shift=2),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the exact law of the update rule has errors within these bounds, and $b_K$ is the shipped "
        r"`quantile_baseline` of a population, for several $p$ and $\eta$.",
        check=partial(_exact_errors, scale=Fraction(1)),
        planted="a hundredth of the bounds",
        control=partial(_exact_errors, scale=Fraction(1, 100)),
        tie=True,
    )


def _quantile(p: Fraction) -> Fraction:
    """Return the shipped 1/2-quantile of a population of rewards with success probability p."""
    return Fraction(int(number(quantile_baseline(binary_group(p.numerator, p.denominator), HALF))))


def _square_error(p: Fraction, step: Fraction) -> Fraction:
    """Return the mean square distance from the quantile under the rule's exact stationary law at K = 1/2."""
    (law,) = stationary(Fraction(0), p, HALF, step)
    quantile = _quantile(p)
    return sum((w * (b - quantile) ** 2 for b, w in law.items()), Fraction(0))


def _error_stays(*, p: Fraction) -> Finding:
    """Find whether b_K is 0 and the mean square error at least 1/4 at every step size; show them."""
    steps = [Fraction(1, 2**k) for k in range(4)]
    errors = [_square_error(p, step) for step in steps]
    cases = [(f"eta = {s}: {e}", e >= Fraction(1, 4)) for s, e in zip(steps, errors, strict=True)]
    shown = {
        "p": str(p),
        "K": "1/2",
        "eta": ", ".join(map(str, steps)),
        "E (b - b_K)^2": ", ".join(map(str, errors)),
        "result": "the error does not shrink with the step",
    }
    # At p = 1/2 the law is symmetric, so that the errors would not tell a quantile of 1 from one of 0.
    quantile = for_all([("b_K = 0", _quantile(p) == 0)], "the quantile")
    return with_witness(both(for_all(cases, "four step sizes"), quantile), shown)


def _square_of_flat(*, least: Fraction) -> Finding:
    """Find whether E b^2 at p = 1/2 is the stated quotient, and at least a number for every L >= 1."""
    i, last = sympy.symbols("i L", positive=True, integer=True)
    squares = sympy.Rational(1, 2) + sympy.summation(i**2, (i, 0, last - 1)) + last**2 / 2
    quotient = (2 * last**3 + last + 3) / (6 * last**2 * (last + 1))
    identity = all_zero([squares / last**2 / (last + 1) - quotient])
    size = z3.Real("L")
    bound = z3.Q(least.numerator, least.denominator)
    top, bottom = 2 * size * size * size + size + 3, 6 * size * size * (size + 1)
    return both(valid(top >= bound * bottom, size >= 1), identity)


def _contracts(*, missed: bool) -> Finding:
    """Find whether phi(0) = 1 and phi'(0) = K - q, which is negative for q > K."""
    theta, p, level = sympy.symbols("theta p K", positive=True)
    q = 1 - p
    phi = p * sympy.exp(theta * level) + q * sympy.exp(-theta * (1 - level))
    slope = sympy.diff(phi, theta).subs(theta, 0) - (level - (q if missed else p))
    share, k = z3.Reals("q K")
    return both(all_zero([slope, phi.subs(theta, 0) - 1], sympy.expand), valid(k - share < 0, share > k))


def _mirrored(*, level: int) -> Finding:
    """Find whether the mean factor of e^(theta (1 - b)/eta) is phi with p, q and K, 1 - K exchanged."""
    theta, p, k = sympy.symbols("theta p K", positive=True)
    q = 1 - p
    # A success takes eta K off the distance from 1, a failure adds eta (1 - K).
    factor = p * sympy.exp(-theta * k) + q * sympy.exp(theta * (1 - k))
    other = 1 - k if level < 0 else k
    return all_zero([factor - (q * sympy.exp(theta * other) + (1 - q) * sympy.exp(-theta * (1 - other)))], sympy.expand)


def _bounded_mean(*, kept: Any) -> Finding:
    """Find whether the next mean is at most gamma v + e^(theta K) in each region, and bounds a resting mean."""
    v, phi, down, up, gamma, mean = z3.Reals("v phi down up gamma mean")
    share = z3.Q(Fraction(kept).numerator, Fraction(kept).denominator)
    most = gamma * v + up * share
    known = (v > 0, phi > 0, down > 0, up >= 1, phi <= gamma, down <= gamma, gamma < 1)
    inside, above = valid(phi * v <= most, *known), valid(down * v <= most, *known)
    below = valid(up * v <= most, *known, v < 1)
    rest = valid(mean <= up / (1 - gamma), mean <= gamma * mean + up, gamma < 1, gamma > 0)
    return both(below, inside, above, rest)


def _second_moment(*, half: int) -> Finding:
    """Find whether e^y >= y^2/half for y >= 0, and whether that bounds the square of b."""
    y = sympy.Symbol("y", real=True)
    gap = sympy.exp(y) - 1 - y - y**2 / half
    identity = all_zero([gap.subs(y, 0), sympy.diff(gap, y) - (sympy.exp(y) - 1 - y)], sympy.expand)
    b, step, level, theta, v = z3.Reals("b eta K theta v")
    known = (step > 0, theta > 0, level > 0, level < 1, b >= -step * (1 - level), v > 0)
    # v theta^2-wise: 2 v eta^2/theta^2 >= b^2 where b >= 0.
    square = valid(
        b * b <= step * step * (1 - level) * (1 - level) + 2 * step * step * v / (theta * theta),
        *known,
        z3.Implies(b >= 0, 2 * v * step * step >= theta * theta * b * b),
    )
    return both(identity, square)


def _tail(*, factor: int) -> Finding:
    """Find whether T_i - T_(i + 1) = i^2 rho^i and T_i >= 0."""
    i, odds = sympy.symbols("i rho", positive=True)

    def bracket(place: Any, ratio: Any) -> Any:
        rest = 1 - ratio
        return (
            place * place / rest + factor * place * ratio / (rest * rest) + ratio * (1 + ratio) / (rest * rest * rest)
        )

    identity = all_zero([bracket(i, odds) - odds * bracket(i + 1, odds) - i**2])
    place, ratio = z3.Reals("i rho")
    return both(identity, valid(bracket(place, ratio) >= 0, place >= 0, ratio > 0, ratio < 1))


def _bound_below(*, top: int) -> Finding:
    """Find whether squares/weights is at most 1 + S, S being the bound on the sum of i^2 rho^i."""
    fail, inside, last, series, weights, squares = z3.Reals("q inside last series weights squares")
    # last is L^2 rho^L, which the top weighs with q; inside is the sum of i^2 rho^i below L.
    known = (fail > 0, fail < 1, inside >= 0, last >= 0, inside + last <= series, weights >= 1)
    claimed = 1 + series if top else series
    return valid(squares <= claimed * weights, *known, squares == fail + inside + fail * last)


def _bound_above(*, shift: int) -> Finding:
    """Find whether the weights counted from the top are bounded as stated, and so their quotient."""
    ratio = sympy.Symbol("sigma", positive=True)
    # q = sigma/(1 + sigma), so that q sigma^L = sigma^(L + 1)/(1 + sigma).
    fail = ratio / (1 + ratio)
    identity = all_zero([fail - ratio ** (shift - 1) * ratio / (1 + ratio)])
    s, series, weights, squares = z3.Reals("sigma series weights squares")
    cube = (1 - s) * (1 - s) * (1 - s)
    known = (s > 0, s < 1, squares <= series, series * cube == s * (1 + s), weights >= s)
    bound = valid(squares * cube <= (1 + s) * weights, *known)
    return both(identity, bound)


def _exact_errors(effort: Effort, *, scale: Fraction) -> Finding:
    """Find whether exact errors are within scale times the bounds."""
    cases = []
    for p in (Fraction(1, 5), Fraction(2, 5), Fraction(3, 5), Fraction(9, 10)):
        low = p < HALF
        odds = p / (1 - p) if low else (1 - p) / p
        bound = (1 + odds) / (1 - odds) ** 3
        for last in effort.pick((1, 2, 4, 8), (1, 4)):
            step = Fraction(2, last)
            limit = scale * step**2 / 4 * (1 + odds * bound if low else bound)
            cases.append((f"p={p}, eta={step}", _square_error(p, step) <= limit))
        cases.append((f"b_K at p={p}", _quantile(p) == (0 if low else 1)))
    return for_all(cases, "success probabilities and step sizes")
