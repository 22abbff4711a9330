"""Stand for a policy with any number of arms: a few arms singled out, and one symbol for all the others.

The shipped kernels work arm by arm and sum over arms. On the arrays of this module they do both for every number of
arms at once: an entry holds one arm's quantities as a polynomial, the last entry those of every other arm, and only a
sum that meets each entry once is a sum over all arms. Multiplying different arms' entries, a part of a sum, a maximum,
a product or a position says nothing about a policy of any size, and raises.

A result is found on two widths, with two and with three arms singled out, and counts only if it is the same on both:
what depends on the length of the array is not about any number of arms. Two arms are the fewest that this speaks of; a
policy with one arm is among the instances of the ties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from qae_theory.arrays import Array
from qae_theory.proofs.carriers.formulas import Formula, expression_of, is_exact_scalar
from qae_theory.proofs.carriers.moments import ARM, LOG_PROB, PROB, plain_sum
from qae_theory.proofs.carriers.opaque import Opaque, none_swallowed

# Logits are free up to one number, so a proof in pi and log Z speaks of any logits.
# The logarithm of the partition function: with it every logit is log pi plus one number.
LOG_PARTITION = sympy.Symbol("log_Z", real=True)
# Two widths: what depends on the length of the array differs between them.
WIDTHS = (3, 4)


class Arms:
    """Make arrays for the shipped functions from the arms of a policy: ``width - 1`` single arms and all the others."""

    def __init__(self, width: int) -> None:
        """Single out ``width - 1`` arms."""
        self.width = width

    def entries(self, quantity: Any) -> Array:
        """Return an array of one quantity per arm.

        Args:
            quantity: a polynomial in the symbols of ``ARM``.

        Raises:
            sympy.SympifyError: for a text, which SymPy would evaluate.
        """
        array = np.empty(self.width, dtype=object)
        for place in range(self.width):
            array[place] = ArmValue(
                _renamed(sympy.sympify(quantity, strict=True), place, self.width), place, self.width
            )
        return array

    def logits(self) -> Array:
        """Return the logits, log pi + log Z: any logits can be written so."""
        return self.entries(LOG_PROB + LOG_PARTITION)

    def probs(self) -> Array:
        """Return the probabilities."""
        return self.entries(PROB)

    def log_probs(self) -> Array:
        """Return the logarithms of the probabilities."""
        return self.entries(LOG_PROB)


def for_any_policy(run: Callable[[Arms], Any]) -> Any:
    """Return what the shipped code computes on a policy with any number of arms, as a SymPy expression.

    Args:
        run: calls shipped functions on the arrays of an ``Arms`` and returns their result: a number (of rank 0), or one
            number an arm.

    Returns:
        The number as an expression in moments; or the expression in ``ARM`` that every arm's entry is.

    Raises:
        TypeError: if the result depends on the width, treats arms differently, or is no result about all arms.
    """
    results = []
    for width in WIDTHS:
        with none_swallowed():
            result = np.asarray(run(Arms(width)), dtype=object)
        results.append(_read(result, width))
    if any(sympy.expand(result - results[0]) != 0 for result in results):
        raise TypeError("the result depends on how many arms are singled out, so it is not about any number of arms")
    return results[0]


class ArmValue(Opaque):
    """Stand for a quantity of one arm; in the last place, of every arm that is not singled out."""

    __slots__ = ("expression", "place", "width")

    def __init__(self, expression: Any, place: int, width: int) -> None:
        """Wrap a polynomial in the quantities of the arm at this place."""
        self.expression = expression
        self.place = place
        self.width = width

    def _make(self, other: object, combine: Any, question: str) -> Any:
        """Return the combination with a number or another quantity of the same arm; refuse that of two arms."""
        if isinstance(other, ArmValue):
            if (other.place, other.width) != (self.place, self.width):
                self.refuse(f"{question} of two different arms")
            return ArmValue(combine(self.expression, other.expression), self.place, self.width)
        if not is_exact_scalar(other):
            return NotImplemented
        return ArmValue(combine(self.expression, expression_of(other)), self.place, self.width)

    def __add__(self, other: object) -> Any:
        if isinstance(other, ArmValue) and other.place != self.place:
            # The first addition of two arms begins a sum over arms; NumPy's sum adds the entries one by one.
            return PartialSum(self.width, {}).plus(self).plus(other)
        if isinstance(other, PartialSum):
            return other.plus(self)
        return self._make(other, lambda a, b: a + b, "+")

    def __radd__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b + a, "+")

    def __sub__(self, other: object) -> Any:
        return self._make(other, lambda a, b: a - b, "-")

    def __rsub__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b - a, "-")

    def __mul__(self, other: object) -> Any:
        return self._make(other, lambda a, b: a * b, "*")

    def __rmul__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b * a, "*")

    def __truediv__(self, other: object) -> Any:
        if not is_exact_scalar(other):
            self.refuse("/ by an arm's quantity, which no polynomial is")
        divisor = expression_of(other)
        if divisor.is_zero is not False:
            raise ZeroDivisionError("an arm's quantity is divided by what may be 0")
        return ArmValue(self.expression / divisor, self.place, self.width)

    def __neg__(self) -> ArmValue:
        return ArmValue(-self.expression, self.place, self.width)

    def __pow__(self, exponent: object) -> ArmValue:
        if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)) or exponent < 0:
            self.refuse("** with an exponent other than a natural number")
        return ArmValue(self.expression ** int(exponent), self.place, self.width)

    def exp(self) -> ArmValue:
        """Return the exponential of a log-probability plus a number."""
        log_prob, prob = (_renamed(symbol, self.place, self.width) for symbol in (LOG_PROB, PROB))
        constant = sympy.expand(self.expression - log_prob)
        if constant.free_symbols & set(_all_quantities(self.width)):
            self.refuse("exp of anything but a log-probability plus a number")
        return ArmValue(prob * sympy.exp(constant), self.place, self.width)

    def log(self) -> ArmValue:
        """Return the logarithm of a probability."""
        log_prob, prob = (_renamed(symbol, self.place, self.width) for symbol in (LOG_PROB, PROB))
        if sympy.expand(self.expression - prob) != 0:
            self.refuse("log of anything but a probability")
        return ArmValue(log_prob, self.place, self.width)


class PartialSum(Opaque):
    """Stand for a sum over arms on its way: it takes one more arm at a time, and becomes a number when it has met all.

    Nothing else can be done with it, since a sum over some of the arms says nothing about a policy of any size.
    """

    __slots__ = ("_terms", "_width")

    def __init__(self, width: int, terms: dict[int, ArmValue]) -> None:
        """Start from the arms met so far, by place."""
        self._width = width
        self._terms = terms

    def plus(self, value: ArmValue) -> Any:
        """Return the sum with one more arm, as a ``Formula`` if it was the last that was missing."""
        if value.place in self._terms or value.width != self._width:
            self.refuse("+ of an arm that is in the sum already")
        terms = {**self._terms, value.place: value}
        return Formula(_total(terms, self._width)) if len(terms) == self._width else PartialSum(self._width, terms)

    def __add__(self, other: object) -> Any:
        if not isinstance(other, ArmValue):
            self.refuse("+ of anything but the next arm")
        return self.plus(other)


def _total(terms: dict[int, ArmValue], width: int) -> Any:
    """Return the sum over all arms, given each single arm's term and the term of every other arm."""
    others = terms[width - 1].expression
    total = plain_sum(others)
    for place in range(width - 1):
        # All arms were counted with the others' polynomial; a single arm that has another one is put right.
        total += terms[place].expression - _renamed(others, place, width)
    return sympy.expand(total)


