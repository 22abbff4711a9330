"""Answers that words announce: "the answer is ...", "... is the answer", "#### ...", or a last line that says so."""

from __future__ import annotations

import re
from typing import NamedTuple

from llm_validation.verifiers.extraction.lines import following, last_block, tidied

_MARK = r"[*_`]*"
_ANNOUNCED = re.compile(
    rf"(?:\b(?:answers?|option|choice)\b{_MARK}\s*{_MARK}(?:\bis\b|\bare\b|\bequals\b|\bwould be\b|\bmust be\b|[:：=])"
    rf"|(?:答案|答|答え|解答|정답|답|Ответ|Antwort|Réponse|Respuesta|Risposta|Resposta)(?:是|为|は|은)?\s*{_MARK}\s*[:：=]?)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*)?[*_]*(?:the )?(?:final )?answer[*_]*[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_IS_THE_ANSWER = re.compile(
    r"(?P<answer>[^\n]+?)\s+is\s+(?:the|my|our)\s+(?:final\s+|correct\s+|right\s+)?answer\b", re.IGNORECASE
)
_HASHES = re.compile(r"^[ \t]*####[ \t]*(?P<answer>[^\n]*)$", re.MULTILINE)
# The end of a sentence; a point inside a number has no space behind it.
_SENTENCE_END = re.compile(r"(?<![A-Z])(?<!\bapprox)[.!?。！？](?=\s+[A-Z\\$(]|\s*$)|。")
_BEGINNING = re.compile(
    r"^(?:so|thus|therefore|hence|then|and|we conclude that|we see that|i think|i believe)[, ]+", re.I
)
_SAYS = re.compile(r"\b(?:is|are|equals|equal to|be)\b:?\s+(?P<answer>[^\s].*)$", re.IGNORECASE)
_MATHEMATICS = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)")
_HAS_VALUE = re.compile(r"[0-9\\]")
_LONGEST_SENTENCE = 1000  # characters that are looked at for "... is the answer"


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
    found = None
    for line in _HASHES.finditer(text):
        content = tidied(line["answer"])
        at_end = not text[line.end() :].strip()
        is_heading = _ANNOUNCED.search(content) or content.lower().startswith(("step", "final answer", "answer"))
        if content and (any_content or at_end or (_HAS_VALUE.search(content) and not is_heading)):
            found = Found(line.start(), content)
    return found


def last_said(text: str) -> str | None:
    """Return what the last line of a text says: its only mathematics, what follows "is", or all of it."""
    line = last_block(text)
    if line is None:
        return None
    line = _BEGINNING.sub("", line)
    pieces = [piece[1] or piece[2] for piece in _MATHEMATICS.finditer(line)]
    if len(pieces) == 1 and len(line) > len(pieces[0]) + 6:
        return tidied(pieces[0])
    says = _SAYS.search(line)
    return tidied(_sentence(says["answer"])) if says else line


def _after_words(text: str) -> Found | None:
    """Return what follows the last announcement that has something behind it."""
    found = None
    for pattern in (_ANNOUNCED, _HEADING):
        for words in pattern.finditer(text):
            answer = tidied(_sentence(following(text[words.end() : words.end() + 2 * _LONGEST_SENTENCE])))
            if answer and (found is None or words.start() >= found.place):
                found = Found(words.start(), answer)
    return found


def _before_words(text: str) -> Found | None:
    """Return what stands before the last "is the answer"."""
    found = None
    for words in _IS_THE_ANSWER.finditer(text):
        sentence = words["answer"][-_LONGEST_SENTENCE:]
        ends = list(_SENTENCE_END.finditer(sentence))
        sentence = sentence[ends[-1].end() :] if ends else sentence
        answer = tidied(_BEGINNING.sub("", sentence.strip()))
        if answer:
            found = Found(words.start("answer"), answer)
    return found


def _sentence(text: str) -> str:
    """Return the text up to the end of its first sentence."""
    end = _SENTENCE_END.search(text)
    return text[: end.start()] if end else text
