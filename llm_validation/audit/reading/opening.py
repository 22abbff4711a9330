"""Read a file's bytes, decompressed, whatever it was compressed with and wherever it was cut off."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 2**24  # bytes read at a time
CHUNK = 2**14  # bytes unpacked at a time
# With the byte after the magic number, which is none of a line's end: a damaged line of a log can be a magic number.
_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b(\x08|\Z)"),
    "bzip2": re.compile(rb"BZh([1-9]|\Z)"),
    "xz": re.compile(rb"\xfd7zXZ\x00(\x00|\Z)"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd(?![\r\n])"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18([\x40-\x7f]|\Z)"),
}
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


class Damage:
    """Hold what was found wrong with a stream; None as long as nothing was."""

    what: str | None = None


def compression_of(start: bytes) -> str | None:
    r"""Return what a file is compressed with, by its first bytes.

    >>> compression_of(b"\x1f\x8b\x08"), compression_of(b'{"a": 1}')
    ('gzip', None)
    """
    return next((name for name, magic in _MAGIC.items() if magic.match(start)), None)


def opened(path: Path) -> BinaryIO:
    """Return a file in which one can go back and forth: the file itself, or its unpacked content in memory.

    Args:
        path: a file.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with path.open("rb") as file:
        kind = compression_of(file.read(8))
    return path.open("rb") if kind is None else io.BytesIO(b"".join(pieces(path)))


def pieces(path: Path, damage: Damage | None = None) -> Iterator[bytes]:
    """Yield the content, decompressed; as far as it goes where the compressed stream is damaged or cut off.

    Args:
        path: a file.
        damage: told of what is wrong with a compressed stream.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with path.open("rb") as file:
        kind = compression_of(file.read(8))
        file.seek(0)
        if kind is None:
            while piece := file.read(PIECE):
                yield piece
        else:
            yield from _unpacked(_decompressor(kind, file), Damage() if damage is None else damage)


def _unpacked(stream: Any, damage: Damage) -> Iterator[bytes]:
    """Yield pieces of a compressed stream. What a read that fails had before is lost, so that reads are small."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = stream.read1(CHUNK)
        except _DAMAGE as error:
            damage.what = f"the compressed file is damaged or cut off: {type(error).__name__}"
            break
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def _decompressor(kind: str, file: Any) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    if kind == "bzip2":
        return bz2.BZ2File(file)
    if kind == "xz":
        return lzma.LZMAFile(file)
    return import_module("pyarrow").CompressedInputStream(file, kind)
