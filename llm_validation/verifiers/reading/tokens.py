r"""The tokens of an answer: numbers, words, commands and signs, without styling.

A comma between groups of three digits is read in one of two ways, as asked: as a mark of thousands or as the comma of a
list. Marks that can only mean thousands (``{,}``, ``\,``, a thin space) always do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llm_validation.verifiers.reading.characters import as_latex
from llm_validation.verifiers.reading.commands import DROPPED, DROPPED_WITH_ARGUMENT, SIGNS, SPACES, TEXT

MOST_CHARACTERS = 2000  # of an answer; what is longer is no answer
MOST_DEPTH = 60  # of braces and brackets


class UnreadableError(ValueError):
    """The text cannot be read as what was tried."""


class Token(NamedTuple):
    """One token.

    Args:
        kind: ``number``, ``word``, ``command`` or ``sign``.
        text: as it stands, numbers without marks of thousands, commands by one of their names.
        spaced: whether there is space before it.
        worded: whether it comes from text rather than mathematics.
    """

    kind: str
    text: str
    spaced: bool = False
    worded: bool = False


_THIN = r"(?:\{,\}|,\\!|\\[,:;! ]|~| )"  # can only be a mark of thousands
_TAIL = r"(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+(?![A-Za-z0-9]))?"
_REPEATING = (
    r"[0-9]*\.[0-9]*\\(?:overline|bar|dot)\s*\{?[0-9]+\}?(?:[0-9]*\\dot\s*\{?[0-9]\}?)?"
    r"|[0-9]*\.[0-9]*\([0-9]+\)"
)
_THOUSANDS_THIN = rf"[1-9][0-9]{{0,2}}(?:{_THIN}[0-9]{{3}})+(?![0-9]|{_THIN}[0-9])"
_THOUSANDS_COMMA = r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])"
_DECIMAL_COMMA = r"[0-9]+\{,\}[0-9]+"
_PLAIN = rf"{_DECIMAL_COMMA}|[0-9]+{_TAIL}|\.[0-9]+"
_REST = (
    r"(?P<command>\\\\|\\[A-Za-z]+\*?|\\.)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<sign><=|>=|!=|==|:=|=>|->|\*\*|\.\.\.+|\{,\}|\S)"
    r"|(?P<space>\s+)"
)
_WITH_LIST_COMMA = re.compile(rf"(?P<number>(?:{_REPEATING})|{_THOUSANDS_THIN}{_TAIL}|{_PLAIN})|{_REST}", re.DOTALL)
_WITH_THOUSANDS_COMMA = re.compile(
    rf"(?P<number>(?:{_REPEATING})|{_THOUSANDS_THIN}{_TAIL}|{_THOUSANDS_COMMA}{_TAIL}|{_PLAIN})|{_REST}", re.DOTALL
)
_MARKS = re.compile(rf"{_THIN}|,")
_IS_DECIMAL_COMMA = re.compile(r"[0-9]+\{,\}(?:[0-9]{1,2}|[0-9]{4,})")
_DECIMAL_POINT = re.compile(r"(?<=[0-9])\{\.\}(?=[0-9])")
_AMBIGUOUS = re.compile(r"(?<![0-9.])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_LONE_SIGN = re.compile(r"\{([:=+<>-])\}")
_CIRCLE = re.compile(r"\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})")
_SAME_SIGN = {"==": "=", ":=": "=", "=>": r"\Rightarrow", "->": r"\to", "**": "^"}
_OPEN, _CLOSE = "{", "}"


def has_ambiguous_comma(text: str) -> bool:
    """Whether a comma in the text may be a mark of thousands or separate a list.

    >>> has_ambiguous_comma("100,200"), has_ambiguous_comma("100, 200"), has_ambiguous_comma("1,2")
    (True, False, False)
    """
    return _AMBIGUOUS.search(text) is not None


def tokens_of(text: str, *, thousands: bool) -> list[Token]:
    r"""Return the tokens of an answer.

    Args:
        text: of one answer.
        thousands: whether a comma before three digits is a mark of thousands.

    Raises:
        UnreadableError: it is too long, or its braces do not close.

    >>> [token.text for token in tokens_of(r"\textcolor{red}{1{,}234}\text{ cm}", thousands=False)]
    ['{', '1234', '}', 'cm']
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableError("too long")
    source = _CIRCLE.sub(r"\\degree ", _LONE_SIGN.sub(r"\1", _DECIMAL_POINT.sub(".", as_latex(text))))
    tokens = list(_lexed(source, thousands=thousands, worded=False))
    _check_braces(tokens)
    return tokens


