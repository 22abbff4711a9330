"""The gains of QAE and GRPO have one limit, 1/sqrt(p(1-p)), with explicit constants; at p = 1 - K the rate is G^(-1/2).

Everything is at eps = 0 and with the population standard deviation. Where the two differ at finite G is in
``neutrality_dip``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from math import comb, pi, sqrt
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import OutcomeAdvantages, expected_gain, gain
from qae_theory.proofs.tools.checking import all_zero, both, for_all, rational, valid
from qae_theory.proofs.tools.rule_formulas import exactly_equal, number

LEVELS = (Fraction(1, 5), Fraction(2, 5), Fraction(1, 2), Fraction(11, 20), Fraction(9, 10))
PROBABILITIES = tuple(Fraction(p) for p in ("1/50", "1/10", "2/5", "9/20", "1/2", "3/5", "4/5", "19/20"))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "neutrality-limit", "proof", Kind.PROOF, Role.FOR, (*group_form_steps(), *_limit_steps(), *_rate_steps())
        )
    )


def group_form_steps() -> tuple[Step, ...]:
    """The gains of GRPO and QAE as expectations over the group's success rate, which both proofs start from."""
    return (
        Step(
            says=r"**From responses to groups.** $\binom{G-1}{j} = \frac{j+1}{G}\binom{G}{j+1} = "
            r"\frac{G-j}{G}\binom{G}{j}$, so with $m$ binomial $(G, p)$ and $\hat p = m/G$: $w = E[\hat "
            r"p\,c_m]/p - E[(1-\hat p)\,w_m]/(1-p)$. Checked for symbolic $G$ and $j$, and for the "
            r"shipped `gain` on symbolic $p$, $c_m$, $w_m$.",
            check=partial(_group_form, shift=1),
            planted="(j / G) C(G, j+1)",
            control=partial(_group_form, shift=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**The integrands.** With $u = \sqrt{x/(1-x)}$, $v = 1/u$, $\sigma = \sqrt{x(1-x)}$: "
            r"$x\cdot\frac{1-x}{\sigma} = (1-x)\frac{x}{\sigma} = \sigma$, $\frac{x}{\sigma} = u$, "
            r"$\frac{1-x}{\sigma} = v$. So, with $s = \sqrt{p(1-p)}$, $w_{GRPO} = E[T(\hat p)]$, $T(x) = "
            r"\sigma(x)/s^2$, and $w_{QAE} = E[F(\hat p)]$, $F(x) = u(x)/p$ for $x \le 1-K$ and "
            r"$v(x)/(1-p)$ for $x > 1-K$; degenerate groups add 0, as $u(0) = v(1) = \sigma(0) = "
            r"\sigma(1) = 0$.",
            check=partial(_integrands, exponent=2),
            planted="sigma^2 = sqrt(x (1 - x))",
            control=partial(_integrands, exponent=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped `expected_gain` is $E[T(\hat p)]$ for GRPO and $E[F(\hat p)]$ for QAE, exactly.",
            check=partial(_shipped_group_form, flip=False),
            planted="K for 1 - K in F",
            control=partial(_shipped_group_form, flip=True),
            tie=True,
        ),
    )


def _limit_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**QAE near $p$.** $u(p)/p = v(p)/(1-p) = 1/s$: both branches of $F$ pass through $1/s$ at "
            r"$p$. With $U = u(x)$, $P = u(p)$: $|x-p|/s = |U^2-P^2|/((1+U^2)P)$, and $x \le 1-K$ says "
            r"$(1+U^2)K \le 1$; hence $|U-P|\,K \le |x-p|/s$, that is $|F(x) - 1/s| \le "
            r"\frac{|x-p|}{s}\cdot\frac{1}{Kp}$. For $x > 1-K$ exchange right and wrong ($x, p, K$ for "
            r"$1-x, 1-p, 1-K$): $|F(x) - 1/s| \le \frac{|x-p|}{s}\cdot\frac{1}{(1-K)(1-p)}$. No $x$ is "
            r"left out.",
            check=partial(_qae_deviation, factor=1),
            planted="half that constant",
            control=partial(_qae_deviation, factor=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**GRPO near $p$.** $\sigma(x)^2 - s^2 = (x-p)(1-x-p)$ and $|1-x-p| \le 1$, so $|\sigma(x) - "
            r"s|\,s \le |\sigma(x)^2 - s^2| \le |x-p|$ and $|T(x) - 1/s| \le |x-p|/s^3$.",
            check=partial(_grpo_deviation, factor=1),
            planted="half that constant",
            control=partial(_grpo_deviation, factor=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**The mean deviation.** $E|\hat p - p| \le \sqrt{E(\hat p - p)^2} = s/\sqrt G$. Replayed "
            r"exactly.",
            check=partial(_mean_deviation, power=1),
            planted="s^2 / G, the variance itself",
            control=partial(_mean_deviation, power=2),
            citation="Cauchy-Schwarz; the variance of a mean of G iid Bernoulli variables is p(1-p)/G "
            "(W. Feller, An Introduction to Probability Theory and Its Applications, vol. 1)",
        ),
        Step(
            says=r"**The limit.** Taking expectations, for every $G$, $K$ and $p$: $|w_{QAE} - 1/s| \le "
            r"\frac{1}{\sqrt G}\max(\frac{1}{Kp}, \frac{1}{(1-K)(1-p)})$ and $|w_{GRPO} - 1/s| \le "
            r"\frac{1}{s^2\sqrt G}$. Both go to 0. The shipped `expected_gain` obeys both.",
            check=partial(_shipped_limit, rate=0.5),
            planted="rate 1/G",
            control=partial(_shipped_limit, rate=1.0),
            tie=True,
        ),
    )


def _rate_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**At $p = 1-K$ both branches fall away from $p$.** For $x \le p$, $U \le P$ and "
            r"$2(P-U)(1+U^2)P \ge P^2-U^2$: $1/s - F(x) \ge (p-x)/(2ps)$. For $x > p$, exchanging right "
            r"and wrong, $1/s - F(x) \ge (x-p)/(2(1-p)s)$. Because $E(p-\hat p)_+ = E(\hat p-p)_+ = "
            r"\frac12E|\hat p-p|$ and $\frac1p + \frac1{1-p} = \frac1{s^2}$, $1/s - w_{QAE} \ge E|\hat p "
            r"- p|/(4s^3)$.",
            check=partial(_falls_away, factor=2),
            planted="without the factor 2",
            control=partial(_falls_away, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**Fourth moment.** $E(\hat p-p)^4 = s^2(1 + 3(G-2)s^2)/G^3$, from $G\mu_4 + 3G(G-1)\mu_2^2$ "
            r"with $\mu_2 = s^2$, $\mu_4 = s^2(1-3s^2)$; where $Gs^2 \ge 1$ it is at most $4s^4/G^2$.",
            check=partial(fourth_moment, constant=4),
            planted="3 for 4",
            control=partial(fourth_moment, constant=3),
        ),
        Step(
            says=r"**The mean deviation from below.** Hoelder: $E X^2 \le (E|X|)^{2/3}(E X^4)^{1/3}$, so where "
            r"$Gs^2 \ge 1$, $(E|\hat p-p|)^2 \ge (s^2/G)^3/(4s^4/G^2) = s^2/(4G)$. Replayed exactly.",
            check=partial(_mean_deviation_below, constant=4),
            planted="s^2 / G",
            control=partial(_mean_deviation_below, constant=1),
            citation="Hoelder's inequality (W. Rudin, Real and Complex Analysis)",
        ),
        Step(
            says=r"**The rate at $p = 1-K$ is $G^{-1/2}$.** Together, where $Gs^2 \ge 1$: $\frac{1}{8s^2\sqrt "
            r"G} \le \frac1s - w_{QAE} \le \frac{1}{s^2\sqrt G}$ (above, $\max = 1/s^2$). The shipped "
            r"`expected_gain` obeys both, its fitted slope is $-1/2$, and $s^2\sqrt G(1/s - w)$ is close "
            r"to $1/\sqrt{2\pi}$, which a central limit theorem gives.",
            check=partial(_shipped_rate, at=lambda k: 1 - k),
            planted="p = K",
            control=partial(_shipped_rate, at=lambda k: k),
            tie=True,
        ),
    )


def _group_form(effort: Effort, *, shift: int) -> Finding:
    size, j, p = sympy.symbols("G j p", positive=True)
    ways = sympy.binomial(size - 1, j)
    right = ways - sympy.binomial(size, j + 1) * (j + shift) / size
    wrong = ways - sympy.binomial(size, j) * (size - j) / size
    tied = []
    for n in range(1, effort.pick(8, 6)):
        c, w = (np.array(sympy.symbols(f"{side}0:{n + 1}"), dtype=object) for side in "cw")
        shipped = number(gain(np.array(p, dtype=object), OutcomeAdvantages(c, w)))
        weights = [comb(n, m) * p**m * (1 - p) ** (n - m) for m in range(n + 1)]
        rates = [sympy.Rational(m, n) for m in range(n + 1)]
        form = sum(
            q * (x * c[m] / p - (1 - x) * w[m] / (1 - p)) for m, (q, x) in enumerate(zip(weights, rates, strict=True))
        )
        tied.append(shipped - form)
    return both(all_zero([right, wrong], sympy.combsimp), all_zero(tied))


def _integrands(*, exponent: int) -> Finding:
    u = sympy.Symbol("u", positive=True)
    x = u**2 / (1 + u**2)
    sigma = u / (1 + u**2)
    return all_zero(
        [
            sigma**exponent - x * (1 - x),
            x * (1 - x) / sigma - sigma,
            x / sigma - u,
            (1 - x) / sigma - 1 / u,
        ]
    )


def _shipped_group_form(effort: Effort, *, flip: bool) -> Finding:
    cases = (
        (
            f"{rule}, K={k}, G={size}, p={p}",
            expected_gain(p, size, rule, eps=0, **options),
            group_form(rule, p, size, level),
        )
        for size in range(1, effort.pick(13, 8))
        for p in PROBABILITIES[1:4]
        for k in LEVELS
        for level in [1 - k if flip else k]
        for rule, options in _rules(k)
    )
    return exactly_equal(cases, "G, three p, five K")


def _rules(k: Fraction) -> tuple[tuple[str, dict[str, Any]], ...]:
    return ("grpo", {}), ("qae", {"k": k})


def group_form(rule: str, p: Fraction, size: int, k: Fraction) -> Any:
    """E[T(m/G)] or E[F(m/G)], exactly."""
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
    """m and P(m correct), for m = 0..G."""
    for m in range(size + 1):
        yield m, comb(size, m) * p**m * (1 - p) ** (size - m)


def _qae_deviation(*, factor: Any) -> Finding:
    u, p_root, k, x, p = z3.Reals("U P K x p")
    domain = (u >= 0, p_root > 0, k > 0, k < 1)
    rates = (x * (1 + u**2) == u**2, p * (1 + p_root**2) == p_root**2)
    meets = p_root * (1 - p) == p / p_root  # u(p)/p = v(p)/(1-p), cross-multiplied
    scaled = (x - p) * (1 + p_root**2) * (1 + u**2) == u**2 - p_root**2  # s = P/(1 + P^2)
    gate = z3.Implies(x <= 1 - k, (1 + u**2) * k <= 1)
    w = z3.Real("W")
    bound = (u - p_root) ** 2 * w**2 * p_root**2 <= _real(factor) ** 2 * (u**2 - p_root**2) ** 2
    return both(
        valid(meets, *domain, rates[1]),
        valid(scaled, *domain, *rates),
        valid(gate, *domain, rates[0]),
        valid(bound, *domain, w > 0, w <= 1),
    )


def _real(value: Any) -> Any:
    value = Fraction(value)
    return z3.Q(value.numerator, value.denominator)


def _grpo_deviation(*, factor: Any) -> Finding:
    x, p, sigma, s = z3.Reals("x p sigma s")
    domain = (x >= 0, x <= 1, p > 0, p < 1)
    return both(
        valid(x * (1 - x) - p * (1 - p) == (x - p) * (1 - x - p), *domain),
        valid(z3.And(1 - x - p <= 1, 1 - x - p >= -1), *domain),
        valid((sigma - s) ** 2 * s**2 <= _real(factor) ** 2 * (sigma**2 - s**2) ** 2, sigma >= 0, s > 0),
    )


def _mean_deviation(effort: Effort, *, power: int) -> Finding:
    cases = (
        (f"p={p}, G={size}", _variance(p, size) == square and _deviation(p, size) ** 2 <= square**power)
        for p in PROBABILITIES
        for size in range(1, effort.pick(65, 17))
        for square in [p * (1 - p) / size]
    )
    return for_all(cases, "eight p, every G")


def _deviation(p: Fraction, size: int) -> Fraction:
    """E|m/G - p|."""
    return sum((weight * abs(Fraction(m, size) - p) for m, weight in binomial_weights(p, size)), Fraction(0))


def _variance(p: Fraction, size: int) -> Fraction:
    return sum((weight * (Fraction(m, size) - p) ** 2 for m, weight in binomial_weights(p, size)), Fraction(0))


def _shipped_limit(effort: Effort, *, rate: float) -> Finding:
    sizes = effort.pick((2, 3, 10, 64, 500, 4096), (2, 10, 64, 1024))
    return for_all(_limit_cases(sizes, rate), f"G in {sizes}, eight p, five K")


def _limit_cases(sizes: tuple[int, ...], rate: float) -> Iterator[tuple[str, bool]]:
    p = np.array([float(x) for x in PROBABILITIES])
    limit = 1 / np.sqrt(p * (1 - p))
    for size in sizes:
        gap = np.abs(expected_gain(p, size, "grpo", eps=0) - limit)
        yield f"grpo, G={size}", bool(np.all(gap <= limit**2 / size**rate))
        for k in LEVELS:
            widest = np.maximum(1 / (float(k) * p), 1 / ((1 - float(k)) * (1 - p)))
            gap = np.abs(expected_gain(p, size, "qae", k=k, eps=0) - limit)
            yield f"qae, K={k}, G={size}", bool(np.all(gap <= widest / size**rate))


def _falls_away(*, factor: Any) -> Finding:
    u, p_root, p = z3.Reals("U P p")
    inequality = _real(factor) * (p_root - u) * (1 + u**2) * p_root >= p_root**2 - u**2
    return both(
        valid(inequality, u >= 0, u <= p_root, p_root > 0),
        valid(1 / p + 1 / (1 - p) == 1 / (p * (1 - p)), p > 0, p < 1),
    )


def fourth_moment(effort: Effort, *, constant: int) -> Finding:
    """The fourth central moment of a success rate, and its bound by ``constant`` s^4/G^2."""
    p, size, square = z3.Reals("p G square")
    moment = p * (1 - p) ** 4 + (1 - p) * p**4 == p * (1 - p) * (1 - 3 * p * (1 - p))
    total = size * square * (1 - 3 * square) + 3 * size * (size - 1) * square**2 == size * square * (
        1 + 3 * (size - 2) * square
    )
    bound = square * (1 + 3 * (size - 2) * square) * size**2 <= constant * square**2 * size**3
    domain = (size >= 1, square > 0, square <= z3.Q(1, 4), size * square >= 1)
    replayed = z3.And([z3.BoolVal(_fourth(q, n)) for q in PROBABILITIES for n in range(1, effort.pick(17, 9))])
    return both(valid(moment), valid(total), valid(bound, *domain), valid(replayed))


def _fourth(p: Fraction, size: int) -> bool:
    shown = sum((weight * (Fraction(m, size) - p) ** 4 for m, weight in binomial_weights(p, size)), Fraction(0))
    square = p * (1 - p)
    return shown == square * (1 + 3 * (size - 2) * square) / Fraction(size) ** 3


def _mean_deviation_below(effort: Effort, *, constant: int) -> Finding:
    cases = (
        (f"p={p}, G={size}", _deviation(p, size) ** 2 >= p * (1 - p) / (constant * size))
        for p in PROBABILITIES
        for size in range(1, effort.pick(65, 17))
        if size * p * (1 - p) >= 1
    )
    return for_all(cases, "eight p, every G >= 1/s^2")


def _shipped_rate(effort: Effort, *, at: Any) -> Finding:
    sizes = [2**power for power in range(5, effort.pick(13, 11))]
    cases = []
    for k in LEVELS:
        p = float(at(k))
        square = p * (1 - p)
        gaps = np.array([1 / sqrt(square) - float(expected_gain(p, size, "qae", k=k, eps=0)) for size in sizes])
        scaled = gaps * np.sqrt(sizes) * square
        inside = [size * square < 1 or 1 / 8 <= value <= 1 for size, value in zip(sizes, scaled.tolist(), strict=True)]
        cases.append((f"bounds, K={k}", all(inside)))
        slope = np.polyfit(np.log(sizes[-4:]), np.log(np.abs(gaps[-4:])), 1)[0]
        # The next term is smaller by G^(-1/2) or 1/G: a few per cent at these G.
        cases.append((f"slope {slope:.3f}, K={k}", abs(slope + 0.5) < 0.05))
        cases.append((f"constant, K={k}", abs(scaled[-1] * sqrt(2 * pi) - 1) < 0.05))
    return for_all(cases, f"five K, G to {sizes[-1]}")
