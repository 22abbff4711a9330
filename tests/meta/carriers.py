"""False identities that try to deceive the symbolic carriers of the proofs: ``python -m tests.meta.carriers``.

Each attack is a function that differs from what is claimed of it for some numbers only, in a way that a careless symbol
would not see: it asks a question, converts, or reduces an array. The carriers must raise, or the check must find the
difference. Each attack has a sound twin, the same claim of a function that obeys it, which must pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import sympy
import z3

from qae_theory.claims.model import Finding
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import Formula, expression_of
from qae_theory.proofs.carriers.generic_arm import Arms, for_any_policy
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.moments import X, Y
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.carriers.reals import SymbolicReal, real_term, symbolic_reals
from qae_theory.proofs.carriers.series import first_coefficients, moving_logits
from qae_theory.proofs.tools.checking import all_zero, for_all, valid, valid_on_every_path, zero

Check = Callable[[], Finding]

ACCEPTED = "accepted"


class Attack(NamedTuple):
    """A false claim about code that runs on a carrier, and the true claim that is its twin."""

    carrier: str
    name: str
    false: Check
    true: Check


def what_happened(check: Check) -> str:
    """Return ``accepted``, or how the claim was rejected: by an exception of the carrier, or by the check."""
    try:
        finding = check()
    except (TypeError, ZeroDivisionError, sympy.SympifyError) as refusal:
        return f"raised {type(refusal).__name__}: {refusal}"
    return ACCEPTED if finding.passed else f"rejected by {finding.criterion}: {finding.detail}"


def attacks() -> Iterator[Attack]:
    """Yield every attack with its twin."""
    for name, false, true in _on_reals():
        yield Attack("reals", name, _real_claim(false), _real_claim(true))
    for name, wrong, right in _on_integers():
        yield Attack("integers", name, _integer_claim(wrong), _integer_claim(right))
    for name, other, same, claim in _on_arms():
        yield Attack("any policy", name, _policy_claim(other, claim), _policy_claim(same, claim))
    for name, false, true in _on_formulas():
        yield Attack("formulas", name, _formula_claim(false), _formula_claim(true))
    for name, check, twin in _on_checkers():
        yield Attack("checkers", name, check, twin)
    for name, false, true in _on_series():
        yield Attack("series", name, _series_claim(false), _series_claim(true))


def _array(*entries: Any) -> Any:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


# What is claimed of each function of a real v is that it is v.
def _real_claim(function: Callable[[Any], Any]) -> Check:
    x = z3.Real("x")

    def goal(path: Path) -> Any:
        return real_term(function(symbolic_reals(path, x)[0])) == x

    return lambda: valid_on_every_path(goal)


def _on_reals() -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    yield "0 at v == 1", lambda v: v * 0 if v == 1 else v, lambda v: v * 1 if v == 1 else v
    yield "2 v unless v != 1", lambda v: v if v != 1 else v * 2, lambda v: v if v != 1 else v * 1
    yield "v + 1 where v is false", lambda v: v if v else v + 1, lambda v: v if v else v * 1
    yield "v + 1 where not v", lambda v: v + 1 if not v else v, lambda v: v - 0 if not v else v  # noqa: SIM212
    yield "2 v where float(v) > 5", lambda v: v * 2 if float(v) > 5 else v, lambda v: v * 2 - v if v > 5 else v
    yield "2 v where int(v) > 5", lambda v: v * 2 if int(v) > 5 else v, lambda v: v + v - v if v >= 6 else v
    yield "|v|", abs, lambda v: v if v >= 0 else 0 - (0 - v)
    yield "max(v, 0)", lambda v: max(v, 0), lambda v: max(v, v)
    yield "min(v, 1)", lambda v: min(v, 1), lambda v: min(v, v)
    yield "np.maximum(v, 0)", lambda v: np.maximum(_array(v), 0)[0], lambda v: np.maximum(_array(v), _array(v))[0]
    yield "np.clip(v, 0, 1)", lambda v: np.minimum(np.maximum(_array(v), 0), 1)[0], lambda v: _array(v)[0]
    yield "the smaller of v and 0 by np.sort", lambda v: np.sort(_array(v, v * 0))[0], lambda v: np.sort(_array(v))[0]
    yield "sorted([v, 0])[0]", lambda v: sorted([v, v * 0])[0], lambda v: sorted([v, v])[0]
    yield "v at argmax", lambda v: _array(v, v * 2)[np.argmax(_array(v, v * 2))], lambda v: _array(v)[0]
    yield "2 v where np.any([v])", lambda v: v * 2 if np.any(_array(v)) else v, lambda v: v - 0 if any([v]) else v
    yield "v * sign(v)", lambda v: v * np.sign(_array(v))[0], lambda v: v * 1
    yield "2 v where v in (1, 2)", lambda v: v * 2 if v in (1, 2) else v, lambda v: v * 1 if v in (1, 2) else v
    yield "2 v where hash(v) is that of 1", lambda v: v * 2 if hash(v) == hash(1) else v, lambda v: v
    yield "2 v where str(v) is '1'", lambda v: v * 2 if str(v) == "1" else v, lambda v: v
    yield "2 v where f'{v}' is '1'", lambda v: v * 2 if f"{v}" == "1" else v, lambda v: v
    yield "2 v where repr(v) is '1'", lambda v: v * 2 if repr(v) == "1" else v, lambda v: v
    yield "round(v)", round, lambda v: v
    yield "math.floor(v)", math.floor, lambda v: v
    yield "v // 1", lambda v: v // 1, lambda v: v / 1
    yield "v - v % 1", lambda v: v - v % 1, lambda v: v - v * 0
    yield "(v ** 0.5) ** 2", lambda v: (v**0.5) ** 2, lambda v: v**2 / v if v != 0 else v
    yield "v v / v", lambda v: v * v / v, lambda v: v * v / v if v != 0 else v
    yield "v with a float", lambda v: v * 0.1 * 10, lambda v: v * Fraction(1, 10) * 10
    yield "v where v is None", lambda v: v * 2 if v == None else v, lambda v: v  # noqa: E711
    yield "v[0]", lambda v: v[0], lambda v: _array(v)[0]
    yield "the sum over list(v)", lambda v: sum(list(v)), lambda v: sum([v])
    yield "a shift", lambda v: v + 1, lambda v: v + 1 - 1
    yield "an operand that is ignored", lambda v: v * 0 + 1, lambda v: v * 1 + 0
    yield "1 at v == 10**9", lambda v: v * 0 + 1 if v == 10**9 else v, lambda v: v + 0 if v == 10**9 else v
    yield "{1: 2}.get(v, v)", lambda v: {1: 2}.get(v, v), lambda v: v
    yield "np.isclose(v, 1)", lambda v: v * 2 if np.isclose(_array(v), 1)[0] else v, lambda v: v
    yield "2 v where float(v) is refused and that is caught", _float_or_double, lambda v: v
    yield "2 v at v < 1, asked the other way round", lambda v: v * 2 if v < 1 else v, lambda v: v + 0 if v < 1 else v
    yield "2 v between 3 and 4", lambda v: v * 2 if 3 < v < 4 else v, lambda v: v * 1 if 3 < v < 4 else v
    yield "2 v where v is nan", lambda v: v * 2 if v != v else v * 0, lambda v: v * 2 if v != v else v
    yield "np.where(v > 0, v, 0)", lambda v: np.where(_array(v) > 0, _array(v), 0)[0], lambda v: _array(v)[0]
    yield "np.heaviside(v, 1)", lambda v: v * np.heaviside(_array(v), 1)[0], lambda v: v
    yield "np.unique([v, 0])[0]", lambda v: np.unique(_array(v, v * 0))[0], lambda v: np.unique(_array(v, v))[0]
    yield "np.searchsorted", lambda v: v * np.searchsorted(_array(v * 0), v), lambda v: v
    yield (
        "np.count_nonzero(v)",
        lambda v: v + np.count_nonzero(_array(v)) - 1,
        lambda v: v * np.count_nonzero(_array(v)),
    )
    yield "np.nan_to_num(v) - 1", lambda v: np.nan_to_num(_array(v))[0] - 1, lambda v: np.nan_to_num(_array(v))[0]
    yield "np.rint(v)", lambda v: np.rint(_array(v))[0], lambda v: v
    yield "np.sqrt(v v)", lambda v: np.sqrt(_array(v * v))[0], lambda v: v
    yield "v as float64", lambda v: _array(v).astype(np.float64)[0], lambda v: _array(v).astype(object)[0]
    yield "2 v where v as bool", lambda v: v * 2 if _array(v).astype(bool)[0] else v, lambda v: v
    yield "np.linalg.norm", lambda v: np.linalg.norm(_array(v)), lambda v: v
    yield "np.interp", lambda v: np.interp(v, [0, 1], [0, 1]), lambda v: v
    yield "np.digitize", lambda v: v * np.digitize(_array(v), [0])[0], lambda v: v
    yield "divmod(v, 1)", lambda v: divmod(v, 1)[0], lambda v: v
    yield "v with Decimal", lambda v: v + Decimal(0), lambda v: v + 0
    yield "v with True", lambda v: v * True, lambda v: v * 1
    yield "0 at v * 3 == 1", lambda v: v * 0 if v * 3 == 1 else v, lambda v: v * 1 if v * 3 == 1 else v


def _float_or_double(v: Any) -> Any:
    try:
        return v * 2 if float(v) > 5 else v
    except TypeError:
        return v


# What is claimed of each function of a group size G and a level K is that it is G.
def _integer_claim(function: Callable[[Any, Any], Any]) -> Check:
    s = group_symbols()

    def goal(path: Path) -> Any:
        value = function(s.size_on(path), s.level_on(path))
        return getattr(value, "term", value) == s.group_size

    return lambda: valid_on_every_path(goal, *s.domain)


def _on_integers() -> Iterator[tuple[str, Callable[[Any, Any], Any], Callable[[Any, Any], Any]]]:
    yield "2 g at g == 1000", lambda g, k: g * 2 if g == 1000 else g, lambda g, k: g + 0 if g == 1000 else g
    yield "2 g unless g != 1000", lambda g, k: g if g != 1000 else g * 2, lambda g, k: g if g != 1000 else g * 1
    yield "g + 1 where g is false", lambda g, k: g - 1 if g - 1 else g, lambda g, k: g - 1 + 1 if g - 1 else g
    yield "2 g from 10**6 on", lambda g, k: g * 2 if g >= 10**6 else g, lambda g, k: g * 1 if g >= 10**6 else g
    yield "min(g, 10)", lambda g, k: min(g, 10), lambda g, k: min(g, g)
    yield "max(g, 2)", lambda g, k: max(g, 2), lambda g, k: max(g, 1)
    yield "g - g % 2", lambda g, k: g - g % 2, lambda g, k: g - 2 + 2
    yield "g // 2 * 2", lambda g, k: g // 2 * 2, lambda g, k: g * 2 // 2
    yield "-(g // -1)", lambda g, k: -(g // -1), lambda g, k: -(-g // 1)
    yield "g // (g - 5)", lambda g, k: g * (g // (g - 5)), lambda g, k: g * (g // g)
    yield "g / 1", lambda g, k: g / 1, lambda g, k: g // 1
    yield "2 g where float(g) > 5", lambda g, k: g * 2 if float(g) > 5 else g, lambda g, k: g * 1 if g > 5 else g
    yield "2 g where int(g) > 5", lambda g, k: g * 2 if int(g) > 5 else g, lambda g, k: g + 0 if g > 5 else g
    yield "len(range(g))", lambda g, k: len(range(g)), lambda g, k: g
    yield "len([0] * g)", lambda g, k: len([0] * g), lambda g, k: g
    yield "np.arange(g).size", lambda g, k: np.arange(g).size, lambda g, k: g
    yield "abs(g)", lambda g, k: abs(g), lambda g, k: g if g >= 0 else -g
    yield "math.gcd(g, 0)", lambda g, k: math.gcd(g, 0), lambda g, k: g
    yield "2 g at g == 1000.0", lambda g, k: g * 2 if g == 1000.0 else g, lambda g, k: g
    yield "2 g at g == Fraction(1000)", lambda g, k: g * 2 if Fraction(1000) == g else g, lambda g, k: g
    yield "{1000: 0}.get(g, g)", lambda g, k: {1000: 0}.get(g, g), lambda g, k: g
    yield "2 g at K = 1/2", lambda g, k: g * 2 if k == Fraction(1, 2) else g, lambda g, k: g + 0 if k == 1 else g
    yield "2 g where K has numerator 1", lambda g, k: g * 2 if k.numerator == 1 else g, lambda g, k: g
    yield "2 g where K > 9/10", lambda g, k: g * 2 if k > Fraction(9, 10) else g, lambda g, k: g * 2 if k > 1 else g
    yield "2 g where float(K) > .5", lambda g, k: g * 2 if float(k) > 0.5 else g, lambda g, k: g
    yield "2 g where K is false", lambda g, k: g if k - Fraction(1, 2) else g * 2, lambda g, k: g if k else g * 2
    yield "2 g where g is odd", lambda g, k: g * 2 if g // 2 * 2 != g else g, lambda g, k: g // 1
    yield "g where hash(K) is that of 1/2", lambda g, k: g * 2 if hash(k) == hash(Fraction(1, 2)) else g, lambda g, k: g
    yield "Fraction(K)", lambda g, k: g * Fraction(k) / Fraction(k), lambda g, k: g
    yield "math.ceil(g K)", lambda g, k: math.ceil(g * k), lambda g, k: g
    yield "2 g where g in range(5)", lambda g, k: g * 2 if g in range(5) else g, lambda g, k: g * 1
    yield "2 g where g in (7, 8)", lambda g, k: g * 2 if g in (7, 8) else g, lambda g, k: g * 1 if g in (7, 8) else g
    yield "g ^ 0 as bits", lambda g, k: g ^ 0, lambda g, k: g
    yield "g << 0", lambda g, k: g << 0, lambda g, k: g
    yield "g ** 1.0", lambda g, k: g**1.0, lambda g, k: g
    yield "str(g) has four letters", lambda g, k: g * 2 if len(str(g)) == 4 else g, lambda g, k: g
    yield "2 g where g K > 100", lambda g, k: g * 2 if g * k > 100 else g, lambda g, k: g * 1 if g * k > 100 else g
    yield "2 g where K has denominator 2", lambda g, k: g * 2 if k.denominator == 2 else g, lambda g, k: g
    yield "2 g where g > 5 is refused of a float and caught", _integer_or_double, lambda g, k: g
    yield (
        "2 g where (g - 1) K is in lowest terms an integer",
        lambda g, k: g * 2 if ((g - 1) * k).denominator == 1 else g,
        lambda g, k: g * 1 if ((g - 1) * k).denominator == 1 else g,
    )
    yield (
        "the numerator of g K is g times that of K",
        lambda g, k: g + (g * k).numerator - g * k.numerator,
        _cross_multiplied,
    )


def _integer_or_double(g: Any, k: Any) -> Any:
    try:
        return g * 2 if int(g) > 5 else g
    except TypeError:
        return g


def _cross_multiplied(g: Any, k: Any) -> Any:
    product = g * k
    return g + product.numerator * k.denominator - g * k.numerator * product.denominator


# What is claimed of each function of probabilities and two quantities, x and y, stands beside it.
def _policy_claim(function: Callable[[Any, Any, Any], Any], claim: Any) -> Check:
    def run(arms: Arms) -> Any:
        return function(arms.probs(), arms.entries(X), arms.entries(Y))

    return lambda: zero(for_any_policy(run) - claim, sympy.expand)


def _doubled_last(x: Any) -> Any:
    x[-1] = x[-1] * 2
    return x


def _without_first(x: Any) -> Any:
    x[0] = x[0] * 0
    return x


def _on_arms() -> Iterator[tuple[str, Callable[..., Any], Callable[..., Any], Any]]:
    mean = moments.mean(X)
    covariance = moments.mean(X * Y) - mean * moments.mean(Y)

    def expectation(p: Any, x: Any, y: Any) -> Any:
        return (p * x).sum(axis=-1)

    def centred(p: Any, x: Any, y: Any) -> Any:
        return x - (p * x).sum(axis=-1)

    yield "x - pi x for x - E x", lambda p, x, y: x - p * x, centred, X - mean
    yield "pi x for E x", lambda p, x, y: p * x, expectation, mean
    yield "E x / n for E x", lambda p, x, y: (p * x).sum(axis=-1) / x.shape[-1], expectation, mean
    yield "E x / len(x)", lambda p, x, y: (p * x).sum(axis=-1) / len(x), expectation, mean
    yield "np.mean of pi x", lambda p, x, y: np.mean(p * x), expectation, mean
    yield "np.mean of pi x times 3", lambda p, x, y: np.mean(p * x) * 3, expectation, mean
    yield "np.average of x", lambda p, x, y: np.average(x), expectation, mean
    yield "the plain sum of x", lambda p, x, y: x.sum(axis=-1), expectation, mean
    yield "max of pi x", lambda p, x, y: (p * x).max(axis=-1), expectation, mean
    yield "min of pi x", lambda p, x, y: (p * x).min(axis=-1), expectation, mean
    yield "the first entry of pi x", lambda p, x, y: (p * x)[0], expectation, mean
    yield "the last entry of pi x", lambda p, x, y: (p * x)[-1], expectation, mean
    yield "the sum of two entries", lambda p, x, y: (p * x)[:2].sum(axis=-1), expectation, mean
    yield "all entries but the last", lambda p, x, y: (p * x)[:-1].sum(axis=-1), expectation, mean
    yield "one entry twice", lambda p, x, y: (p * x).sum(axis=-1) + (p * x)[0], expectation, mean
    yield "the product of pi x", lambda p, x, y: np.prod(p * x), expectation, mean
    yield "the first cumulative sum", lambda p, x, y: np.cumsum(p * x)[0], lambda p, x, y: np.cumsum(p * x)[-1], mean
    yield "np.median", lambda p, x, y: np.median(p * x), expectation, mean
    yield "np.ptp", lambda p, x, y: np.ptp(x), expectation, mean
    yield "np.std", lambda p, x, y: np.std(x), expectation, mean
    yield "np.sort(pi x)[0]", lambda p, x, y: np.sort(p * x)[0], expectation, mean
    yield "x at argmax", lambda p, x, y: x[np.argmax(p)], expectation, mean
    yield "x reversed", lambda p, x, y: (p * x[::-1]).sum(axis=-1), lambda p, x, y: (p * x)[::-1].sum(axis=-1), mean
    yield "x rolled by one", lambda p, x, y: (p * np.roll(x, 1)).sum(), lambda p, x, y: np.roll(p * x, 1).sum(), mean
    yield "weights by position", lambda p, x, y: (p * x * np.arange(len(x))).sum(), expectation, mean
    yield "the last entry doubled", lambda p, x, y: (p * _doubled_last(x)).sum(), expectation, mean
    yield "the first entry dropped", lambda p, x, y: (p * _without_first(x)).sum(), expectation, mean
    yield "2 E x for three entries", lambda p, x, y: (p * x).sum() * (2 if len(x) == 3 else 1), expectation, mean
    yield "2 E x where E x is 0", lambda p, x, y: (p * x).sum() * (1 if (p * x).sum() else 2), expectation, mean
    yield "0 where E x == 1", lambda p, x, y: (p * x).sum() * (0 if (p * x).sum() == 1 else 1), expectation, mean
    yield "2 x where x == y", lambda p, x, y: (p * np.where(x == y, 2 * x, x)).sum(), expectation, mean
    yield "2 x where x > 0", lambda p, x, y: (p * np.where(x > 0, 2 * x, x)).sum(), expectation, mean
    yield "2 x where any x", lambda p, x, y: (p * x).sum() * (2 if np.any(x) else 1), expectation, mean
    yield "|x|", lambda p, x, y: (p * np.abs(x)).sum(), expectation, mean
    yield "2 x where x > 0 is refused and caught", _positive_or_double, expectation, mean
    yield "the weighted median", lambda p, x, y: x[np.searchsorted(np.cumsum(p), p[0])], expectation, mean
    yield "x[0] + x[1] + the rest twice", lambda p, x, y: (p * x)[[0, 1, 2, 2]].sum(), expectation, mean
    yield "one arm for another", lambda p, x, y: (p[[1, 0, *range(2, len(p))]] * x).sum(), expectation, mean
    yield "one arm twice", lambda p, x, y: (p * x)[[0, 0, *range(2, len(p))]].sum(), expectation, mean
    yield "np.dot with x reversed", lambda p, x, y: np.dot(p, x[::-1]), lambda p, x, y: np.dot(p, x), mean
    yield "np.diff", lambda p, x, y: np.diff(p * x).sum(), expectation, mean
    yield "np.outer", lambda p, x, y: np.outer(p, x).sum(), expectation, mean
    yield "np.max with an initial 0", lambda p, x, y: np.max(x, initial=0), expectation, mean
    yield "np.sum of the others", lambda p, x, y: np.delete(p * x, 0).sum(), expectation, mean
    yield "np.trapezoid by hand", lambda p, x, y: (x[1:] + x[:-1]).sum(), expectation, mean
    yield "np.percentile", lambda p, x, y: np.percentile(x, 50), expectation, mean
    yield "np.argsort", lambda p, x, y: (p * x[np.argsort(x)]).sum(), expectation, mean
    yield "np.unique", lambda p, x, y: np.unique(p * x).sum(), expectation, mean
    yield "np.count_nonzero(x)", lambda p, x, y: (p * x).sum() * np.count_nonzero(x), expectation, mean
    yield "np.all(x)", lambda p, x, y: (p * x).sum() * (2 if np.all(x) else 1), expectation, mean
    yield "np.array_equal(x, y)", lambda p, x, y: (p * x).sum() * (2 if np.array_equal(x, y) else 1), expectation, mean
    yield "np.isclose(x, y)", lambda p, x, y: (p * np.where(np.isclose(x, y), 2 * x, x)).sum(), expectation, mean
    yield "np.linalg.norm", lambda p, x, y: np.linalg.norm(x), expectation, mean
    yield "x as float64", lambda p, x, y: (p * x.astype(np.float64)).sum(), expectation, mean
    yield "max over sorted()", lambda p, x, y: sorted(p * x)[-1], expectation, mean
    yield "E x by a plain mean of x / p", lambda p, x, y: (x / p).mean(), expectation, mean
    yield "E x times E y / E y", lambda p, x, y: (p * x).sum() * (p * y).sum() / (p * y).sum(), expectation, mean
    yield (
        "p log p for log p",
        lambda p, x, y: (p * np.log(p)).sum(),
        lambda p, x, y: np.log(p).sum() * 0,
        sympy.Integer(0),
    )
    yield "x y / y", lambda p, x, y: (p * (x * y / y)).sum(), expectation, mean
    yield "x ** 0.5 squared", lambda p, x, y: (p * (x**0.5) ** 2).sum(), expectation, mean
    yield "exp of x", lambda p, x, y: (p * _array(*(entry.exp() for entry in x))).sum(), expectation, mean
    yield "float of the first x", lambda p, x, y: float(x[0]), expectation, mean
    yield "a shift", lambda p, x, y: (p * (x + 1)).sum(), lambda p, x, y: (p * (x + 1)).sum() - 1, mean
    yield (
        "E x y for Cov(x, y)",
        lambda p, x, y: (p * x * y).sum(),
        lambda p, x, y: (p * (x - (p * x).sum()) * y).sum(),
        covariance,
    )
    yield (
        "an operand that is ignored",
        lambda p, x, y: (p * (x - (p * x).sum())).sum(),
        lambda p, x, y: (p * (x - (p * x).sum()) * (y - (p * y).sum())).sum(),
        covariance,
    )
    yield "the squared probabilities sum to 1", lambda p, x, y: (p * p).sum(), lambda p, x, y: p.sum(), sympy.Integer(1)


def _positive_or_double(p: Any, x: Any, y: Any) -> Any:
    try:
        return (p * np.where(x > 0, 2 * x, x)).sum()
    except TypeError:
        return (p * x).sum()


# What is claimed of each function of an expression v is that it is v.
def _formula_claim(function: Callable[[Any], Any]) -> Check:
    v = sympy.Symbol("v", real=True)
    return lambda: zero(expression_of(function(Formula(v))) - v, sympy.simplify)


def _on_formulas() -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    yield "0 at v == 1", lambda v: v * 0 if v == 1 else v, lambda v: v if v == v else v * 0
    yield "2 v unless v != 1", lambda v: v if v != 1 else v * 2, lambda v: v * 2 if v != v else v
    yield "v + 1 where v is false", lambda v: v if v else v + 1, lambda v: v if v * v + 1 else v + 1
    yield "2 v where v > 0", lambda v: v * 2 if v > 0 else v, lambda v: v if v * v >= 0 else v * 2
    yield "max(v, 0)", lambda v: max(v, 0), lambda v: max(v, v)
    yield "2 v where float(v) > 5", lambda v: v * 2 if float(v) > 5 else v, lambda v: v
    yield "int(v)", int, lambda v: v
    yield "|v|", abs, lambda v: v
    yield "a float", lambda v: v * 0.5 * 2, lambda v: v * Fraction(1, 2) * 2
    yield "a SymPy float", lambda v: v * sympy.Float(0.1) * 10, lambda v: v * sympy.Rational(1, 10) * 10
    yield "sqrt(v^2)", lambda v: (v * v).sqrt(), lambda v: (v.exp() * v.exp()).sqrt().log()
    yield "v / (v - v)", lambda v: v / (v - v), lambda v: v / 1
    yield "2 v where hash(v) is that of 1", lambda v: v * 2 if hash(v) == hash(1) else v, lambda v: v
    yield "2 v where str(v) is '1'", lambda v: v * 2 if str(v) == "1" else v, lambda v: v
    yield "np.sort([v, 0])[0]", lambda v: np.sort(_array(v, v * 0))[0], lambda v: np.sort(_array(v))[0]
    yield "(v ** 0.5) ** 2", lambda v: (v**0.5) ** 2, lambda v: v * v.exp() / v.exp()
    yield "v v / v", lambda v: v * v / v, lambda v: v * v.exp() / v.exp()
    yield "v^2 v^-1", lambda v: v**2 * v**-1, lambda v: v * v.exp() ** -1 * v.exp()
    yield "v + 1 - 1 / (v - v)^0", lambda v: v + 1 - 1 / (v - v + v), lambda v: v + 1 - 1 / (v - v + 1)
    yield "exp(log v)", lambda v: v.log().exp() + v.log() - (v * v).log() / 2, lambda v: v.exp().log()
    yield "np.maximum(v, 0)", lambda v: np.maximum(_array(v), 0)[0], lambda v: np.maximum(_array(v), _array(v))[0]
    yield "v clipped", lambda v: np.clip(_array(v), 0, 1)[0], lambda v: _array(v)[0]
    yield "np.sign(v)", lambda v: v * np.sign(_array(v))[0], lambda v: v
    yield "2 v where v in (1, 2)", lambda v: v * 2 if v in (1, 2) else v, lambda v: v
    yield "np.unique([v, 0])[0]", lambda v: np.unique(_array(v, v * 0))[0], lambda v: v
    yield "np.argmax([v, 0])", lambda v: _array(v, v * 0)[np.argmax(_array(v, v * 0))], lambda v: v
    yield "round(v)", round, lambda v: v
    yield "v % 2", lambda v: v % 2, lambda v: v
    yield "v // 1", lambda v: v // 1, lambda v: v / 1
    yield "np.isnan(v)", lambda v: v * 2 if np.isnan(_array(v))[0] else v, lambda v: v
    yield "v with Decimal", lambda v: v * Decimal(1), lambda v: v * 1
    yield "v with True", lambda v: v * True, lambda v: v * 1
    yield "v with nan", lambda v: v * float("nan"), lambda v: v


def _on_checkers() -> Iterator[tuple[str, Check, Check]]:
    x = z3.Real("x")
    a, b, c = z3.Ints("a b c")
    positive = (a > 0, b > 0, c > 0)
    v = sympy.Symbol("v")
    yield "zero of a float that rounds to 0", lambda: zero(0.1 + 0.2 - 0.3 - 5.551115123125783e-17), lambda: zero(0)
    yield "zero of 0.0", lambda: zero(0.0), lambda: zero(Fraction(0))
    yield "zero of a SymPy float", lambda: zero(sympy.Float(0.0)), lambda: zero(v / 10 - v / 10)
    yield "zero of a float that cancels", lambda: zero(np.float64(0)), lambda: zero(sympy.Integer(0))
    yield "zero of nan", lambda: zero(sympy.nan), lambda: zero(v - v)
    yield "zero of a text", lambda: zero("x - x"), lambda: zero(v - v)
    yield "zero of False", lambda: zero(False), lambda: zero(0)
    yield "zero of a complex float", lambda: zero(0j), lambda: zero(sympy.I - sympy.I)
    yield "zero of infinity", lambda: zero(sympy.oo), lambda: zero(v * 0)
    yield "a case that is a list", lambda: for_all([("one", [False])], "one"), lambda: for_all([("one", True)], "one")
    yield "a case that is a text", lambda: for_all([("one", "False")], "one"), lambda: for_all([("one", True)], "one")
    yield (
        "a case that is no number",
        lambda: for_all([("one", math.nan)], "one"),
        lambda: for_all([("one", True)], "one"),
    )
    yield (
        "no answer of z3",
        lambda: valid(a**3 + b**3 != c**3, *positive, tries=(100_000, 100_000)),
        lambda: valid(a > 0, *positive),
    )
    yield "no residuals at all", lambda: all_zero([]), lambda: all_zero([0])
    yield "no cases at all", lambda: for_all([], "nothing"), lambda: for_all([("one", True)], "one")
    yield "assumptions that contradict each other", lambda: valid(x > 1, x > 0, x < 0), lambda: valid(x > -1, x > 0)
    yield (
        "contradiction on every path",
        lambda: valid_on_every_path(lambda path: x > 1, x > 0, x < 0),
        lambda: valid_on_every_path(lambda path: x > -1, x > 0),
    )
    yield (
        "a float beside a symbolic real",
        lambda: valid_on_every_path(lambda path: real_term(SymbolicReal(x, path) + 0.1) == x + z3.Q(1, 10)),
        lambda: valid_on_every_path(lambda path: real_term(SymbolicReal(x, path) + Fraction(1, 10)) == x + z3.Q(1, 10)),
    )


# What is claimed of each function of the series 1 + 2 eta is that it is unchanged.
def _series_claim(function: Callable[[Any], Any]) -> Check:
    def check() -> Finding:
        series = moving_logits([1.0], [2.0], 2)[0]
        found = first_coefficients(_array(function(series)).reshape(()))
        return for_all([("coefficients", found == (1.0, 2.0))], "one series")

    return check


def _on_series() -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    yield "2 s unless s == 1", lambda s: s if s == 1 else s * 1, lambda s: s * 1
    yield "s where s is true", lambda s: s if s else s + 1, lambda s: s + 0
    yield "s where s > 0", lambda s: s if s > 0 else s * 2, lambda s: s - 0
    yield "float(s)", float, lambda s: s * 1 + 0
    yield "|s|", abs, lambda s: s - s * 0


def table() -> list[tuple[str, str, str, str]]:
    """Return carrier, attack, and what happened to the attack and to its twin, one row each."""
    return [(a.carrier, a.name, what_happened(a.false), what_happened(a.true)) for a in attacks()]


def main() -> int:
    """Print the table and return 1 if an attack was accepted or a twin was not."""
    rows = table()
    bad = 0
    print(f"{'carrier':<11} {'attack':<50} {'twin':<9} what happened to the attack")
    for carrier, name, outcome, twin in rows:
        wrong = outcome == ACCEPTED or twin != ACCEPTED
        bad += wrong
        mark = "  <-- " + twin if wrong else ""
        print(f"{carrier:<11} {name:<50} {twin[:9]:<9} {' '.join(outcome.split())[:110]}{mark}")
    print(f"{len(rows)} attacks, {bad} of them not as they must be")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
