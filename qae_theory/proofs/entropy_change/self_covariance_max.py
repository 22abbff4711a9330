"""Prove claim ``self-covariance-max``: the self-covariance C is largest where one arm is heavy, all others equal.

It is then x (1 - x)(x - y) log(x/y) with y = (1 - x)/(n - 1), maximised in ball arithmetic for three n, and grows like
(4/27) log n. The shape is shown by moving mass between arms (SymPy, z3), the others' sums being symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import flint
import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import expression, formulas
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import LOG_PROB, PROB
from qae_theory.proofs.tools.checking import all_zero, both, for_all, valid, zero
from qae_theory.softmax import self_covariance

# By the number of arms: M(n) as the claim quotes it, and an x that comes close to it; both are exact decimals.
QUOTED = {2: ("0.1599", "0.8828"), 5: ("0.3329", "0.8064"), 151_936: ("1.8791", "0.6928")}


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence("self-covariance-max", "one-heavy-arm", Kind.PROOF, Role.FOR, (*_shape(), *_values(), *_growth()))
    )


def _shape() -> tuple[Step, ...]:
    return (
        Step(
            says=r"As a function of the probabilities, $C = \sum_i p_i^2\log p_i + H\,P$ with $P = \sum_i p_i^2$ "
            r"and $H = -\sum_i p_i\log p_i$ (the shipped `self_covariance` on any number of arms).",
            check=partial(_in_sums, sign=1),
            planted="minus H P",
            control=partial(_in_sums, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $0\log 0 = 0$ the terms $p\log p$ and $p^2\log p$ are continuous at $p = 0$ too, and so is "
            r"$C$ on the closed simplex. That is compact, so the maximum of $C$ is attained (a continuous function "
            r"on a compact set).",
            check=partial(_continuous_at_zero, power=1),
            planted="log p itself",
            control=partial(_continuous_at_zero, power=0),
            citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 4.16",
        ),
        Step(
            says=r"Not at the boundary: move mass $\epsilon$ from an arm in use to an arm of probability 0. $C$ "
            r"changes by $\epsilon\log(1/\epsilon)\,P + O(\epsilon)$, which is positive for small "
            r"$\epsilon$. (Coefficient of $\epsilon\log\epsilon$ by SymPy, the rest of the policy held in "
            r"symbols.)",
            check=partial(_boundary, sign=-1),
            planted="+P epsilon log epsilon",
            control=partial(_boundary, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At an interior maximum $\partial C/\partial p_i = g(p_i)$ takes one value for all $i$, because "
            r"moving mass from arm $j$ to arm $i$ changes $C$ at the rate $g(p_i) - g(p_j)$, where $g(x) = 2x\log x "
            r"+ x - (\log x + 1)P + 2xH$ with the same $P, H$ for every arm. As $g'' = 2/x + P/x^2 > 0$, $g$ is "
            r"strictly convex and takes a value at most twice: the $p_i$ have at most two values $u < v$. Not only "
            r"one: $C$ is 0 at the uniform policy alone.",
            check=partial(_convex, power=2),
            planted="g'' = 2/x + P/x",
            control=partial(_convex, power=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Two arms at the larger value $v$: moving mass between them, $(v + t, v - t)$, has the second "
            r"derivative $2g'(v)$ at $t = 0$.",
            check=partial(_between_two, factor=2),
            planted="g'(v)",
            control=partial(_between_two, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"And $g'(v) > 0$: a convex $g$ lies above its tangent at $v$, strictly, so $g(v) = g(u) > g(v) "
            r"+ g'(v)(u-v)$ with $u < v$. So $C$ grows along that direction: no maximum. Hence exactly one "
            r"arm is at $v$ and $n-1$ at $u$.",
            check=partial(_ascent, positive=True),
            planted="g'(v) < 0",
            control=partial(_ascent, positive=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"One arm at $x$, $n-1$ at $y = (1-x)/(n-1)$: $C = x(1-x)(x-y)\log(x/y)$, for every $n$ (the sums "
            r"of the first step, symbolic $n$ and $x$).",
            check=partial(_family, sign=-1),
            planted="x + y for x - y",
            control=partial(_family, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: it is the shipped `self_covariance` there (SymPy, $n = 2, 3, 5$).",
            check=partial(_shipped_family, sign=-1),
            planted="x + y for x - y",
            control=partial(_shipped_family, sign=1),
            tie=True,
        ),
    )


def _values() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$u\log(c/u)$ grows with $u$ up to $u = c/e$. So for $x$ near 1, where $x \le 1$, $x - y \le 1$ "
            r"and $x/y \le (n-1)/(1-x)$, $C$ is at most $u\log((n-1)/u)$ with $u = 1-x$, which falls to 0 with $u$.",
            check=partial(_tail_decreases, peak=sympy.E),
            planted="up to u = c/2",
            control=partial(_tail_decreases, peak=sympy.Integer(2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"One-dimensional maximisation in ball arithmetic: bisecting $[1/n, 1)$, the last piece by the step "
            r"before, encloses $M(2)$, $M(5)$ and $M(151936)$ to within half a unit of the fourth digit of .1599, "
            r".3329 and 1.8791. The lower bound is the family's value at one rational $x$; no piece exceeds the "
            r"upper one.",
            check=partial(_enclosures, off="0"),
            planted="the last digit plus one",
            control=partial(_enclosures, off="0.0001"),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: the shipped `self_covariance` on floats has these values there.",
            check=partial(_shipped_values, off=0.0),
            planted="values 1e-6 larger",
            control=partial(_shipped_values, off=1e-6),
            tie=True,
        ),
    )


def _growth() -> tuple[Step, ...]:
    return (
        Step(
            says=r"From above: $x - y \le x$ and $\log(x/y) = \log(n-1) + \log\frac{x}{1-x} \ge 0$ give $C \le "
            r"x^2(1-x)\log(n-1) + x^2(1-x)\log\frac{x}{1-x}$, and $x^2(1-x) \le 4/27$.",
            check=partial(_cubic, peak=sympy.Rational(4, 27)),
            planted="x^2 (1 - x) <= 1/7",
            control=partial(_cubic, peak=sympy.Rational(1, 7)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The last term is at most $0.1881$ on $(0, 1)$ (ball arithmetic on pieces; $x \log(1/x)$-type "
            r"tails by hand: near 1 it is at most $(1-x)\log(1/(1-x))$, which decreases to 0; for $x \le "
            r"1/2$ it is at most 0).",
            check=partial(_tail, most="0.1881"),
            planted="0.1880",
            control=partial(_tail, most="0.1880"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"From below, at $x = 2/3$: $C = \frac{4}{27}\left(1 - \frac{1}{2(n-1)}\right)\log(2(n-1))$, "
            r"exactly. Both sides divided by $\log n$ tend to $4/27$.",
            check=partial(_from_below, two=2),
            planted="1 - 1/(3(n-1))",
            control=partial(_from_below, two=3),
            generality=Generality.GENERAL,
        ),
    )


def _g(x: Any, square: Any, entropy: Any) -> Any:
    """Return the derivative of C in a probability x, given P and H."""
    return 2 * x * sympy.log(x) + x - (sympy.log(x) + 1) * square + 2 * x * entropy


def _of_arms(*probs: Any) -> Any:
    """Return C with some arms singled out; Q, R, S are the others' sums of p^2 log p, p log p and p^2."""
    q, r, s = sympy.symbols("Q R S", real=True)
    return (
        q + sum(p**2 * sympy.log(p) for p in probs)
        - (r + sum(p * sympy.log(p) for p in probs)) * (s + sum(p**2 for p in probs))
    )  # fmt: skip


