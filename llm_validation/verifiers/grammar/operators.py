"""Sums, products, signs, powers and postfix signs of expressions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from llm_validation.verifiers.exact.expressions.tree import (
    MINUS_ONE,
    Apply,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    negative,
    quotient,
)
from llm_validation.verifiers.grammar.atoms import atom
from llm_validation.verifiers.grammar.cursor import CLOSING, END, OPENING, Cursor, letters
from llm_validation.verifiers.grammar.vocabulary import FUNCTIONS, SEVERAL
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

_BIG = frozenset((r"\sum", r"\prod", r"\int", r"\lim"))
# Commands that stand between operands.
_BETWEEN = frozenset((r"\to", r"\in", r"\cup", r"\cap", r"\setminus", r"\ldots", r"\pm", r"\mp", r"\bmod", r"\mod"))


def read_expression(tokens: Sequence[Token]) -> Expression:
    """Return the expression that the tokens are.

    Raises:
        UnreadableError: they are none.
    """
    return ExpressionParser(letters(tokens)).complete()


class ExpressionParser(Cursor):
    """The grammar of expressions."""

    def complete(self) -> Expression:
        """Read all tokens as one expression, which may be a fraction or a binomial in the old notation."""
        for place, token in enumerate(self.tokens):
            if token.text in (r"\over", r"\choose") and self._is_outside(place):
                above, below = self.whole(self.tokens[:place]), self.whole(self.tokens[place + 1 :])
                return quotient(above, below) if token.text == r"\over" else Apply("binomial", (above, below))
        found = self.expression()
        if self.peek() is not END:
            raise UnreadableError("something follows the expression")
        return found

    def whole(self, tokens: Sequence[Token], bound: frozenset[str] = frozenset()) -> Expression:
        """Return the expression that these tokens are, one level down."""
        return ExpressionParser(tokens, self.bound | bound, self.depth + 1).complete()

    def expression(self) -> Expression:
        """Read a sum."""
        self._deeper(1)
        terms = [self._signed_term()]
        while self.peek().text in ("+", "-"):
            terms.append(self._signed_term())
        self._deeper(-1)
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def product(self) -> Expression:
        """Read a product."""
        factors = [self._power()]
        while True:
            token = self.peek()
            if token.text in ("*", "/"):
                self.take()
                factor = self._signed_factor()
                if token.text == "/":
                    factors = [quotient(_product(factors), factor)]
                    continue
            elif token.text in (r"\bmod", r"\mod"):
                self.take()
                factors = [Apply("mod", (_product(factors), self._signed_factor()))]
                continue
            elif self._begins_operand():
                factor = self._power()
            else:
                return _product(factors)
            factors.append(factor)

    def juxtaposed(self) -> Expression:
        """Read a product without signs, up to the next function."""
        factors = [self._power()]
        while self._begins_operand() and self.peek().text != "(" and not self._begins_function():
            factors.append(self._power())
        return _product(factors)

    def atom(self) -> Expression:
        """Read one number, name, function or bracket."""
        self._deeper(1)
        found = atom(self)
        self._deeper(-1)
        return found

    def _is_outside(self, place: int) -> bool:
        """Whether a token stands outside all brackets."""
        before = [token.text for token in self.tokens[:place]]
        return sum(text in OPENING for text in before) == sum(text in CLOSING for text in before)

    def _signed_term(self) -> Expression:
        minus = False
        while self.peek().text in ("+", "-"):
            minus ^= self.take().text == "-"
        term = self.product()
        return negative(term) if minus else term

    def _signed_factor(self) -> Expression:
        if self.peek().text in ("+", "-"):
            minus = self.take().text == "-"
            factor = self._signed_factor()
            return negative(factor) if minus else factor
        return self._power()

    def _power(self) -> Expression:
        base = self._postfixed(self._mixed(self.atom()))
        if not self.skip("^"):
            return base
        return self._postfixed(Power(base, self._exponent()))

    def _exponent(self) -> Expression:
        """Read an exponent: a group, or what a writer without braces means by one."""
        if self.peek().text == "{":
            return self.whole(self.group())
        if self.peek().text in ("+", "-"):
            minus = self.take().text == "-"
            exponent = self._exponent()
            return negative(exponent) if minus else exponent
        exponent = self.atom()
        return Power(exponent, self._exponent()) if self.skip("^") else exponent

    def _postfixed(self, value: Expression) -> Expression:
        while True:
            if self.skip("!"):
                twice = not self.peek().spaced and self.skip("!")
                value = Apply("double factorial" if twice else "factorial", (value,))
            elif self.skip("%"):
                value = Product((value, Number(Fraction(1, 100))))
            elif self.skip("°"):
                value = Apply("degrees", (value,))
            else:
                return value

    def _mixed(self, whole: Expression) -> Expression:
        r"""Read the fraction of a mixed number behind its whole part: ``3\frac{1}{2}`` or ``3 1/2``."""
        before = self.tokens[self.position - 1]
        if not isinstance(whole, Number) or before.kind != "number" or whole.value.denominator != 1:
            return whole
        place = self.position
        fraction = self._proper_fraction()
        if fraction is None:
            self.position = place
            return whole
        return Number(whole.value + fraction)

    def _proper_fraction(self) -> Fraction | None:
        first = self.peek()
        if first.text == r"\frac":
            if any(token.kind == "word" for token in self.tokens[self.position : self.position + 7]):
                return None
            saved = list(self.tokens)
            value = self.atom()
            if isinstance(value, Number) and 0 < value.value < 1 and value.value.denominator > 1:
                return value.value
            self.tokens = saved
            return None
        if first.kind != "number" or not first.spaced or self.peek(1).text != "/" or self.peek(2).kind != "number":
            return None
        above, below = first.text, self.peek(2).text
        if not above.isdigit() or not below.isdigit() or not 0 < int(above) < int(below):
            return None
        self.position += 3
        return Fraction(int(above), int(below))

    def _begins_operand(self) -> bool:
        token = self.peek()
        if token is END or token.text in CLOSING:
            return False
        if token.kind == "command":
            return token.text not in _BETWEEN
        if token.text == "|":
            return self.bars == 0
        return token.kind == "word" or token.text in OPENING

    def _begins_function(self) -> bool:
        name = self.peek().text.removeprefix("\\")
        return self.peek().kind == "command" and (name in FUNCTIONS or name in SEVERAL or self.peek().text in _BIG)

    def _deeper(self, step: int) -> None:
        self.depth += step
        if self.depth > 120:
            raise UnreadableError("too deeply nested")


def _product(factors: Sequence[Expression]) -> Expression:
    if len(factors) == 1:
        return factors[0]
    if len(factors) == 2 and factors[0] == MINUS_ONE:
        return negative(factors[1])
    return Product(tuple(factors))
