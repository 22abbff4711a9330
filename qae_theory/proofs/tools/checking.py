"""Check statements for the proofs: the trusted kernel, whose checkers return a ``Finding`` and never raise to say no.

Each checker has one criterion, and a planted falsehood must fail by the criterion of its check. What is trusted:
SymPy's arithmetic, ``expand`` and ``cancel``, z3's ``unsat``, flint's ball arithmetic, Python's integers and Fractions,
the carriers (``proofs.carriers``), and this file. The mathematics is in the folders beside this one, one per page of
the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy
import z3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from qae_theory.claims.model import Finding
from qae_theory.proofs.carriers.paths import Path, paths

# What z3 may spend on a goal, try after try, each with a seed of its own. A goal takes at most some 10^5 steps, a few
# milliseconds, but one search in a hundred takes a turn from which it does not come back: a new one then helps, and
# more time does not. Steps are counted and not seconds, so that no goal is undecided because a machine is slow.
Z3_TRIES = (1_000_000,) * 8 + (30_000_000,) * 2
# Most assumptions are easily met, and z3 finds a contradiction fast or hardly ever.
Z3_CONSISTENCY_TRIES = (1_000_000,) * 2


def valid(goal: Any, *assumptions: Any, tries: Sequence[int] = Z3_TRIES) -> Finding:
    """Find whether a goal holds whenever the assumptions do (z3).

    Assumptions that z3 refutes allow nothing, so that everything would hold of them: that fails by another criterion.

    Args:
        goal: a z3 formula.
        *assumptions: z3 formulas that hold together.
        tries: z3's steps in each try, after the last of which the goal is undecided.

    Returns:
        Passed only where z3 finds no countermodel; a goal that is undecided fails by a criterion of its own.
    """
    if contradictory(*assumptions):
        return Finding(False, "z3 assumptions", "the assumptions contradict each other")
    return entailed(goal, *assumptions, tries=tries)


def contradictory(*assumptions: Any) -> bool:
    """Return whether z3 refutes the assumptions; it gets few steps, since most are easily met."""
    return bool(_asked(assumptions, Z3_CONSISTENCY_TRIES)[0] == z3.unsat)


def entailed(goal: Any, *assumptions: Any, tries: Sequence[int] = Z3_TRIES) -> Finding:
    """Find whether a goal follows from assumptions that may contradict each other, as on an idle path."""
    # The goal follows from the assumptions exactly if they allow no case in which it fails.
    answer, solver = _asked((*assumptions, z3.Not(goal)), tries)
    if answer == z3.unsat:
        return Finding(True, "z3 countermodel", "z3: no countermodel")
    if answer == z3.sat:
        return Finding(False, "z3 countermodel", f"z3: {solver.model()}")
    return Finding(False, "z3 undecided", f"z3: {solver.reason_unknown()} in the last of {len(tries)} tries")


def _asked(formulas: Sequence[Any], tries: Sequence[int]) -> tuple[Any, Any]:
    """Return z3's answer to whether formulas can hold together, and the solver that gave it: the first that knows."""
    for seed, steps in enumerate(tries):
        solver = z3.Solver()
        solver.set("random_seed", seed)
        solver.set("rlimit", steps)
        solver.add(*formulas)
        answer = solver.check()
        if answer != z3.unknown:
            break
    return answer, solver


def valid_on_every_path(goal: Callable[[Path], Any], *assumptions: Any) -> Finding:
    """Find whether a formula that is computed by running code on symbols holds for all numbers allowed (z3).

    Assumptions that z3 refutes allow nothing, so that everything would hold of them: that fails by another criterion.

    Args:
        goal: runs the code on symbols of the path that it is given, and returns what is claimed of the result.
        *assumptions: z3 formulas that the symbols obey.

    Returns:
        Passed only where z3 finds no countermodel on any path; the detail counts the paths.
    """
    if contradictory(*assumptions):
        return Finding(False, "z3 assumptions", "the assumptions contradict each other")
    count = 0
    for path, formula in paths(goal, *assumptions):
        formula = z3.BoolVal(formula) if isinstance(formula, bool) else formula
        # An undecided question makes paths that no number takes, on which the conditions may contradict each other.
        finding = entailed(formula, *path.conditions)
        if not finding.passed:
            return finding
        count += 1
    return Finding(True, "z3 countermodel", f"z3: no countermodel on {count} paths")


