"""Claim `self-covariance-max`: which policies have the largest self-covariance, and how large it is."""

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
from qae_theory.proofs.tools import generic_arm as arm
from qae_theory.proofs.tools.checking import all_zero, both, for_all, valid, zero
from qae_theory.softmax import self_covariance

# Quoted in the claim, to four digits: the enclosures must lie within half a unit of the last.
QUOTED = {2: "0.1599", 5: "0.3329", 151_936: "1.8791"}


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence("self-covariance-max", "one-heavy-arm", Kind.PROOF, Role.FOR, (*_shape(), *_values(), *_growth()))
    )


def _shape() -> tuple[Step, ...]:
    return (
        Step(
            says=r"As a function of the probabilities, $C = \sum_i p_i^2\log p_i + H\,P$ with $P = \sum_i p_i^2$ "
            r"and $H = -\sum_i p_i\log p_i$ (the shipped `self_covariance` on one arm of any number). With "
            r"$0\log 0 = 0$ it is continuous on the closed simplex, which is compact, so its maximum is "
            r"attained.",
            check=partial(_in_sums, sign=1),
            planted="minus H P",
            control=partial(_in_sums, sign=-1),
            generality=Generality.GENERAL,
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
            says=r"At an interior maximum $\partial C/\partial p_i = g(p_i)$ takes one value for all $i$ "
            r"(Lagrange), where $g(x) = 2x\log x + x - (\log x + 1)P + 2xH$ with the same $P, H$ for every "
            r"arm. As $g'' = 2/x + P/x^2 > 0$, $g$ is strictly convex and takes a value at most twice: the "
            r"$p_i$ have at most two values $u < v$. Not only one: $C$ is 0 at the uniform policy alone.",
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
            says=r"One arm at $x$, $n-1$ at $y = (1-x)/(n-1)$: $C = x(1-x)(x-y)\log(x/y)$, for every $n$; it is "
            r"the shipped `self_covariance` there (SymPy, $n = 2, 3, 5$).",
            check=partial(_family, sign=-1),
            planted="x + y for x - y",
            control=partial(_family, sign=1),
        ),
    )