def _lexed(source: str, *, thousands: bool, worded: bool) -> Iterator[Token]:
    pattern = _WITH_THOUSANDS_COMMA if thousands else _WITH_LIST_COMMA
    position, spaced = 0, False
    while position < len(source):
        found = pattern.match(source, position)
        if found is None:  # a backslash at the end
            raise UnreadableError("a command without a name")
        position = found.end()
        kind, text = str(found.lastgroup), found[0]
        if kind == "space" or text in SPACES:
            spaced = True
        elif kind == "number":
            yield Token("number", _plain(text), spaced, worded)
            spaced = False
        elif kind == "word":
            yield Token("word", text, spaced, worded)
            spaced = False
        elif kind == "sign":
            yield _sign(text, spaced, worded)
            spaced = False
        elif text in TEXT or text == r"\mathbb":
            content, position = _argument(source, position)
            yield from _text(text, content, spaced, thousands)
            spaced = False
        elif text in DROPPED_WITH_ARGUMENT:
            position = _after_argument(source, position)
        elif text not in DROPPED:
            yield _command(text, spaced, worded)
            spaced = False


def _plain(text: str) -> str:
    """Return a numeral without marks of thousands; ``0.(3)`` for a repeating decimal."""
    if "\\" in text and ("overline" in text or "bar" in text or "dot" in text):
        return _repeating(text)
    if _IS_DECIMAL_COMMA.fullmatch(text):
        return text.replace("{,}", ".")
    if text[0].isdigit() and _MARKS.search(text) is not None:
        return _MARKS.sub("", text)
    return text


def _repeating(text: str) -> str:
    """Return the numeral with the digits that repeat in parentheses."""
    head, _, tail = text.partition("\\")
    digits = re.sub(r"[^0-9]", "", tail)
    return f"{head}({digits})"


def _sign(text: str, spaced: bool, worded: bool) -> Token:
    if text.startswith("..."):
        return Token("command", r"\ldots", spaced, worded)
    if text == "{,}":
        return Token("sign", ",", spaced, worded)
    text = _SAME_SIGN.get(text, text)
    return Token("command" if text.startswith("\\") else "sign", text, spaced, worded)


def _command(text: str, spaced: bool, worded: bool) -> Token:
    text = SIGNS.get(text, text)
    if text in ("and", "or"):
        return Token("word", text, spaced, worded=True)
    is_command = text.startswith("\\") and text[1:].isalpha()
    return Token("command" if is_command else "sign", text, spaced, worded)


def _text(command: str, content: str, spaced: bool, thousands: bool) -> Iterator[Token]:
    """Yield the tokens of the argument of a command of text."""
    name = content.strip()
    if command == r"\mathbb":
        yield Token("command", rf"\mathbb{{{name}}}", spaced)
    elif command.startswith((r"\operatorname", r"\mathrm")) and name.isalpha() and name.isascii():
        # One upright letter is a letter still: the e of exponentials, the d of differentials.
        yield Token("word", name, spaced, worded=len(name) > 1)
    else:
        first = spaced
        for token in _lexed(content, thousands=thousands, worded=True):
            yield token._replace(spaced=token.spaced or first)
            first = False


def _argument(source: str, position: int) -> tuple[str, int]:
    """Return the argument of a command, in braces or one character, and the place behind it."""
    while position < len(source) and source[position].isspace():
        position += 1
    if position >= len(source):
        raise UnreadableError("a command without its argument")
    if source[position] != _OPEN:
        return source[position], position + 1
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", source[position:], re.DOTALL):
        depth += {_OPEN: 1, _CLOSE: -1}.get(brace[0], 0)
        if depth == 0:
            end = position + brace.start()
            return source[position + 1 : end], end + 1
    raise UnreadableError("braces that do not close")


def _after_argument(source: str, position: int) -> int:
    """Return the place behind an argument that is dropped, which may be without braces."""
    bracket = re.compile(r"\s*\[[^\]]*\]").match(source, position)
    return _argument(source, bracket.end() if bracket else position)[1]


def _check_braces(tokens: Sequence[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += {_OPEN: 1, _CLOSE: -1}.get(token.text, 0)
        if depth < 0 or depth > MOST_DEPTH:
            raise UnreadableError("braces that do not match, or too many")
    if depth:
        raise UnreadableError("braces that do not close")
