"""Parse JSON lines by columns where the file lets itself be read so, else line by line; texts are let go.

A block of whole lines is parsed by pyarrow against the types of the file's first records. A block that does not fit
(NaN, which JSON has not; a line cut off; a number where there was a text) is parsed again line by line, and what
cannot be read is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.audit.model.entries import as_number
from llm_validation.audit.reading.arrow import floats
from llm_validation.audit.reading.head import LONGEST_LINE, Head, elements
from llm_validation.audit.reading.opening import Damage, pieces
from qae_theory.arrays import Array

_BOM = b"\xef\xbb\xbf"
BLOCK = 2**24  # bytes parsed at once
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass
class Tally:
    """Count what became of the records of a file: how many there were, and how many were dropped, and why."""

    read: int = 0
    unscored: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count records that are not in the result."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def take_lines(self, lines: Tally) -> None:
        """Take over what became of the lines of a file in which a line holds many records, which are counted here."""
        for reason, count in lines.dropped.items():
            self.drop(f"lines {reason}", count)
        self.notes += lines.notes

    @property
    def note(self) -> str | None:
        """Return one line about what was dropped; None if nothing was."""
        said = [f"dropped {count}: {reason}" for reason, count in self.dropped.items()]
        said += [f"{self.unscored} without a reward"] if self.unscored else []
        return "; ".join([*said, *self.notes]) or None


class TooLongError(ValueError):
    """Say that a line is longer than any writer of logs makes it."""


def blocks(path: Path, tally: Tally) -> Iterator[tuple[bytes, bool]]:
    """Yield whole lines, many at a time, and whether the last of them was ended by a line feed.

    Raises:
        OSError: the file cannot be read.
        TooLongError: a line is longer than ``LONGEST_LINE``.
    """
    rest, first, damage = b"", True, Damage()
    for piece in pieces(path, damage):
        content = piece.removeprefix(_BOM) if first else piece
        first = False
        whole, newline, tail = content.rpartition(b"\n")
        if not newline:
            rest += content
            if len(rest) > LONGEST_LINE:
                raise TooLongError(f"a line is longer than {LONGEST_LINE >> 20} MiB")
            continue
        yield rest + whole + newline, True
        rest = tail
    if rest.strip():
        yield rest, False
    if damage.what:
        tally.notes.append(damage.what)


def records(head: Head, tally: Tally) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines or of one JSON list; what is none is counted.

    Raises:
        OSError: the file cannot be read.
        TooLongError: a line is too long.
    """
    if head.kind == "list":
        text = b"".join(pieces(head.path)).decode("utf-8", "replace")
        for element in elements(text):
            tally.read += 1
            if isinstance(element, dict):
                yield element
            else:
                tally.drop("not an object")
        if not text.rstrip().endswith("]"):
            tally.notes.append("the list is cut off at its end")
        return
    for block, ended in blocks(head.path, tally):
        yield from parsed(block, tally, ended=ended)


def parsed(block: bytes, tally: Tally, *, ended: bool) -> Iterator[dict[str, Any]]:
    """Yield the objects of a block's lines."""
    lines = block.split(b"\n")
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        tally.read += 1
        try:
            record = json.loads(line)
        except UnicodeDecodeError:
            tally.drop("not UTF-8")
        # Brackets within brackets, some thousand deep, exhaust the parser's stack: no log may end an audit.
        except (ValueError, RecursionError):
            cut = not ended and number == len(lines) - 1
            tally.drop("cut off at the end of the file" if cut else "not JSON")
        else:
            if isinstance(record, dict):
                yield record
            else:
                tally.drop("not an object")


@dataclass(frozen=True)
class Text:
    """Hold a field whose values are looked at one distinct value at a time.

    ``index`` points into ``values``, ``[R]``; -1 where a record lacks the field.
    """

    values: Sequence[Any]
    index: Array

    @property
    def present(self) -> Array:
        """Return which records have the field, ``[R]``."""
        return self.index >= 0

    def mapped(self, function: Callable[[Any], int], absent: int) -> Array:
        """Return a whole number of each record's value, ``[R]`` of uint64; ``absent`` for a record without one."""
        of_values = np.array([*map(function, self.values), absent], dtype=np.uint64)
        return of_values[self.index]

    def hashes(self) -> Array:
        """Return 64 bits that stand for each record's value, ``[R]``."""
        return self.mapped(hashed, hashed(None))