def _values() -> tuple[Step, ...]:
    return (
        Step(
            says=r"One-dimensional maximisation in ball arithmetic: bisecting $[1/n, 1)$ encloses $M(2)$, $M(5)$ "
            r"and $M(151936)$ to within half a unit of the fourth digit of .1599, .3329 and 1.8791; the "
            r"shipped `self_covariance` at the best midpoint is a lower bound, and no piece exceeds the "
            r"upper one.",
            check=partial(_enclosures, off="0"),
            planted="the last digit plus one",
            control=partial(_enclosures, off="0.0001"),
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
    return 2 * x * sympy.log(x) + x - (sympy.log(x) + 1) * square + 2 * x * entropy


def _of_arms(*probs: Any) -> Any:
    """C with the given arms singled out and the others in symbols Q, R, S: sums of p^2 log p, p log p and p^2."""
    q, r, s = sympy.symbols("Q R S", real=True)
    return (
        q + sum(p**2 * sympy.log(p) for p in probs)
        - (r + sum(p * sympy.log(p) for p in probs)) * (s + sum(p**2 for p in probs))
    )  # fmt: skip


def _in_sums(*, sign: int) -> Finding:
    shipped = np.asarray(self_covariance(arm.logits()), dtype=object)[()]
    entropy = -arm.mean(arm.LOG_PROB)
    # E[pi log pi] = sum p^2 log p, E[pi] = sum p^2.
    return zero(shipped - arm.mean(arm.PROB * arm.LOG_PROB) - sign * entropy * arm.mean(arm.PROB), sympy.expand)


def _boundary(*, sign: int) -> Finding:
    donor, eps, log_eps = sympy.symbols("p epsilon ell", positive=True)
    change = _of_arms(donor - eps, eps).subs(sympy.log(eps), log_eps) - _of_arms(donor)
    square = sympy.Symbol("S", real=True) + donor**2
    # In powers of epsilon with log epsilon held apart: no constant term, and P log epsilon to first order.
    constant = change.subs(eps, 0)
    coefficient = sympy.expand(sympy.diff(change, eps).subs(eps, 0)).coeff(log_eps, 1)
    return all_zero([constant, coefficient - sign * square], sympy.expand)


def _convex(*, power: int) -> Finding:
    x, square, entropy = sympy.symbols("x P H", positive=True)
    p = sympy.Symbol("p", positive=True)
    r, s = sympy.symbols("R S", real=True)
    partial_derivative = sympy.diff(_of_arms(p), p) - _g(p, s + p**2, -(r + p * sympy.log(p)))
    second = sympy.diff(_g(x, square, entropy), x, 2) - (2 / x + square / x**power)
    a, b = z3.Reals("x P")
    positive = valid(2 / a + b / (a * a) > 0, a > 0, b > 0)
    finding = all_zero([partial_derivative, second], sympy.expand)
    return finding if positive.passed else positive


def _between_two(*, factor: int) -> Finding:
    v = sympy.Symbol("v", positive=True)
    t = sympy.Symbol("t", real=True)
    r, s = sympy.symbols("R S", real=True)
    second = sympy.diff(_of_arms(v + t, v - t), t, 2).subs(t, 0)
    x, square, entropy = sympy.symbols("x P H")
    slope = sympy.diff(_g(x, square, entropy), x).subs(
        {x: v, square: s + 2 * v**2, entropy: -(r + 2 * v * sympy.log(v))}
    )
    return zero(second - factor * slope, sympy.expand)


def _ascent(*, positive: bool) -> Finding:
    u, v, g_u, g_v, slope = z3.Reals("u v g_u g_v slope")
    goal = slope > 0 if positive else slope < 0
    return valid(goal, u < v, g_u == g_v, g_u > g_v + slope * (u - v))


def _family(effort: Effort, *, sign: int) -> Finding:
    x = sympy.Symbol("x", positive=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    residuals = []
    y = (1 - x) / (n - 1)
    log_x, log_y = sympy.symbols("a b")
    sums = x**2 * log_x + (n - 1) * y**2 * log_y - (x * log_x + (n - 1) * y * log_y) * (x**2 + (n - 1) * y**2)
    residuals.append(sums - x * (1 - x) * (x + sign * y) * (log_x - log_y))
    for arms in effort.pick((2, 3, 5), (2, 3)):
        light = (1 - x) / (arms - 1)
        logits = np.array([log_x, *[log_y] * (arms - 1)], dtype=object)
        shipped: Any = np.asarray(self_covariance(logits), dtype=object).item()
        shipped = shipped.subs({sympy.exp(log_x): x, sympy.exp(log_y): light})
        residuals.append(sympy.simplify(shipped) - x * (1 - x) * (x + sign * light) * (log_x - log_y))
    return all_zero(residuals)


def _value(x: Any, arms: int) -> Any:
    y = (1 - x) / (arms - 1)
    return x * (1 - x) * (x - y) * (x / y).log()


def _upper(a: Any, b: Any, arms: int) -> Any:
    """An upper bound on the family's C over [a, b] in [1/n, 1): non-negative factors, each at its largest."""
    half = flint.arb(1) / 2
    spread = half if (a < half) == (b > half) else (b if b <= half else a)
    gap = b - (1 - b) / (arms - 1)
    return spread * (1 - spread) * gap * ((arms - 1) * b / (1 - b)).log()


def _enclosures(effort: Effort, *, off: str) -> Finding:
    def cases() -> Iterator[tuple[str, bool]]:
        for arms, quoted in QUOTED.items():
            target, half_unit = flint.arb(quoted) + flint.arb(off), flint.arb("0.00005")
            best = _best_point(arms)
            logits = [flint.arb(best).log(), (flint.arb(1 - best) / (arms - 1)).log()]
            yield f"n = {arms}: lower", bool(_shipped_at(logits, best, arms) > target - half_unit)
            yield f"n = {arms}: upper", _never_above(target + half_unit, arms)

    return for_all(cases(), "n = 2, 5, 151936")


def _best_point(arms: int) -> float:
    x = np.linspace(1 / arms, 1, 20_001)[1:-1]
    y = (1 - x) / (arms - 1)
    return float(x[np.argmax(x * (1 - x) * (x - y) * np.log(x / y))])


def _shipped_at(logits: list[Any], x: float, arms: int) -> Any:
    """A lower bound on M(n): the shipped function on balls for few arms, on floats (to 1e-9) for many."""
    if arms <= 5:
        row = np.empty(arms, dtype=object)
        row[:] = [logits[0], *[logits[1]] * (arms - 1)]
        return np.asarray(self_covariance(row), dtype=object)[()]
    floats = np.full(arms, float(logits[1].mid()))
    floats[0] = float(logits[0].mid())
    return flint.arb(float(self_covariance(floats))) - flint.arb(1e-9)


def _never_above(ceiling: Any, arms: int) -> bool:
    """Bisect [1/n, 1) until every piece's upper bound is below the ceiling; above a hopeless ceiling give up."""
    # Beyond `last`, C <= (1 - x) log((n - 1)/(1 - x)), which decreases in x there (1 - x < (n - 1)/e) and is small.
    last = 1 - flint.arb(2) ** -12
    if not (1 - last) * ((arms - 1) / (1 - last)).log() < ceiling:
        return False
    pieces = [(flint.arb(1) / arms, last, 0)]
    while pieces:
        a, b, depth = pieces.pop()
        if _upper(a, b, arms) < ceiling:
            continue
        middle = ((a + b) / 2).mid()
        if depth > 40 or _value(middle, arms) > ceiling:
            return False
        pieces += [(a, middle, depth + 1), (middle, b, depth + 1)]
    return True


def _cubic(*, peak: Any) -> Finding:
    x = z3.Real("x")
    bound = valid(x * x * (1 - x) <= z3.Q(int(peak.p), int(peak.q)), x >= 0)
    y, rise, size = z3.Reals("y rise size")
    first = valid(size * (x - y) * rise <= size * x * rise, size >= 0, y >= 0, rise >= 0)
    return both(bound, first)


def _tail(*, most: str) -> Finding:
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
            elif b - a < flint.arb(2) ** -20:
                yield f"[{a.str(5)}, {b.str(5)}]", False
                return
            else:
                middle = ((a + b) / 2).mid()
                pieces += [(a, middle), (middle, b)]

    return for_all(cases(), "pieces of [1/2, 1)")


def _from_below(*, two: int) -> Finding:
    n = sympy.Symbol("n", positive=True)
    log = sympy.Symbol("ell")
    x = sympy.Rational(2, 3)
    y = (1 - x) / (n - 1)
    ratio = zero(x / y - 2 * (n - 1))
    claimed = sympy.Rational(4, 27) * (1 - 1 / (two * (n - 1))) * log
    value = zero(x * (1 - x) * (x - y) * log - claimed)
    return both(ratio, value)