def _read(result: Array, width: int) -> Any:
    """Return the expression in a number, or the one in ``ARM`` that all entries of an array share.

    Raises:
        TypeError: if the result is neither, or if two entries differ by more than their arm.
    """
    if result.ndim == 0:
        number = result.item()
        if isinstance(number, ArmValue) or not is_exact_scalar(number):
            raise TypeError(f"a {type(number).__name__} is no number about all arms")
        return sympy.expand(expression_of(number))
    if result.shape != (width,) or not all(isinstance(entry, ArmValue) for entry in result):
        raise TypeError(f"the result is neither a number nor one number an arm: shape {result.shape}")
    shared = result[-1].expression
    for place, entry in enumerate(result):
        if entry.place != place or sympy.expand(entry.expression - _renamed(shared, place, width)) != 0:
            raise TypeError("the result treats arms differently")
    return sympy.expand(shared)


def _renamed(expression: Any, place: int, width: int) -> Any:
    """Return a polynomial in ``ARM`` with the quantities of the arm at a place; the last place keeps their names."""
    if place == width - 1:
        return expression
    return expression.subs(dict(zip(ARM, _quantities(place), strict=True)), simultaneous=True)


def _quantities(place: int) -> tuple[Any, ...]:
    """Return the symbols of the single arm at a place."""
    return tuple(sympy.Symbol(f"{symbol.name}_{place}", real=True) for symbol in ARM)


def _all_quantities(width: int) -> tuple[Any, ...]:
    """Return the symbols of all arms, the single ones and the one for all others."""
    single = [symbol for place in range(width - 1) for symbol in _quantities(place)]
    return (*ARM, *single)