def _in_sums(*, sign: int) -> Finding:
    """Find whether the shipped self-covariance is sum p^2 log p + H P, with P = sum p^2."""
    shipped = for_any_policy(lambda arms: self_covariance(arms.logits()))
    entropy = -moments.mean(LOG_PROB)
    # E[pi log pi] is the sum of p^2 log p, and E[pi] that of p^2.
    return zero(shipped - moments.mean(PROB * LOG_PROB) - sign * entropy * moments.mean(PROB), sympy.expand)


def _continuous_at_zero(*, power: int) -> Finding:
    """Find whether p^power log p and p^2 log p tend to 0 with p."""
    p = sympy.Symbol("p", positive=True)
    limits = [sympy.limit(p**exponent * sympy.log(p), p, 0, "+") for exponent in (power, 2)]
    return all_zero(limits)


def _boundary(*, sign: int) -> Finding:
    """Find whether moving mass epsilon to an arm of probability 0 changes C by -P epsilon log epsilon at first."""
    donor, eps, log_eps = sympy.symbols("p epsilon ell", positive=True)
    change = _of_arms(donor - eps, eps).subs(sympy.log(eps), log_eps) - _of_arms(donor)
    # P, the others' sum of squares and the donor's own.
    square = sympy.Symbol("S", real=True) + donor**2
    # In powers of epsilon with log epsilon held apart: no constant term, and P log epsilon to first order.
    constant = change.subs(eps, 0)
    coefficient = sympy.expand(sympy.diff(change, eps).subs(eps, 0)).coeff(log_eps, 1)
    return all_zero([constant, coefficient - sign * square], sympy.expand)


