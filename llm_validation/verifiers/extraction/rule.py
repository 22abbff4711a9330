r"""The setting ``extraction``: which part of a response is its answer.

``auto`` takes the last box or answer tag, whichever comes last; without either, what is announced last ("the answer
is", ``####``); without that, the last line. The others look for one form only: ``box``, ``tags``, ``hash`` (``####``),
``first-line``, ``last-line``, or a regular expression with one group, whose last match counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from llm_validation.verifiers.extraction.announced import announced, hashed, last_said
from llm_validation.verifiers.extraction.boxes import last_boxes
from llm_validation.verifiers.extraction.joined import Span, joined_to_last
from llm_validation.verifiers.extraction.lines import first_line, last_block, tidied
from llm_validation.verifiers.extraction.tags import tagged
from llm_validation.verifiers.extraction.thinking import without_thinking
from qae_theory.checks import refuse

Claim = tuple[str, ...]  # the answers that a response gives at once: one, or several that are joined; none is no answer


@dataclass(frozen=True)
class Extraction:
    """Where a response says its answer.

    Args:
        setting: a name of ``EXTRACTIONS``, or a regular expression with one group.
    """

    setting: str = "auto"

    def __post_init__(self) -> None:
        if self.setting not in EXTRACTIONS and not _is_pattern(self.setting):
            allowed = f"one of {', '.join(EXTRACTIONS)}, or a regular expression with one group"
            refuse("extraction", self.setting, allowed)

    @property
    def is_pattern(self) -> bool:
        """Whether it is a regular expression, which may take any time on some text."""
        return self.setting not in EXTRACTIONS

    def claim(self, response: str) -> Claim:
        """Return what the response gives as its answer: () for none, several texts where they are joined."""
        text = without_thinking(response)
        if self.is_pattern:
            return _matched(self.setting, text)
        return EXTRACTIONS[self.setting](text)

    def stated(self, answer: str) -> str | None:
        """Return a response that states this answer in the form that is looked for; None for a regular expression."""
        return None if self.is_pattern else _STATED[self.setting].format(answer)


def extraction_rule(setting: str) -> Extraction:
    """Return the extraction of that setting.

    Raises:
        ValueError: it names none and is no regular expression with one group.
    """
    return Extraction(setting)


def _auto(text: str) -> Claim:
    boxes, tags = last_boxes(text), tagged(text)
    if boxes and tags:
        # A box inside the last tag is its answer; of a box and a tag apart, the later one.
        return _contents(text, boxes) if boxes[-1].end >= tags[-1].start else _inside(text, tags)
    if boxes:
        return _contents(text, boxes)
    if tags:
        return _inside(text, tags)
    return _claim(announced(text) or last_said(text))


def _box(text: str) -> Claim:
    boxes = last_boxes(text)
    return _contents(text, boxes) if boxes else ()


def _tags(text: str) -> Claim:
    tags = tagged(text)
    return _inside(text, tags) if tags else ()


def _hash(text: str) -> Claim:
    found = hashed(text, any_content=True)
    return () if found is None else _within(found.answer)


def _first_line(text: str) -> Claim:
    return _within(first_line(text))


def _last_line(text: str) -> Claim:
    return _within(last_block(text))


def _contents(text: str, spans: list[Span]) -> Claim:
    """Return the contents of the last span and of those joined to it; () if one is not closed or empty."""
    joined = joined_to_last(text, spans)
    contents = [tidied(span.content or "") for span in joined]
    return tuple(contents) if all(contents) else ()


def _inside(text: str, tags: list[Span]) -> Claim:
    """Return the answer inside the last tag, which may be in a box there."""
    content = tags[-1].content
    if content is None:
        return ()
    boxes = last_boxes(content)
    return _contents(content, boxes) if boxes else _contents(text, tags)


def _within(line: str | None) -> Claim:
    """Return the answer of a line, which may be in a box there."""
    boxes = last_boxes(line) if line else []
    return _contents(line or "", boxes) if boxes else _claim(line)


def _claim(answer: str | None) -> Claim:
    return (answer,) if answer else ()


def _matched(pattern: str, text: str) -> Claim:
    found = None
    for match in re.finditer(pattern, text):
        found = match[1]
    return _claim(tidied(found or ""))


def _is_pattern(setting: object) -> bool:
    try:
        return isinstance(setting, str) and re.compile(setting).groups == 1
    except re.error:
        return False


EXTRACTIONS: dict[str, Callable[[str], Claim]] = {
    "auto": _auto,
    "box": _box,
    "tags": _tags,
    "hash": _hash,
    "first-line": _first_line,
    "last-line": _last_line,
}
_STATED = {
    "auto": "{}",
    "box": "So it is \\boxed{{{}}}",
    "tags": "<answer>{}</answer>",
    "hash": "So it is this.\n#### {}",
    "first-line": "{}\nAnd so on.",
    "last-line": "So it is this.\n{}",
}
