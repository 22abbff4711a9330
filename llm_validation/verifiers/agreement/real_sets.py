"""Sets of real numbers: finite unions of intervals with exact ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise

from llm_validation.verifiers.agreement.inequalities import Bound, bounds_of, without_absolute
from llm_validation.verifiers.answers.kinds import (
    Answer,
    Bracketed,
    Chain,
    Group,
    Inequality,
    NamedSet,
    Quantity,
    Scalar,
    SetOperation,
)
from llm_validation.verifiers.exact.equality.decide import Verdict, both, infinite_sign, same_value, sign
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import INFINITY, Expression, difference, names, negative

_MINUS_INFINITY = negative(INFINITY)


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``; a closed end belongs to it."""

    low: Expression
    low_closed: bool
    high: Expression
    high_closed: bool


@dataclass(frozen=True)
class RealSet:
    """Disjoint intervals in order; ``name`` is the variable that an inequality describes it by."""

    intervals: tuple[Interval, ...]
    name: str | None = None


def real_set(answer: Answer, effort: Effort) -> RealSet | None:
    """Return the set of real numbers that an answer describes; None if it describes none.

    Raises:
        OutOfReach: the order of two ends is not decided.
    """
    if isinstance(answer, NamedSet):
        return _all_reals() if answer.name == "R" else None
    if isinstance(answer, Bracketed):
        return _interval(answer, effort)
    if isinstance(answer, Group) and answer.kind == "set":
        return _points(answer.items, effort)
    if isinstance(answer, Inequality):
        return _solved(answer, effort)
    if isinstance(answer, SetOperation):
        return _combined(answer, effort)
    return None


def same_set(left: RealSet, right: RealSet, effort: Effort) -> Verdict:
    """Return whether two sets are the same; two names of the variable may not differ."""
    if left.name is not None and right.name is not None and left.name != right.name:
        return Verdict.UNEQUAL
    if len(left.intervals) != len(right.intervals):
        return Verdict.UNEQUAL
    verdicts = []
    for one, other in zip(left.intervals, right.intervals, strict=True):
        if (one.low_closed, one.high_closed) != (other.low_closed, other.high_closed):
            return Verdict.UNEQUAL
        verdicts.append(same_value(one.low, other.low, effort))
        verdicts.append(same_value(one.high, other.high, effort))
    return both(verdicts)


def _all_reals(name: str | None = None) -> RealSet:
    return RealSet((Interval(_MINUS_INFINITY, False, INFINITY, False),), name)


def _interval(answer: Bracketed, effort: Effort) -> RealSet | None:
    if len(answer.items) != 2:
        return None
    low, high = _constant(answer.items[0]), _constant(answer.items[1])
    if low is None or high is None:
        return None
    closed = answer.opening == "[", answer.closing == "]"
    order = _compare(high, low, effort)
    if order < 0:
        return None
    if order == 0:
        return RealSet((Interval(low, True, high, True),) if all(closed) else ())
    return RealSet((Interval(low, closed[0], high, closed[1]),))


def _order(low: Expression, high: Expression) -> int:
    """Return the sign of high - low where one of them is infinite."""
    first, second = infinite_sign(low), infinite_sign(high)
    return (second > first) - (second < first)


def _constant(answer: Answer) -> Expression | None:
    """Return the value of an item that is a constant; None for all else."""
    if isinstance(answer, Quantity):
        answer = answer.value
    if isinstance(answer, Chain):
        answer = answer.last
    return answer.value if isinstance(answer, Scalar) and not names(answer.value) else None


def _points(items: Sequence[Answer], effort: Effort) -> RealSet | None:
    values = [_constant(item) for item in items]
    intervals = []
    for value in values:
        if value is None:
            return None
        intervals.append(Interval(value, True, value, True))
    return _united(intervals, effort, None)


def _solved(answer: Inequality, effort: Effort) -> RealSet | None:
    """Return the solutions of a chain of linear inequalities in one name, or of one about an absolute value."""
    without = without_absolute(answer)
    if without is not None:
        return _combined(SetOperation(*without), effort)
    found = bounds_of(answer, effort)
    if found is None:
        return None
    name, bounds = found
    total = _all_reals(name)
    for bound in bounds:
        total = _filtered(total, _of_bound(bound), lambda a, b: a and b, effort)
    return RealSet(total.intervals, name)


