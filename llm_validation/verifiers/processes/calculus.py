"""Integrals, derivatives, sums, products and limits, worked out; and identities that only a simplifier shows.

What SymPy finds is a tree again, and compared exactly like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from llm_validation.verifiers.answers.kinds import Reading
from llm_validation.verifiers.answers.transform import mapped, rebuilt
from llm_validation.verifiers.exact.expressions.effort import Effort, thorough
from llm_validation.verifiers.exact.expressions.tree import (
    CALCULUS,
    Apply,
    Expression,
    Name,
    Number,
    OutOfReach,
    Product,
    Sum,
    difference,
    has_calculus,
    names,
    number,
)
from llm_validation.verifiers.judging.judge import judged
from llm_validation.verifiers.judging.outcomes import Outcome
from llm_validation.verifiers.processes.sympy_trees import SympyTrees, tree_of

_MOST_TERMS = 1000  # of a sum that is written out


def thorough_judge(claim: Sequence[str], gold: str) -> Outcome:
    """Return the outcome of one response, with calculus and all means of proof."""
    effort = partial(_effort)
    return judged(claim, gold, effort, rewrite=resolved_readings)


def _effort() -> Effort:
    return thorough(prove=identical)


def resolved_readings(readings: Sequence[Reading]) -> Sequence[Reading]:
    """Return the readings with calculus worked out where that is possible."""
    return [mapped(reading, _resolved) for reading in readings]


def _resolved(expression: Expression) -> Expression:
    """Return an expression with all calculus in it worked out, the inner first; what cannot be stays as it is."""
    if not has_calculus(expression):
        return expression
    expression = rebuilt(expression, _resolved)
    if not isinstance(expression, Apply) or expression.function not in CALCULUS:
        return expression
    try:
        return _written_out(expression) or tree_of(_worked_out(expression))
    except (OutOfReach, ValueError, TypeError, NotImplementedError, AttributeError, ArithmeticError):
        return expression


def _written_out(expression: Apply) -> Expression | None:
    """Return a short sum or product between whole numbers, written out."""
    if expression.function not in ("sum", "product"):
        return None
    term, name, low, high = expression.arguments
    if not isinstance(low, Number) or not isinstance(high, Number) or not isinstance(name, Name):
        return None
    if low.value.denominator != 1 or high.value.denominator != 1 or not 0 <= high.value - low.value < _MOST_TERMS:
        return None
    terms = []
    for index in range(int(low.value), int(high.value) + 1):
        terms.append(_replaced(term, name, index))
    return Sum(tuple(terms)) if expression.function == "sum" else Product(tuple(terms))


def _replaced(expression: Expression, name: Name, value: int) -> Expression:
    """Return the expression with a number for the name."""
    return number(value) if expression == name else rebuilt(expression, lambda part: _replaced(part, name, value))


def _worked_out(expression: Apply) -> Any:
    """Return what SymPy makes of an integral, derivative, series or limit."""
    import sympy

    bound = expression.arguments[1]
    assert isinstance(bound, Name)
    index = frozenset({bound.name}) if expression.function in ("sum", "product") else frozenset()
    # The upper limit of a series is a whole number too.
    whole = index | (names(expression.arguments[3]) if index else frozenset())
    trees = SympyTrees(whole=whole)
    body, *limits = [trees.of(expression.arguments[place]) for place in (0, *range(2, len(expression.arguments)))]
    symbol = trees.symbol(bound.name)
    if expression.function == "derivative":
        return _named_again(sympy.diff(body, symbol, limits[0]))
    if expression.function == "limit":
        return _named_again(sympy.limit(body, symbol, limits[0]))
    if expression.function == "integral":
        return _named_again(sympy.integrate(body, (symbol, *limits) if limits else symbol))
    operation = sympy.summation if expression.function == "sum" else sympy.product
    return _named_again(operation(body, (symbol, *limits)))


def _named_again(value: Any) -> Any:
    return value.doit() if hasattr(value, "doit") else value


def identical(left: Expression, right: Expression) -> bool:
    """Whether SymPy's simplifier shows the two to be identical, for real names or for positive ones."""
    from sympy import expand_log, simplify

    zero = difference(left, right)
    for positive in (False, True):
        try:
            tree = SympyTrees(positive=positive).of(zero)
            if simplify(expand_log(tree)) == 0:
                return True
        except (OutOfReach, ValueError, TypeError, NotImplementedError, AttributeError, ArithmeticError):
            return False
    return False
