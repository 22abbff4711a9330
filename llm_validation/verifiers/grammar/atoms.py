"""One number, name, function or bracket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from llm_validation.verifiers.exact.expressions.tree import (
    Apply,
    Expression,
    Name,
    Number,
    Power,
    number,
    quotient,
    root,
)
from llm_validation.verifiers.grammar.big_operators import BIG_OPERATORS, derivative_operator
from llm_validation.verifiers.grammar.cursor import Cursor
from llm_validation.verifiers.grammar.numerals import BASE_WORDS, in_base, numeral
from llm_validation.verifiers.grammar.vocabulary import (
    ACCENTS,
    CONSTANTS,
    FUNCTION_LETTERS,
    FUNCTIONS,
    GREEK,
    INVERSES,
    LETTER_CONSTANTS,
    ROOTS,
    SEVERAL,
)
from llm_validation.verifiers.reading.tokens import Token, UnreadableError


def atom(cursor: Cursor) -> Expression:
    """Read one atom.

    Raises:
        UnreadableError: what stands here begins none.
    """
    token = cursor.peek()
    if token.kind == "number":
        return _number(cursor)
    if token.kind == "word":
        return _letter(cursor)
    if token.kind == "command":
        return _command(cursor)
    if token.text in _BRACKETS:
        return _BRACKETS[token.text](cursor)
    raise UnreadableError("no expression")


def _number(cursor: Cursor) -> Expression:
    text = cursor.take().text
    if not cursor.skip("_"):
        return numeral(text)
    return in_base(text, base_of(cursor.argument()))


def base_of(subscript: Sequence[Token]) -> int:
    """Return the base that a subscript names.

    Raises:
        UnreadableError: it names none.
    """
    if len(subscript) != 1:
        raise UnreadableError("no base")
    text = subscript[0].text
    if text.isdigit() and text.isascii() and len(text) <= 2:
        return int(text)
    if text.lower() in BASE_WORDS:
        return BASE_WORDS[text.lower()]
    raise UnreadableError("no base")


def _letter(cursor: Cursor) -> Expression:
    letter = cursor.take().text
    if letter in LETTER_CONSTANTS and letter not in cursor.bound and cursor.peek().text not in ("_", "'"):
        return LETTER_CONSTANTS[letter]
    return _named(cursor, letter)


def _named(cursor: Cursor, name: str) -> Expression:
    """Read what belongs to a name: its subscript, its primes, and the arguments of a function letter."""
    if cursor.skip("_"):
        name = f"{name}_{_text(cursor.argument())}"
    primed = name
    while cursor.skip("'"):
        primed += "'"
    if name[0] in FUNCTION_LETTERS and cursor.peek().text == "(":
        return Apply(f"letter {primed}", tuple(_arguments(cursor)))
    return Name(primed)


def _command(cursor: Cursor) -> Expression:
    token = cursor.take()
    name = token.text.removeprefix("\\")
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name in GREEK:
        return _named(cursor, token.text)
    if name in _COMMANDS:
        return _COMMANDS[name](cursor)
    if name in BIG_OPERATORS:
        return BIG_OPERATORS[name](cursor)
    if name in FUNCTIONS:
        return _function(cursor, FUNCTIONS[name])
    if name in SEVERAL:
        return Apply(SEVERAL[name], tuple(_arguments(cursor)))
    if name in ACCENTS:
        return _named(cursor, f"{token.text} {_text(cursor.argument())}")
    raise UnreadableError("an unknown command")


def _parenthesis(cursor: Cursor) -> Expression:
    opening = cursor.peek().text
    inside = cursor.group()
    closing = cursor.tokens[cursor.position - 1].text
    if {"(": ")", "[": "]"}[opening] != closing:
        raise UnreadableError("brackets of an interval in an expression")
    if len(inside) == 1 and inside[0].kind == "number" and cursor.skip("_"):
        return in_base(inside[0].text, base_of(cursor.argument()))
    return cursor.whole(inside)


def _braces(cursor: Cursor) -> Expression:
    return cursor.whole(cursor.group())


def _bars(cursor: Cursor) -> Expression:
    cursor.expect("|")
    cursor.bars += 1
    inside = cursor.expression()
    cursor.bars -= 1
    cursor.expect("|")
    return Apply("abs", (inside,))


def _fraction(cursor: Cursor) -> Expression:
    above = cursor.argument()
    below = cursor.argument()
    operator = derivative_operator(cursor, above, below)
    return operator or quotient(cursor.whole(above), cursor.whole(below))


def _square_root(cursor: Cursor) -> Expression:
    degree: Expression = number(2)
    if cursor.peek().text == "[":
        degree = cursor.whole(cursor.group())
    if cursor.peek().text == "(":
        return root(_parenthesis(cursor), degree)
    return root(cursor.whole(cursor.argument()), degree)


def _radical(degree: int) -> Callable[[Cursor], Expression]:
    """Return the reader of a root sign of Unicode, which stands before a whole number, name or bracket."""

    def read(cursor: Cursor) -> Expression:
        return root(cursor.atom(), number(degree))

    return read


def _binomial(cursor: Cursor) -> Expression:
    if cursor.peek().text == "(":
        return Apply("binomial", tuple(_arguments(cursor)))
    above = cursor.argument()
    return Apply("binomial", (cursor.whole(above), cursor.whole(cursor.argument())))


def _whole_part(function: str, opening: str) -> Callable[[Cursor], Expression]:
    def read(cursor: Cursor) -> Expression:
        cursor.position -= 1
        inside = cursor.group()
        if cursor.tokens[cursor.position - 1].text != opening.replace("l", "r", 1):
            raise UnreadableError("brackets that do not match")
        return Apply(function, (cursor.whole(inside),))

    return read


def _function(cursor: Cursor, function: str) -> Expression:
    """Read a function with its base, its exponent and its argument."""
    base, exponent = None, None
    for _ in range(2):
        if function == "log" and cursor.skip("_"):
            base = cursor.whole(cursor.argument())
        elif cursor.skip("^"):
            exponent = cursor.whole(cursor.argument() if cursor.peek().text == "{" else [cursor.take()])
    argument = _argument(cursor)
    if exponent == Number(Fraction(-1)) and function in INVERSES:
        return Apply(INVERSES[function], (argument,))
    value = _applied(function, argument, base)
    return value if exponent is None else Power(value, exponent)


def _argument(cursor: Cursor) -> Expression:
    if cursor.peek().text == "(":
        return _parenthesis(cursor)
    if cursor.peek().text == "{":
        return cursor.whole(cursor.group())
    if cursor.peek().text in ("-", "+"):
        minus = cursor.take().text == "-"
        value = cursor.juxtaposed()
        return Apply("minus", (value,)) if minus else value
    return cursor.juxtaposed()


def _applied(function: str, argument: Expression, base: Expression | None) -> Expression:
    if isinstance(argument, Apply) and argument.function == "minus":
        argument = quotient(argument.arguments[0], number(-1))
    if function == "log":
        return Apply("log", (argument, base)) if base is not None else Apply("log of no base", (argument,))
    if function == "lg":
        return Apply("log", (argument, number(10)))
    return Apply(function, (argument,))


def _arguments(cursor: Cursor) -> list[Expression]:
    """Read the arguments of a function in parentheses or set braces, with commas between them."""
    if cursor.peek().text not in ("(", r"\{", "{"):
        raise UnreadableError("arguments are missing")
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in cursor.group():
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [cursor.whole(part) for part in parts]


def _text(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens if token.text not in ("{", "}"))


_BRACKETS: dict[str, Callable[[Cursor], Expression]] = {
    "(": _parenthesis,
    "[": _parenthesis,
    "{": _braces,
    "|": _bars,
}
_COMMANDS: dict[str, Callable[[Cursor], Expression]] = {
    "frac": _fraction,
    "sqrt": _square_root,
    "radical": _radical(2),
    "cuberoot": _radical(3),
    "cbrt": _radical(ROOTS["cbrt"]),
    "binom": _binomial,
    "lfloor": _whole_part("floor", r"\lfloor"),
    "lceil": _whole_part("ceiling", r"\lceil"),
}
