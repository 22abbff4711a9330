"""Prove claim ``stapo-norm-upper``: a token's logit gradient has a squared norm of at most w^2 (2 - 2 pi - C H^2).

C = (n - 1)/(n log^2 n). It says that H^2/(1 - sum pi^2) is largest at the uniform policy: at a maximum the
probabilities have at most two values, only one arm has the larger one, and along that family the ratio grows towards
the uniform policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.entropy_change.self_covariance import log_lemma_step
from qae_theory.proofs.remedies.stapo_norm_lower import WEIGHT, norm_step, norm_tie, squared_norm
from qae_theory.proofs.tools.checking import ball, both, for_all, valid, zero
from qae_theory.proofs.tools.rational_policies import logs, number, small_policies
from qae_theory.softmax import entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (norm_step(), _as_a_ratio(), log_lemma_step(), *_where(), *_two_values(), *_family(), norm_tie(), _tie())
    ledger.add(Evidence("stapo-norm-upper", "uniform-is-extreme", Kind.PROOF, Role.FOR, steps))


def _as_a_ratio() -> Step:
    return Step(
        says=r"With $U_n = \frac{n}{n-1}\log^2n$, which is $1/C$: the bound is $P \le 1 - H^2/U_n$. It follows from "
        r"$H^2/(1-P) \le U_n$, to be shown for every $n \ge 2$; where $P = 1$ one arm has everything and $H = 0$.",
        check=partial(_from_ratio, sign=-1),
        planted="1 + H^2/U_n below P",
        control=partial(_from_ratio, sign=1),
        generality=Generality.GENERAL,
    )


def _where() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Near a corner: let $q$ be the mass beside the heaviest arm. $P \le \max\pi = 1-q$, so $1-P \ge q$. "
            r"The lemma at $t = \frac{q}{(n-1)\pi_j}$ gives $-\sum_j\pi_j\log\pi_j \le q\log\frac{n-1}{q}$ for the "
            r"others, and at $t = 1/(1-q)$ it gives $-(1-q)\log(1-q) \le q$. So $H^2/(1-P) \le "
            r"q\,(\log\frac{n-1}q + 1)^2$, which tends to 0 with $q$: with the value 0 at the corners the ratio is "
            r"continuous on the simplex.",
            check=partial(_corner, power=1),
            planted="q^0 for q",
            control=partial(_corner, power=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A continuous function on a compact set attains its maximum. (Replayed: $q(\log(1/q)+1)^2$ at "
            r"$q = 1/e$ is above its values nearby on a grid of $[0,1]$.)",
            check=partial(_attained, peak=sympy.exp(1)),
            planted="the peak at q = 1",
            control=partial(_attained, peak=sympy.Integer(1)),
            citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 4.16",
        ),
        Step(
            says=r"On a face $k < n$ arms are in use, and the ratio is that of a policy with $k$ arms. By induction it "
            r"is at most $U_k < U_n$: $(\log U_n)' = \frac{2}{n\log n} - \frac{1}{n(n-1)} > 0$ for real $n > 1$, as "
            r"$\log n \le n-1$. ($k = 1$ is a corner.) So it is enough to look inside the simplex.",
            check=partial(_grows_with_arms, factor=2),
            planted="log^0 n for log^2 n",
            control=partial(_grows_with_arms, factor=0),
            generality=Generality.GENERAL,
        ),
    )


def _two_values() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Moving mass from arm $j$ to arm $i$ changes $2\log H - \log(1-P)$ at the rate $g(\pi_i) - "
            r"g(\pi_j)$, $g(x) = -\frac2H(\log x + 1) + \frac{2x}{1-P}$, so inside $g$ has one value at a maximum. "
            r"$g'' = \frac{2}{Hx^2} > 0$: a strictly convex function takes a value at most twice, so the $\pi_i$ "
            r"have at most two values $u < v$.",
            check=partial(_rate, sign=1),
            planted="- 2x/(1 - P)",
            control=partial(_rate, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Two arms at the larger value $v$: moving mass between them has the second derivative $2g'(v)$.",
            check=partial(_between_two, factor=2),
            planted="g'(v)",
            control=partial(_between_two, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$g'(v) > 0$, as $g(u) = g(v)$ lies above the tangent at $v$. So two arms at $v$ are no maximum: at "
            r"most one arm is at $v$, or all are equal.",
            check=partial(_ascent, positive=True),
            planted="g'(v) < 0",
            control=partial(_ascent, positive=False),
            generality=Generality.GENERAL,
        ),
    )


def _family() -> tuple[Step, ...]:
    return (
        Step(
            says=r"One arm at $x$, $n-1$ at $y = (1-x)/(n-1)$: the derivative of $2\log H - \log(1-P)$ in $x$ is "
            r"$-2D/(H(1-P))$ with $D = (1-y)\log x - (1-x)\log y$ (symbolic $n$).",
            check=partial(_slope, sign=-1),
            planted="D with a plus",
            control=partial(_slope, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$-\log t/(1-t)$ falls on $(0, 1)$: its derivative is $(-(1-t) - t\log t)/(t(1-t)^2)$, and the lemma "
            r"at $1/t$ is $-t\log t \le 1-t$.",
            check=partial(_falls, below=True),
            planted="it grows",
            control=partial(_falls, below=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So for $x \ge y$: $\frac{-\log x}{1-x} \le \frac{-\log y}{1-y}$, which is $D \ge 0$. The ratio does "
            r"not fall as $x$ falls to $1/n$, where $H = \log n$, $P = 1/n$ and the ratio is $U_n$.",
            check=partial(_towards_uniform, power=2),
            planted="log n for log^2 n at the uniform policy",
            control=partial(_towards_uniform, power=1),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: with the shipped `entropy` and the shipped direction, in ball arithmetic, the bound holds on small "
        r"rational policies, strictly unless they are uniform.",
        check=partial(_shipped_bound, factor=1),
        planted="2 C for C",
        control=partial(_shipped_bound, factor=2),
        tie=True,
    )


def _from_ratio(*, sign: int) -> Finding:
    """Find whether H^2 <= (1 - P) U gives the bound on the squared norm."""
    square, surprise, limit, prob, w = z3.Reals("P H U pi w")
    norm = w * w * (1 - 2 * prob + square)
    bound = w * w * (2 - 2 * prob + sign * surprise * surprise / limit)
    goal = norm <= bound if sign < 0 else norm >= bound
    return valid(goal, limit > 0, square <= 1, surprise * surprise <= (1 - square) * limit)


def _corner(*, power: int) -> Finding:
    """Find whether q (log(c/q) + 1)^2 tends to 0 with q, and whether the two bounds behind it hold."""
    q, others = sympy.symbols("q c", positive=True)
    limit = zero(sympy.limit(q**power * (sympy.log(others / q) + 1) ** 2, q, 0, "+"))
    # Summed over the other n - 1 = c arms, the lemma's right sides q/c - pi_j leave nothing.
    summed = zero(others * (q / others) - q)
    p, top, rest = z3.Reals("p top q")
    square = valid(p * p <= top * p, p >= 0, p <= top)
    light, log = z3.Reals("1-q log")
    # log is -log(1 - q) <= 1/(1 - q) - 1.
    heavy = valid(light * log <= rest, light == 1 - rest, light > 0, log <= 1 / light - 1)
    return both(limit, summed, square, heavy)


def _attained(effort: Effort, *, peak: Any) -> Finding:
    """Find whether q (log(1/q) + 1)^2 is largest at the given point among the points of a grid, in ball arithmetic."""

    def value(q: Any) -> Any:
        return q * (1 - q.log()) * (1 - q.log())

    def cases() -> Iterator[tuple[str, bool]]:
        top = value(ball(1 / peak))
        size = effort.pick(200, 40)
        for i in range(1, size):
            # On (0, 1) the function rises up to 1/e and falls from there.
            yield f"q = {i}/{size}", bool(value(ball(Fraction(i, size))) <= top)

    return for_all(cases(), "a grid of (0, 1)")


def _grows_with_arms(*, factor: int) -> Finding:
    """Find whether log of n log^2(n)/(n - 1) has a positive derivative."""
    n, log = sympy.Symbol("n", positive=True), sympy.Symbol("ell", positive=True)
    slope = sympy.diff(sympy.log(n) + factor * sympy.log(sympy.log(n)) - sympy.log(n - 1), n)
    claimed = factor / (n * log) - 1 / (n * (n - 1))
    arms, size = z3.Reals("n ell")
    positive = valid(factor / (arms * size) - 1 / (arms * (arms - 1)) > 0, arms > 1, size > 0, size <= arms - 1)
    return both(positive, zero(slope.subs(sympy.log(n), log) - claimed))


def _sums(*probs: Any) -> tuple[Any, Any]:
    """Return H and P with some arms singled out; R and S are the others' sums of -p log p and p^2."""
    rest, squares = sympy.symbols("R S", positive=True)
    surprise = rest - sum(p * sympy.log(p) for p in probs)
    return surprise, squares + sum(p**2 for p in probs)