def zero(expression: Any, simplify: Callable[[Any], Any] = sympy.cancel) -> Finding:
    """Find whether an expression is identically zero after ``simplify`` (SymPy).

    Args:
        expression: exact; one that holds a float is refused, by a criterion of its own.
        simplify: brings it to a normal form; by default that of a rational function.

    Returns:
        Passed only where the normal form is 0.

    Raises:
        TypeError: for a text, which SymPy would evaluate, and for a truth value.
    """
    if isinstance(expression, (str, bool, np.bool_)):
        raise TypeError(f"an expression is needed, not a {type(expression).__name__}")
    # A rounded number can make a true identity fail and a false one hold, so neither answer would count.
    exact = sympy.S(expression)
    if _holds_float(expression) or exact.has(sympy.Float):
        return Finding(False, "float in a proof", f"{exact} holds a rounded number"[:300])
    # A detail is cut at 300 characters: a residual can fill pages, and its beginning tells the terms.
    residual = simplify(exact)
    if residual == 0:
        return Finding(True, "SymPy residual", "residual 0")
    return Finding(False, "SymPy residual", f"residual {residual}"[:300])


def all_zero(expressions: Iterable[Any], simplify: Callable[[Any], Any] = sympy.cancel) -> Finding:
    """Find whether every expression is identically zero (SymPy); none at all is a failure."""
    count = 0
    for expression in expressions:
        finding = zero(expression, simplify)
        if not finding.passed:
            return finding
        count += 1
    return Finding(count > 0, "SymPy residual", f"{count} residuals 0")


def for_all(cases: Iterable[tuple[str, bool]], domain: str) -> Finding:
    """Find whether every labelled case holds; an empty domain is a failure.

    Args:
        cases: the label of each case, and whether it holds.
        domain: says which cases these are.

    Raises:
        TypeError: for anything but a truth value, which Python might take for true.
    """
    count = 0
    for label, holds in cases:
        count += 1
        if not isinstance(holds, (bool, np.bool_)):
            raise TypeError(f"a case is true or false, not a {type(holds).__name__}: {label}")
        if not holds:
            return Finding(False, "counterexample", f"fails at {label}")
    return Finding(count > 0, "counterexample", f"{count} cases: {domain}")


def all_equal(cases: Iterable[tuple[str, Any, Any]], domain: str) -> Finding:
    """Find whether two exact values (Fractions, SymPy numbers, integers) are equal in every labelled case.

    Args:
        cases: the label of each case, and the two values.
        domain: says which cases these are.
    """
    return for_all(((label, _same(left, right)) for label, left, right in cases), domain)


def certainly_positive(value: Any, says: str, *, digits: int = 60) -> Finding:
    """Find whether a number is positive (ball arithmetic); a ball around 0 is no answer and fails by another criterion.

    Args:
        value: what :func:`ball` takes.
        says: names the number.
        digits: decimal digits of the working precision.
    """
    enclosure = ball(value, digits=digits)
    if enclosure > 0:
        return Finding(True, "ball sign", f"{says}: {enclosure.str(8)}")
    if enclosure <= 0:
        return Finding(False, "ball sign", f"{says}: {enclosure.str(8)}")
    return Finding(False, "ball undecided", f"{says}: {enclosure.str(8)}")


def close_to(value: Any, expected: str, says: str, *, half_width: str) -> Finding:
    """Find whether a number lies within ``half_width`` of a quoted decimal (ball arithmetic).

    Args:
        value: what :func:`ball` takes.
        expected: the decimal as it is quoted.
        says: names the number.
        half_width: half a unit of the decimal's last place, as a decimal too.
    """
    distance = abs(ball(value) - flint.arb(expected))
    margin = flint.arb(half_width) - distance
    return Finding(bool(margin > 0), "ball distance", f"{says}: {ball(value).str(8)} against {expected}")


