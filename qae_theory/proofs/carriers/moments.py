"""Write sums over the arms of a policy with any number of arms as symbols: moments, and how they move under a step.

The quantities of an arm are log pi, a direction d, pi itself, and two free ones, x and y. A sum over arms of a
polynomial in them is a combination of moments, by linearity. Trusted here: a finite sum is linear and the probabilities
sum to 1.
"""

from __future__ import annotations

from typing import Any

import sympy

LOG_PROB, DIRECTION, PROB, X, Y = sympy.symbols("L d pi x y", real=True)
ARM = (LOG_PROB, DIRECTION, PROB, X, Y)
OTHER_ARM = sympy.symbols("L' d' pi' x' y'", real=True)
_PLACE_OF_PROB = ARM.index(PROB)


def moment(*powers: int) -> Any:
    """Return the symbol of E[L^a d^b pi^c x^e y^f], the sum over arms of pi times that monomial; E[1] is 1.

    Args:
        *powers: the exponents, in the order of ``ARM``. That of pi may be -1: then it is the plain sum over arms, and
            with all other powers 0 the number of arms.
    """
    return sympy.Symbol("E" + "_".join(map(str, powers)), real=True) if any(powers) else sympy.Integer(1)


def number_of_arms() -> Any:
    """Return the symbol of n, the sum of 1 over the arms."""
    return moment(*(-1 if place == _PLACE_OF_PROB else 0 for place in range(len(ARM))))


def mean(expression: Any) -> Any:
    """Return E of a polynomial in the arm's quantities, as a combination of moments; all else in it is a constant."""
    return plain_sum(PROB * expression)


def plain_sum(expression: Any) -> Any:
    """Return the sum over all arms of a polynomial in the arm's quantities, not weighted by pi.

    Args:
        expression: a polynomial in the symbols of ``ARM``, which may hold moments as constants.
    """
    total = sympy.Integer(0)
    for powers, coefficient in sympy.Poly(expression, *ARM).terms():
        # A plain sum of f is E[f/pi], so one power of pi is taken off.
        shifted = (power - (place == _PLACE_OF_PROB) for place, power in enumerate(powers))
        # By linearity: a sum over arms of a combination is the combination of the sums.
        total += coefficient * moment(*shifted)
    return total


def pair_mean(expression: Any) -> Any:
    """Return E over two independent arms, the second one's quantities being those of ``OTHER_ARM``.

    Args:
        expression: a polynomial in the symbols of ``ARM`` and ``OTHER_ARM``.
    """
    # Fubini: the mean over the first arm leaves the second one's quantities as constants.
    inner = sympy.sympify(mean(expression), strict=True)
    return mean(inner.subs(dict(zip(OTHER_ARM, ARM, strict=True)), simultaneous=True))


def along_step(expression: Any) -> Any:
    """Return d/d eta at z + eta d of a function of moments.

    E[f] moves by E[f'] + E[f (d - E d)], where f' is the motion of f itself: log pi moves by d - E d, pi by
    pi (d - E d), and d, x and y stay. The chain rule gives the rest.
    """
    # d log pi / d eta = d - E d for a softmax policy.
    excess = DIRECTION - mean(DIRECTION)
    total = sympy.Integer(0)
    for symbol in sympy.sympify(expression, strict=True).free_symbols:
        if is_moment(symbol):
            f = monomial(symbol)
            total += expression.diff(symbol) * mean(sympy.expand(moves(f, excess) + f * excess))
    return sympy.expand(total)


def moves(quantity: Any, excess: Any) -> Any:
    """Return how a quantity f of one arm moves where log pi moves by ``excess``: (df/dL + pi df/dpi) excess.

    Args:
        quantity: a polynomial in the symbols of ``ARM``.
        excess: the motion of log pi, d - E d along a step.
    """
    return (quantity.diff(LOG_PROB) + PROB * quantity.diff(PROB)) * excess


def is_moment(symbol: Any) -> bool:
    """Return whether a symbol is one that :func:`moment` makes."""
    return bool(symbol.name.startswith("E"))


def monomial(symbol: Any) -> Any:
    """Return the monomial that a moment's symbol is the expectation of."""
    powers = map(int, symbol.name[1:].split("_"))
    return sympy.Mul(*(quantity**power for quantity, power in zip(ARM, powers, strict=True)))


def on_policy(expression: Any, probs: list[Any], **quantities: list[Any]) -> Any:
    """Return ``expression`` with its moments replaced by sums over the arms of a concrete policy.

    Args:
        expression: a function of moments.
        probs: the probability of each arm.
        **quantities: by the name of a quantity (``L``, ``d``, ``pi``, ``x``, ``y``) its value at each arm.
    """
    names = {"L": LOG_PROB, "d": DIRECTION, "pi": PROB, "x": X, "y": Y}
    arms = [{names[name]: values[i] for name, values in quantities.items()} for i in range(len(probs))]
    sums = {}
    for symbol in sympy.sympify(expression, strict=True).free_symbols:
        if is_moment(symbol):
            sums[symbol] = sum(p * monomial(symbol).subs(arm) for p, arm in zip(probs, arms, strict=True))
    return sympy.sympify(expression, strict=True).subs(sums)


def with_indicator(expression: Any) -> Any:
    """Return ``expression`` where x is the indicator of one arm: E[x^k f] is pi f of that arm for k >= 1.

    The arm's own quantities are those of ``ARM``; moments without x keep their symbols.
    """
    place = ARM.index(X)
    values = {}
    for symbol in sympy.sympify(expression, strict=True).free_symbols:
        if is_moment(symbol):
            powers = list(map(int, symbol.name[1:].split("_")))
            # The indicator is its own square, so x^k f is f at the arm and 0 elsewhere, for every k >= 1.
            if powers[place] > 0:
                powers[place] = 0
                values[symbol] = PROB * monomial(moment(*powers)) if any(powers) else PROB
    return sympy.expand(sympy.sympify(expression, strict=True).subs(values))
