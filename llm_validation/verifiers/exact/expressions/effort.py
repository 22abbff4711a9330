"""How much one decision may cost: a little in the trainer's own process, more in a worker that can be killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llm_validation.verifiers.exact.expressions.tree import Expression, OutOfReach

Prove = Callable[[Expression, Expression], bool]


@dataclass
class Effort:
    """Hold what is left to spend on one decision.

    Args:
        steps: products of two terms of polynomials.
        bits: greatest precision, in bits, and an eighth of the greatest size of an exact number.
        prove: the last means to show that two expressions are identical; None for none.
    """

    steps: int
    bits: int
    prove: Prove | None = None

    def spend(self, steps: int) -> None:
        """Count the steps.

        Raises:
            OutOfReach: more than there were left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise OutOfReach("too many steps")

    def hold(self, bits: int) -> None:
        """Refuse an exact number of so many bits if that is too large.

        Raises:
            OutOfReach: it is.
        """
        if bits > 8 * self.bits:
            raise OutOfReach("too large a number")


def quick() -> Effort:
    """Return what is spent where nothing can be killed: some milliseconds at most."""
    return Effort(steps=2_000, bits=2_048)


def thorough(prove: Prove | None = None) -> Effort:
    """Return what is spent in a worker."""
    return Effort(steps=200_000, bits=65_536, prove=prove)
