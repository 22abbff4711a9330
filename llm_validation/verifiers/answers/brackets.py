"""Sets, points, intervals and matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llm_validation.verifiers.answers.kinds import Answer, Bracketed, Group, Matrix, Words
from llm_validation.verifiers.answers.splitting import enclosed, split
from llm_validation.verifiers.exact.expressions.tree import Expression
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

_MATRICES = frozenset(("pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array"))
ReadItem = Callable[[Sequence[Token]], Answer]


def read_brackets(tokens: Sequence[Token], read_item: ReadItem) -> Answer | None:
    r"""Return the set, point or interval in these brackets; None for a parenthesis around one expression.

    Args:
        tokens: with a bracket at either end.
        read_item: what reads one item.

    Raises:
        UnreadableError: an item cannot be read.
    """
    opening, inside, closing = tokens[0].text, tokens[1:-1], tokens[-1].text
    parts, signs = split(inside, (",", ";"))
    if not signs and opening != r"\{":
        return None
    items = tuple(_item(part, read_item) for part in parts)
    if opening == r"\{":
        return Group("set", _flat(items))
    return Bracketed("(" if opening == r"\langle" else opening, items, ")" if closing == r"\rangle" else closing)


def set_condition(tokens: Sequence[Token]) -> list[Token] | None:
    r"""Return the condition of ``\{x \mid x > 1\}``; None if the tokens are no such set."""
    if not enclosed(tokens) or tokens[0].text != r"\{":
        return None
    for place, token in enumerate(tokens):
        if token.text in ("|", ":") and 1 < place < len(tokens) - 2:
            return list(tokens[place + 1 : -1])
        if token.text == ",":
            return None
    return None


def _item(tokens: Sequence[Token], read_item: ReadItem) -> Answer:
    if [token.text for token in tokens] == [r"\ldots"]:
        return Words((r"\ldots",))
    return read_item(tokens)


def _flat(items: Sequence[Answer]) -> tuple[Answer, ...]:
    found: list[Answer] = []
    for item in items:
        found += item.items if isinstance(item, Group) and item.kind == "list" else (item,)
    return tuple(found)


def read_matrix(tokens: Sequence[Token], read: Callable[[Sequence[Token]], Expression]) -> Answer:
    """Return the matrix of an environment.

    Raises:
        UnreadableError: it is another environment, or its rows are of different lengths.
    """
    texts = [token.text for token in tokens]
    if len(texts) < 8 or texts[1] != "{" or texts[2] not in _MATRICES or texts[3] != "}":
        raise UnreadableError("an environment that is not known")
    if texts[-4:] != [r"\end", "{", texts[2], "}"]:
        raise UnreadableError("an environment that does not end")
    body = list(tokens[4:-4])
    if texts[2] == "array":
        body = _without_columns(body)
    rows = []
    for row in split(body, ("\\\\",))[0]:
        if row:
            rows.append(tuple(read(cell) for cell in split(row, ("&",))[0]))
    if not rows or len({len(row) for row in rows}) > 1:
        raise UnreadableError("rows of different lengths")
    return Matrix(tuple(rows))


def _without_columns(body: list[Token]) -> list[Token]:
    """Return the body of an array without the argument that describes its columns."""
    if not body or body[0].text != "{":
        return body
    end = next((place for place, token in enumerate(body) if token.text == "}"), 0)
    return body[end + 1 :]
