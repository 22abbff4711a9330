"""Text as an answer: its tokens, and the announcements in front of an answer that are no part of it."""

from __future__ import annotations

from collections.abc import Sequence

from llm_validation.verifiers.answers.kinds import Words
from llm_validation.verifiers.grammar.vocabulary import WORDS
from llm_validation.verifiers.reading.tokens import Token, UnreadableError
from llm_validation.verifiers.reading.word_sets import word_set

_STYLE = frozenset(("{", "}", '"', "`"))
_CLOSING_MARKS = frozenset((".", ",", ";", ":", "?", "*", "`"))
# An announcement is made of these words and has one of the core among them.
_CORE = word_set(
    "answer answers result value solution is are equals so thus therefore hence approximately about",
    "roughly exactly simply just namely",
)
_AROUND = word_set("the my our final correct exact it this that which be to equal we have get")
_LEAST_HYPHENATED = 3  # letters of a word that a hyphen joins to another, rather than a difference


def words_of(tokens: Sequence[Token]) -> Words:
    """Return the tokens as text: without braces and quotation marks, and in lower case but for single letters.

    Raises:
        UnreadableError: there is no letter or digit in it.
    """
    kept = []
    for token in tokens:
        if token.text in _STYLE:
            continue
        kept.append(token.text.lower() if token.kind == "word" and len(token.text) > 1 else token.text)
    if not has_content(tokens):
        raise UnreadableError("nothing is said")
    return Words(tuple(kept))


def has_content(tokens: Sequence[Token]) -> bool:
    """Whether a word, a number, a command or a set is among the tokens."""
    for token in tokens:
        if token.kind in ("word", "number") or token.text == r"\{":
            return True
        if token.kind == "command" and token.text != r"\ldots":
            return True
    return False


def is_text(tokens: Sequence[Token]) -> bool:
    """Whether the tokens are words alone, of which one at least is more than a letter.

    Words that mathematics knows are none here; words that a hyphen joins are.
    """
    longest = 0
    for place, token in enumerate(tokens):
        if token.kind == "word":
            if token.text in WORDS and not token.worded:
                return False
            longest = max(longest, len(token.text))
        elif token.text not in ("-", "'") or token.spaced or place == 0 or _is_short(tokens[place - 1]):
            return False
    return longest > 1


def without_closing_marks(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens without punctuation at the end, an exclamation mark behind a word included."""
    kept = list(tokens)
    while kept:
        last = kept[-1].text
        exclaimed = last == "!" and len(kept) > 1 and kept[-2].kind == "word" and len(kept[-2].text) > 1
        if last not in _CLOSING_MARKS and not exclaimed:
            break
        kept.pop()
    return kept


def without_announcement(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens without words in front that only say that an answer follows.

    Nothing is taken away where no word of the core is among them or nothing would be left.
    """
    place, core = 0, False
    while place < len(tokens):
        word = tokens[place].text.lower()
        if not (core and word in (",", ":")) and word not in _CORE and word not in _AROUND:
            break
        core = core or word in _CORE
        place += 1
    return list(tokens[place:]) if core and has_content(tokens[place:]) else list(tokens)


def _is_short(token: Token) -> bool:
    return token.kind != "word" or len(token.text) < _LEAST_HYPHENATED
