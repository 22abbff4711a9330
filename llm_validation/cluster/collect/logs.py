"""Logged metrics of a run from wherever they went: verl's JSON lines, TensorBoard, a W&B export, our own TRL runs.

Every reader gives entries (step, metrics, where it stood) in the order of the file, and keeps account of what it could
not read. Which entry counts where several speak of one step is for ``merge``.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.cluster.collect.log_lines import CUT, Account, read_lines, read_records

NO_STEP = "no step, a whole number from 0 up"
NOT_A_LINE = "not a line of this log"
NOT_A_SCALAR = "without scalars: a header, a text, a histogram"
OTHER_COLUMNS = "other columns than the header"
EVENTS = "events.out.tfevents"
_UNLABELLED = {"_step", "_runtime", "_timestamp", "step", "Step", ""}

Metrics = dict[str, float | None]


class Entry(NamedTuple):
    """What a log says of one step. ``attempt`` counts the files of a run, ``account`` and ``number`` say where."""

    step: int
    metrics: Metrics
    attempt: int
    account: Account
    number: int


def read_verl(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """verl's FileLogger: ``{"step": 3, "data": {"actor/entropy": 0.3, ...}}`` in every line."""
    for number, line in read_records(path, account):
        if not (isinstance(line, dict) and isinstance(line.get("data"), dict)):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(line.get("step"))) is None:
            account.drop(number, NO_STEP)
        else:
            yield Entry(step, numbers_of(line["data"]), attempt, account, number)


def read_own(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """The ``metrics.jsonl`` of ``qae train``: ``{"step": 3, "entropy": 1.2, ...}`` in every line."""
    for number, line in read_records(path, account):
        if not isinstance(line, dict):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(line.get("step"))) is None:
            account.drop(number, NO_STEP)
        else:
            metrics = {name: value for name, value in line.items() if name != "step"}
            yield Entry(step, numbers_of(metrics), attempt, account, number)


def read_wandb_json(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """What ``scan_history`` or ``history`` of W&B's interface gave, one object a line or all in one list."""
    for number, row in _objects(path, account):
        if not isinstance(row, dict):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(row.get("_step"))) is None:
            account.drop(number, NO_STEP)
        else:
            metrics = {name: _wandb_number(value) for name, value in row.items() if name not in _UNLABELLED}
            known = {name: value for name, value in metrics.items() if value is not None}
            yield Entry(step, numbers_of(known), attempt, account, number)