def _convex(*, power: int) -> Finding:
    """Find whether moving mass between arms changes C at the rate g(p) - g(q), and g'' = 2/x + P/x^2 > 0."""
    x, square, entropy, p, q = sympy.symbols("x P H p q", positive=True)
    r, s, t = sympy.symbols("R S t", real=True)
    # Moving mass keeps the sum of the probabilities, so that no multiplier is needed.
    rate = sympy.diff(_of_arms(p + t, q - t), t).subs(t, 0)
    sums = {"square": s + p**2 + q**2, "entropy": -(r + p * sympy.log(p) + q * sympy.log(q))}
    moved = rate - (_g(p, **sums) - _g(q, **sums))
    second = sympy.diff(_g(x, square, entropy), x, 2) - (2 / x + square / x**power)
    a, b = z3.Reals("x P")
    positive = valid(2 / a + b / (a * a) > 0, a > 0, b > 0)
    return both(all_zero([second, moved], sympy.expand), positive)


def _between_two(*, factor: int) -> Finding:
    """Find whether moving mass between two arms at v has the second derivative 2 g'(v)."""
    v = sympy.Symbol("v", positive=True)
    r, s, t, x, square, entropy = sympy.symbols("R S t x P H", real=True)
    second = sympy.diff(_of_arms(v + t, v - t), t, 2).subs(t, 0)
    # P and H of the policy with two arms at v.
    at_v = {x: v, square: s + 2 * v**2, entropy: -(r + 2 * v * sympy.log(v))}
    slope = sympy.diff(_g(x, square, entropy), x).subs(at_v)
    return zero(second - factor * slope, lambda e: sympy.expand(sympy.expand_log(e, force=True)))


def _ascent(*, positive: bool) -> Finding:
    """Find whether g'(v) > 0, from the strict tangent inequality of a convex g with g(u) = g(v)."""
    u, v, g_u, g_v, slope = z3.Reals("u v g_u g_v slope")
    goal = slope > 0 if positive else slope < 0
    return valid(goal, u < v, g_u == g_v, g_u > g_v + slope * (u - v))


def _family(*, sign: int) -> Finding:
    """Find whether C is x (1 - x)(x - y) log(x/y) with one arm at x and n - 1 at y, for symbolic n."""
    x, n = sympy.symbols("x n", positive=True)
    y = (1 - x) / (n - 1)
    log_x, log_y = sympy.symbols("a b")
    sums = x**2 * log_x + (n - 1) * y**2 * log_y - (x * log_x + (n - 1) * y * log_y) * (x**2 + (n - 1) * y**2)
    return zero(sums - x * (1 - x) * (x + sign * y) * (log_x - log_y))


