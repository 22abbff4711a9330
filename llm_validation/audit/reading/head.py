"""Look at the beginning of a file: enough to say what it is, by what stands in it.

A name says nothing: dumps are called ``1.jsonl``, exports ``history.json``, console logs anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_validation.audit.reading.opening import Damage, opened, pieces

BEGINNING = 2**20  # bytes that are looked at
LONGEST_LINE = 2**28  # bytes; some writers put a whole step into one line
MOST_RECORDS = 50
MOST_UNREADABLE = 0.05  # of the characters of a text; terminals' noise is less, binary files are about a half
_BOM = b"\xef\xbb\xbf"
# A log whose first line is damaged can begin with any few bytes, a magic number among them. Each is therefore asked for
# together with what always follows it in a file of its kind, and never follows in a line that ends there.
_PARQUET = re.compile(rb"PAR1(?![\r\n])")
_PICKLE = re.compile(rb"\x80[\x02-\x05](?![\r\n])")
_ZIP = re.compile(rb"PK\x03\x04(.\x00|[^\r\n]?\Z)", re.DOTALL)  # the version that unpacks it, at most 6.3, in two bytes
_WANDB = re.compile(rb":W&B(\xe1|\Z)")
_EVENTS = re.compile(rb".{3}\x00{5}.*brain\.Event:", re.DOTALL)  # behind the length of the first record


@dataclass(frozen=True)
class Head:
    """Hold what is known of a file before it is read.

    ``kind`` is one of ``empty``, ``parquet``, ``events`` (TensorBoard), ``wandb`` (W&B's own binary log), ``pickle``,
    ``archive``, ``lines`` (a JSON object a line), ``list`` (one JSON list), ``document`` (one JSON object), ``csv``,
    ``text``, ``endless`` (a line beyond ``LONGEST_LINE``), ``damaged`` (a table or a packed file of which nothing can
    be read) and ``binary``.
    """

    path: Path
    kind: str
    records: tuple[Any, ...] = ()
    """The first JSON objects, of ``lines`` and ``list``."""
    fields: tuple[str, ...] = ()
    """Columns of ``parquet`` and ``csv``."""
    text: bytes = field(default=b"", repr=False)

    @cached_property
    def objects(self) -> tuple[dict[str, Any], ...]:
        """Return those of the records that are objects."""
        return tuple(record for record in self.records if isinstance(record, dict))

    @property
    def is_cut(self) -> bool:
        """Return whether the file is one JSON object that does not end, as far as it was looked at."""
        return self.kind == "document" and len(self.text) < BEGINNING and _parsed(self.text) is None

    def any_with(self, *names: str) -> bool:
        """Return whether one of the first objects has all these names."""
        return any(all(name in record for name in names) for record in self.objects)


def head_of(path: Path) -> Head:
    """Return the beginning of a file.

    Raises:
        OSError: it cannot be read.
    """
    damage = Damage()
    start = _start(path, damage)
    if not start and damage.what:
        return Head(path, "damaged")
    if not start.strip():
        return Head(path, "empty" if not start.strip(b"\x00") else "binary")
    if _PARQUET.match(start):
        return _parquet(path)
    # Before the archives: torch writes a zip with a pickle in it, which is refused for the pickle.
    if _is_pickle(start) or _is_torch_archive(path, start):
        return Head(path, "pickle")
    if _ZIP.match(start) or start[257:262] == b"ustar":
        return Head(path, "archive")
    if _WANDB.match(start):
        return Head(path, "wandb")
    if _EVENTS.match(start[:64]):
        return Head(path, "events")
    if b"\x00" in start[:4096]:
        return Head(path, "binary")
    text = start.removeprefix(_BOM).lstrip()
    if text[:1] == b"[" and (listed := _list(path, text)) is not None:
        return listed
    if text[:1] == b"{":
        return _json(path, text)
    return _text(path, text)


def _start(path: Path, damage: Damage) -> bytes:
    """Return the first mebibyte, or the first line where that is longer."""
    start = b""
    for piece in pieces(path, damage):
        start += piece
        if len(start) >= BEGINNING and (b"\n" in start or start[:1] not in (b"{", b"[") or len(start) > LONGEST_LINE):
            break
    return start


def _parquet(path: Path) -> Head:
    pq = import_module("pyarrow.parquet")
    try:
        with opened(path) as file:
            return Head(path, "parquet", fields=tuple(pq.read_schema(file).names))
    except Exception:  # cut off: pyarrow raises several things
        return Head(path, "damaged")


def _is_pickle(start: bytes) -> bool:
    """Return whether it is a pickle: its first two bytes alone also begin a damaged line, with whole ones behind it."""
    if not _PICKLE.match(start):
        return False
    return b"\x00" in start[:4096] or next(_records(start), None) is None


def _is_torch_archive(path: Path, start: bytes) -> bool:
    """Return whether it is torch's zip of a pickle and tensors."""
    return _ZIP.match(start) is not None and b"data.pkl" in start[:512] and path.suffix != ".zip"


def _json(path: Path, text: bytes) -> Head:
    line, newline, _ = text.partition(b"\n")
    if not newline and len(text) > LONGEST_LINE:
        return Head(path, "endless")
    if _parsed(line) is not None:
        return Head(path, "lines", records=tuple(_records(text)), text=text)
    if b"\n" in text and line.strip() not in (b"{",) and (records := tuple(_records(text))):
        return Head(path, "lines", records=records, text=text)  # the first line is damaged
    return Head(path, "document", text=text)


def _list(path: Path, text: bytes) -> Head | None:
    inner = text[1:].lstrip()
    if inner[:1] not in (b"{", b"]"):
        return None
    return Head(path, "list", records=tuple(elements(text.decode("utf-8", "replace"), most=MOST_RECORDS)), text=text)


def _records(text: bytes) -> Iterator[Any]:
    """Yield the first lines that are JSON."""
    found = 0
    for line in text.split(b"\n"):
        record = _parsed(line) if line.lstrip()[:1] == b"{" else None
        if record is not None:
            yield record
            found += 1
        if found == MOST_RECORDS:
            return


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # brackets without end
        return None


def elements(text: str, most: int | None = None) -> Iterator[Any]:
    """Yield the elements of a JSON list, which may be cut off, one after another."""
    decoder, at, count = json.JSONDecoder(), text.index("[") + 1, 0
    while most is None or count < most:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            return
        try:
            element, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield element
        count += 1


def _text(path: Path, text: bytes) -> Head:
    """Return the beginning of a text; JSON lines behind a line or two of something else are JSON lines."""
    shown = text.decode("utf-8", "replace")
    if shown.count("\ufffd") > MOST_UNREADABLE * len(shown):
        return Head(path, "binary")
    records = tuple(_records(text))
    if records and 2 * len(records) >= min(MOST_RECORDS, text.count(b"\n")):
        return Head(path, "lines", records=records, text=text)
    line = shown.split("\n", 1)[0].strip()
    names = tuple(name.strip().strip('"') for name in line.split(","))
    is_table = len(names) > 1 and any(name in ("_step", "Step", "step") or name.endswith("step") for name in names)
    return Head(path, "csv" if is_table else "text", fields=names if is_table else (), text=text)
