"""Read verl's console log, also W&B's ``output.log``: ``step:3 - actor/entropy:0.3 - ...`` in a line.

Numbers stand bare or as ``np.float64(0.3)``. Ray puts a prefix before the line and terminals colours into it. W&B cuts
lines after 4,096 characters: the pair at the cut is not read, for its number may go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from llm_validation.audit.model.entries import Entry, as_number
from llm_validation.audit.reading.base import StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, blocks
from llm_validation.audit.reading.opening import PIECE, pieces

CUT = 4096
_LINE = re.compile(r"\bstep:(\d+) - (\S.*)")
_BEGINS = re.compile(rb"\bstep:\d+ - [^\s:]+:")
_BREAK = re.compile(r"[\r\n]+")  # a progress bar goes back to the beginning of its line
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WRAPPED = re.compile(r"(?:np|numpy)\.\w+\((.*)\)")
_SCANNED = 2**26 // PIECE  # pieces of a long console log in which the first step is looked for


def _is_console(head: Head) -> bool:
    if head.kind not in ("text", "lines", "document"):  # a log may begin with the configuration, as JSON
        return False
    if _BEGINS.search(head.text):
        return True
    if len(head.text) < 2**19:  # all of it
        return False
    return any(_BEGINS.search(piece) for piece in islice(pieces(head.path), _SCANNED))


def line_entry(line: str, *, cut: bool) -> Entry | None:
    """Return what a line says; None where it is no line of metrics.

    >>> line_entry("(TaskRunner pid=7) step:3 - a/b:np.float64(0.5) - c:1", cut=False)
    Entry(step=3, metrics={'a/b': 0.5, 'c': 1.0})
    """
    match = _LINE.search(_COLOUR.sub("", line))
    if match is None:
        return None
    pairs = match[2].rstrip().split(" - ")
    found = {}
    for pair in pairs[:-1] if cut else pairs:
        name, colon, text = pair.strip().rpartition(":")
        wrapped = _WRAPPED.fullmatch(text.strip())
        number = as_number(wrapped[1] if wrapped else text)
        if colon and number is not None:
            found[name] = number
    return Entry(int(match[1]), found) if found else None


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    for block, ended in blocks(head.path, tally):
        lines = _BREAK.split(block.decode("utf-8", "replace"))
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            last = not ended and number == len(lines) - 1
            entry = line_entry(line, cut=last or CUT in (len(line), len(line.encode())))
            if entry is not None:
                tally.read += 1
                yield entry


READERS = (StepReader("verl-console", _is_console, _read),)