def _shipped_family(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped self-covariance has that value, for a few n."""
    x = sympy.Symbol("x", positive=True)
    log_x, log_y = sympy.symbols("a b", real=True)
    residuals = []
    for arms in effort.pick((2, 3, 5), (2, 3)):
        light = (1 - x) / (arms - 1)
        shipped = expression(self_covariance(formulas([log_x, *[log_y] * (arms - 1)])))
        at_policy = sympy.simplify(shipped.subs({sympy.exp(log_x): x, sympy.exp(log_y): light}))
        residuals.append(at_policy - x * (1 - x) * (x + sign * light) * (log_x - log_y))
    return all_zero(residuals)


def _value(x: Any, arms: int) -> Any:
    """Return the family's C at x, in ball arithmetic."""
    y = (1 - x) / (arms - 1)
    return x * (1 - x) * (x - y) * (x / y).log()


def _upper(a: Any, b: Any, arms: int) -> Any:
    """Return an upper bound on the family's C over [a, b] in [1/n, 1): a product of non-negative factors' maxima."""
    half = flint.arb(1) / 2
    # x (1 - x) peaks at 1/2: on either side of it the end that is nearer counts.
    if b <= half:
        spread = b * (1 - b)
    elif a >= half:
        spread = a * (1 - a)
    else:
        spread = flint.arb(1) / 4
    # x - y and x/y both grow with x, so that their maxima are at b.
    gap = b - (1 - b) / (arms - 1)
    return spread * gap * ((arms - 1) * b / (1 - b)).log()


def _enclosures(*, off: str) -> Finding:
    """Find whether the quoted maxima are right to half a unit of their last digit."""

    def cases() -> Iterator[tuple[str, bool]]:
        for arms, (quoted, best) in QUOTED.items():
            # Half a unit of the fourth digit, in which the maxima are quoted.
            target, half_unit = flint.arb(quoted) + flint.arb(off), flint.arb("0.00005")
            yield f"n = {arms}: lower", bool(_value(flint.arb(best), arms) > target - half_unit)
            yield f"n = {arms}: upper", _never_above(target + half_unit, arms)

    return for_all(cases(), "n = 2, 5, 151936")


def _shipped_values(*, off: float) -> Finding:
    """Find whether the shipped self-covariance on floats has the family's value at the near-best x."""

    def cases() -> Iterator[tuple[str, bool]]:
        for arms, (_, best) in QUOTED.items():
            x = float(best)
            logits = np.full(arms, np.log((1 - x) / (arms - 1)))
            logits[0] = np.log(x)
            exact = float(_value(flint.arb(x), arms).mid())
            # 1e-9: a sum over 151936 arms loses at most a few units of 1e-16 each.
            yield f"n = {arms}", bool(abs(float(self_covariance(logits)) + off - exact) < 1e-9)

    return for_all(cases(), "n = 2, 5, 151936")


def _tail_decreases(*, peak: Any) -> Finding:
    """Find whether u log(c/u) rises exactly below u = c/e, for every constant c: its derivative is log(c/u) - 1."""
    u, c, ratio = sympy.symbols("u c r", positive=True)
    slope = sympy.diff(u * sympy.log(c / u), u) - (sympy.log(c / u) - 1)
    at_peak = sympy.log(c / u).subs(u, c / ratio) - 1
    return all_zero([slope, at_peak.subs(ratio, peak)], lambda e: sympy.simplify(sympy.expand_log(e, force=True)))


def _never_above(ceiling: Any, arms: int) -> bool:
    """Return whether bisection of [1/n, 1) brings every piece's upper bound below the ceiling."""
    # Beyond `last`, C <= u log((n - 1)/u) with u = 1 - x < (n - 1)/e, which falls with u.
    last = 1 - flint.arb(2) ** -12
    if not (1 - last) * ((arms - 1) / (1 - last)).log() < ceiling:
        return False
    pieces = [(flint.arb(1) / arms, last, 0)]
    while pieces:
        a, b, depth = pieces.pop()
        if _upper(a, b, arms) < ceiling:
            continue
        middle = ((a + b) / 2).mid()
        # A piece that 40 halvings do not bring below the ceiling fails the bound; a value above the ceiling refutes it.
        if depth > 40 or _value(middle, arms) > ceiling:
            return False
        pieces += [(a, middle, depth + 1), (middle, b, depth + 1)]
    return True


def _cubic(*, peak: Any) -> Finding:
    """Find whether x^2 (1 - x) is at most its peak for x >= 0, and x - y may be replaced by x in the bound."""
    x = z3.Real("x")
    bound = valid(x * x * (1 - x) <= z3.Q(int(peak.p), int(peak.q)), x >= 0)
    y, rise, size = z3.Reals("y rise size")
    # Dropping y only enlarges the bound, as log(x/y) is not negative.
    first = valid(size * (x - y) * rise <= size * x * rise, size >= 0, y >= 0, rise >= 0)
    return both(bound, first)


def _tail(*, most: str) -> Finding:
    """Find whether x^2 (1 - x) log(x/(1 - x)) is at most a number on [1/2, 1), piece by piece in ball arithmetic."""
    ceiling = flint.arb(most)

    def upper(a: Any, b: Any) -> Any:
        return b * b * (1 - a) * (b / (1 - b)).log()

    def cases() -> Iterator[tuple[str, bool]]:
        last = 1 - flint.arb(2) ** -10
        yield "near 1", bool((1 - last) * (1 / (1 - last)).log() < ceiling)
        pieces = [(flint.arb(1) / 2, last)]
        while pieces:
            a, b = pieces.pop()
            if upper(a, b) < ceiling:
                yield f"[{a.str(5)}, {b.str(5)}]", True
            # A piece this short that is still above the ceiling may hold a point above it: the bound cannot tell.
            elif b - a < flint.arb(2) ** -20:
                yield f"[{a.str(5)}, {b.str(5)}]", False
                return
            else:
                middle = ((a + b) / 2).mid()
                pieces += [(a, middle), (middle, b)]

    return for_all(cases(), "pieces of [1/2, 1)")


def _from_below(*, two: int) -> Finding:
    """Find whether C at x = 2/3 is (4/27)(1 - 1/(2 (n - 1))) log(2 (n - 1)), for symbolic n."""
    n = sympy.Symbol("n", positive=True)
    log = sympy.Symbol("ell")
    x = sympy.Rational(2, 3)
    y = (1 - x) / (n - 1)
    # The logarithm is one symbol once its argument is known.
    ratio = zero(x / y - 2 * (n - 1))
    claimed = sympy.Rational(4, 27) * (1 - 1 / (two * (n - 1))) * log
    value = zero(x * (1 - x) * (x - y) * log - claimed)
    return both(ratio, value)
