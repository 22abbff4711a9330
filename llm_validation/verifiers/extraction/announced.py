"""Answers that words announce: "the answer is ...", "... is the answer", "#### ...", or a last line that says so.

Every pattern here takes time linear in the text: runs are bounded, and what is looked at around a match is too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from llm_validation.verifiers.extraction.lines import following, last_block, tidied

_MARK = r"[*_`]{0,4}"
_ANNOUNCED = re.compile(
    rf"(?:\b(?:answers?|option|choice)\b{_MARK}\s{{0,4}}{_MARK}"
    r"(?:\bis\b|\bare\b|\bequals\b|\bwould be\b|\bmust be\b|[:：=])"
    rf"|(?:答案|答|答え|解答|정답|답|Ответ|Antwort|Réponse|Respuesta|Risposta|Resposta)(?:是|为|は|은)?\s{{0,4}}{_MARK}\s?[:：=]?)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]{0,8}(?:#{1,6}[ \t]*)?[*_]{0,4}(?:the )?(?:final )?answer[*_]{0,4}[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_IS_THE_ANSWER = re.compile(
    r"\bis\s{1,4}(?:the|my|our)\s{1,4}(?:final\s{1,4}|correct\s{1,4}|right\s{1,4})?answer\b", re.IGNORECASE
)
# At the beginning of a line, or behind a space in it; up to the next one in the line.
_HASHES = re.compile(r"(?:^|(?<=[ \t]))####(?!#)[ \t]*(?P<answer>(?:(?!####)[^\n])*)", re.MULTILINE)
# The end of a sentence; a point inside a number has no space behind it.
_SENTENCE_END = re.compile(r"(?<![A-Z])(?<!\bapprox)[.!?。！？](?=\s+[A-Z\\$(]|\s*$)|。")
_BEGINNING = re.compile(
    r"^(?:so|thus|therefore|hence|then|and|we conclude that|we see that|i think|i believe)[, ]+", re.IGNORECASE
)
_SAYS = re.compile(r"\b(?:is|are|equals|equal to|be)\b:?\s+(?P<answer>[^\s].*)$", re.IGNORECASE)
_MATHEMATICS = re.compile(r"\$([^$]{1,500})\$|\\\(((?:[^\\]|\\[^()]){1,500})\\\)")
_HAS_VALUE = re.compile(r"[0-9\\]")
_LONGEST = 2000  # characters that are looked at behind or before an announcement


class Found(NamedTuple):
    """An answer and where its announcement begins."""

    place: int
    answer: str


def announced(text: str) -> str | None:
    """Return the answer that is announced last; None if none is."""
    candidates = [found for found in (_after_words(text), _before_words(text), hashed(text)) if found is not None]
    return max(candidates).answer if candidates else None


def hashed(text: str, *, any_content: bool = False) -> Found | None:
    """Return what stands behind the last ``####``, as GSM8K has it.

    Args:
        text: of the response.
        any_content: whether it may be anything; otherwise it must have a number or LaTeX in it, or end the text: a
            heading of Markdown begins in the same way.
    """
    if "####" not in text:
        return None
    end = len(text.rstrip())
    for line in _backwards(_HASHES, text):
        content = tidied(line["answer"][:_LONGEST])
        if content and (any_content or line.end() >= end or _is_answer(content)):
            return Found(line.start(), content)
    return None


def last_said(text: str) -> str | None:
    """Return what the last line of a text says: its only mathematics, what follows "is", or all of it."""
    line = last_block(text)
    if line is None or len(line) > _LONGEST:
        return line
    line = _BEGINNING.sub("", line)
    pieces = [piece[1] or piece[2] for piece in _MATHEMATICS.finditer(line)]
    if len(pieces) == 1 and len(line) > len(pieces[0]) + 6:
        return tidied(pieces[0])
    says = _SAYS.search(line)
    return tidied(_sentence(says["answer"])) if says else line


def _after_words(text: str) -> Found | None:
    """Return what follows the last announcement that has something behind it."""
    candidates = []
    for pattern in (_ANNOUNCED, _HEADING):
        for words in _backwards(pattern, text):
            answer = tidied(_sentence(following(text[words.end() : words.end() + _LONGEST])))
            if answer:
                candidates.append(Found(words.start(), answer))
                break
    return max(candidates, default=None)


def _before_words(text: str) -> Found | None:
    """Return what stands before the last "is the answer", in its sentence."""
    for words in _backwards(_IS_THE_ANSWER, text):
        start = max(text.rfind("\n", 0, words.start()) + 1, words.start() - _LONGEST)
        sentence = text[start : words.start()]
        ends = list(_SENTENCE_END.finditer(sentence))
        start += ends[-1].end() if ends else 0
        answer = tidied(_BEGINNING.sub("", text[start : words.start()].strip()))
        if answer:
            return Found(start, answer)
    return None


def _backwards(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches from the last to the first."""
    yield from reversed(list(pattern.finditer(text)))


def _is_answer(content: str) -> bool:
    """Whether the text of a line that may be a heading is rather an answer."""
    is_heading = _ANNOUNCED.search(content) or content.lower().startswith(("step", "final answer", "answer"))
    return not is_heading and _HAS_VALUE.search(content) is not None


def _sentence(text: str) -> str:
    """Return the text up to the end of its first sentence."""
    end = _SENTENCE_END.search(text)
    return text[: end.start()] if end else text
