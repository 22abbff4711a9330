"""A policy with any number of arms, seen through one arm of it: expectations as moments and how they move.

The shipped kernels sum over arms only by ``(probs * x).sum(axis=-1)``. On an array with one entry, whose probability
is a `Weight`, that product is the expectation, written in moments. So a shipped function runs on all policies of all
sizes at once. Trusted here: an expectation is linear and E[1] = 1. What moves under a step is in ``along_step``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from qae_theory.arrays import Array


class _LogProb(sympy.Symbol):  # type: ignore[misc]
    """log pi of the arm: to SymPy a symbol, to the shipped ``exp`` a log-probability."""

    def exp(self) -> Weight:
        """The arm's probability."""
        return WEIGHT


LOG_PROB = _LogProb("L", real=True)
DIRECTION, PROB, X, Y = sympy.symbols("d pi x y", real=True)
ARM = (LOG_PROB, DIRECTION, PROB, X, Y)
OTHER_ARM = sympy.symbols("L' d' pi' x' y'", real=True)


class Weight:
    """The arm's probability: times a quantity of the arm it is that quantity's expectation, else the quantity pi."""

    def __mul__(self, quantity: Any) -> Any:
        return mean(PROB if isinstance(quantity, Weight) else quantity)

    def __sub__(self, other: Any) -> Any:
        return PROB - other


WEIGHT = Weight()


class _Logit:
    """The arm's logit: its exponential sums to the partition function, whose logarithm leaves the log-probability."""

    def exp(self) -> _Logit:
        return self

    def log(self) -> _Logit:
        return self

    def __sub__(self, other: object) -> _LogProb:
        return LOG_PROB

    def __mul__(self, other: object) -> Any:
        raise TypeError("a logit is used through its log-probability only")


def logits() -> Array:
    """Logits of a policy with any number of arms, for the shipped functions."""
    return entry(_Logit())


def entry(quantity: Any) -> Array:
    """One arm's quantity, or its `Weight`, as the array that the shipped functions take."""
    return row(quantity)


def row(*quantities: Any) -> Array:
    """An exact array with these entries."""
    array = np.empty(len(quantities), dtype=object)
    array[:] = quantities
    return array


def moment(*powers: int) -> Any:
    """The symbol for E of a monomial in the quantities of ``ARM``; E[1] = 1."""
    return sympy.Symbol("E" + "_".join(map(str, powers)), real=True) if any(powers) else sympy.Integer(1)


def mean(expression: Any) -> Any:
    """E of a polynomial in the arm's quantities, by linearity: everything else is a constant."""
    return sum(coefficient * moment(*powers) for powers, coefficient in sympy.Poly(expression, *ARM).terms())


def pair_mean(expression: Any) -> Any:
    """E over two independent arms, the second one's quantities being those of ``OTHER_ARM``."""
    inner = sympy.sympify(mean(expression))
    return mean(inner.subs(dict(zip(OTHER_ARM, ARM, strict=True)), simultaneous=True))


def along_step(expression: Any) -> Any:
    """d/d eta at z + eta d of a function of moments: E[f] moves by E[f'] + E[f (d - E d)], log pi by d - E d."""
    excess = DIRECTION - mean(DIRECTION)
    total = sympy.Integer(0)
    for symbol in sympy.sympify(expression).free_symbols:
        if symbol.name.startswith("E"):
            f = monomial(symbol)
            moved = (f.diff(LOG_PROB) + PROB * f.diff(PROB)) * excess
            total += expression.diff(symbol) * mean(moved + f * excess)
    return sympy.expand(total)


def monomial(symbol: Any) -> Any:
    """The monomial that a moment's symbol is the expectation of."""
    powers = map(int, symbol.name[1:].split("_"))
    return sympy.Mul(*(quantity**power for quantity, power in zip(ARM, powers, strict=True)))


def on_policy(expression: Any, probs: list[Any], **quantities: list[Any]) -> Any:
    """The moments of ``expression`` replaced by sums over the arms of a concrete policy."""
    names = {"L": LOG_PROB, "d": DIRECTION, "pi": PROB, "x": X, "y": Y}
    arms = [{names[name]: values[i] for name, values in quantities.items()} for i in range(len(probs))]
    sums = {
        symbol: sum(p * monomial(symbol).subs(arm) for p, arm in zip(probs, arms, strict=True))
        for symbol in sympy.sympify(expression).free_symbols
        if symbol.name.startswith("E")
    }
    return sympy.sympify(expression).subs(sums)