def survives(strategy: SearchStrategy[Any], holds: Callable[[Any], bool], *, examples: int, says: str) -> Finding:
    """Find whether no draw falsifies ``holds`` (Hypothesis), with the same draws on every run.

    Args:
        strategy: what is drawn from.
        holds: what is claimed of each draw.
        examples: how many are drawn.
        says: names the claim.
    """
    # The draw is kept here, since Hypothesis reports it as text only.
    falsified: list[Any] = []

    @settings(
        # Derandomised and without a database, the same draws come on every run; without a deadline, no load fails one.
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(strategy)
    def search(draw: Any) -> None:
        if not holds(draw):
            falsified.append(draw)
            raise AssertionError

    try:
        search()
    except AssertionError:
        # An AssertionError that this function did not raise is a defect of the code under test, not an answer.
        if not falsified:
            raise
        return Finding(False, "falsified", f"{says}: falsified by {falsified[-1]!r}"[:500])
    return Finding(True, "falsified", f"{says}: {examples} draws")


def with_witness(finding: Finding, witness: Mapping[str, str]) -> Finding:
    """Return the same finding with a worked example to store beside it."""
    return Finding(finding.passed, finding.criterion, finding.detail, dict(witness))


def both(*findings: Finding) -> Finding:
    """Return the first finding that fails, or one finding for all of them.

    The joint finding has the criterion of the first, which is the one that the control breaks.
    """
    for finding in findings:
        if not finding.passed:
            return finding
    return Finding(True, findings[0].criterion, "; ".join(finding.detail for finding in findings))


def rational(value: Fraction | int) -> Any:
    """Return a SymPy rational."""
    value = Fraction(value)
    return sympy.Rational(value.numerator, value.denominator)


def ball(value: Any, *, digits: int = 60) -> Any:
    """Return a flint ball around a number: an exact rational, a SymPy expression without symbols, or a ball.

    The expression tree is walked, so that every elementary operation is done in ball arithmetic.

    Raises:
        TypeError: for anything else, a float above all.
    """
    with flint.ctx.workdps(digits):
        return _ball(value)


def _ball(value: Any) -> Any:
    """Return the ball of a value, its arguments' balls combined."""
    if isinstance(value, flint.arb):
        return value
    if isinstance(value, (int, Fraction, sympy.Rational)):
        value = Fraction(int(value.numerator), int(value.denominator))
        return flint.arb(value.numerator) / flint.arb(value.denominator)
    if not isinstance(value, sympy.Expr):
        raise TypeError(f"no ball for {type(value).__name__}: {value!r}")
    head, arguments = value.func, [_ball(argument) for argument in value.args]
    if head is sympy.Add:
        return sum(arguments, flint.arb(0))
    if head is sympy.Mul:
        product = flint.arb(1)
        for argument in arguments:
            product *= argument
        return product
    if head is sympy.Pow:
        return _ball_power(value, arguments)
    if head in (sympy.log, sympy.exp):
        return arguments[0].log() if head is sympy.log else arguments[0].exp()
    if head is sympy.Abs:
        return abs(arguments[0])
    if value == sympy.E:
        return flint.arb(1).exp()
    raise TypeError(f"no ball for {head}")


def _ball_power(value: Any, arguments: list[Any]) -> Any:
    """Return a power as a ball, given the balls of base and exponent."""
    exponent = value.exp
    # A general power goes through the logarithm, which a ball that touches 0 does not have; these three do not need it.
    if exponent.is_Integer:
        return arguments[0] ** int(exponent)
    if exponent == sympy.Rational(1, 2):
        return arguments[0].sqrt()
    if exponent == -sympy.Rational(1, 2):
        return 1 / arguments[0].sqrt()
    return arguments[0] ** arguments[1]


def _holds_float(value: Any) -> bool:
    """Return whether a value is a rounded number."""
    return isinstance(value, (float, complex, np.inexact))


def _same(left: Any, right: Any) -> bool:
    """Return whether two exact values are equal; SymPy's need a normal form first."""
    if isinstance(left, sympy.Basic) or isinstance(right, sympy.Basic):
        return bool(sympy.simplify(left - right) == 0)
    return bool(left == right)
