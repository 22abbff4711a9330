"""Prove the lemma of claim ``remainder``: variance and third-moment covariance of a bounded direction, jointly.

For x and d in [0, 1] on any probability space, real a and T >= 0, with D = d - E d and V = E D^2: a V + T |Cov(x, D^2)|
<= G(a, T) = max over s in [0, 1] of (1 - s^2)(a + T s)/4. The two-point d attain it. Here T = 1 and a = h; the general
case is a multiple. z3 decides the polynomial inequalities, SymPy the identities. What follows for entropy is in
``remainder``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.model import Finding, Generality, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import expression, formulas
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, X
from qae_theory.proofs.tools.checking import all_zero, both, valid, zero
from qae_theory.softmax import covariance


def steps() -> tuple[Step, ...]:
    """Return the proof, from the definition of the covariance to the bound."""
    return (*_reduction(), *_many_heavy(), *_few_heavy(), *_closed_form())


def peak(a: Any, t: Any) -> Any:
    """Return the s >= 0 at which (1 - s^2)(a + t s) is largest: t / (a + sqrt(a^2 + 3 t^2)).

    Args:
        a: a ball or a SymPy number; it must be positive where t is 0.
        t: a ball or a SymPy number, at least 0.
    """
    root = (a * a + 3 * t * t) ** sympy.Rational(1, 2) if isinstance(t, sympy.Expr) else (a * a + 3 * t * t).sqrt()
    return t / (a + root)


def largest(a: Any, t: Any) -> Any:
    """Return G(a, t), the largest (1 - s^2)(a + t s)/4 over s >= 0.

    Args:
        a: a ball or a SymPy number, as :func:`peak` takes it.
        t: a ball or a SymPy number, at least 0.
    """
    s = peak(a, t)
    return (1 - s * s) * (a + t * s) / 4


def _reduction() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Joint lemma: for $x, d \in [0,1]$, $D = d - E d$, $V = E D^2$, all real $a$ and $T \ge 0$: $a "
            r"V + T\,|\mathrm{Cov}(x, D^2)| \le G(a,T) = \max_{0 \le s \le 1} (1-s^2)(a+Ts)/4$. If $T = 0$ "
            r"this is $V \le 1/4$ (with $G(a,0) = 0$ for $a < 0$). For $T > 0$ divide by $T$ and write $h = "
            r"a/T$. Replacing $x$ by $1 - x$ flips the sign of the covariance, so take it negative: "
            r"$-\mathrm{Cov}(x, D^2) = E[x\,(V - D^2)]$ (the shipped `covariance`, on any number of arms). "
            r"Since $0 \le x \le 1$, that is at most $E[1_A (V-D^2)]$ for the event $A = \{D^2 < V\}$.",
            check=partial(_indicator, least=0),
            planted="x >= -1 in place of x >= 0",
            control=partial(_indicator, least=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Let $p = P(D^2 \ge V)$, and let $e$ and $f$ be the means of $D^2$ given $D^2 \ge V$ and given "
            r"$A$. By total expectation $V = p\,e + (1-p) f$, so $F := h V + E[1_A(V - D^2)] = p\,(h + 1 - "
            r"p)\,e - (1-p)(p - h)\,f$.",
            check=partial(_total_expectation, sign=1),
            planted="plus (1-p)(p-h) f",
            control=partial(_total_expectation, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Let $\beta$ and $\alpha$ be the means of $d$ given $D^2 \ge V$ and given $A$, and $m = E d = "
            r"p\beta + (1-p)\alpha$. As $d^2 \le d$ on $[0,1]$, and by Jensen, $(\beta - m)^2 \le e \le "
            r"\beta(1-\beta) + (\beta-m)^2$; the same for $f$ with $\alpha$.",
            check=partial(_conditional_moments, square_at_most_mean=True),
            planted="d^2 >= d on [0, 1]",
            control=partial(_conditional_moments, square_at_most_mean=False),
            generality=Generality.GENERAL,
        ),
    )


def _many_heavy() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Case $p \le h$: both coefficients of $F$ are non-negative, so $F$ is at most "
            r"$h\,m(1-m) + p(1-p)(\beta-\alpha)(1-2m)$, and $p(1-p)|\beta-\alpha| \le m(1-m)$. Hence $F \le "
            r"m(1-m)(h + |1-2m|) = (1-s^2)(h+s)/4$ with $s = |1-2m|$.",
            check=partial(_both_convex, factor=Fraction(1)),
            planted="p(1-p)|beta-alpha| <= m(1-m)/2",
            control=partial(_both_convex, factor=Fraction(1, 2)),
            generality=Generality.GENERAL,
        ),
    )


def _few_heavy() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Case $p > h$: the coefficient of $f$ is negative. If $h + 1 - p \le 0$, $F \le 0$. Otherwise, "
            r"by the last bounds, $F \le p\,\{(h+1-p)\,\beta(1-\beta) + (1-p)(\beta-\alpha)^2 (h+1-2p)\}$.",
            check=partial(_concave_side, twice=2),
            planted="h + 1 - p in the last bracket",
            control=partial(_concave_side, twice=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If moreover $h + 1 - 2p \le 0$, then $F \le p(h+1-p)/4 \le (1-s^2)(h+s)/4$ at $s = (1-h)/2 "
            r"\in [0,1]$.",
            check=partial(_large_event, denominator=2),
            planted="s = (1-h)/3",
            control=partial(_large_event, denominator=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Else put $u = 1-p$; $d \mapsto 1-d$ exchanges $\beta$ with $1-\beta$ and $\alpha$ with "
            r"$1-\alpha$ and keeps $F$, so $|\beta-\alpha| \le \beta$ may be assumed, and $F \le "
            r"p\,Q(\beta)$, $Q(\beta) = (h+u)\beta - (1-u)(h+2u)\beta^2$, a concave parabola as $h + 2u > "
            r"1$.",
            check=partial(_parabola, twice=2),
            planted="h + u for h + 2u",
            control=partial(_parabola, twice=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If $Q'(1) = h(2u-1) + u(4u-3) \ge 0$, then on $[0,1]$ $Q \le Q(1)$, and $p\,Q(1) = "
            r"(1-s^2)(h+s)/4$ with $s = 2u-1$, which is at most its value at $|s|$.",
            check=partial(_end_of_parabola, non_negative=True),
            planted="Q'(1) < 0",
            control=partial(_end_of_parabola, non_negative=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If $Q'(1) < 0$, then $p\,Q \le (h+u)^2/(4(h+2u))$ (completing the square), which increases in "
            r"$u$; and $u < w$, the root of $4w^2 + (2h-3)w - h = 0$ in $[1/2, 1]$, where it equals "
            r"$(1-s^2)(h+s)/4$ with $s = 2w-1 \in [0,1]$.",
            check=partial(_top_of_parabola, below_root=True),
            planted="u > w",
            control=partial(_top_of_parabola, below_root=False),
            generality=Generality.GENERAL,
        ),
    )


def _closed_form() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The maximum: with $q(s) = (1-s^2)(a+Ts)$ and $s_0 = T/(a+\sqrt{a^2+3T^2})$, $T > 0$, one has "
            r"$q'(s_0) = 0$, $s_0 > 0$ and $q(s_0) - q(s) = (s-s_0)^2 (a + 2Ts_0 + Ts) \ge 0$ for $s \ge "
            r"0$. Hence $G(a,T) = q(s_0)/4$ where $s_0 \le 1$, that is $a \ge -T$ (else $G = 0$).",
            check=partial(_critical_point, three=3),
            planted="a + sqrt(a^2 + 2 T^2)",
            control=partial(_critical_point, three=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At $a = 0$, $T = 1$: $|\mathrm{Cov}(x, D^2)| \le c = 1/(6\sqrt3)$, attained by $x = d = 1$ on "
            r"one arm of probability $(3 \pm \sqrt3)/6$ (the shipped `covariance` gives $\pm c$ there) and "
            r"by nothing larger.",
            check=partial(_attained, three=3),
            planted="probability (2 +- sqrt 3)/6",
            control=partial(_attained, three=2),
            generality=Generality.GENERAL,
        ),
    )


def _indicator(*, least: int) -> Finding:
    """Find whether x (V - D^2) is at most its positive part for x in [0, 1], and Var(d) at most 1/4."""
    # D^2, whose mean is V.
    spread = (DIRECTION - moments.mean(DIRECTION)) ** 2
    shipped = for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(X), arms.entries(spread)))
    rewritten = zero(shipped + moments.mean(X * (moments.mean(spread) - spread)), sympy.expand)
    x, w, d, square = z3.Reals("x w d square")
    pointwise = valid(x * w <= z3.If(w > 0, w, 0), x >= least, x <= 1)
    variance = valid(square - d * d <= z3.Q(1, 4), square <= d, d >= 0, d <= 1)
    return both(pointwise, rewritten, variance)


def _total_expectation(*, sign: int) -> Finding:
    """Find whether h V + E[1_A (V - D^2)] has the form that the two cases start from."""
    h, p, e, f = sympy.symbols("h p e f")
    variance = p * e + (1 - p) * f
    reduced = p * (h + 1 - p) * e - sign * (1 - p) * (p - h) * f
    return zero(h * variance + (1 - p) * (variance - f) - reduced)


def _conditional_moments(*, square_at_most_mean: bool) -> Finding:
    """Find whether the second moment about m lies between (beta - m)^2 and beta (1 - beta) + (beta - m)^2."""
    m = sympy.Symbol("m")
    by_moments = moments.mean(X**2) - 2 * m * moments.mean(X) + m**2
    expanded = zero(moments.mean((X - m) ** 2) - by_moments, sympy.expand)
    beta, square, centre = z3.Reals("beta square m")
    moment = square - 2 * centre * beta + centre**2
    # All that is used of the conditional law: Jensen, and d^2 <= d on [0, 1].
    jensen = square >= beta**2
    cap = square <= beta if square_at_most_mean else square >= beta
    goal = z3.And(moment <= beta * (1 - beta) + (beta - centre) ** 2, moment >= (beta - centre) ** 2)
    bounded = valid(goal, jensen, cap, beta >= 0, beta <= 1)
    return both(bounded, expanded)


def _both_convex(*, factor: Fraction) -> Finding:
    """Find whether the bound of the case p <= h is m (1 - m)(h + |1 - 2m|)."""
    h, p, alpha, beta = sympy.symbols("h p alpha beta")
    m = p * beta + (1 - p) * alpha
    bound = p * (h + 1 - p) * (beta * (1 - beta) + (beta - m) ** 2) + (1 - p) * (h - p) * (
        alpha * (1 - alpha) + (alpha - m) ** 2
    )
    identity = zero(bound - h * m * (1 - m) - p * (1 - p) * (beta - alpha) * (1 - 2 * m))
    q, a, b = z3.Reals("p alpha beta")
    centre = q * b + (1 - q) * a
    # The control asks for half of the true bound.
    margin = z3.Q(factor.numerator, factor.denominator)
    gap = q * (1 - q) * (b - a)
    # Three numbers in [0, 1] are all that the inequality is about.
    unit = [z3.And(v >= 0, v <= 1) for v in (q, a, b)]
    coupled = valid(z3.And(gap <= margin * centre * (1 - centre), -gap <= margin * centre * (1 - centre)), *unit)
    s = sympy.Symbol("s")
    # m (1 - m) = (1 - s^2)/4 at s = 1 - 2m.
    family = zero(((1 - s) / 2) * ((1 + s) / 2) * (h + s) - (1 - s**2) * (h + s) / 4)
    return both(coupled, identity, family)


def _concave_side(*, twice: int) -> Finding:
    """Find whether the bound of the case p > h has the claimed form, and is at most 0 where h + 1 - p <= 0."""
    h, p, alpha, beta = sympy.symbols("h p alpha beta")
    m = p * beta + (1 - p) * alpha
    bound = p * (h + 1 - p) * (beta * (1 - beta) + (beta - m) ** 2) - (1 - p) * (p - h) * (alpha - m) ** 2
    claimed = p * ((h + 1 - p) * beta * (1 - beta) + (1 - p) * (beta - alpha) ** 2 * (h + 1 - twice * p))
    identity = zero(bound - claimed)
    hh, q, e, f = z3.Reals("h p e f")
    # Where the coefficient of e is not positive, both terms of F are at most 0.
    trivial = valid(
        q * (hh + 1 - q) * e - (1 - q) * (q - hh) * f <= 0, e >= 0, f >= 0, q >= 0, q <= 1, q > hh, hh + 1 - q <= 0
    )
    return both(identity, trivial)


def _large_event(*, denominator: int) -> Finding:
    """Find whether the bound is at most p (h + 1 - p)/4 where h + 1 - 2p <= 0, and that a member of the family."""
    h, p, beta, gap = z3.Reals("h p beta gap")
    # p (h + 1 - p) is largest at p = (1 + h)/2, which is this s.
    s = (1 - h) / denominator
    domain = (p >= 0, p <= 1, p > h, h + 1 - p > 0, h + 1 - 2 * p <= 0)
    flat = valid((h + 1 - p) * beta * (1 - beta) + (1 - p) * gap**2 * (h + 1 - 2 * p) <= (h + 1 - p) / 4, *domain)
    member = valid(z3.And(p * (h + 1 - p) <= (1 - s * s) * (h + s), s >= 0, s <= 1), *domain)
    return both(member, flat)


def _parabola(*, twice: int) -> Finding:
    """Find whether the bound is a concave parabola in beta, given |beta - alpha| <= beta."""
    h, u, beta = sympy.symbols("h u beta")
    p = 1 - u
    # |beta - alpha| at its largest, beta.
    worst = (h + 1 - p) * beta * (1 - beta) + (1 - p) * beta**2 * (h + 1 - 2 * p)
    identity = zero(worst - (h + u) * beta + (1 - u) * (h + twice * u) * beta**2)
    v, alpha, b = z3.Reals("u alpha beta")
    may_assume = valid(
        z3.Or((b - alpha) ** 2 <= b**2, (b - alpha) ** 2 <= (1 - b) ** 2),
        alpha >= 0, alpha <= 1, b >= 0, b <= 1,
    )  # fmt: skip
    hh = z3.Real("h")
    concave = valid(hh + 2 * v > 1, hh + 1 - 2 * (1 - v) > 0)
    return both(identity, may_assume, concave)


def _slope_at_one(h: Any, u: Any) -> Any:
    """Return Q'(1), the parabola's slope at beta = 1."""
    return h * (2 * u - 1) + u * (4 * u - 3)


def _end_of_parabola(*, non_negative: bool) -> Finding:
    """Find whether a parabola that still rises at 1 is largest there, with a value of the family."""
    x, y, t = sympy.symbols("h u beta")
    slope = sympy.diff((x + y) * t - (1 - y) * (x + 2 * y) * t**2, t).subs(t, 1)
    derivative = zero(slope - _slope_at_one(x, y))
    # s of the family, at which it takes the parabola's value at 1.
    side = 2 * y - 1
    value = zero((1 - y) * ((x + y) - (1 - y) * (x + 2 * y)) - (1 - side**2) * (x + side) / 4)
    h, u, beta = z3.Reals("h u beta")
    at_one = _slope_at_one(h, u)
    domain = (u >= 0, u <= 1, h + 2 * u > 1, beta >= 0, beta <= 1)
    top = valid(
        (h + u) * beta - (1 - u) * (h + 2 * u) * beta**2 <= (h + u) - (1 - u) * (h + 2 * u),
        at_one >= 0 if non_negative else at_one < 0,
        *domain,
    )
    s, size = z3.Reals("s size")
    folded = valid(
        (1 - s * s) * (h + s) <= (1 - s * s) * (h + size), s >= -1, s <= 1, z3.Or(size == s, size == -s), size >= 0
    )
    return both(top, derivative, value, folded)


def _top_of_parabola(*, below_root: bool) -> Finding:
    """Find whether a parabola that turns before 1 stays below (h + u)^2 / (4 (h + 2u)) and a value of the family."""
    x, y, t = sympy.symbols("h u beta", real=True)
    curvature = (1 - y) * (x + 2 * y)
    square = zero(
        (x + y) ** 2 / (4 * (x + 2 * y)) - (1 - y) * ((x + y) * t - curvature * t**2)
        - (x + 2 * y) * ((1 - y) * t - (x + y) / (2 * (x + 2 * y))) ** 2
    )  # fmt: skip
    # The positive root of the quadratic; z3 knows w only by its equation.
    root = (3 - 2 * x + sympy.sqrt((3 - 2 * x) ** 2 + 16 * x)) / 8
    is_root = zero(4 * root**2 + (2 * x - 3) * root - x, sympy.expand)
    h, u, w = z3.Reals("h u w")
    on_root = (4 * w * w + (2 * h - 3) * w - h == 0, w >= z3.Q(1, 2), w <= 1)
    domain = (u >= 0, u <= 1, h < 1 - u, h + u > 0, h + 2 * u > 1)
    in_range = valid(z3.And(4 * h * h + 4 * h + 9 > 0, -z3.Q(1, 2) < 0, 1 + h >= 0), *domain)
    # Each step is a claim of its own, so that z3 never meets all of them at once: together they are beyond it.
    below = valid(u < w, _slope_at_one(h, u) < 0, *domain, *on_root)
    side = u <= w if below_root else u > w
    rises = valid((h + u) ** 2 * (h + 2 * w) <= (h + w) ** 2 * (h + 2 * u), side, *domain, *on_root)
    s = 2 * w - 1
    meets = valid((h + w) ** 2 == (1 - s * s) * (h + s) * (h + 2 * w), *domain, *on_root)
    return both(rises, square, is_root, in_range, below, meets)


def _critical_point(*, three: int) -> Finding:
    """Find whether s_0 = T / (a + sqrt(a^2 + 3 T^2)) is the maximum of (1 - s^2)(a + T s) over s >= 0."""
    a, t, s, q = sympy.symbols("a T s q")
    shape = (1 - s**2) * (a + t * s)
    root = sympy.sqrt(a**2 + three * t**2)
    s0 = t / (a + root)
    # The numerator alone: the derivative is rational in s_0, and its denominator is positive.
    critical = zero(
        sympy.numer(sympy.together(sympy.diff(shape, s).subs(s, s0))), lambda x: sympy.expand(sympy.expand(x))
    )
    # On the critical set 2 a q = T - 3 T q^2.
    gap = shape.subs(s, q) - shape - (s - q) ** 2 * (a + 2 * t * q + t * s)
    # The remainder modulo the critical equation: 0 where s_0 obeys it.
    difference = zero(sympy.rem(sympy.expand(gap), 3 * t * q**2 + 2 * a * q - t, q))
    aa, tt, q0, r = z3.Reals("a T q r")
    point = (tt > 0, r >= 0, r * r == aa * aa + 3 * tt * tt, q0 * (aa + r) == tt)
    sign = valid(z3.And(aa + r > 0, q0 > 0, aa + 2 * tt * q0 >= 0, (q0 <= 1) == (aa >= -tt)), *point)
    return both(critical, difference, sign)


def _attained(*, three: int) -> Finding:
    """Find whether the shipped covariance is 1/(6 sqrt 3) in size for one heavy arm of probability (3 +- sqrt 3)/6."""
    bound = 1 / (6 * sympy.sqrt(3))
    residuals = [largest(sympy.Integer(0), sympy.Integer(1)) - bound]
    for sign in (1, -1):
        p = (three + sign * sympy.sqrt(3)) / 6
        probs, heavy = formulas([p, 1 - p]), formulas([1, 0])
        spread = formulas([(1 - p) ** 2, p**2])
        residuals.append(expression(covariance(probs, heavy, spread)) + sign * bound)
    return all_zero(residuals, sympy.simplify)
