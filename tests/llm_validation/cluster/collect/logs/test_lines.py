"""Lines of files in whatever state, and the account of each."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.collect.logs import lines as module
from llm_validation.cluster.collect.logs.lines import (
    BLANK,
    CUT,
    NOT_JSON,
    NOT_TEXT,
    Account,
    ranges,
    read_lines,
    read_records,
)


def read(path: Path) -> tuple[list[bytes], Account]:
    account = Account(path.name)
    return [line.content for line in read_lines(path, account)], account


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_line_ends_byte_order_mark_and_a_last_line_without_end(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfone\r\ntwo\n\nthree"
    found, account = read(write(tmp_path / "log", content))
    assert found == [b"one", b"two", b"", b"three"]
    assert account.read == account.kept == 4
    assert account.sha256 == hashlib.sha256(content).hexdigest()
    assert read(write(tmp_path / "log", b"one\r"))[0] == [b"one\r"]  # a line feed may be on its way


def test_an_empty_file_has_no_line(tmp_path: Path) -> None:
    assert read(write(tmp_path / "log", b""))[0] == []


@given(pieces=st.lists(st.binary(max_size=9).filter(lambda b: b"\n" not in b and not b.endswith(b"\r")), max_size=9))
def test_lines_do_not_depend_on_how_much_is_read_at_a_time(pieces: list[bytes], tmp_path_factory: Any) -> None:
    path = write(tmp_path_factory.mktemp("lines") / "log", b"".join(piece + b"\n" for piece in pieces))
    expected = [piece.removeprefix(b"\xef\xbb\xbf") if not i else piece for i, piece in enumerate(pieces)]
    for size in (1, 3, 2**20):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(module, "PIECE", size)
            assert read(path)[0] == expected


def test_what_is_written_after_opening_is_left(tmp_path: Path) -> None:
    path = write(tmp_path / "log", b"one\ntwo\n")
    reading = read_lines(path, Account("log"))
    first = next(reading)
    with path.open("ab") as file:
        file.write(b"three\n")
    assert [first.content, *(line.content for line in reading)] == [b"one", b"two"]


def test_compressed_files_of_one_or_several_parts(tmp_path: Path) -> None:
    parts = gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree\n")
    assert read(write(tmp_path / "log.gz", parts))[0] == [b"one", b"two", b"three"]


def test_a_compressed_file_that_is_cut_off_or_damaged_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(2000))
    whole = gzip.compress(text)
    found, account = read(write(tmp_path / "log.gz", whole[:-9]))
    assert found == text.splitlines()[: len(found)]
    assert len(found) > 1000
    assert account.notes == ["the compressed file is cut off at its end"]
    broken = whole[: len(whole) // 2] + b"\0" * 40 + whole[len(whole) // 2 + 40 :]
    found, account = read(write(tmp_path / "log.gz", broken))
    assert "damaged" in account.notes[0]
    assert read(write(tmp_path / "log.gz", whole))[1].notes == []  # the control


def test_only_json_is_a_record_and_the_rest_has_its_reason(tmp_path: Path) -> None:
    content = b'{"a": NaN}\n\nnonsense\n{"b": "\xff"}\n' + b"[" * 100_000 + b'\n{"c": 1}\n{"d": '
    account = Account("log")
    found = dict(read_records(write(tmp_path / "log", content), account))
    assert list(found) == [0, 5]
    assert math.isnan(found[0]["a"])
    assert [account.reason(number) for number in range(7)] == [None, BLANK, NOT_JSON, NOT_TEXT, NOT_JSON, None, CUT]
    record = account.record()
    assert (record["read"], record["kept"], record["dropped"]) == (7, 2, 5)
    assert {"reason": NOT_JSON, "count": 2, "which": "3, 5"} in record["reasons"]


def test_a_line_has_one_fate_the_last(tmp_path: Path) -> None:
    account = Account("log")
    for _ in range(3):
        account.add()
    account.drop(1, "first")
    account.drop(1, "second")
    assert account.record()["reasons"] == [{"reason": "second", "count": 1, "which": "2"}]
    assert (account.kept, account.reason(0), account.reason(1)) == (2, None, "second")


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_number_once(numbers: set[int]) -> None:
    named: list[int] = []
    for part in filter(None, ranges(sorted(numbers)).split(", ")):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(numbers)
