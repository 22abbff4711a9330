"""Read a file's lines however it was left: cut off, gzipped, with a byte-order mark, still being written.

Every line is read once, hashed as it is read, and its fate is kept in an :class:`Account`: used, or dropped and why.
What the lines mean is for those who read them.
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
BOM = b"\xef\xbb\xbf"  # of UTF-8; some editors and exports put it before the first line
BLANK, NOT_JSON, CUT, NOT_TEXT = "blank", "not JSON", "cut off at the end of the file", "not UTF-8"
_KEPT = 0
_GZIP = 31  # what zlib calls a gzip header with a window of 2**15 bytes


class Line(NamedTuple):
    """Hold one line without its end: ``number`` counts from 0, ``ended`` is false where the file stops within it."""

    number: int
    content: bytes
    ended: bool


class Account:
    """Keep what became of every line, event or record of one file: one fate each, the last that it was given."""

    def __init__(self, name: str, unit: str = "lines") -> None:
        """Open the account of a file of which nothing was read yet."""
        self.name, self.unit = name, unit
        self.sha256 = hashlib.sha256().hexdigest()
        self.notes: list[str] = []
        # A dump has millions of lines and a handful of reasons: two bytes a line, an index into the reasons.
        self._fates = array("H")
        self._reasons = [""]

    def add(self) -> int:
        """Note that one more was read, kept until it is dropped; return its number."""
        self._fates.append(_KEPT)
        return len(self._fates) - 1

    def drop(self, number: int, reason: str) -> None:
        """Note that one is not in the result, for this reason."""
        if reason not in self._reasons:
            self._reasons.append(reason)
        self._fates[number] = self._reasons.index(reason)

    @property
    def read(self) -> int:
        """Return how many there were."""
        return len(self._fates)

    @property
    def kept(self) -> int:
        """Return how many are in the result."""
        return self._fates.count(_KEPT)

    def reason(self, number: int) -> str | None:
        """Return why one was dropped; None for one that was kept."""
        return self._reasons[self._fates[number]] or None

    def record(self) -> dict[str, Any]:
        """Return the account in JSON's types; here lines are counted from 1, as people and editors do."""
        reasons = []
        for index, reason in enumerate(self._reasons[1:], start=1):
            numbers = [number + 1 for number, fate in enumerate(self._fates) if fate == index]
            if numbers:
                reasons.append({"reason": reason, "count": len(numbers), "which": ranges(numbers)})
        counts = {"read": self.read, "kept": self.kept, "dropped": self.read - self.kept}
        return {"file": self.name, "unit": self.unit, **counts, "reasons": reasons, "notes": self.notes}


def ranges(numbers: list[int]) -> str:
    """Return sorted whole numbers as text, neighbours drawn together.

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


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file as it lies, for a file that is not read line by line.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_lines(path: Path, account: Account) -> Iterator[Line]:
    """Yield the lines of a file that may end in ``.gz``, each added to the account; its hash is there at the end.

    A line ends with a line feed; a carriage return before it is left away, and so is a byte-order mark. What is written
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
    """Yield number and content of every line that is JSON; the others are dropped.

    NaN and infinities are read as such, although JSON has none: Python's writers make them.

    Raises:
        OSError: the file cannot be read.
    """
    for line in read_lines(path, account):
        try:
            if line.content.strip():
                yield line.number, json.loads(line.content.decode("utf-8"))
            else:
                account.drop(line.number, BLANK)
        except UnicodeDecodeError:
            account.drop(line.number, NOT_TEXT if line.ended else CUT)
        except (ValueError, RecursionError):  # brackets without end exhaust the parser's stack
            account.drop(line.number, NOT_JSON if line.ended else CUT)


def _line(content: bytes, account: Account, *, ended: bool, first: bool) -> Line:
    if first:
        content = content.removeprefix(BOM)
    return Line(account.add(), content.removesuffix(b"\r") if ended else content, ended)


def _pieces(path: Path, account: Account) -> Iterator[bytes]:
    """Yield the content, decompressed, as far as it goes where the compressed stream is damaged."""
    with path.open("rb") as file:
        left = file.seek(0, 2)  # a job may append while this reads: stop where the file ended when it was opened
        file.seek(0)
        unpack = zlib.decompressobj(wbits=_GZIP) if path.suffix == ".gz" else None
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            if unpack is None:
                yield piece
                continue
            while piece:
                if unpack.eof:  # a file of several compressed parts
                    unpack = zlib.decompressobj(wbits=_GZIP)
                try:
                    yield unpack.decompress(piece)
                except zlib.error as error:
                    account.notes.append(f"the compressed file is damaged, its rest was not read: {error}")
                    return
                piece = unpack.unused_data
        if unpack is not None and not unpack.eof:
            account.notes.append("the compressed file is cut off at its end")
