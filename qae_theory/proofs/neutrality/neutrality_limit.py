"""Prove claim ``neutrality-limit``: the gains of QAE and GRPO tend to 1/sqrt(p (1 - p)), within C/sqrt(G).

The constants C are explicit, and at p = 1 - K the rate is G^(-1/2). Everything is at eps = 0 and with the population
standard deviation. z3 decides the inequalities, SymPy the identities. Where the two differ at finite G is in
``neutrality_dip``; the ties to the shipped gains are in ``neutrality_limit_ties``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.neutrality import neutrality_limit_ties as ties
from qae_theory.proofs.tools.checking import all_zero, both, valid


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*group_form_steps(), *limit_steps(), *_rate_steps(), *ties.steps())
    ledger.add(Evidence("neutrality-limit", "proof", Kind.PROOF, Role.FOR, steps))


def group_form_steps() -> tuple[Step, ...]:
    """Return the gains of GRPO and QAE as expectations over the group's success rate, from which both proofs start."""
    return (
        Step(
            says=r"**From responses to groups.** $\binom{G-1}{j} = \frac{j+1}{G}\binom{G}{j+1} = "
            r"\frac{G-j}{G}\binom{G}{j}$, so with $m$ binomial $(G, p)$ and $\hat p = m/G$: $w = E[\hat "
            r"p\,c_m]/p - E[(1-\hat p)\,w_m]/(1-p)$ (symbolic $G$ and $j$).",
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
        *ties.group_form_steps(),
    )


def limit_steps() -> tuple[Step, ...]:
    """Return the proof that both gains tend to 1/sqrt(p(1-p))."""
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
        ties.mean_deviation_step(),
        Step(
            says=r"**The limit.** $|w - 1/s| \le E|F(\hat p) - 1/s| \le \frac{C}{s}E|\hat p - p| \le \frac{C}{\sqrt "
            r"G}$ with $C = \max(\frac{1}{Kp}, \frac{1}{(1-K)(1-p)})$ for QAE and $C = 1/s^2$ for GRPO, for every "
            r"$G$, $K$ and $p$. Both go to 0 as $G \to \infty$.",
            check=partial(_limit_follows, scale=1),
            planted="C/(2 sqrt G)",
            control=partial(_limit_follows, scale=2),
            generality=Generality.GENERAL,
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
        *moment_steps(),
        ties.mean_deviation_below_step(),
        Step(
            says=r"**The rate at $p = 1-K$ is $G^{-1/2}$.** Together, where $Gs^2 \ge 1$: $E|\hat p - p| \ge "
            r"s/(2\sqrt G)$ gives $\frac1s - w_{QAE} \ge \frac{1}{8s^2\sqrt G}$, and the limit's bound, where $\max "
            r"= 1/s^2$, gives $\frac1s - w_{QAE} \le \frac{1}{s^2\sqrt G}$.",
            check=partial(_rate_follows, eight=8),
            planted="1/7 below",
            control=partial(_rate_follows, eight=7),
            generality=Generality.GENERAL,
        ),
    )


def moment_steps() -> tuple[Step, ...]:
    """Return the second and fourth central moments of a success rate, and the bound on the fourth."""
    return (
        Step(
            says=r"**Moments.** Let $X$ be one response's reward less $p$, with $EX = 0$, $EX^2 = s^2$ and $EX^4 = "
            r"\mu_4 = s^2(1-3s^2)$, and $S$ the sum of $G$ of them. One more response, independent of $S$, adds "
            r"$s^2$ to $ES^2$ and $6s^2ES^2 + \mu_4$ to $ES^4$ (the odd terms have mean 0). By induction $ES^2 = "
            r"Gs^2$ and $ES^4 = G\mu_4 + 3G(G-1)s^4 = Gs^2(1 + 3(G-2)s^2)$; divided by $G^4$, $E(\hat p-p)^4 = s^2(1 "
            r"+ 3(G-2)s^2)/G^3$.",
            check=partial(_moment_recursion, cross=6),
            planted="4 s^2 E S^2 for 6 s^2 E S^2",
            control=partial(_moment_recursion, cross=4),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Where $Gs^2 \ge 1$ this is at most $4s^4/G^2$ (z3, all real $G \ge 1$ and $0 < s^2 \le 1/4$).",
            check=partial(_fourth_moment_bound, constant=4),
            planted="3 for 4",
            control=partial(_fourth_moment_bound, constant=3),
            generality=Generality.GENERAL,
        ),
    )


def _group_form(*, shift: int) -> Finding:
    """Find whether the binomial coefficients of G - 1 are those of G times (j + 1)/G and (G - j)/G."""
    size, j = sympy.symbols("G j", positive=True)
    ways = sympy.binomial(size - 1, j)
    # From groups of G - 1 others to groups of G: the own response is one of them.
    right = ways - sympy.binomial(size, j + 1) * (j + shift) / size
    wrong = ways - sympy.binomial(size, j) * (size - j) / size
    return all_zero([right, wrong], sympy.combsimp)


def _integrands(*, exponent: int) -> Finding:
    """Find whether x (1 - x)/sigma = sigma, x/sigma = u and (1 - x)/sigma = 1/u, with x written in u."""
    # In u = sqrt(x/(1 - x)) all terms are rational, so that SymPy's normal form decides them.
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


def _qae_deviation(*, factor: Any) -> Finding:
    """Find whether |F(x) - 1/s| is at most |x - p|/s times 1/(K p), for x up to the gate."""
    u, p_root, k, x, p = z3.Reals("U P K x p")
    domain = (u >= 0, p_root > 0, k > 0, k < 1)
    rates = (x * (1 + u**2) == u**2, p * (1 + p_root**2) == p_root**2)
    meets = p_root * (1 - p) == p / p_root  # u(p)/p = v(p)/(1-p), cross-multiplied
    # In U and P the square roots are gone; s is P/(1 + P^2).
    scaled = (x - p) * (1 + p_root**2) * (1 + u**2) == u**2 - p_root**2  # s = P/(1 + P^2)
    gate = z3.Implies(x <= 1 - k, (1 + u**2) * k <= 1)
    w = z3.Real("W")
    # W stands for (1 + U^2) K, which the gate keeps at most 1; both sides are squared, to be rid of absolute values.
    bound = (u - p_root) ** 2 * w**2 * p_root**2 <= _real(factor) ** 2 * (u**2 - p_root**2) ** 2
    return both(
        valid(meets, *domain, rates[1]),
        valid(scaled, *domain, *rates),
        valid(gate, *domain, rates[0]),
        valid(bound, *domain, w > 0, w <= 1),
    )


def _real(value: Any) -> Any:
    """Return a number as a z3 rational."""
    value = Fraction(value)
    return z3.Q(value.numerator, value.denominator)


def _grpo_deviation(*, factor: Any) -> Finding:
    """Find whether |T(x) - 1/s| is at most |x - p|/s^3."""
    x, p, sigma, s = z3.Reals("x p sigma s")
    domain = (x >= 0, x <= 1, p > 0, p < 1)
    return both(
        valid(x * (1 - x) - p * (1 - p) == (x - p) * (1 - x - p), *domain),
        valid(z3.And(1 - x - p <= 1, 1 - x - p >= -1), *domain),
        valid((sigma - s) ** 2 * s**2 <= _real(factor) ** 2 * (sigma**2 - s**2) ** 2, sigma >= 0, s > 0),
    )


def _limit_follows(*, scale: int) -> Finding:
    """Find whether a mean deviation of at most s/sqrt(G) makes the gap at most C/sqrt(G)."""
    gap, constant, deviation, s, root = z3.Reals("gap C deviation s root_G")
    # gap = |w - 1/s|; the step before gives it from the mean deviation, and that is at most s/sqrt(G).
    facts = (gap * s <= constant * deviation, deviation * root <= s, s > 0, root > 0, constant > 0, deviation >= 0)
    return valid(gap * root * scale <= constant, *facts)


def _falls_away(*, factor: Any) -> Finding:
    """Find whether 1/s - F(x) is at least (p - x)/(2 p s) for x <= p."""
    u, p_root, p = z3.Reals("U P p")
    # 2 (P - U)(1 + U^2) P >= P^2 - U^2 holds for U <= P; without the 2 it fails.
    inequality = _real(factor) * (p_root - u) * (1 + u**2) * p_root >= p_root**2 - u**2
    return both(
        valid(inequality, u >= 0, u <= p_root, p_root > 0),
        valid(1 / p + 1 / (1 - p) == 1 / (p * (1 - p)), p > 0, p < 1),
    )


def _moment_recursion(*, cross: int) -> Finding:
    """Find whether one more response adds what the induction says to the moments, and the closed form obeys it."""
    size, p, square, fourth, second_sum, fourth_sum = sympy.symbols("G p s2 mu4 ES2 ES4", positive=True)
    s, x = sympy.symbols("S X")
    # The fourth power of the longer sum, taken apart by powers of S and X.
    grown = sympy.Poly(sympy.expand((s + x) ** 4), s, x).as_dict()
    # By independence E[S^a X^b] = E[S^a] E[X^b]; first moments are 0, and so are the terms with them.
    means_s = {0: 1, 1: 0, 2: second_sum, 3: sympy.Symbol("ES3"), 4: fourth_sum}
    means_x = {0: 1, 1: 0, 2: square, 3: sympy.Symbol("EX3"), 4: fourth}
    expected = sum(coefficient * means_s[a] * means_x[b] for (a, b), coefficient in grown.items())
    recursion = expected - (fourth_sum + cross * square * second_sum + fourth)
    closed = size * fourth + 3 * size * (size - 1) * square**2
    # The closed form obeys the recursion, and holds at G = 1 by definition of mu_4.
    step = closed.subs(size, size + 1) - (closed + 6 * square * size * square + fourth)
    single = p * (1 - p) ** 4 + (1 - p) * p**4 - p * (1 - p) * (1 - 3 * p * (1 - p))
    form = closed.subs(fourth, square * (1 - 3 * square)) - size * square * (1 + 3 * (size - 2) * square)
    return all_zero([recursion, step, single, form], sympy.expand)


def _fourth_moment_bound(*, constant: int) -> Finding:
    """Find whether the fourth moment is at most ``constant`` s^4/G^2 where G s^2 >= 1."""
    size, square = z3.Reals("G square")
    bound = square * (1 + 3 * (size - 2) * square) * size**2 <= constant * square**2 * size**3
    return valid(bound, size >= 1, square > 0, square <= z3.Q(1, 4), size * square >= 1)


def _rate_follows(*, eight: int) -> Finding:
    """Find whether the bounds on the mean deviation give the rate G^(-1/2) from below, and C = 1/s^2 at p = 1 - K."""
    gap, deviation, s, root = z3.Reals("gap deviation s root_G")
    below = valid(
        gap * eight * s * s * root >= 1,
        gap * 4 * s * s * s >= deviation,
        2 * deviation * root >= s,
        s > 0,
        root > 0,
    )
    # At p = 1 - K, K p = (1 - K)(1 - p) = s^2: the constant of the limit is 1/s^2.
    p, k = z3.Reals("p K")
    constant = valid(z3.And(k * p == p * (1 - p), (1 - k) * (1 - p) == p * (1 - p)), k == 1 - p)
    return both(below, constant)
