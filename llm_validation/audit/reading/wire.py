"""Parse protocol-buffer messages and the record files that hold them; nothing is executed.

TensorBoard's and W&B's own packages need not be installed to read what they wrote.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from llm_validation.audit.reading.json_lines import Tally

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_RECORD = 2**28
_LEVELDB_BLOCK = 2**15
_CASTAGNOLI = 0x82F63B78  # reflected polynomial of CRC-32C

Field = tuple[int, int, int | bytes]


def message(content: bytes) -> Iterator[Field]:
    """Yield field number, wire type and value of a message; stops where it is damaged.

    Source: Protocol Buffers, "Encoding".

    >>> list(message(bytes([8, 150, 1])))
    [(1, 0, 150)]
    """
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        kind = tag & 7
        value: int | bytes
        if kind == VARINT:
            value, at = varint(content, at)
        elif kind == BYTES:
            length, at = varint(content, at)
            value, at = content[at : at + length], at + length
        elif kind in (FIXED64, FIXED32):
            width = 8 if kind == FIXED64 else 4
            value, at = content[at : at + width], at + width
        else:
            return
        if at > len(content):
            return
        yield tag >> 3, kind, value


def varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length and the place behind it; beyond the end where it is cut off."""
    value, shift = 0, 0
    while at < len(content) and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    return 0, len(content) + 1


def number(kind: int, value: int | bytes) -> float:
    """Return a number of fixed width, or a whole one."""
    if isinstance(value, int):
        return float(value)
    return float(struct.unpack("<d" if kind == FIXED64 else "<f", value)[0])


def tf_records(file: BinaryIO, tally: Tally) -> Iterator[bytes]:
    """Yield the records of a TFRecord file; behind a damaged or cut-off one nothing is read.

    Source: TensorFlow's ``core/lib/io/record_writer.h``: length, its masked CRC-32C, content, its masked CRC-32C.
    """
    while header := file.read(12):
        if len(header) < 12:
            tally.notes.append("cut off at its end")
            return
        length, checksum = struct.unpack("<QI", header)
        if _masked(header[:8]) != checksum or length > LONGEST_RECORD:
            tally.notes.append("damaged; what stands behind was not read")
            return
        content = file.read(length)
        if len(content) < length or len(file.read(4)) < 4:
            tally.notes.append("cut off at its end")
            return
        yield content


def leveldb_records(file: BinaryIO, tally: Tally, *, skip: int) -> Iterator[bytes]:
    """Yield the records of a log in LevelDB's format, as W&B writes it behind a header of ``skip`` bytes.

    Source: LevelDB, ``doc/log_format.md``.
    """
    record, at = b"", skip
    file.seek(skip)
    while True:
        left = _LEVELDB_BLOCK - at % _LEVELDB_BLOCK
        if left < 7:
            file.read(left)
            at += left
            continue
        header = file.read(7)
        if len(header) < 7:
            if record:
                tally.notes.append("cut off at its end")
            return
        _, length, kind = struct.unpack("<IHB", header)
        content = file.read(length)
        at += 7 + length
        if len(content) < length or kind not in (1, 2, 3, 4):
            tally.notes.append("damaged or cut off; what stands behind was not read")
            return
        record = content if kind in (1, 2) else record + content
        if kind in (1, 4):
            yield record
            record = b""


def _masked(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
