"""z3 reals that the shipped code can run on, comparisons included: every branch, each with its condition.

NumPy's minimum and maximum ask ``bool(x <= y)``. A symbolic real answers both ways where both are possible,
one run a way, so that the runs together cover all real inputs. z3's ``unknown`` counts as possible: more runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import sympy
import z3

from qae_theory.arrays import Array
from qae_theory.claims.model import Finding
from qae_theory.proofs.tools.checking import valid

T = TypeVar("T")


class Path:
    """One run through the code: the answers given so far and the conditions under which they are right."""

    def __init__(self, assumptions: tuple[Any, ...], answers: tuple[bool, ...]) -> None:
        """Start under the assumptions; the first open questions get the given answers, later ones yes."""
        self._solver = z3.Solver()
        self._solver.add(*assumptions)
        self._planned = answers
        self.answers: tuple[bool, ...] = ()

    @property
    def conditions(self) -> tuple[Any, ...]:
        """All that is known on this path, the assumptions included."""
        return tuple(self._solver.assertions())

    def decide(self, condition: Any) -> bool:
        """The truth of the condition on this path; an open one is answered and becomes part of the path."""
        possible = bool(self._solver.check(condition) != z3.unsat)
        if not possible or self._solver.check(z3.Not(condition)) == z3.unsat:
            return possible
        depth = len(self.answers)
        answer = self._planned[depth] if depth < len(self._planned) else True
        self.answers = (*self.answers, answer)
        self._solver.add(condition if answer else z3.Not(condition))
        return answer

    def real(self, term: Any) -> SymbolicReal:
        """A z3 term that lives on this path."""
        return SymbolicReal(term, self)

    def reals(self, *terms: Any) -> Array:
        """An exact array of z3 terms that live on this path."""
        array = np.empty(len(terms), dtype=object)
        array[:] = [self.real(term) for term in terms]
        return array


class SymbolicReal:
    """A real expression with the operators that the shipped code uses."""

    def __init__(self, term: Any, path: Path) -> None:
        """Wrap a z3 real term."""
        self.term = term
        self._path = path

    def __add__(self, other: object) -> SymbolicReal:
        return SymbolicReal(self.term + real_term(other), self._path)

    def __sub__(self, other: object) -> SymbolicReal:
        return SymbolicReal(self.term - real_term(other), self._path)

    def __rsub__(self, other: object) -> SymbolicReal:
        return SymbolicReal(real_term(other) - self.term, self._path)

    def __mul__(self, other: object) -> SymbolicReal:
        return SymbolicReal(self.term * real_term(other), self._path)

    def __truediv__(self, other: object) -> SymbolicReal:
        return SymbolicReal(self.term / real_term(other), self._path)

    def __lt__(self, other: object) -> bool:
        return self._path.decide(self.term < real_term(other))

    def __le__(self, other: object) -> bool:
        return self._path.decide(self.term <= real_term(other))

    def __gt__(self, other: object) -> bool:
        return self._path.decide(self.term > real_term(other))

    def __ge__(self, other: object) -> bool:
        return self._path.decide(self.term >= real_term(other))

    def __float__(self) -> float:
        return 0.0  # asked by the boundary's test for a finite number only: every real is finite

    def _sympy_(self) -> Any:
        # Without this SymPy would take a product with a symbolic real for a product with its float.
        raise sympy.SympifyError("a symbolic real is no SymPy number")

    __radd__ = __add__
    __rmul__ = __mul__


Real.register(SymbolicReal)


def real_term(value: Any) -> Any:
    """A z3 term of a symbolic real, an integer, a Fraction or a SymPy number of rationals and square roots."""
    if isinstance(value, SymbolicReal):
        return value.term
    if isinstance(value, np.ndarray):
        return real_term(value.item())
    if isinstance(value, sympy.Mul):
        return z3.Product(*map(real_term, value.args))
    if isinstance(value, sympy.Pow) and value.exp == sympy.Rational(1, 2):
        return z3.simplify(z3.Sqrt(real_term(value.base)))
    if isinstance(value, (float, np.floating)):
        raise TypeError(f"{value!r} is a float; symbolic reals meet exact numbers only")
    return z3.Q(int(value.numerator), int(value.denominator))


def paths(run: Callable[[Path], T], *assumptions: Any) -> Iterator[tuple[Path, T]]:
    """Every path through ``run`` under the assumptions, with what it returned there."""
    pending: list[tuple[bool, ...]] = [()]
    while pending:
        planned = pending.pop()
        path = Path(assumptions, planned)
        yield path, run(path)
        pending += [(*path.answers[:depth], False) for depth in range(len(planned), len(path.answers))]


def valid_on_every_path(goal: Callable[[Path], Any], *assumptions: Any) -> Finding:
    """z3: the goal, a formula computed by running code on symbolic reals, holds for all real inputs allowed."""
    count = 0
    for path, formula in paths(goal, *assumptions):
        finding = valid(formula, *path.conditions)
        if not finding.passed:
            return finding
        count += 1
    return Finding(True, "z3 countermodel", f"z3: no countermodel on {count} paths")
