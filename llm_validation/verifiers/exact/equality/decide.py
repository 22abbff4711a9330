"""Whether two expressions have the same value, and which is larger: decided exactly or not at all.

Equality is shown by normal forms or, for algebraic numbers, by an enclosure below their zero bound. Inequality is also
shown by enclosures that exclude 0: of a constant, or at a point where both sides are defined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from itertools import product

from llm_validation.verifiers.exact.equality.algebraic import algebraic
from llm_validation.verifiers.exact.equality.zero_bound import zero_bound
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.enclosure import FIRST_PRECISION, Ball, enclosure, precisions
from llm_validation.verifiers.exact.expressions.tree import (
    INFINITY,
    UNIT_I,
    Expression,
    Number,
    OutOfReach,
    Product,
    difference,
    has,
    has_calculus,
    names,
)
from llm_validation.verifiers.exact.normal_form.build import NormalForms
from llm_validation.verifiers.exact.normal_form.quotients import number_of, polynomial_in_names

_GUARD_BITS = 64  # beyond the zero bound, for the rounding of the enclosure
# Values for names: no small numbers, at which different expressions often agree.
_SPREAD = tuple(Fraction(n, d) for n, d in ((17, 11), (23, 7), (29, 19), (31, 13), (41, 17), (53, 29)))
_WHOLE = tuple(Fraction(n) for n in (7, 5, 11, 8, 13, 6))
_MOST_NAMES = len(_SPREAD)


class Verdict(Enum):
    """Name what was found out about two values."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    UNDECIDED = "undecided"


def both(verdicts: Sequence[Verdict]) -> Verdict:
    """Return EQUAL if all are, UNEQUAL if one is, else UNDECIDED."""
    if Verdict.UNEQUAL in verdicts:
        return Verdict.UNEQUAL
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.EQUAL


def either(verdicts: Sequence[Verdict]) -> Verdict:
    """Return EQUAL if one is, UNEQUAL if all are, else UNDECIDED."""
    if Verdict.EQUAL in verdicts:
        return Verdict.EQUAL
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.UNEQUAL


def same_value(left: Expression, right: Expression, effort: Effort) -> Verdict:
    """Return whether two expressions have the same value wherever both are defined.

    Raises:
        UndefinedError: one of them has no value.
    """
    if isinstance(left, Number) and isinstance(right, Number):
        return Verdict.EQUAL if left.value == right.value else Verdict.UNEQUAL
    ends = infinite_sign(left), infinite_sign(right)
    if ends != (0, 0):
        return Verdict.EQUAL if ends[0] == ends[1] else Verdict.UNEQUAL
    zero = difference(left, right)
    forms = NormalForms(effort)
    shown = _by_normal_form(zero, forms)
    if shown is not Verdict.UNDECIDED or has_calculus(zero):
        return shown
    if left == right:  # too large for a normal form, and yet the same
        return Verdict.EQUAL
    free = sorted(names(zero))
    found = _by_values(left, right, free) if free else _constant_is_zero(zero, forms, effort)
    proved = found is Verdict.UNDECIDED and effort.prove is not None and effort.prove(left, right)
    return Verdict.EQUAL if proved else found


def sign(value: Expression, effort: Effort) -> int:
    """Return -1, 0 or 1 for a real constant or an infinity.

    Raises:
        OutOfReach: it is not decided, or not real.
    """
    if isinstance(value, Number):
        return (value.value > 0) - (value.value < 0)
    infinite = infinite_sign(value)
    if infinite:
        return infinite
    if same_value(value, Number(Fraction(0)), effort) is Verdict.EQUAL:
        return 0
    for precision in precisions(effort):
        ball = enclosure(value, precision=precision)
        if ball is not None and ball.imag.contains(0) and not ball.real.contains(0):
            return 1 if ball.real > 0 else -1
    raise OutOfReach("the sign is not decided")


def infinite_sign(value: Expression) -> int:
    """Return 1 for infinity, -1 for minus infinity and 0 for all else."""
    if value == INFINITY:
        return 1
    if isinstance(value, Product) and len(value.factors) == 2 and value.factors[1] == INFINITY:
        first = value.factors[0]
        return -1 if isinstance(first, Number) and first.value == -1 else 0
    return 0


def _by_normal_form(zero: Expression, forms: NormalForms) -> Verdict:
    try:
        form = forms.of(zero)
        if forms.quotients.is_zero(form):
            return Verdict.EQUAL
    except OutOfReach:
        return Verdict.UNDECIDED
    # Polynomials in names, and so exact numbers, are equal only where their normal forms are.
    exact = polynomial_in_names(form) or number_of(form) is not None
    return Verdict.UNEQUAL if exact else Verdict.UNDECIDED


def _constant_is_zero(zero: Expression, forms: NormalForms, effort: Effort) -> Verdict:
    for precision in precisions(effort):
        if _excludes_zero(enclosure(zero, precision=precision)):
            return Verdict.UNEQUAL
    try:
        rewritten = algebraic(zero, forms)
    except OutOfReach:
        return Verdict.UNDECIDED
    bound = None if rewritten is None else zero_bound(rewritten)
    if rewritten is None or bound is None or bound + _GUARD_BITS > effort.bits:
        return Verdict.UNDECIDED
    ball = enclosure(rewritten, precision=bound + 2 * _GUARD_BITS)
    if ball is None:
        return Verdict.UNDECIDED
    if _excludes_zero(ball):
        return Verdict.UNEQUAL
    return Verdict.EQUAL if _is_below(ball, bound) else Verdict.UNDECIDED


def _excludes_zero(ball: Ball | None) -> bool:
    return ball is not None and not ball.contains(0)


def _is_below(ball: Ball, bits: int) -> bool:
    """Whether everything in the ball is smaller than 2**-bits."""
    from flint import arb

    return bool(abs(ball) < arb(2) ** -bits)


def _by_values(left: Expression, right: Expression, free: Sequence[str]) -> Verdict:
    """Return UNEQUAL where the two differ at a point at which both are defined."""
    if len(free) > _MOST_NAMES:
        return Verdict.UNDECIDED
    real = not has(left, UNIT_I) and not has(right, UNIT_I)
    for point in _points(free):
        balls = [enclosure(side, precision=4 * FIRST_PRECISION, values=point) for side in (left, right)]
        # Names are real: where an expression without i is not real, it is not defined.
        if any(ball is None or (real and not ball.imag.contains(0)) for ball in balls):
            continue
        if _excludes_zero(balls[0] - balls[1]):
            return Verdict.UNEQUAL
    return Verdict.UNDECIDED


def _points(free: Sequence[str]) -> Iterator[Mapping[str, Fraction]]:
    """Yield values for the names: positive ones, all changes of sign, small ones, whole ones."""
    spread = _SPREAD[: len(free)]
    for signs in product((1, -1), repeat=min(len(free), 3)):
        padded = (*signs, *(1 for _ in free[len(signs) :]))
        yield {name: value * factor for name, value, factor in zip(free, spread, padded, strict=True)}
    yield {name: value / 10 for name, value in zip(free, spread, strict=True)}
    yield dict(zip(free, _WHOLE[: len(free)], strict=True))
