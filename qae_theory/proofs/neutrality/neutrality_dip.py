"""QAE's gain against GRPO's at finite G: above it for rare and for frequent success, below it at p = 1 - K.

At eps = 0, population standard deviation; builds on the group form of ``neutrality_limit``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from math import ceil, sqrt
from typing import Any

import numpy as np
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import expected_gain, gain, outcome_advantages
from qae_theory.proofs.neutrality.neutrality_limit import LEVELS, binomial_weights, fourth_moment, group_form_steps
from qae_theory.proofs.tools.checking import both, close_to, for_all, rational, valid, with_witness
from qae_theory.proofs.tools.rule_formulas import exactly_equal, number


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "neutrality-dip",
            "proof",
            Kind.PROOF,
            Role.FOR,
            (*group_form_steps(), *_dip_steps(), *_end_steps(), *_closing_steps(), _quoted_step()),
        )
    )


def _dip_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**At $p = 1-K$, $F \le T$ pointwise.** For $x \le p$: $T(x) - F(x) = "
            r"u(x)\frac{(1-x)-(1-p)}{p(1-p)} = u(x)\frac{p-x}{p(1-p)}$; for $x > p$, exchanging right and "
            r"wrong, $v(x)\frac{x-p}{p(1-p)}$. Both are $\ge 0$, and $> 0$ unless $x$ is 0, $p$ or 1.",
            check=partial(_pointwise_below, sign=1),
            planted="F >= T",
            control=partial(_pointwise_below, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**The dip.** Every $m$ has positive probability, and $G \ge 3$ has two mixed values of $m$, "
            r"one of which is not $Gp$. So $w_{QAE} < w_{GRPO}$ at $p = 1-K$ for every $K$ and every $G "
            r"\ge 3$ (at $G = 2$ unless $p = 1/2$). The shipped difference is the positive sum $E[\min(u, "
            r"v)\,|\hat p - p|]/(p(1-p))$ of the formula, exactly (the minimum taken by the gate: $u$ "
            r"below $p$, $v$ above).",
            check=partial(_shipped_dip, at=lambda k: 1 - k),
            planted="p = K",
            control=partial(_shipped_dip, at=lambda k: k),
        ),
    )


def _end_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**The ends.** $w$ is a polynomial in $p$, so it tends to $c_1 - w_0 = c_1$ as $p \to 0$ and "
            r"to $c_G - w_{G-1} = -w_{G-1}$ as $p \to 1$. For $1/G < K \le 1-1/G$ a group with one "
            r"success is hard and one with one failure is easy, so both ratios are $\frac1\sigma / "
            r"\frac{1-1/G}{\sigma} = \frac{G}{G-1} > 1$. The shipped `gain` on the ends $p = 0, 1$, "
            r"exactly.",
            check=partial(_ends, inside=lambda k, size: Fraction(1, size) < k <= 1 - Fraction(1, size)),
            planted="K = 1/G included",
            control=partial(_ends, inside=lambda k, size: Fraction(1, size) <= k <= 1 - Fraction(1, size)),
        ),
        Step(
            says=r"Between the ends the ratio is continuous (both gains are polynomials and $w_{GRPO} > 0$), "
            r"above 1 near 0 and 1 and below 1 at $p = 1-K$: it dips. The shipped ratio in float64, $K$ "
            r"and $G$ on a grid.",
            check=partial(_shipped_shape, at=lambda k: 1 - k),
            planted="the dip at p = K",
            control=partial(_shipped_shape, at=lambda k: k),
            tie=True,
        ),
    )


def _closing_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Off $p = 1-K$ the difference is positive in the end.** $s^2(w_{QAE} - w_{GRPO}) = "
            r"E[g(\hat p)]$, $g(x) = u(x)(x-p)$ for $x \le 1-K$, $-v(x)(x-p)$ beyond. Let $p < 1-K$, $a = "
            r"1-K-p$, $P = u(p)$. Below the gate $(u(x)-P)(x-p) \ge c(x-p)^2$, $c = \frac{1+P^2}{1+P}$, "
            r"as $(1+U^2)(1+P) \ge U+P$; beyond it $x-p > a$ and $v(x) \le v(1-K)$. So everywhere $g(x) "
            r"\ge P(x-p) + c(x-p)^2 - B(x-p)^4$ with $B = \frac{c}{a^2} + \frac{P+v(1-K)}{a^3}$.",
            check=partial(_curved_below, power=3),
            planted="a^2 for a^3",
            control=partial(_curved_below, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$E(\hat p-p) = 0$, $E(\hat p-p)^2 = s^2/G$ and, where $Gs^2 \ge 1$, $E(\hat p-p)^4 \le "
            r"4s^4/G^2$.",
            check=partial(fourth_moment, constant=4),
            planted="3 for 4",
            control=partial(fourth_moment, constant=3),
        ),
        Step(
            says=r"**The dip closes in on $1-K$.** So $s^2(w_{QAE} - w_{GRPO}) \ge cs^2/G - 4Bs^4/G^2 > 0$ "
            r"once $G > \max(1/s^2, 4Bs^2/c)$, and for $p > 1-K$ likewise with right and wrong exchanged: "
            r"at every $p \ne 1-K$ the ratio is above 1 for all large $G$. The shipped ratio from that "
            r"$G$ on.",
            check=partial(_shipped_closing, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_closing, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _quoted_step() -> Step:
    return Step(
        says=r"**At $K = 2/5$**, ball arithmetic on the shipped function's exact sums: the ratio is 1.0614, "
        r".8444 and 1.0553 at $p = .02, .6, .95$ for $G = 16$, and .9528 at $p = .6$ for $G = 256$.",
        check=partial(_quoted, level="2/5"),
        planted="K = 3/5",
        control=partial(_quoted, level="3/5"),
        generality=Generality.GENERAL,
    )


def _pointwise_below(*, sign: int) -> Finding:
    x, p, u = z3.Reals("x p u")
    below_gate, grpo = u / p, u * (1 - x) / (p * (1 - p))  # sigma = u (1 - x)
    domain = (p > 0, p < 1, x >= 0, x <= p, u >= 0)
    return both(
        valid(grpo - below_gate == sign * u * (p - x) / (p * (1 - p)), *domain),
        valid(sign * (grpo - below_gate) >= 0, *domain),
        valid(sign * (grpo - below_gate) > 0, *domain, x > 0, x < p, u > 0),
    )


def _shipped_dip(effort: Effort, *, at: Any) -> Finding:
    positive: list[tuple[str, bool]] = []
    equal = exactly_equal(_dip_cases(range(2, effort.pick(25, 9)), at, positive), "G >= 2, seven K")
    return both(equal, for_all(positive, "some term is positive"))


def _dip_cases(sizes: range, at: Any, positive: list[tuple[str, bool]]) -> Iterator[tuple[str, Any, Any]]:
    """The shipped difference and its formula; notes on the way whether a term of the formula is positive."""
    for size in sizes:
        for k in (*LEVELS, Fraction(1, 100), Fraction(99, 100)):
            p = at(k)
            difference = number(expected_gain(p, size, "grpo", eps=0)) - number(
                expected_gain(p, size, "qae", k=k, eps=0)
            )
            terms = [(weight, *_fall(Fraction(m, size), p)) for m, weight in binomial_weights(p, size)]
            wanted = sum(rational(weight * distance / (p * (1 - p))) * root for weight, distance, root in terms)
            yield f"K={k}, G={size}", difference, wanted
            strict = any(distance > 0 and root > 0 for _, distance, root in terms)
            positive.append((f"K={k}, G={size}", strict == (size > 2 or p != Fraction(1, 2))))


def _fall(x: Fraction, p: Fraction) -> tuple[Fraction, Any]:
    """|x - p|, and u(x) up to p or v(x) beyond it."""
    square = x / (1 - x) if x <= p else (1 - x) / x
    return abs(x - p), rational(square) ** rational(Fraction(1, 2))


def _ends(effort: Effort, *, inside: Any) -> Finding:
    cases = []
    for size in range(3, effort.pick(33, 17)):
        grpo = outcome_advantages(size, "grpo", exact=True, eps=0)
        for k in (*LEVELS, Fraction(1, size), 1 - Fraction(1, size)):
            if not inside(k, size):
                continue
            qae = outcome_advantages(size, "qae", exact=True, k=k, eps=0)
            for end in (Fraction(0), Fraction(1)):
                p = np.array(end, dtype=object)
                wanted = number(gain(p, grpo)) * rational(Fraction(size, size - 1))
                cases.append((f"K={k}, G={size}, p={end}", gain(p, qae), wanted))
    return exactly_equal(cases, "G >= 3, K strictly between 1/G and 1, at most 1 - 1/G")


def _shipped_shape(effort: Effort, *, at: Any) -> Finding:
    sizes = effort.pick((16, 17, 31, 64, 256, 1024), (16, 31, 256))
    cases = (
        (f"K={k}, G={size}", bool(ratio[0] > 1 and ratio[1] < 1 and ratio[2] > 1))
        for size in sizes
        for k in LEVELS
        if k != Fraction(1, 2)  # there p = K is p = 1 - K
        for ratio in [_ratio(np.array([1e-9, float(at(k)), 1 - 1e-9]), size, k)]
    )
    return for_all(cases, f"G in {sizes}, four K")


def _ratio(p: Any, size: int, k: Fraction) -> Any:
    return expected_gain(p, size, "qae", k=k, eps=0) / expected_gain(p, size, "grpo", eps=0)


def _curved_below(*, power: int) -> Finding:
    u, p_root, d, a, v, v_gate = z3.Reals("U P d a v v_gate")
    slope = valid((1 + u**2) * (1 + p_root) >= u + p_root, u >= 0, p_root > 0)
    # x - p = (U^2 - P^2) / ((1 + U^2)(1 + P^2)), so that (U - P)(x - p) = (x - p)^2 (1 + U^2)(1 + P^2) / (U + P).
    product = valid(
        z3.Implies(
            d * (1 + u**2) * (1 + p_root**2) == u**2 - p_root**2,
            (u - p_root) * (u + p_root) == d * (1 + u**2) * (1 + p_root**2),
        ),
    )
    far_square = valid(d**2 * a**2 <= d**4, d >= a, a > 0)
    far_line = valid(d * a**power <= d**4, d >= a, a > 0)
    gate = valid(-v * d >= -v_gate * d, d > 0, v >= 0, v <= v_gate)
    c, over_square, over_cube = z3.Reals("c d4_over_a2 d4_over_a3")
    together = valid(
        -v_gate * d >= p_root * d + c * d**2 - c * over_square - (p_root + v_gate) * over_cube,
        *(c > 0, p_root > 0, v_gate > 0, over_square >= d**2, over_cube >= d),
    )
    return both(slope, product, far_square, far_line, gate, together)


def _shipped_closing(effort: Effort, *, level_of: Any) -> Finding:
    k = Fraction(2, 5)
    multiples = effort.pick((1, 2, 5, 20), (1, 4))
    cases = (
        (f"p={p}, G={size}", bool(_ratio(p, size, k) > 1))
        for p in (0.05, 0.2, 0.3, 0.6, 0.9, 0.95)
        if abs(p - (1 - level_of(k))) > 1e-9
        for least in [_settled(p, float(level_of(k)))]
        for size in (least * multiple for multiple in multiples)
        if size <= 20_000
    )
    return for_all(cases, "K = 2/5, six p")


def _settled(p: float, k: float) -> int:
    """The G of the proof, from which on the ratio at p is above 1."""
    if p > 1 - k:
        p, k = 1 - p, 1 - k
    square, root = p * (1 - p), sqrt(p / (1 - p))
    a, c = 1 - k - p, (1 + p / (1 - p)) / (1 + root)
    b = c / a**2 + (root + sqrt(k / (1 - k))) / a**3
    return ceil(max(1 / square, 4 * b * square / c)) + 1


def _quoted(*, level: str) -> Finding:
    findings = []
    shown = {}
    for p, size, quoted in (
        ("1/50", 16, "1.0614"),
        ("3/5", 16, "0.8444"),
        ("19/20", 16, "1.0553"),
        ("3/5", 256, "0.9528"),
    ):
        ratio = number(expected_gain(p, size, "qae", k=level, eps=0)) / number(expected_gain(p, size, "grpo", eps=0))
        # Half a unit of the last quoted digit.
        findings.append(close_to(ratio, quoted, f"G={size}, p={p}", half_width="0.00005"))
        if not findings[-1].passed:
            return findings[-1]
        shown[f"w_QAE / w_GRPO at p = {p}, G = {size}"] = findings[-1].detail.split(": ")[1].split(" against")[0]
    return with_witness(both(*findings), {"K": level, **shown})
