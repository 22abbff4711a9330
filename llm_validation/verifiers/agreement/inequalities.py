"""Linear inequalities in one name, solved exactly; others, compared as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from llm_validation.verifiers.answers.kinds import Inequality
from llm_validation.verifiers.exact.equality.decide import Verdict, sign
from llm_validation.verifiers.exact.equality.proportion import linear_in, proportion
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import Apply, Expression, difference, names, negative, quotient

_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}


@dataclass(frozen=True)
class Bound:
    """Hold what one linear inequality says of its name: ``name sign value``."""

    sign: str
    value: Expression


def bounds_of(answer: Inequality, effort: Effort) -> tuple[str, list[Bound]] | None:
    """Return the name and what each relation says of it; None if they are not linear in one name.

    Raises:
        OutOfReach: the sign of a coefficient is not decided.
    """
    free = {name for member in answer.members for name in names(member)}
    if len(free) != 1:
        return None
    (name,) = free
    bounds = []
    for place, relation in enumerate(answer.signs):
        zero = difference(answer.members[place], answer.members[place + 1])
        line = linear_in(zero, name, effort)
        if line is None:
            return None
        slope, intercept = line
        direction = sign(slope, effort)
        if direction == 0:
            return None
        value = negative(quotient(intercept, slope))
        bounds.append(Bound(relation if direction > 0 else _TURNED[relation], value))
    return name, bounds


def without_absolute(answer: Inequality) -> tuple[str, Inequality, Inequality] | None:
    """Return two inequalities that together say what one about an absolute value says; None for all others.

    For one relation with ``|L|`` alone on a side: L and -L both stay below what |L| is below (an intersection), and one
    of them is above what it is above (a union).

    Returns:
        ``union`` or ``intersection``, and the inequalities for L and for -L.
    """
    if len(answer.signs) != 1:
        return None
    left, right = answer.members
    turned = isinstance(right, Apply) and right.function == "abs"
    inside, other = (right, left) if turned else (left, right)
    relation = _TURNED[answer.signs[0]] if turned else answer.signs[0]
    if not (isinstance(inside, Apply) and inside.function == "abs") or names(other):
        return None
    (value,) = inside.arguments
    operation = "union" if relation in (">", ">=") else "intersection"
    return operation, Inequality((value, other), (relation,)), Inequality((negative(value), other), (relation,))


def same_relations(left: Inequality, right: Inequality, effort: Effort) -> Verdict:
    """Return whether two single relations say the same: their differences are multiples, positive ones for an order."""
    if len(left.signs) != 1 or len(right.signs) != 1:
        return Verdict.UNDECIDED if len(left.signs) == len(right.signs) else Verdict.UNEQUAL
    first, second = (difference(side.members[0], side.members[1]) for side in (left, right))
    verdict, factor = proportion(first, second, effort)
    if verdict is not Verdict.EQUAL:
        return verdict
    if factor is None:
        return Verdict.UNDECIDED
    wanted = right.signs[0] if factor > Fraction(0) else _TURNED[right.signs[0]]
    return Verdict.EQUAL if left.signs[0] == wanted else Verdict.UNEQUAL
