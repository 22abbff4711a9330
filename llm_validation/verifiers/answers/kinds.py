"""The kinds of answer that are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from llm_validation.verifiers.exact.expressions.tree import Expression

Unit = tuple[tuple[str, int], ...]  # names with their exponents


@dataclass(frozen=True)
class Scalar:
    """A number or an expression in names."""

    value: Expression


@dataclass(frozen=True)
class Words:
    """Text, as its tokens: case does not count in words, and nothing else is left out."""

    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The letter of a choice, with what is said beside it."""

    letter: str
    value: Answer | None


@dataclass(frozen=True)
class Clock:
    """A time of day: hour as written, seconds since that hour, and ``am`` or ``pm`` if it is said."""

    hour: int
    seconds: int
    half: str | None


@dataclass(frozen=True)
class Ratio:
    """``a : b`` or longer."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Group:
    """A ``list`` without brackets or a ``set``: neither has an order.

    ``joined`` says that the list was put together from several boxes.
    """

    kind: str
    items: tuple[Answer, ...]
    joined: bool = False


@dataclass(frozen=True)
class Bracketed:
    """Two or more items in brackets: a point, or an interval."""

    opening: str
    items: tuple[Answer, ...]
    closing: str


@dataclass(frozen=True)
class NamedSet:
    """A set with a name of its own: ``R``, ``Z``, ``Q``, ``N``, ``C``."""

    name: str


@dataclass(frozen=True)
class SetOperation:
    """``union``, ``intersection`` or ``minus`` of two sets."""

    operation: str
    left: Answer
    right: Answer


@dataclass(frozen=True)
class Inequality:
    """A chain of relations: ``signs[n]`` stands between ``members[n]`` and ``members[n + 1]``."""

    members: tuple[Expression, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Chain:
    """An equation or a chain of equations.

    Args:
        members: all but the last, None where one is no expression but a label.
        label: the tokens of the first member.
        last: the last member.
    """

    members: tuple[Expression | None, ...]
    label: tuple[str, ...]
    last: Answer


@dataclass(frozen=True)
class Quantity:
    """A value with a unit, a remark or both."""

    value: Answer
    unit: Unit
    remark: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """Rows of expressions; ``bars`` for a determinant."""

    rows: tuple[tuple[Expression, ...], ...]


Answer = (
    Scalar
    | Words
    | Choice
    | Clock
    | Ratio
    | Group
    | Bracketed
    | NamedSet
    | SetOperation
    | Inequality
    | Chain
    | Quantity
    | Matrix
)


@dataclass(frozen=True)
class Reading:
    """One way to read a text.

    Args:
        answer: what it is then.
        comma: how a comma was read that could be either: ``thousands``, ``list``, or None where there is none.
    """

    answer: Answer
    comma: str | None


def whole_number(value: Fraction) -> int | None:
    """Return the number as an integer; None if it is none."""
    return int(value) if value.denominator == 1 else None
