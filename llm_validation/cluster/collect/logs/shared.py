"""Read the formats of ``qae audit``, recognised by content, by the same readers, or refuse them by name.

Those readers count what they drop by reason and keep no line numbers, so that an account of their file counts records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from llm_validation.audit.readers.registry import all_readers, recognise
from llm_validation.audit.reading.base import Reader as AuditReader
from llm_validation.audit.reading.base import RefusedError, SettingsReader, StepReader
from llm_validation.audit.reading.head import head_of
from llm_validation.audit.reading.json_lines import Tally, TooLongError
from llm_validation.cluster.collect.logs.entries import Entry
from llm_validation.cluster.collect.logs.lines import Account, hash_of

READ = (
    "read are verl's file log and console log, W&B's histories, tables and offline logs, TensorBoard's event files, "
    "trainer_state.json, and metrics as JSON lines with a step"
)
# What is said of a file that no reader takes, by the kind of its beginning. Text and damaged JSON may be what is left
# of a log, and its account then says so line by line.
_KINDS = {
    "parquet": "a parquet table of other columns than any log or dump has",
    "archive": "an archive; unpack it",
    "pickle": "a pickle, which nothing here opens",
}


def recognised(path: Path) -> StepReader | None:
    """Return the reader of the metrics in a file; None for lines of which none is recognised.

    Raises:
        ValueError: it is recognised as something else than a log of metrics, and says as what.
        OSError: it cannot be read.
    """
    head = head_of(path)
    reader = recognise(head, all_readers())
    if isinstance(reader, StepReader):
        return reader
    if reader is not None:
        _refuse(path, reader)
    if head.kind in _KINDS:
        raise ValueError(f"{path.name} is {_KINDS[head.kind]}; {READ}")
    return None


def _refuse(path: Path, reader: AuditReader) -> NoReturn:
    if isinstance(reader, SettingsReader):
        raise ValueError(f"{path.name} holds settings ({reader.name}), not metrics; {READ}")
    raise ValueError(
        f"{path.name} is a dump of responses ({reader.name}), not a log of metrics: put it as rollouts/<step>.jsonl or "
        f"validation/<step>.jsonl beside the run's logs, or give it to `qae audit`; {READ}"
    )


def read_by(reader: StepReader, path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the entries of a file that one of the shared readers takes.

    Raises:
        ValueError: the reader refuses the file, in one line.
        OSError: it cannot be read.
    """
    account.unit, account.sha256 = "records", hash_of(path)
    tally = Tally()
    try:
        for entry in reader.read(head_of(path), tally):
            metrics = {name: _known(value) for name, value in entry.metrics.items()}
            yield Entry(entry.step, metrics, attempt, account, account.add())
    except (RefusedError, TooLongError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    for reason, count in tally.dropped.items():
        for _ in range(count):
            account.drop(account.add(), reason)
    account.notes += [f"read as {reader.name}", *tally.notes]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
