"""Refute claim ``sparsity-80``, that some K gives about 80% of zero advantages whatever the difficulty of the queries.

At one K the share of zeros runs from 7/16 to 15/16, and under uniform difficulty no K reaches 80%; other distributions
do. Shares are counted among the shipped advantages or integrated by SymPy. What a fair reading of the figure of 80%
says is in ``sparsity_some_k``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.gate.sparsity_formula import shipped_zero_share
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    ball,
    both,
    certainly_positive,
    rational,
    valid,
    with_witness,
    zero,
)
from qae_theory.proofs.tools.estimator_ties import exact_array, levels

P, K = sympy.symbols("p K", positive=True)
TARGET = Fraction(4, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("sparsity-80", "difficulty-decides", Kind.WITNESS, Role.AGAINST, _eighty_steps()))
    ledger.add(Evidence("sparsity-80", "distributions-that-reach-it", Kind.WITNESS, Role.AGAINST, _reaching_steps()))


def limit_share(density: Any, k: Any) -> Any:
    """Return the share of zeros for G -> infinity, int_0^(1-K) (1 - p) f(p) dp + int_(1-K)^1 p f(p) dp.

    Args:
        density: f, a SymPy expression in ``P``, the density of difficulty on (0, 1).
        k: quantile level K.
    """
    return sympy.integrate((1 - P) * density, (P, 0, 1 - k)) + sympy.integrate(P * density, (P, 1 - k, 1))


def _eighty_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The smallest mixed group, $G=2$, $m=1$: half of the advantages are zero, at every $K$. So "
            r"where groups of two are mixed no $K$ gives 80%.",
            check=partial(_half_of_two, share=Fraction(1, 2)),
            planted="share 4/5",
            control=partial(_half_of_two, share=TARGET),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At one and the same $K=.4$ and $G=16$ the share runs from 7/16 (all groups at $m=9$) to 15/16 "
            r"(all at $m=1$ or $m=15$): difficulty decides.",
            check=partial(_range_over_difficulty, k=Fraction(2, 5), low=Fraction(7, 16)),
            planted="the smallest share is 4/5",
            control=partial(_range_over_difficulty, k=Fraction(2, 5), low=TARGET),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Uniform difficulty, mixed groups, $G \to \infty$: $\int_0^{1-K}(1-p)\,dp + \int_{1-K}^1 p\,dp "
            r"= 1 - ((1-K)^2 + K^2)/2$.",
            check=partial(_uniform_integral, sign=1),
            planted="plus for minus",
            control=partial(_uniform_integral, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"That is $3/4 - (K - 1/2)^2$: at most $3/4$, at $K=1/2$ only, and $.74$ at $K=.4$. No $K$ "
            r"reaches $.8$.",
            check=partial(_uniform_maximum, top=Fraction(3, 4)),
            planted="at most 4/5, attained",
            control=partial(_uniform_maximum, top=TARGET),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Finite groups, uniform difficulty ($m$ uniform on $0..G$): on mixed groups the mean share is "
            r"at most the mean of $\max(\hat p, 1-\hat p)$, which is $(3G-4)/(4(G-1))$ for even $G$ and "
            r"$(3G-1)/(4G)$ for odd $G$: below $3/4$.",
            check=partial(_finite_maximum, odd_constant=1),
            planted="(3 G + 1)/(4 G) for odd G",
            control=partial(_finite_maximum, odd_constant=-1),
        ),
        Step(
            says=r"Counting degenerate groups as zeros, uniform difficulty at $K=.4$: $103/136 = .757$ at "
            r"$G=16$, exactly $4/5$ at $G=4$; zeros counted among the shipped advantages.",
            check=partial(_with_degenerate, expected={16: Fraction(103, 136), 4: TARGET}),
            planted="4/5 at G = 5",
            control=partial(_with_degenerate, expected={16: Fraction(103, 136), 5: TARGET}),
            generality=Generality.GENERAL,
        ),
    )


def _half_of_two(*, share: Fraction) -> Finding:
    """Find whether half of the advantages of a mixed group of two are zero at every K."""
    cases = [(f"K={k}", shipped_zero_share(k, 2)[1], share) for k in levels(2)]
    # Any level gives half of this group zeros; one is shown.
    row = advantages(exact_array([[1, 0]]), "qae", k="2/5", eps=0)[0]
    worked = {"G": "2", "m": "1", "K": "2/5 (or any other)", "A": f"({row[0]}, {row[1]})"}
    return with_witness(all_equal(cases, "every class of K at G = 2"), {**worked, "share of zeros": str(cases[0][1])})


def _range_over_difficulty(*, k: Fraction, low: Fraction) -> Finding:
    """Find whether the shares of groups of 16 run between these at one K, and where they are extreme."""
    # The first and the last group are degenerate.
    shares = shipped_zero_share(k, 16)[1:-1]
    cases = [
        ("smallest", min(shares), low),
        ("largest", max(shares), Fraction(15, 16)),
        ("smallest at m", shares.index(min(shares)) + 1, 9),
        ("largest at m", [m for m, share in enumerate(shares, 1) if share == max(shares)], [1, 15]),
    ]
    return all_equal(cases, "mixed groups of 16")


def _uniform_integral(*, sign: int) -> Finding:
    """Find whether the limit share under uniform difficulty is 1 - ((1 - K)^2 + K^2)/2."""
    return zero(limit_share(sympy.Integer(1), K) - (1 - ((1 - K) ** 2 + sign * K**2) / 2))


def _uniform_maximum(*, top: Fraction) -> Finding:
    """Find whether the share is the top less (K - 1/2)^2, so that it is attained at K = 1/2 only and never exceeded."""
    share = limit_share(sympy.Integer(1), K)
    # A square that is subtracted: the share is largest where it vanishes.
    square = sympy.expand(rational(top) - share) - (K - sympy.Rational(1, 2)) ** 2
    return all_zero([square, share.subs(K, sympy.Rational(2, 5)) - sympy.Rational(37, 50)])


def _finite_maximum(effort: Effort, *, odd_constant: int) -> Finding:
    """Find whether the mean of max(p^, 1 - p^) has these closed forms below 3/4 and is what shipped shares reach."""
    m, h = sympy.symbols("m h", integer=True, positive=True)
    even, odd = 2 * h, 2 * h + 1
    # By symmetry twice the larger half; an even group has one m in the middle.
    mean_even = (2 * sympy.summation(m, (m, h + 1, even - 1)) + h) / (even * (even - 1))
    mean_odd = 2 * sympy.summation(m, (m, h + 1, odd - 1)) / (odd * (odd - 1))
    below = sympy.Rational(3, 4)
    typed = [
        mean_even - (3 * even - 4) / (4 * (even - 1)),
        mean_odd - (3 * odd - odd_constant) / (4 * odd),
        below - mean_even - 1 / (4 * (even - 1)),
        below - mean_odd - 1 / (4 * odd),
    ]
    excess = []
    for size in range(2, effort.pick(20, 8) + 1):
        bound = Fraction(3 * size - 4, 4 * (size - 1)) if size % 2 == 0 else Fraction(3 * size - 1, 4 * size)
        means = [sum(shipped_zero_share(k, size)[1:-1]) / Fraction(size - 1) for k in levels(size)]
        excess.append(max(means) - bound)  # the bound is attained, at K near 1/2
    return all_zero([*typed, *excess])


def _with_degenerate(*, expected: dict[int, Fraction]) -> Finding:
    """Find whether mean shares with degenerate groups counted as zeros are these."""
    cases = []
    for size, value in expected.items():
        mean = sum(shipped_zero_share(Fraction(2, 5), size)) / Fraction(size + 1)
        cases.append((f"G={size}", mean, value))
    return all_equal(cases, "uniform difficulty, K = .4")


def _reaching_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"All groups hard: the share is one minus the mean success rate. $G=5$, $m=1$, $K=.4$: exactly "
            r"80%, because one response in five is correct. The same $K$ and $G$ at $m=2$: 60%.",
            check=partial(_point_mass, num_correct=1, share=TARGET),
            planted="m = 2",
            control=partial(_point_mass, num_correct=2, share=TARGET),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Bimodal difficulty, half of the groups at $\delta$ and half at $1-\delta$ with $\delta < 1/2$ "
            r"and $\delta \le 1-K < 1-\delta$: the share is $1-\delta$, at least $4/5$ iff $\delta \le 1/5$.",
            check=partial(_bimodal, threshold=5),
            planted="iff delta <= 1/4",
            control=partial(_bimodal, threshold=4),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Symmetric $\mathrm{Beta}(a,a)$ at $K=1/2$: the share is $E\max(p, 1-p) = 1/2 + E|p-1/2|$, and "
            r"since $\frac{d}{dp}(p(1-p))^a = a(1-2p)(p(1-p))^{a-1}$, $E|p-1/2| = 4^{-a}/(a\,B(a,a))$.",
            check=partial(_beta_derivative, sign=1),
            planted="minus for plus",
            control=partial(_beta_derivative, sign=-1),
        ),
        Step(
            says=r"By the duplication formula $E|p-1/2| = \Gamma(a+1/2)/(2\sqrt\pi\,\Gamma(a+1))$, whose "
            r"logarithmic derivative is $\psi(a+1/2) - \psi(a+1) < 0$, since $\psi' = \sum_n (n+a)^{-2} > "
            r"0$: the share falls in $a$.",
            check=partial(_beta_duplicated, shift=Fraction(1, 2)),
            planted="Gamma(a + 1) above",
            control=partial(_beta_duplicated, shift=Fraction(1)),
            citation="NIST DLMF, 5.5.5 (duplication formula) and 5.15.1 (trigamma series)",
        ),
        Step(
            says=r"Ball arithmetic: the share is above $4/5$ at $a = .6021$ and below at $a = .6022$ (arcsine, "
            r"$a=1/2$: $1/2+1/\pi$; uniform, $a=1$: $3/4$). So U-shaped difficulty below $a^* \approx "
            r".602$, and no other $a$, reaches 80% at $K=1/2$.",
            check=partial(_beta_threshold, low="6021/10000", high="6022/10000"),
            planted="a* between .6022 and .6023",
            control=partial(_beta_threshold, low="6022/10000", high="6023/10000"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Mostly hard queries at $K=.4$: $\mathrm{Beta}(1,4)$ (mean success .2) gives $12644/15625 = "
            r".809$; $\mathrm{Beta}(1,3)$ gives $1939/2500 = .7756$, below.",
            check=partial(_beta_one, expected={4: Fraction(12644, 15625), 3: Fraction(1939, 2500)}),
            planted="Beta(1, 3) gives 4/5",
            control=partial(_beta_one, expected={4: Fraction(12644, 15625), 3: TARGET}),
            generality=Generality.GENERAL,
        ),
    )


def _point_mass(*, num_correct: int, share: Fraction) -> Finding:
    """Find whether groups of five at one m have this share, at K = .4."""
    k = Fraction(2, 5)
    shares = shipped_zero_share(k, 5)
    finding = all_equal([(f"m={num_correct}", shares[num_correct], share)], "one group")
    worked = {f"share of zeros at m={m}": str(shares[m]) for m in range(1, 5)}
    return with_witness(finding, {"G": "5", "K": str(k), **worked})


def _bimodal(*, threshold: int) -> Finding:
    """Find whether two point masses at delta and 1 - delta give the share 1 - delta."""
    delta, k, share = z3.Reals("delta K share")

    def zeros(p: Any) -> Any:
        return z3.If(p <= 1 - k, 1 - p, p)

    domain = (
        delta > 0,
        2 * delta < 1,
        delta <= 1 - k,
        1 - k < 1 - delta,
        # Half of the groups at either point.
        2 * share == zeros(delta) + zeros(1 - delta),
    )
    return valid(z3.And(share == 1 - delta, (5 * share >= 4) == (threshold * delta <= 1)), *domain)


def _beta_derivative(*, sign: int) -> Finding:
    """Find whether this is the antiderivative behind E|p - 1/2|, and the form right where SymPy integrates it."""
    a = sympy.symbols("a", positive=True)
    inner = P * (1 - P)
    derivative = sympy.diff(inner**a, P) / inner ** (a - 1) - a * (1 - sign * 2 * P)
    cases = [
        beta_share(1) - sympy.Rational(3, 4),
        beta_share(2) - limit_share(6 * inner, sympy.Rational(1, 2)),
    ]
    return all_zero([derivative, *cases], sympy.simplify)


def _beta_duplicated(effort: Effort, *, shift: Fraction) -> Finding:
    """Find whether the two forms of E|p - 1/2| agree where SymPy evaluates both: at integers and half-integers."""
    cases = []
    # At half-integers SymPy evaluates the gamma function exactly.
    for n in range(1, effort.pick(12, 6)):
        a = sympy.Rational(n, 2)
        duplicated = sympy.gamma(a + rational(shift)) / (2 * sympy.sqrt(sympy.pi) * sympy.gamma(a + 1))
        cases.append(beta_share(a) - sympy.Rational(1, 2) - duplicated)
    return all_zero(cases, sympy.simplify)


def beta_share(a: Any) -> Any:
    """Return E max(p, 1 - p) = 1/2 + 4^-a / (a B(a, a)) under Beta(a, a), with B(a, a) = Gamma(a)^2 / Gamma(2a)."""
    a = sympy.sympify(a, strict=True)
    return sympy.Rational(1, 2) + 4**-a * sympy.gamma(2 * a) / (a * sympy.gamma(a) ** 2)


def _beta_threshold(*, low: str, high: str) -> Finding:
    """Find whether the share crosses 4/5 between two values of a, in ball arithmetic."""
    # The share is monotone in a (the step before), so two signs enclose the root.
    above = certainly_positive(_beta_ball(low) - ball(TARGET), f"a={low}, share - 4/5")
    below = certainly_positive(ball(TARGET) - _beta_ball(high), f"a={high}, 4/5 - share")
    return both(above, below)


def _beta_ball(a: str) -> Any:
    """Return the share under Beta(a, a) as a ball."""
    x = ball(Fraction(a))
    return ball(Fraction(1, 2)) + ball(4) ** (-x) * (2 * x).gamma() / (x * x.gamma() ** 2)


def _beta_one(*, expected: dict[int, Fraction]) -> Finding:
    """Find whether Beta(1, b) has this share at K = .4."""
    cases = []
    for b, value in expected.items():
        # The density of Beta(1, b) is b (1 - p)^(b - 1).
        share = limit_share(b * (1 - P) ** (b - 1), sympy.Rational(2, 5))
        cases.append((f"Beta(1, {b})", share, rational(value)))
    return all_equal(cases, "K = .4")
