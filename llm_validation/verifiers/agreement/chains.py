"""What an equation or a chain of equations says: its last member, where the chain can be true, or the equation."""

from __future__ import annotations

from llm_validation.verifiers.answers.kinds import Answer, Chain, Quantity, Scalar
from llm_validation.verifiers.exact.equality.decide import Verdict, both, same_value
from llm_validation.verifiers.exact.equality.proportion import proportion
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import (
    MINUS_ONE,
    Apply,
    Expression,
    Name,
    Number,
    Power,
    children,
    difference,
    names,
)


def truth(chain: Chain, effort: Effort) -> Verdict:
    """Return EQUAL if all constant members have one value, UNEQUAL if two differ."""
    constants = [member for member in (*chain.members, _scalar(chain.last)) if member is not None and not names(member)]
    if len(constants) < 2:
        return Verdict.EQUAL
    return both([same_value(constants[0], other, effort) for other in constants[1:]])


def stands_for_last(chain: Chain, effort: Effort) -> Verdict:
    """Return EQUAL if the chain counts for its last member: it is true, and its first member can be a name for it.

    A first member with names and numbers in it, as in ``2 x = 10``, is an equation to be solved and no name, unless
    both sides are identical.
    """
    verdict = truth(chain, effort)
    first = chain.members[0]
    if verdict is not Verdict.EQUAL or first is None or not names(first) or _is_name(first):
        return verdict
    last = _scalar(chain.last)
    return Verdict.UNEQUAL if last is None else same_value(first, last, effort)


def same_equation(left: Chain, right: Chain, effort: Effort) -> Verdict:
    """Return whether two equations have the same solutions, as far as multiples of one another show it."""
    zeros = _zero(left), _zero(right)
    if zeros[0] is None or zeros[1] is None:
        return Verdict.UNEQUAL
    return proportion(zeros[0], zeros[1], effort)[0]


def _zero(chain: Chain) -> Expression | None:
    """Return the difference of the two sides; None for a longer chain, a label or a last member that is no scalar."""
    last = _scalar(chain.last)
    if len(chain.members) != 1 or chain.members[0] is None or last is None:
        return None
    return difference(chain.members[0], last)


def _scalar(answer: Answer) -> Expression | None:
    if isinstance(answer, Quantity) and not answer.unit:
        answer = answer.value
    return answer.value if isinstance(answer, Scalar) else None


def _is_name(member: Expression) -> bool:
    """Whether the member names a quantity: a name, a function of something, or an expression without numbers."""
    if isinstance(member, Name) or (isinstance(member, Apply) and member.function.startswith("letter ")):
        return True
    return not _has_numbers(member)


def _has_numbers(expression: Expression) -> bool:
    """Whether a number is written in the expression; signs, quotients and roots bring numbers of their own."""
    if isinstance(expression, Number):
        return expression != MINUS_ONE
    parts = children(expression)
    inverted = isinstance(expression, Power) and expression.exponent == MINUS_ONE
    if inverted or (isinstance(expression, Apply) and expression.function == "root"):
        parts = parts[:1]
    return any(_has_numbers(part) for part in parts)
