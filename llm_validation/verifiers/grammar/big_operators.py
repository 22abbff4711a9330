"""Sums, products, integrals, limits and derivatives over a bound name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llm_validation.verifiers.exact.expressions.tree import Apply, Expression, Name, number
from llm_validation.verifiers.grammar.cursor import Cursor
from llm_validation.verifiers.reading.tokens import Token, UnreadableError


def _series(function: str) -> Callable[[Cursor], Expression]:
    r"""Return the reader of a sum or product: ``_{k=1}^{n}`` and one term."""

    def read(cursor: Cursor) -> Expression:
        below, above = _limits(cursor)
        if below is None or above is None or len(below) < 3 or below[0].kind != "word" or below[1].text != "=":
            raise UnreadableError("limits are missing")
        name = below[0].text
        low, high = cursor.whole(below[2:]), cursor.whole(above)
        term = _bound(cursor, name)
        return Apply(function, (term, Name(name), low, high))

    return read


def _bound(cursor: Cursor, name: str) -> Expression:
    """Read a term in which the name is bound."""
    outside = cursor.bound
    cursor.bound = outside | {name}
    term = cursor.product()
    cursor.bound = outside
    return term


def _integral(cursor: Cursor) -> Expression:
    """Read an integral up to its differential, which ends it."""
    below, above = _limits(cursor)
    start = cursor.position
    place = _differential(cursor, start)
    name = cursor.tokens[place + 1].text
    body = cursor.tokens[start:place] or [Token("number", "1")]
    integrand = cursor.whole(body, frozenset({name}))
    cursor.position = place + 2
    if below is None and above is None:
        return Apply("integral", (integrand, Name(name)))
    if below is None or above is None:
        raise UnreadableError("a limit is missing")
    return Apply("integral", (integrand, Name(name), cursor.whole(below), cursor.whole(above)))


def _differential(cursor: Cursor, start: int) -> int:
    depth = 0
    for place in range(start, len(cursor.tokens) - 1):
        text = cursor.tokens[place].text
        depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
        if text == "d" and depth == 0 and cursor.tokens[place + 1].kind == "word":
            return place
    raise UnreadableError("an integral without a differential")


def _limit(cursor: Cursor) -> Expression:
    below, above = _limits(cursor)
    if below is None or above is not None or len(below) < 3 or below[1].text != r"\to":
        raise UnreadableError("a limit without its point")
    return Apply("limit", (_bound(cursor, below[0].text), Name(below[0].text), cursor.whole(below[2:])))


def _limits(cursor: Cursor) -> tuple[list[Token] | None, list[Token] | None]:
    """Return the tokens below and above a sign, in whichever order they stand."""
    found: dict[str, list[Token]] = {}
    while cursor.peek().text in ("_", "^") and cursor.peek().text not in found:
        side = cursor.take().text
        found[side] = cursor.argument()
    return found.get("_"), found.get("^")


def derivative_operator(cursor: Cursor, above: Sequence[Token], below: Sequence[Token]) -> Expression | None:
    r"""Return the derivative of the next product where the fraction is ``\frac{d}{dx}`` or ``\frac{d^2}{dx^2}``."""
    upper, lower = [token.text for token in above], [token.text for token in below]
    if upper[:1] not in (["d"], [r"\partial"]) or lower[:1] != upper[:1] or len(lower) < 2:
        return None
    order = _order(upper[1:])
    if order is None or _order(lower[2:]) != order or below[1].kind != "word":
        return None
    return Apply("derivative", (_bound(cursor, lower[1]), Name(lower[1]), number(order)))


def _order(exponent: Sequence[str]) -> int | None:
    """Return the order of a derivative from the tokens behind its d."""
    digits = [text for text in exponent if text not in ("^", "{", "}")]
    if not exponent:
        return 1
    if exponent[0] == "^" and len(digits) == 1 and digits[0].isdigit() and len(digits[0]) == 1:
        return int(digits[0])
    return None


BIG_OPERATORS: dict[str, Callable[[Cursor], Expression]] = {
    "sum": _series("sum"),
    "prod": _series("product"),
    "int": _integral,
    "lim": _limit,
}