def _g(x: Any, surprise: Any, square: Any, sign: int = 1) -> Any:
    """Return the rate at which 2 log H - log(1 - P) changes with a probability x."""
    return -2 * (sympy.log(x) + 1) / surprise + sign * 2 * x / (1 - square)


def _objective(*probs: Any) -> Any:
    """Return 2 log H - log(1 - P), the logarithm of the ratio."""
    surprise, square = _sums(*probs)
    return 2 * sympy.log(surprise) - sympy.log(1 - square)


def _rate(*, sign: int) -> Finding:
    """Find whether moving mass changes the objective at the rate g(p) - g(q), and g'' = 2/(H x^2) > 0."""
    p, q, x, h = sympy.symbols("p q x H", positive=True)
    t, square = sympy.symbols("t P", real=True)
    rate = sympy.diff(_objective(p + t, q - t), t).subs(t, 0)
    surprise, total = _sums(p, q)
    moved = zero(rate - (_g(p, surprise, total, sign) - _g(q, surprise, total, sign)))
    second = zero(sympy.diff(_g(x, h, square), x, 2) - 2 / (h * x**2))
    a, b = z3.Reals("x H")
    return both(moved, second, valid(2 / (b * a * a) > 0, a > 0, b > 0))


def _between_two(*, factor: int) -> Finding:
    """Find whether moving mass between two arms at v has the second derivative factor times g'(v)."""
    v, h = sympy.symbols("v H", positive=True)
    t, x, square = sympy.symbols("t x P", real=True)
    second = sympy.diff(_objective(v + t, v - t), t, 2).subs(t, 0)
    surprise, total = _sums(v, v)
    slope = sympy.diff(_g(x, h, square), x).subs({x: v, h: surprise, square: total})
    return zero(second - factor * slope)