def _of_bound(bound: Bound) -> RealSet:
    below = Interval(_MINUS_INFINITY, False, bound.value, bound.sign == "<=")
    above = Interval(bound.value, bound.sign == ">=", INFINITY, False)
    if bound.sign == "!=":
        return RealSet((below, above))
    return RealSet((below,) if bound.sign.startswith("<") else (above,))


def _combined(answer: SetOperation, effort: Effort) -> RealSet | None:
    left, right = real_set(answer.left, effort), real_set(answer.right, effort)
    if left is None or right is None:
        return None
    rules: dict[str, Callable[[bool, bool], bool]] = {
        "union": lambda a, b: a or b,
        "intersection": lambda a, b: a and b,
        "minus": lambda a, b: a and not b,
    }
    if left.name is not None and right.name is not None and left.name != right.name:
        return None
    found = _filtered(left, right, rules[answer.operation], effort)
    return RealSet(found.intervals, left.name or right.name)


def _united(intervals: Sequence[Interval], effort: Effort, name: str | None) -> RealSet:
    total = RealSet((), name)
    for interval in intervals:
        total = _filtered(total, RealSet((interval,)), lambda a, b: a or b, effort)
    return total


def _filtered(left: RealSet, right: RealSet, rule: Callable[[bool, bool], bool], effort: Effort) -> RealSet:
    """Return the set of points whose membership in the two sets fulfils the rule.

    The ends of all intervals cut the line into points and gaps; each of these lies in a set as a whole or not at all.
    """
    ends = _ends((*left.intervals, *right.intervals), effort)
    cells: list[tuple[Expression, Expression, bool]] = []  # low, high, whether it is one point
    line = [_MINUS_INFINITY, *ends, INFINITY]
    for low, high in pairwise(line):
        cells.append((low, high, False))
        if high != INFINITY:
            cells.append((high, high, True))
    kept = [cell for cell in cells if rule(_holds(left, cell, effort), _holds(right, cell, effort))]
    return RealSet(_joined(kept))


def _ends(intervals: Sequence[Interval], effort: Effort) -> list[Expression]:
    """Return the finite ends in order, each once."""
    found: list[Expression] = []
    for interval in intervals:
        found += [end for end in (interval.low, interval.high) if not infinite_sign(end)]

    def order(left: Expression, right: Expression) -> int:
        return sign(difference(left, right), effort)

    ordered = sorted(found, key=cmp_to_key(order))
    distinct: list[Expression] = []
    for end in ordered:
        if not distinct or order(end, distinct[-1]):
            distinct.append(end)
    return distinct


def _holds(whole: RealSet, cell: tuple[Expression, Expression, bool], effort: Effort) -> bool:
    """Whether a cell lies in the set."""
    low, high, is_point = cell
    for interval in whole.intervals:
        after_low = _compare(low, interval.low, effort)
        before_high = _compare(interval.high, high, effort)
        if is_point:
            above = after_low > 0 or (after_low == 0 and interval.low_closed)
            below = before_high > 0 or (before_high == 0 and interval.high_closed)
        else:
            above, below = after_low >= 0, before_high >= 0
        if above and below:
            return True
    return False


def _compare(left: Expression, right: Expression, effort: Effort) -> int:
    if infinite_sign(left) or infinite_sign(right):
        return -_order(left, right)
    return sign(difference(left, right), effort)


def _joined(cells: Sequence[tuple[Expression, Expression, bool]]) -> tuple[Interval, ...]:
    """Return the cells with neighbours made one interval."""
    intervals: list[Interval] = []
    for low, high, is_point in cells:
        piece = Interval(low, is_point, high, is_point)
        last = intervals[-1] if intervals else None
        if last is not None and last.high == low and (last.high_closed or is_point):
            intervals[-1] = Interval(last.low, last.low_closed, high, is_point)
        else:
            intervals.append(piece)
    return tuple(intervals)
