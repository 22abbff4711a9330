"""Lists without brackets, and what stands between their commas."""

from __future__ import annotations

from collections.abc import Sequence

from llm_validation.verifiers.answers.brackets import set_condition
from llm_validation.verifiers.answers.kinds import Answer, Group, Inequality, SetOperation, Words
from llm_validation.verifiers.answers.members import read_member
from llm_validation.verifiers.answers.relations import SIGNS, read_relation
from llm_validation.verifiers.answers.splitting import split, without_braces
from llm_validation.verifiers.answers.words import is_text, without_closing_marks, words_of
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

ELLIPSIS = r"\ldots"
_SEPARATORS = frozenset((",", ";", "and", "or"))


def read_answer(tokens: Sequence[Token], *, letter_units: bool = False) -> Answer:
    """Return the answer that the tokens are: a list, a relation or one member.

    Args:
        tokens: of the answer.
        letter_units: whether a letter that is spaced off a number is its unit, as in ``5 m``.

    Raises:
        UnreadableError: they are no mathematics and no words.
    """
    tokens = _last_implication(without_braces(without_closing_marks(tokens)))
    parts, signs = _parts(tokens)
    if len(parts) == 1:
        return _read_part(parts[0], letter_units=letter_units)
    items = [_read_part(part, letter_units=letter_units) for part in parts]
    if all(isinstance(item, Inequality) for item in items) and set(signs) in ({"and"}, {"or"}):
        return _combined(items, "union" if "or" in signs else "intersection")
    return Group("list", tuple(_flat(items)))


def _read_part(tokens: Sequence[Token], *, letter_units: bool) -> Answer:
    tokens = without_braces(tokens)
    if not tokens:
        raise UnreadableError("a part of a list is empty")
    if [token.text for token in tokens] == [ELLIPSIS]:
        return Words((ELLIPSIS,))
    if is_text(tokens):
        return words_of(tokens)
    condition = set_condition(tokens)
    if condition is not None:
        return read_answer(condition, letter_units=letter_units)
    members, signs = split(tokens, SIGNS)
    if signs:
        return read_relation(members, signs, letter_units=letter_units)
    return read_member(tokens, letter_units=letter_units)


def _last_implication(tokens: Sequence[Token]) -> list[Token]:
    """Return what follows the last arrow of an implication."""
    parts, _ = split(tokens, (r"\Rightarrow", r"\Leftrightarrow"))
    return parts[-1] or list(tokens)


def _parts(tokens: Sequence[Token]) -> tuple[list[list[Token]], list[str]]:
    """Return the parts of a list and what separates them; a comma before ``and`` separates nothing of its own."""
    parts, signs = split(tokens, _SEPARATORS)
    place = 1
    while place < len(parts) - 1:
        if not parts[place] and signs[place - 1] in (",", ";") and signs[place] in ("and", "or"):
            del parts[place], signs[place - 1]
        else:
            place += 1
    return parts, signs


def _combined(items: Sequence[Answer], operation: str) -> Answer:
    total = items[0]
    for item in items[1:]:
        total = SetOperation(operation, total, item)
    return total


def _flat(items: Sequence[Answer]) -> list[Answer]:
    """Return the items with lists inside the list, such as that of a sign ±, written out."""
    found: list[Answer] = []
    for item in items:
        found += item.items if isinstance(item, Group) and item.kind == "list" else (item,)
    return found
