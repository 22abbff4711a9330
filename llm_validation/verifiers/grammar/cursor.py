"""A place in a list of tokens, and what every part of the grammar may ask of the whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from llm_validation.verifiers.exact.expressions.tree import Expression
from llm_validation.verifiers.grammar.vocabulary import WORDS
from llm_validation.verifiers.reading.tokens import MOST_DEPTH, Token, UnreadableError

END = Token("end", "")
OPENING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}
OPENING |= {r"\langle": r"\rangle"}
CLOSING = frozenset(OPENING.values())


class Cursor(ABC):
    """A parser of expressions.

    Args:
        tokens: of the expression.
        bound: names that are bound outside: an ``i`` among them is no imaginary unit.
        depth: of the expressions around it.
    """

    def __init__(self, tokens: Sequence[Token], bound: frozenset[str] = frozenset(), depth: int = 0) -> None:
        if depth > MOST_DEPTH:
            raise UnreadableError("too deeply nested")
        self.tokens = list(tokens)
        self.position = 0
        self.bound = bound
        self.depth = depth
        self.bars = 0  # absolute values that are open

    @abstractmethod
    def expression(self) -> Expression:
        """Read a sum."""

    @abstractmethod
    def juxtaposed(self) -> Expression:
        """Read a product without signs, up to the next function: the argument of a function without parentheses."""

    @abstractmethod
    def atom(self) -> Expression:
        """Read one number, name, function or bracket."""

    @abstractmethod
    def product(self) -> Expression:
        """Read a product."""

    @abstractmethod
    def whole(self, tokens: Sequence[Token], bound: frozenset[str] = frozenset()) -> Expression:
        """Return the expression that these tokens are, one level down."""

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or one behind it."""
        place = self.position + ahead
        return self.tokens[place] if place < len(self.tokens) else END

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self.peek()
        self.position += 1
        return token

    def skip(self, text: str) -> bool:
        """Go on if the next token is this one."""
        if self.peek().text != text or self.peek() is END:
            return False
        self.position += 1
        return True

    def expect(self, text: str) -> None:
        """Go on.

        Raises:
            UnreadableError: the next token is another.
        """
        if not self.skip(text):
            raise UnreadableError(f"expected {text}")

    def group(self) -> list[Token]:
        """Return the tokens inside the brackets that begin here, and go on behind them.

        Raises:
            UnreadableError: they do not close.
        """
        end = matching(self.tokens, self.position)
        inside = self.tokens[self.position + 1 : end]
        self.position = end + 1
        return inside

    def argument(self) -> list[Token]:
        r"""Return the tokens of an argument as TeX takes it: a group, or one token, of a number one digit."""
        token = self.peek()
        if token.text == "{":
            return self.group()
        if token is END or token.text in CLOSING:
            raise UnreadableError("an argument is missing")
        if token.kind == "number" and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.position] = Token("number", token.text[1:])
            return [Token("number", token.text[0])]
        return [self.take()]


def matching(tokens: Sequence[Token], start: int) -> int:
    """Return the place of the bracket that closes the one at ``start``.

    Square and round brackets may close each other, as those of half-open intervals do.

    Raises:
        UnreadableError: there is none.
    """
    depth = 0
    for place in range(start, len(tokens)):
        if tokens[place].text in OPENING:
            depth += 1
        elif tokens[place].text in CLOSING:
            depth -= 1
            if depth == 0:
                return place
    raise UnreadableError("brackets that do not close")


def letters(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens with words of mathematics as commands and other runs of letters as letters.

    Raises:
        UnreadableError: a word of text is among them, or a letter of another script.
    """
    found = []
    for token in tokens:
        if token.kind != "word" or len(token.text) == 1:
            found.append(token)
        elif token.text in WORDS or token.text.lower() in WORDS:
            known = token.text if token.text in WORDS else token.text.lower()
            found.append(Token("command", f"\\{known}", token.spaced))
        elif token.worded or not token.text.isascii():
            raise UnreadableError("words in an expression")
        else:
            found += _split(token)
    return found


def _split(token: Token) -> list[Token]:
    """Return the letters of a run one by one, a function at its beginning as a whole."""
    for length in range(len(token.text) - 1, 1, -1):
        if token.text[:length] in WORDS and token.text[:length] not in ("inf", "arg", "det"):
            head = Token("command", f"\\{token.text[:length]}", token.spaced)
            return [head, *_split(Token("word", token.text[length:]))]
    first = Token("word", token.text[0], token.spaced)
    return [first, *(Token("word", letter) for letter in token.text[1:])]
