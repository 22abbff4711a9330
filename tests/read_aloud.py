"""Read a page of Markdown as one who listens would: sentence by sentence, each term said in words before it is used.

``python -m tests.read_aloud PAGE.md ...`` lists what would stop a listener, and exits with 1 where there is something.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MOST_LINES = 80
MOST_WORDS = 30  # of a sentence
SHARED = 2  # words that a sentence which defines a term has in common with the glossary's definition
GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^()\s]+\)")
_CODE = re.compile(r"`[^`]+`")
_NEW_BLOCK = re.compile(r"\n\s*\n|\n(?=[#*|])|(?<=\|)\s|\n(?=\s*\* )")
_MARK = re.compile(r"^\s*(?:#+|\*)\s+")  # of a heading or of an item
_SENTENCE = re.compile(r"\S.*?[.!?][*_)]*(?=\s+[*_(]*[A-Z0-9]|\s*$)|\S.*$")
_ENTRY = re.compile(r"^\*\*(.+?)\*\*\n:\s+(.+)$", re.MULTILINE)


def sentences(page: str) -> list[str]:
    """Return the sentences of a page in order, emphasis kept; a heading or a cell of a table is one of its own.

    Code stands as one word, ``CODE``; blocks of code and comments are left out; a link is its text.
    """
    text = _CODE.sub("CODE", _COMMENT.sub("", _FENCE.sub("", page)))
    text = _LINK.sub(r"\1", text)
    found = []
    for block in _NEW_BLOCK.split(text):
        for cell in block.split("|"):
            flat = " ".join(_MARK.sub("", cell).split())
            found += [sentence for sentence in _SENTENCE.findall(flat) if re.search(r"\w", sentence)]
    return found


def words(sentence: str) -> list[str]:
    """Return the words of a sentence; signs such as ``=`` are none."""
    return [word for word in sentence.split() if re.search(r"\w", word)]


def glossary(page: str) -> dict[str, str]:
    """Return the definition of each term, lower case; ``Hard, easy`` are two terms with one definition."""
    defined = {}
    for heads, definition in _ENTRY.findall(page):
        for head in heads.split(", "):
            defined[head.lower()] = definition
    return defined


def too_long(page: str) -> Iterator[str]:
    """Yield what is wrong with the lengths of a page: its lines, and each sentence with more words than are allowed."""
    lines = len(page.splitlines())
    if lines > MOST_LINES:
        yield f"{lines} lines; at most {MOST_LINES}"
    for sentence in sentences(page):
        number = len(words(sentence))
        if number > MOST_WORDS:
            yield f"{number} words; at most {MOST_WORDS}: {sentence}"


def undefined(page: str, terms: dict[str, str]) -> Iterator[str]:
    """Yield the terms whose first use on a page is no definition.

    A definition is a sentence that emphasises the term, ``*group*``, and shares words with the glossary's definition.
    """
    spoken = sentences(page)
    for term, definition in terms.items():
        used = re.compile(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", re.IGNORECASE)
        first = next((sentence for sentence in spoken if used.search(sentence)), None)
        if first is None:
            continue
        emphasised = re.search(rf"(?<!\*)\*{re.escape(term)}s?\*(?!\*)", first, re.IGNORECASE)
        if not emphasised:
            yield f"{term!r} is used before it is said in words: {first}"
        elif len(_content(first) & _content(definition) - {term}) < SHARED:
            yield f"{term!r} is emphasised and not defined: {first}"


def _content(sentence: str) -> set[str]:
    """Return the words of a sentence that carry its meaning: those of four letters and more, without a plural's s."""
    return {word.lower().rstrip("s") for word in re.findall(r"[A-Za-z]{4,}", sentence)}


def main(arguments: Sequence[str]) -> int:
    """Print what would stop a listener; the exit status is 1 where there is something."""
    terms = glossary(GLOSSARY.read_text(encoding="utf-8"))
    faults = []
    for name in arguments:
        page = Path(name).read_text(encoding="utf-8")
        faults += [f"{name}: {fault}" for fault in (*too_long(page), *undefined(page, terms))]
    print("\n".join(faults) or "nothing stops a listener")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
