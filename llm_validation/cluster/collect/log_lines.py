"""A file's lines, however the file was left: cut off, gzipped, with a byte-order mark, still being written.

Every line is read once, hashed as it is read, and its fate is kept in an :class:`Account`: used, or dropped and why.
What the lines mean is for ``logs`` and ``dumps``.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PIECE = 2**20  # bytes read at a time
_BOM = b"\xef\xbb\xbf"
_KEPT = 0
BLANK, NOT_JSON, CUT, NOT_TEXT = "blank", "not JSON", "cut off at the end of the file", "not UTF-8"


class Line(NamedTuple):
    """One line without its end: ``number`` counts from 0, ``ended`` is false where the file stops within it."""

    number: int
    content: bytes
    ended: bool


class Account:
    """What became of every line, event or record of one file. Each has one fate, the last that it was given."""

    def __init__(self, name: str, unit: str = "lines") -> None:
        """Open the account of a file; nothing was read yet."""
        self.name, self.unit = name, unit
        self.sha256 = hashlib.sha256().hexdigest()
        self.notes: list[str] = []
        self._fates = array("H")  # an index of _reasons each
        self._reasons = [""]

    def add(self) -> int:
        """One more was read; it counts as kept until it is dropped. Returns its number."""
        self._fates.append(_KEPT)
        return len(self._fates) - 1

    def drop(self, number: int, reason: str) -> None:
        """It is not in the result, for this reason."""
        if reason not in self._reasons:
            self._reasons.append(reason)
        self._fates[number] = self._reasons.index(reason)

    @property
    def read(self) -> int:
        """How many there were."""
        return len(self._fates)

    @property
    def kept(self) -> int:
        """How many are in the result."""
        return self._fates.count(_KEPT)

    def reason(self, number: int) -> str | None:
        """Why it was dropped; None for one that was kept."""
        return self._reasons[self._fates[number]] or None

    def record(self) -> dict[str, Any]:
        """In JSON's types; lines are counted from 1 here."""
        dropped = []
        for index, reason in enumerate(self._reasons[1:], start=1):
            numbers = [number + 1 for number, fate in enumerate(self._fates) if fate == index]
            if numbers:
                dropped.append({"reason": reason, "count": len(numbers), "which": ranges(numbers)})
        counts = {"read": self.read, "kept": self.kept, "dropped": self.read - self.kept}
        return {"file": self.name, "unit": self.unit, **counts, "reasons": dropped, "notes": self.notes}


def ranges(numbers: list[int]) -> str:
    """Sorted whole numbers as text.

    >>> ranges([1, 2, 3, 7])
    '1-3, 7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def read_lines(path: Path, account: Account) -> Iterator[Line]:
    """The lines of a file that may end in ``.gz``, each added to the account; its hash is there at the end.

    A line ends with a line feed, before which a carriage return is left away; so is a byte-order mark. What is written
    to the file after it was opened is not read.

    Raises:
        OSError: it cannot be read.
    """
    digest, rest, first = hashlib.sha256(), b"", True
    for piece in _pieces(path, account):
        digest.update(piece)
        *whole, rest = (rest + piece).split(b"\n")
        for content in whole:
            yield _line(content, account, ended=True, first=first)
            first = False
    if rest:
        yield _line(rest, account, ended=False, first=first)
    account.sha256 = digest.hexdigest()


def read_records(path: Path, account: Account) -> Iterator[tuple[int, Any]]:
    """Number and content of every line that is JSON; the others are dropped. NaN and infinities are read as such."""
    for line in read_lines(path, account):
        try:
            if line.content.strip():
                yield line.number, json.loads(line.content.decode("utf-8"))
            else:
                account.drop(line.number, BLANK)
        except UnicodeDecodeError:
            account.drop(line.number, NOT_TEXT if line.ended else CUT)
        except (ValueError, RecursionError):  # brackets without end
            account.drop(line.number, NOT_JSON if line.ended else CUT)


def _line(content: bytes, account: Account, *, ended: bool, first: bool) -> Line:
    if first:
        content = content.removeprefix(_BOM)
    return Line(account.add(), content.removesuffix(b"\r") if ended else content, ended)


def _pieces(path: Path, account: Account) -> Iterator[bytes]:
    """The content, decompressed; as far as it goes where the compressed stream is damaged."""
    with path.open("rb") as file:
        left = file.seek(0, 2)
        file.seek(0)
        unpack = zlib.decompressobj(wbits=31) if path.suffix == ".gz" else None
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            if unpack is None:
                yield piece
                continue
            while piece:
                if unpack.eof:  # a file of several compressed parts
                    unpack = zlib.decompressobj(wbits=31)
                try:
                    yield unpack.decompress(piece)
                except zlib.error as error:
                    account.notes.append(f"the compressed file is damaged, its rest was not read: {error}")
                    return
                piece = unpack.unused_data
        if unpack is not None and not unpack.eof:
            account.notes.append("the compressed file is cut off at its end")