def read_wandb_csv(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """A table of W&B, as its page saves a chart (``Step`` and ``<run> - <metric>``) or ``history().to_csv`` writes it.

    A last row without a line end is taken only where it ends with a quotation mark: a number might go on.

    Raises:
        ValueError: there is no column of steps, or the columns are of several runs.
    """
    columns: list[str] | None = None
    at = 0
    for line in read_lines(path, account):
        row = _cells(line.content)
        if columns is None:
            if row is None or not any(row):
                account.drop(line.number, NOT_A_LINE)
                continue
            columns, at = _columns(row, path)
            account.drop(line.number, "the names of the columns")
        elif row is None or not any(row):
            account.drop(line.number, NOT_A_LINE if line.content.strip() else "blank")
        elif not line.ended and (len(row) != len(columns) or not line.content.rstrip().endswith(b'"')):
            account.drop(line.number, CUT)
        elif len(row) != len(columns):
            account.drop(line.number, OTHER_COLUMNS)
        elif (step := step_of(_wandb_number(row[at]))) is None:
            account.drop(line.number, NO_STEP)
        else:
            cells = {name: _wandb_number(cell) for name, cell in zip(columns, row, strict=True) if name}
            known = {name: value for name, value in cells.items() if value is not None}
            yield Entry(step, numbers_of(known), attempt, account, line.number)


def read_tensorboard(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """One event file: an entry for every event with scalars. Behind a damaged or cut-off event nothing is read.

    Raises:
        ValueError: TensorBoard is not installed; says how to get it.
    """
    import hashlib

    try:
        from tensorboard.backend.event_processing import event_file_loader
        from tensorboard.compat.proto import event_pb2
    except ImportError:
        raise ValueError(
            f"{path.name} needs tensorboard, which is not installed; pip install -c constraints.txt "
            "'qae-verification[train]', or `pip install tensorboard`"
        ) from None
    account.unit = "events"
    account.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    read = 0
    for content in event_file_loader.RawEventFileLoader(str(path)).Load():
        read += len(content) + 16  # each with its length and two checksums
        number, event = account.add(), event_pb2.Event.FromString(content)
        scalars = {value.tag: _scalar(value) for value in event.summary.value}
        known = {tag: value for tag, value in scalars.items() if value is not None}
        if known:
            yield Entry(int(event.step), numbers_of(known), attempt, account, number)
        else:
            account.drop(number, NOT_A_SCALAR)
    left = path.stat().st_size - read
    if left > 0:
        account.notes.append(f"{left} bytes at the end are damaged or cut off and were not read")


Reader = Callable[[Path, Account, int], Iterator[Entry]]


def reader_of(path: Path) -> Reader:
    """What reads a single file, by its name and its first line that says something.

    Raises:
        OSError: it cannot be read.
    """
    if EVENTS in path.name:
        return read_tensorboard
    if ".csv" in path.suffixes:
        return read_wandb_csv
    for _, content in _objects(path, Account(path.name)):
        if isinstance(content, dict) and ("_step" in content or "step" in content):
            return read_wandb_json if "_step" in content else read_verl if "data" in content else read_own
    return read_verl


def step_of(value: Any) -> int | None:
    """A step as a whole number, or None.

    >>> step_of(3.0), step_of("3"), step_of(-1), step_of(2.5)
    (3, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and 0 <= value < 2**53 else None


def numbers_of(data: Mapping[str, Any]) -> Metrics:
    """Metrics that are numbers; None for null, NaN and infinities. Texts and lists are no metrics.

    >>> numbers_of({"a": 1, "b": float("nan"), "c": "text", "d": None, "e": True})
    {'a': 1.0, 'b': None, 'd': None, 'e': 1.0}
    """
    found: Metrics = {}
    for name, value in data.items():
        if value is None:
            found[str(name)] = None
        elif isinstance(value, (bool, int, float)):
            found[str(name)] = _finite(value)
    return found


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer beyond float64
        return None
    return number if math.isfinite(number) else None


def _objects(path: Path, account: Account) -> Iterator[tuple[int, Any]]:
    """The objects of a file of JSON lines, or of one list, which may be cut off."""
    with path.open("rb") as file:
        is_list = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    yield from _elements(path, account) if is_list else read_records(path, account)


def _elements(path: Path, account: Account) -> Iterator[tuple[int, Any]]:
    whole = Account(path.name)
    text = b"\n".join(line.content for line in read_lines(path, whole)).decode("utf-8", "replace")
    account.unit, account.sha256, account.notes = "records", whole.sha256, whole.notes
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if text[at : at + 1] == "]":
            return
        if at >= len(text):
            account.notes.append("the list is cut off at its end")
            return
        number = account.add()
        try:
            content, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            account.drop(number, "cut off or not JSON, with all behind it")
            return
        yield number, content


def _cells(content: bytes) -> list[str] | None:
    try:
        return next(csv.reader([content.decode("utf-8")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _columns(names: list[str], path: Path) -> tuple[list[str], int]:
    """The metric of each column, empty for one that holds none, and which column has the step."""
    steps = [at for at, name in enumerate(names) if name in ("_step", "Step", "step")]
    if not steps:
        raise ValueError(f"{path.name} has no column of steps (_step or Step); it has {', '.join(names[:6])}")
    pairs = [name.rpartition(" - ") for name in names]
    runs = {run for run, dash, _ in pairs if dash}
    if len(runs) > 1:
        raise ValueError(f"{path.name} has columns of {len(runs)} runs; save one run to a file of its own")
    labels = [
        "" if name in _UNLABELLED or name.endswith(("__MIN", "__MAX")) else metric
        for name, (_, _, metric) in zip(names, pairs, strict=True)
    ]
    return labels, steps[0]


def _wandb_number(value: Any) -> Any:
    """W&B writes NaN and infinities as text, and leaves out what a step has not; its CSV has only text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return None


def _scalar(value: Any) -> float | None:
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and not value.tensor.tensor_shape.dim:
        from tensorboard.util import tensor_util

        array = tensor_util.make_ndarray(value.tensor)
        return float(array) if array.dtype.kind in "biuf" else None
    return None