@dataclass(frozen=True)
class Fields:
    """Hold some fields of R records: ``numbers`` as float64 with NaN for what is missing, and ``texts``."""

    rows: int
    numbers: Mapping[str, Array]
    texts: Mapping[str, Text]

    def has(self, name: str) -> bool:
        """Return whether a record has this text field."""
        return bool(self.texts[name].present.any())


def fields(head: Head, tally: Tally, *, numbers: Sequence[str], texts: Sequence[str] = ()) -> Iterator[Fields]:
    """Yield fields of the records of a file, many records at a time.

    Args:
        head: of the file, ``lines`` or ``list``.
        tally: told of what was read and dropped.
        numbers: fields that are numbers or true and false; a list of one number counts as the number.
        texts: fields of which only sameness matters; whatever their type.

    Raises:
        OSError: the file cannot be read.
        TooLongError: a line is too long.
    """
    if head.kind == "list":
        yield by_record(list(records(head, tally)), numbers, texts)
        return
    schema = _schema(head, numbers, texts)
    for block, ended in blocks(head.path, tally):
        # A last line without its end may be cut off, which only the reading line by line counts as dropped.
        fast = None if schema is None or not ended else _by_arrow(block, schema, numbers, texts)
        if fast is None:
            fast = by_record(list(parsed(block, tally, ended=ended)), numbers, texts)
        else:
            tally.read += fast.rows
        if fast.rows:
            yield fast


def by_record(found: Sequence[Mapping[str, Any]], numbers: Sequence[str], texts: Sequence[str]) -> Fields:
    """Return the fields of records that are read already."""
    values = {name: np.array([_number(record.get(name)) for record in found], dtype=np.float64) for name in numbers}
    return Fields(len(found), values, {name: _text([record.get(name) for record in found]) for name in texts})


def _text(values: Sequence[Any]) -> Text:
    """Return a field of records; every record's value stands for itself."""
    there = [value for value in values if value is not None]
    index = np.cumsum([value is not None for value in values], dtype=np.int64) - 1
    return Text(there, np.where([value is not None for value in values], index, -1).astype(np.int64))


def hashed(value: Any) -> int:
    """Return 64 bits that stand for a value: a text, a number, or anything that JSON holds."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    # A lone surrogate can be written in JSON and not in UTF-8.
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _number(value: Any) -> float:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and value.strip().lower() in _TRUTH:  # verl's older writer puts unknown types into text
        return _TRUTH[value.strip().lower()]
    number = as_number(value)
    return np.nan if number is None else number


def _schema(head: Head, numbers: Sequence[str], texts: Sequence[str]) -> Any:
    """Return the Arrow schema of the wanted fields, None where they are not plain."""
    pa = import_module("pyarrow")
    types = []
    for name in dict.fromkeys((*numbers, *texts)):
        kinds = {type(record[name]) for record in head.objects if record.get(name) is not None}
        if kinds and kinds <= {int, float} and name in numbers:
            types.append((name, pa.float64()))
        elif kinds == {bool} and name in numbers:
            types.append((name, pa.bool_()))
        elif kinds == {str} and name in texts:
            types.append((name, pa.string()))
        elif kinds == {int} and name in texts:
            types.append((name, pa.int64()))
        # A column of Arrow has one type. A field of several is read line by line.
        elif kinds:
            return None
    return pa.schema(types)


def _by_arrow(block: bytes, schema: Any, numbers: Sequence[str], texts: Sequence[str]) -> Fields | None:
    pa, reader = import_module("pyarrow"), import_module("pyarrow.json")
    options = reader.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        # Arrow refuses a record that lies across two blocks of its own, so that one of them has to take all of this.
        table = reader.read_json(pa.py_buffer(block), reader.ReadOptions(block_size=BLOCK * 4), options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    rows, known = table.num_rows, set(schema.names)
    values = {name: floats(table.column(name)) if name in known else np.full(rows, np.nan) for name in numbers}
    return Fields(
        rows, values, {name: _coded(table.column(name)) if name in known else _absent(rows) for name in texts}
    )


def _coded(column: Any) -> Text:
    coded = column.combine_chunks().dictionary_encode()
    indices = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Text(coded.dictionary.to_pylist(), indices)


def _absent(rows: int) -> Text:
    return Text([], np.full(rows, -1, dtype=np.int64))
