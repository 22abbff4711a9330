"""Refute claim ``subquadratic-sgd``, a mean square error of order eta on every quantile problem, and prove its rescue.

The quantile loss of 0/1 rewards is piecewise linear. At p = 1 - K it is flat between 0 and 1 and the error does not
shrink with the step; elsewhere it has a kink and the error is even of order eta^2 (``-if``, at K = 1/2).
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
    proof = (*stationary_steps(), *_kink(), _tie())
    ledger.add(Evidence(rescued, "geometric-tail", Kind.PROOF, Role.UNDER, proof))
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


def _kink() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tails: $T_i = \rho^i[\frac{i^2}{1-\rho} + \frac{2i\rho}{(1-\rho)^2} + "
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
    return sum((w * (b - _quantile(p)) ** 2 for b, w in law.items()), Fraction(0))


def _error_stays(*, p: Fraction) -> Finding:
    """Find whether the mean square error is at least 1/4 at every step size; show them."""
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
    return with_witness(for_all(cases, "four step sizes"), shown)


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
