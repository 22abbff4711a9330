"""Equations, chains of equations and inequalities."""

from __future__ import annotations

from collections.abc import Sequence

from llm_validation.verifiers.answers.kinds import Answer, Chain, Inequality
from llm_validation.verifiers.answers.members import read_member
from llm_validation.verifiers.answers.words import words_of
from llm_validation.verifiers.exact.expressions.tree import Expression
from llm_validation.verifiers.grammar.operators import read_expression
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

EQUAL = frozenset(("=", "~=", "equals"))
ORDER = frozenset(("<", ">", "<=", ">=", "!="))
MEMBER = r"\in"
SIGNS = EQUAL | ORDER | {MEMBER}


def read_relation(members: Sequence[Sequence[Token]], signs: Sequence[str], *, letter_units: bool) -> Answer:
    """Return the relation between the members.

    Args:
        members: tokens of each, one more than there are signs.
        signs: what stands between them.
        letter_units: as in ``read_answer``.

    Raises:
        UnreadableError: a member cannot be read, or signs of different kinds stand beside one another.
    """
    if signs[-1] == MEMBER:
        # What is an element of a set is described by the set.
        return read_member(members[-1], letter_units=letter_units)
    if set(signs) <= EQUAL:
        return _chain(members, letter_units=letter_units)
    if set(signs) <= ORDER:
        return Inequality(tuple(read_expression(member) for member in members), tuple(signs))
    raise UnreadableError("a mixture of relations")


def _chain(members: Sequence[Sequence[Token]], *, letter_units: bool) -> Answer:
    last = read_member(members[-1], letter_units=letter_units)
    before = [member for member in members[:-1] if member]
    if not before:
        return last
    label = words_of(before[0]).tokens
    return Chain(tuple(_expression_or_label(member) for member in before), label, last)


def _expression_or_label(tokens: Sequence[Token]) -> Expression | None:
    """Return the expression that a member is; None for a label such as ``Area`` or ``P(X = 1)``."""
    if any(token.kind == "word" and len(token.text) > 1 for token in tokens):
        return None
    try:
        return read_expression(tokens)
    except UnreadableError:
        return None
