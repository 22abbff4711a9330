"""Whether two answers agree: the rules between kinds."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from llm_validation.verifiers.agreement.chains import same_equation, stands_for_last
from llm_validation.verifiers.agreement.inequalities import same_relations
from llm_validation.verifiers.agreement.real_sets import real_set, same_set
from llm_validation.verifiers.answers.clocks import same_time
from llm_validation.verifiers.answers.kinds import (
    Answer,
    Bracketed,
    Chain,
    Choice,
    Clock,
    Group,
    Inequality,
    Matrix,
    NamedSet,
    Quantity,
    Ratio,
    Reading,
    Scalar,
    SetOperation,
    Words,
)
from llm_validation.verifiers.exact.equality.decide import Verdict, both, either, same_value
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import (
    PI,
    Expression,
    Name,
    OutOfReach,
    Product,
    UndefinedError,
    number,
    quotient,
)

_MOST_ITEMS = 64  # of a list: each may have to be compared with each
_SETS = (Bracketed, SetOperation, NamedSet, Inequality, Group)
_ELLIPSIS = Words((r"\ldots",))


def agree(response: Sequence[Reading], gold: Sequence[Reading], effort: Effort) -> Verdict:
    """Return whether some reading of the response agrees with one of the gold answer.

    A comma that could be read in two ways must be read in the same way on both sides.
    """
    verdicts = []
    for one in response:
        for other in gold:
            if one.comma is not None and other.comma is not None and one.comma != other.comma:
                continue
            verdict = _guarded(one.answer, other.answer, effort)
            if verdict is Verdict.EQUAL:
                return verdict
            verdicts.append(verdict)
    return either(verdicts)


def same_answer(left: Answer, right: Answer, effort: Effort) -> Verdict:
    """Return whether two answers agree.

    Raises:
        OutOfReach: the effort does not suffice.
        UndefinedError: one of them has no value.
    """
    if isinstance(left, Quantity) or isinstance(right, Quantity):
        return _quantities(_as_quantity(left), _as_quantity(right), effort)
    if _is_hedge(left, right) or _is_hedge(right, left):
        return Verdict.UNEQUAL
    if isinstance(left, Chain) or isinstance(right, Chain):
        return _chains(left, right, effort)
    if isinstance(left, Choice) or isinstance(right, Choice):
        return _choices(left, right, effort)
    if isinstance(left, Ratio) or isinstance(right, Ratio):
        return _ratios(left, right, effort)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return same_value(left.value, right.value, effort)
    if isinstance(left, Clock) and isinstance(right, Clock):
        return _verdict(same_time(left, right))
    if isinstance(left, Matrix) or isinstance(right, Matrix):
        return _matrices(left, right, effort)
    if isinstance(left, _SETS) or isinstance(right, _SETS):
        return _collections(left, right, effort)
    return _verdict(left == right)


def _guarded(left: Answer, right: Answer, effort: Effort) -> Verdict:
    try:
        return same_answer(left, right, effort)
    except OutOfReach:
        return Verdict.UNDECIDED
    except UndefinedError:
        return Verdict.UNEQUAL


def _is_hedge(answer: Answer, other: Answer) -> bool:
    """Whether the answer is put together from several boxes and the other one is no list and no set."""
    return isinstance(answer, Group) and answer.joined and not isinstance(other, (Group, SetOperation))


def _verdict(same: bool) -> Verdict:
    return Verdict.EQUAL if same else Verdict.UNEQUAL


# Units, remarks, percent and degrees.


def _as_quantity(answer: Answer) -> Quantity:
    return answer if isinstance(answer, Quantity) else Quantity(answer, (), ())


def _quantities(left: Quantity, right: Quantity, effort: Effort) -> Verdict:
    """Compare values; a unit or a remark that only one side has does not count, and two that differ are wrong."""
    if left.remark and right.remark and left.remark != right.remark:
        return Verdict.UNEQUAL
    if left.unit and right.unit:
        return same_answer(left.value, right.value, effort) if left.unit == right.unit else Verdict.UNEQUAL
    verdict = same_answer(left.value, right.value, effort)
    scaled = _scaled(left), _scaled(right)
    if verdict is Verdict.EQUAL or scaled == (left.value, right.value):
        return verdict
    return either([verdict, same_answer(*scaled, effort)])


def _scaled(quantity: Quantity) -> Answer:
    """Return the value of percent as a share, and of degrees as an angle; others as they are."""
    if not isinstance(quantity.value, Scalar):
        return quantity.value
    if quantity.unit == (("percent", 1),):
        return Scalar(quotient(quantity.value.value, number(100)))
    if quantity.unit == (("degree", 1),):
        return Scalar(Product((quantity.value.value, PI, number(Fraction(1, 180)))))
    return quantity.value


# Equations.


def _chains(left: Answer, right: Answer, effort: Effort) -> Verdict:
    if isinstance(left, Chain) and isinstance(right, Chain):
        return _two_chains(left, right, effort)
    chain, other = (left, right) if isinstance(left, Chain) else (right, left)
    assert isinstance(chain, Chain)
    stands = stands_for_last(chain, effort)
    return stands if stands is not Verdict.EQUAL else same_answer(chain.last, other, effort)


def _two_chains(left: Chain, right: Chain, effort: Effort) -> Verdict:
    if left == right:
        return Verdict.EQUAL
    if left.label == right.label:
        stand = both([stands_for_last(side, effort) for side in (left, right)])
        if stand is Verdict.EQUAL:
            return same_answer(left.last, right.last, effort)
    return same_equation(left, right, effort)


# Choices and ratios.


def _choices(left: Answer, right: Answer, effort: Effort) -> Verdict:
    """Compare letters and values; either may be missing on one side, but not both."""
    if isinstance(left, Choice) and isinstance(right, Choice):
        if left.letter != right.letter:
            return Verdict.UNEQUAL
        if left.value is None or right.value is None:
            return Verdict.EQUAL
        return same_answer(left.value, right.value, effort)
    choice, other = (left, right) if isinstance(left, Choice) else (right, left)
    assert isinstance(choice, Choice)
    if other == Scalar(Name(choice.letter)):
        return Verdict.EQUAL
    return Verdict.UNEQUAL if choice.value is None else same_answer(choice.value, other, effort)


def _ratios(left: Answer, right: Answer, effort: Effort) -> Verdict:
    """Compare proportions; a ratio of two is also their quotient."""
    first, second = _proportion(left), _proportion(right)
    if first is None or second is None or len(first) != len(second):
        return Verdict.UNEQUAL
    verdicts = []
    for one, other in zip(first[1:], second[1:], strict=True):
        verdicts.append(same_value(Product((one, second[0])), Product((other, first[0])), effort))
    return both(verdicts)


def _proportion(answer: Answer) -> tuple[Expression, ...] | None:
    if isinstance(answer, Ratio):
        return answer.parts
    return (answer.value, number(1)) if isinstance(answer, Scalar) else None


# Matrices, points, sets and lists.


def _matrices(left: Answer, right: Answer, effort: Effort) -> Verdict:
    """Compare matrices entry by entry; one row or one column is also a point."""
    if isinstance(left, Matrix) and isinstance(right, Matrix):
        if [len(row) for row in left.rows] != [len(row) for row in right.rows]:
            return Verdict.UNEQUAL
        return _each(_entries(left), _entries(right), effort)
    matrix, other = (left, right) if isinstance(left, Matrix) else (right, left)
    assert isinstance(matrix, Matrix)
    is_vector = len(matrix.rows) == 1 or len(matrix.rows[0]) == 1
    if not is_vector or not isinstance(other, Bracketed) or (other.opening, other.closing) != ("(", ")"):
        return Verdict.UNEQUAL
    return _each(_entries(matrix), other.items, effort)


def _entries(matrix: Matrix) -> tuple[Answer, ...]:
    return tuple(Scalar(entry) for row in matrix.rows for entry in row)


def _each(left: Sequence[Answer], right: Sequence[Answer], effort: Effort) -> Verdict:
    """Compare items in order."""
    if len(left) != len(right):
        return Verdict.UNEQUAL
    verdicts = []
    for one, other in zip(left, right, strict=True):
        verdict = same_answer(one, other, effort)
        if verdict is Verdict.UNEQUAL:
            return verdict
        verdicts.append(verdict)
    return both(verdicts)


def _collections(left: Answer, right: Answer, effort: Effort) -> Verdict:
    if isinstance(left, Bracketed) and isinstance(right, Bracketed):
        same_brackets = (left.opening, left.closing) == (right.opening, right.closing)
        return _each(left.items, right.items, effort) if same_brackets else Verdict.UNEQUAL
    lists = _as_list(left), _as_list(right)
    if lists[0] is not None and lists[1] is not None:
        return _unordered(lists[0], lists[1], left, right, effort)
    if isinstance(left, Inequality) and isinstance(right, Inequality):
        return _inequalities(left, right, effort)
    point = _named_point(left, right, effort)
    return point if point is not None else _as_sets(left, right, effort)


def _as_list(answer: Answer) -> tuple[Answer, ...] | None:
    """Return the items of a list or set; a value is a list of itself."""
    if isinstance(answer, Group):
        return answer.items
    return (answer,) if isinstance(answer, (Scalar, Words, Clock)) else None


def _unordered(
    first: Sequence[Answer], second: Sequence[Answer], left: Answer, right: Answer, effort: Effort
) -> Verdict:
    """Compare items in any order; in sets, and where one side is a value, an item counts once."""
    if _ELLIPSIS in first or _ELLIPSIS in second:
        return _each(first, second, effort)
    as_sets = not all(isinstance(side, Group) and side.kind == "list" for side in (left, right))
    if len(first) > _MOST_ITEMS or len(second) > _MOST_ITEMS:
        raise OutOfReach("too long a list")
    if as_sets:
        first, second = _distinct(first, effort), _distinct(second, effort)
    return _matched(first, second, effort)


def _distinct(items: Sequence[Answer], effort: Effort) -> list[Answer]:
    kept: list[Answer] = []
    for item in items:
        if all(same_answer(item, other, effort) is not Verdict.EQUAL for other in kept):
            kept.append(item)
    return kept


def _matched(first: Sequence[Answer], second: Sequence[Answer], effort: Effort) -> Verdict:
    """Match each item with an equal one; equality is transitive, so that the first that fits will do."""
    if len(first) != len(second):
        return Verdict.UNEQUAL
    left_over = list(second)
    undecided = False
    for item in first:
        verdicts = []
        for place, other in enumerate(left_over):
            verdicts.append(same_answer(item, other, effort))
            if verdicts[-1] is Verdict.EQUAL:
                del left_over[place]
                break
        else:
            if Verdict.UNDECIDED not in verdicts:
                return Verdict.UNEQUAL
            undecided = True
    return Verdict.UNDECIDED if undecided else Verdict.EQUAL


def _inequalities(left: Inequality, right: Inequality, effort: Effort) -> Verdict:
    first, second = real_set(left, effort), real_set(right, effort)
    if first is not None and second is not None:
        return same_set(first, second, effort)
    return Verdict.EQUAL if left == right else same_relations(left, right, effort)


def _named_point(left: Answer, right: Answer, effort: Effort) -> Verdict | None:
    """Compare a point with equations for its coordinates: ``(1, 2)`` and ``x = 1, y = 2``; None for others."""
    if not (isinstance(left, (Bracketed, Group)) and isinstance(right, (Bracketed, Group))):
        return None
    point, equations = (left, right) if isinstance(left, Bracketed) else (right, left)
    if not isinstance(point, Bracketed) or not isinstance(equations, Group) or point.opening != "(" != point.closing:
        return None
    names = [item.members[0] for item in equations.items if isinstance(item, Chain) and len(item.members) == 1]
    if len(names) != len(equations.items) or not all(isinstance(name, Name) for name in names):
        return None
    texts = [name.name for name in names if isinstance(name, Name)]
    if texts != sorted(set(texts)):
        return None
    return _each([item.last for item in equations.items if isinstance(item, Chain)], point.items, effort)


def _as_sets(left: Answer, right: Answer, effort: Effort) -> Verdict:
    """Compare sets of real numbers; a list of inequalities is their union or what they have in common."""
    verdicts = []
    for one in _set_readings(left):
        for other in _set_readings(right):
            first, second = real_set(one, effort), real_set(other, effort)
            if first is not None and second is not None:
                verdicts.append(same_set(first, second, effort))
    return either(verdicts) if verdicts else _verdict(left == right)


def _set_readings(answer: Answer) -> list[Answer]:
    if not isinstance(answer, Group) or answer.kind != "list" or not answer.items:
        return [answer]
    if not all(isinstance(item, Inequality) for item in answer.items):
        return [answer]
    found = []
    for operation in ("union", "intersection"):
        total = answer.items[0]
        for item in answer.items[1:]:
            total = SetOperation(operation, total, item)
        found.append(total)
    return found