def _ascent(*, positive: bool) -> Finding:
    """Find whether g'(v) > 0, from the strict tangent inequality of a convex g with g(u) = g(v)."""
    u, v, g_u, g_v, slope = z3.Reals("u v g_u g_v slope")
    goal = slope > 0 if positive else slope < 0
    return valid(goal, u < v, g_u == g_v, g_u > g_v + slope * (u - v))


def _slope(*, sign: int) -> Finding:
    """Find whether the objective's derivative along the family is -2 D/(H (1 - P))."""
    x, n = sympy.symbols("x n", positive=True)
    log_x, log_y = sympy.symbols("a b", real=True)
    y = (1 - x) / (n - 1)
    surprise = -x * sympy.log(x) - (n - 1) * y * sympy.log(y)
    square = x**2 + (n - 1) * y**2
    slope = sympy.diff(2 * sympy.log(surprise) - sympy.log(1 - square), x)
    # The logarithms are held as symbols, so that what is left is a rational function.
    named = slope.subs(sympy.log(y), log_y).subs(sympy.log(x), log_x)
    h = (-x * log_x - (n - 1) * y * log_y, 1 - square)
    claimed = -2 * ((1 - y) * log_x + sign * (1 - x) * log_y) / (h[0] * h[1])
    return zero(named - claimed)


def _falls(*, below: bool) -> Finding:
    """Find whether the derivative of -log t/(1 - t) is not positive on (0, 1)."""
    t = sympy.Symbol("t", positive=True)
    derivative = sympy.diff(-sympy.log(t) / (1 - t), t)
    identity = zero(derivative - (-(1 - t) - t * sympy.log(t)) / (t * (1 - t) ** 2))
    point, log = z3.Reals("t log")
    # The lemma at 1/t: -log t <= 1/t - 1.
    numerator = -(1 - point) - point * log
    sign = valid(numerator <= 0 if below else numerator >= 0, point > 0, point < 1, -log <= 1 / point - 1)
    return both(sign, identity)


def _towards_uniform(*, power: int) -> Finding:
    """Find whether the monotone function gives D >= 0, and the ratio's value at the uniform policy is U_n."""
    x, y, a, b = z3.Reals("x y a b")
    inside = (y > 0, y <= x, x < 1)
    sign = valid((1 - y) * a - (1 - x) * b >= 0, *inside, -a / (1 - x) <= -b / (1 - y))
    n, log = sympy.symbols("n ell", positive=True)
    value = zero(log**2 / (1 - 1 / n) - n * log**power / (n - 1))
    return both(value, sign)


def _shipped_bound(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped norm is below w^2 (2 - 2 pi - factor C H^2), strictly unless the policy is uniform."""

    def cases() -> Iterator[tuple[str, bool]]:
        for probs in small_policies(effort.pick(6, 4)):
            # A ball around 0 has no sign; at the uniform policy the two sides are equal by the last step.
            if len(set(probs)) == 1:
                continue
            n = len(probs)
            log = ball(n).log()
            curvature = factor * ball(Fraction(n - 1, n)) / (log * log)
            surprise = ball(number(entropy(logs(probs))))
            for arm, prob in enumerate(probs):
                above = ball(WEIGHT**2) * (2 - 2 * ball(prob) - curvature * surprise * surprise)
                yield f"pi = {probs}, arm {arm}", bool(above - ball(squared_norm(probs, arm)) > 0)

    return for_all(cases(), "small rational policies, every arm")
