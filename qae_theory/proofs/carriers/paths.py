"""Follow every branch of a run on symbols: each question is answered in all possible ways, one run for each way.

A symbolic number that is asked whether it is below another answers yes on one path and no on another, and each path
keeps the answers that it gave as conditions. Together the paths cover all numbers that the assumptions allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import z3

from qae_theory.proofs.carriers.opaque import none_swallowed

T = TypeVar("T")

# A run that asks more questions than this is not the kind of code that is proved here; better to stop than to hang.
LARGEST_NUMBER_OF_PATHS = 4096
# What z3 may spend on a question, in its own steps; most take a thousandth.
Z3_STEPS = 10_000_000


class Path:
    """Hold one run through the code: the answers given so far and the conditions under which they are right."""

    def __init__(self, assumptions: tuple[Any, ...], answers: tuple[bool, ...]) -> None:
        """Start under the assumptions; the first open questions get the given answers, later ones yes."""
        self._solver = z3.Solver()
        self._solver.set("rlimit", Z3_STEPS)
        self._solver.add(*assumptions)
        self._planned = answers
        self._fresh = 0
        self.answers: tuple[bool, ...] = ()

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Return all that is known on this path, the assumptions included."""
        return tuple(self._solver.assertions())

    def decide(self, condition: Any) -> bool:
        """Return the truth of a condition on this path; an open one is answered and becomes part of the path.

        z3's ``unknown`` counts as possible: that makes more paths and hides none.
        """
        condition = z3.BoolVal(condition) if isinstance(condition, bool) else condition
        possible = bool(self._solver.check(condition) != z3.unsat)
        # A condition that the path already decides adds nothing to it, and opens no other path.
        if not possible or self._solver.check(z3.Not(condition)) == z3.unsat:
            return possible
        depth = len(self.answers)
        answer = self._planned[depth] if depth < len(self._planned) else True
        self.answers = (*self.answers, answer)
        self._solver.add(condition if answer else z3.Not(condition))
        return answer

    def fresh_integers(self, *names: str) -> tuple[Any, ...]:
        """Return new integer symbols that no other part of this path uses."""
        self._fresh += 1
        return tuple(z3.Int(f"{name}!{self._fresh}") for name in names)

    def assume(self, *facts: Any) -> None:
        """Add facts that define a fresh symbol, as conditions of the path."""
        self._solver.add(*facts)


def paths(run: Callable[[Path], T], *assumptions: Any) -> Iterator[tuple[Path, T]]:
    """Yield every path through ``run`` under the assumptions, with what it returned there.

    Args:
        run: runs the code on symbols of the path that it is given; it must ask the same questions each time.
        *assumptions: z3 formulas that hold on every path.

    Raises:
        RuntimeError: if there are more than ``LARGEST_NUMBER_OF_PATHS``.
    """
    pending: list[tuple[bool, ...]] = [()]
    count = 0
    while pending:
        count += 1
        if count > LARGEST_NUMBER_OF_PATHS:
            raise RuntimeError(f"the run has more than {LARGEST_NUMBER_OF_PATHS} paths")
        planned = pending.pop()
        path = Path(assumptions, planned)
        with none_swallowed():
            result = run(path)
        yield path, result
        # An answer after the planned ones was yes by default; each such place opens the path on which it is no.
        for depth in range(len(planned), len(path.answers)):
            pending.append((*path.answers[:depth], False))
