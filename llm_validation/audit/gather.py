"""Make a :class:`Log` of paths: each file is recognised by its content, read by its reader and accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import Entry, columns, settled, united
from llm_validation.audit.model.log import Log, Source
from llm_validation.audit.model.refusal import Refusal
from llm_validation.audit.model.responses import Responses
from llm_validation.audit.model.series import NO_STEPS, Steps
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.model.table import make_table
from llm_validation.audit.readers.registry import all_readers, recognise
from llm_validation.audit.reading.base import (
    Reader,
    RefusedError,
    ResponseReader,
    SettingsReader,
    StepReader,
)
from llm_validation.audit.reading.head import LONGEST_LINE, Head, head_of
from llm_validation.audit.reading.json_lines import Tally, TooLongError
from llm_validation.audit.reading.pickles import REASON, snippet
from llm_validation.audit.reading.walk import Found, files, natural
from llm_validation.common.reading_bar import Announce

UNKNOWN = "unknown"
_KINDS = {  # what is said of a file that no reader takes
    "empty": "empty",
    "archive": "an archive; unpack it",
    "wandb": "W&B's own log",
    "binary": "not text",
    "damaged": "the file is cut off or damaged, and nothing of it can be read",
    "endless": f"a line is longer than {LONGEST_LINE >> 20} MiB",
}

LogReader = ResponseReader | StepReader


@dataclass
class _Reading:
    """Hold what has been read so far."""

    settings: AuditSettings
    chunks: dict[tuple[str, str], list[Chunk]] = field(default_factory=dict)
    entries: dict[str, list[tuple[Found, list[Entry]]]] = field(default_factory=dict)
    sources: dict[Path, Source] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    launches: set[str] = field(default_factory=set)


def gather(paths: Iterable[Path], flags: AuditSettings | None = None, told: Announce | None = None) -> Log:
    """Return everything that the files below the paths say of one run.

    Args:
        paths: files and folders of one run.
        flags: settings that the user gave; they come before the run's own.
        told: is told which file is read, how many are done and how many there are.

    Raises:
        ValueError: a path is not there, or a setting does not fit the logs.
        OSError: a folder cannot be listed.
    """
    readers = all_readers()
    # Natural order has part 10 after part 9: what goes on comes after what it goes on from.
    found = sorted(files(paths), key=lambda one: (natural(one.root), natural(one.path)))
    recognised, reading = _recognised(found, readers, flags or AuditSettings())
    for number, (one, head, reader) in enumerate(recognised):
        if told is not None:
            told(one.path.name, number, len(recognised))
        _read(one, head, reader, reading)
    tables = _tables(reading)
    steps = _steps(reading)
    return Log(
        tables,
        steps,
        reading.settings,
        tuple(reading.sources[one.path] for one in found if one.path in reading.sources),
        tuple(reading.refusals),
        tuple(dict.fromkeys(reading.notes)),
    )


def _recognised(
    found: Sequence[Found], readers: Sequence[Reader], flags: AuditSettings
) -> tuple[list[tuple[Found, Head, LogReader]], _Reading]:
    """Return the files that a reader takes, and the settings that stand beside them, which reading needs."""
    taken: list[tuple[Found, Head, LogReader]] = []
    settings, sources, refusals = AuditSettings(), dict[Path, Source](), list[Refusal]()
    pickles: list[Found] = []
    for one in found:
        try:
            head = head_of(one.path)
        except OSError as error:
            refusals.append(Refusal(one.path, f"cannot be read: {error.strerror or type(error).__name__}"))
            sources[one.path] = Source(one.path, UNKNOWN, 0, 0, "cannot be read")
            continue
        reader = recognise(head, readers)
        if isinstance(reader, SettingsReader):
            settings = settings.over(reader.read(head))
            sources[one.path] = Source(one.path, reader.name, 1, 1)
        elif reader is not None:
            # All files are recognised before one is read, and their beginnings would wait in memory for it.
            taken.append((one, replace(head, text=b""), reader))
        else:
            sources[one.path] = Source(one.path, UNKNOWN if head.kind != "pickle" else "pickle", 0, 0, _said(head))
            if head.kind in ("endless", "damaged") or (one.named and head.kind in ("archive", "binary")):
                refusals.append(Refusal(one.path, _KINDS[head.kind]))
            if head.kind == "pickle":
                pickles.append(one)
    # A pickle beside logs that can be read is no complaint, unless the user has named it.
    refusals += [Refusal(one.path, REASON + snippet(one.path)) for one in pickles if one.named or not taken]
    return taken, _Reading(flags.over(settings), sources=sources, refusals=refusals)


def _said(head: Head) -> str | None:
    """Return what is said of a file that no reader takes."""
    if head.is_cut:
        return "a JSON object that is cut off or damaged"
    return _KINDS.get(head.kind, "no format of logs that is known here")


def _read(one: Found, head: Head, reader: LogReader, reading: _Reading) -> None:
    """Read one file; what goes wrong with it is said of it alone."""
    tally = Tally()
    try:
        if isinstance(reader, ResponseReader):
            for chunk in reader.read(head, reading.settings, tally):
                if len(chunk):
                    reading.chunks.setdefault((reader.name, chunk.role), []).append(chunk)
        else:
            entries = list(reader.read(head, tally))
            reading.entries.setdefault(reader.name, []).append((one, entries))
            if reader.launches:
                reading.launches.add(reader.name)
        note = tally.note
    except (RefusedError, TooLongError) as error:
        note = str(error)
        reading.refusals.append(Refusal(one.path, note))
    except (OSError, MemoryError, _arrow_error()) as error:
        note = f"cannot be read: {' '.join(str(error).split())[:200] or type(error).__name__}"
        reading.refusals.append(Refusal(one.path, note))
    reading.sources[one.path] = Source(one.path, reader.name, tally.read, 0, note)


def _arrow_error() -> type[Exception]:
    from importlib import import_module

    error: type[Exception] = import_module("pyarrow").ArrowException
    return error


def _tables(reading: _Reading) -> list[Responses]:
    """Return a table for each format and role, and account for the files' rows."""
    tables = []
    for (name, _), chunks in reading.chunks.items():
        refusal = _two_runs(name, [(chunk.path, set(np.unique(chunk.step).tolist())) for chunk in chunks], reading)
        if refusal is not None:
            reading.refusals.append(refusal)
            continue
        table = make_table(name, chunks, reading.settings)
        reading.refusals += table.refusals
        reading.notes += table.notes
        for path, used in table.used.items():
            reading.sources[path] = replace(reading.sources[path], used=reading.sources[path].used + used)
        tables.append(table.responses)
    return tables


def _two_runs(name: str, parts: Sequence[tuple[Path, set[int]]], reading: _Reading) -> Refusal | None:
    """Return a refusal where two folders of one format have the same steps: these are two runs."""
    by_folder: dict[Path, set[int]] = {}
    for path, steps in parts:
        by_folder.setdefault(path.parent, set()).update(steps)
    folders = sorted(by_folder, key=natural)
    for number, folder in enumerate(folders):
        for other in folders[number + 1 :]:
            if by_folder[folder] & by_folder[other] and not {folder, other} & _named_folders(reading):
                sizes = {str(one): len(by_folder[one]) for one in folders[:12]}
                reason = (
                    f"{name}: {folder} and {other} have the same steps, so that these are logs of two runs; name one"
                )
                return Refusal(folder, reason, sizes)
    return None


def _named_folders(reading: _Reading) -> set[Path]:
    """Return the folders of files that the user named one by one: these are of one run."""
    return {one.path.parent for listed in reading.entries.values() for one, _ in listed if one.named}


def _steps(reading: _Reading) -> Steps:
    """Return one record a step from all logs of metrics."""
    sources = []
    for name, listed in reading.entries.items():
        records = _launches(name, listed, reading) if name in reading.launches else _attempts(name, listed, reading)
        if records:
            sources.append(records)
    if not sources:
        return NO_STEPS
    step, table = columns(united(sources))
    return Steps(step, table)


def _attempts(name: str, listed: Sequence[tuple[Found, list[Entry]]], reading: _Reading) -> dict[int, dict[str, float]]:
    """Return the steps of the files of one folder, one after another: the later go on from the earlier."""
    listed = _without_contained(listed, reading)
    parts = [(one.path, {entry.step for entry in entries}) for one, entries in listed]
    refusal = _two_runs(name, parts, reading)
    if refusal is not None:
        reading.refusals.append(refusal)
        return {}
    merged = settled(entry for _, entries in listed for entry in entries)
    if merged.superseded:
        reading.notes.append(f"{name}: {merged.superseded} records superseded by a resume")
    for one, entries in listed:
        _use(one.path, len(entries), reading)
    return merged.records


def _without_contained(
    listed: Sequence[tuple[Found, list[Entry]]], reading: _Reading
) -> list[tuple[Found, list[Entry]]]:
    """Leave out files whose records all stand in another: each checkpoint of Transformers has the history so far."""
    kept: list[tuple[Found, list[Entry]]] = []
    # The longest first, so that what holds another is there before it.
    for one, entries in sorted(listed, key=lambda pair: -len(pair[1])):
        inside = next((whole for whole, records in kept if _contains(records, entries)), None)
        if inside is None:
            kept.append((one, entries))
        else:
            source = reading.sources[one.path]
            reading.sources[one.path] = replace(source, note=f"all of it stands in {inside.path}")
    order = [one.path for one, _ in listed]
    return sorted(kept, key=lambda pair: order.index(pair[0].path))


def _contains(whole: Sequence[Entry], part: Sequence[Entry]) -> bool:
    """Return whether the entries of one file begin as those of another, NaN counting as NaN."""
    return len(part) <= len(whole) and all(repr(one) == repr(other) for one, other in zip(part, whole, strict=False))


def _launches(name: str, listed: Sequence[tuple[Found, list[Entry]]], reading: _Reading) -> dict[int, dict[str, float]]:
    """Return the steps of launches that go on from one another; launches that begin anew are runs of their own."""
    there = [(one, entries) for one, entries in listed if entries]
    there.sort(key=lambda pair: natural(Path(pair[0].path.name)))
    if not there:
        return {}
    chain: list[Entry] = list(there[0][1])
    for one, entries in there[1:]:
        if min(entry.step for entry in entries) <= min(entry.step for entry in chain) or one.path == there[0][0].path:
            sizes = {str(other.path): len({entry.step for entry in steps}) for other, steps in there}
            reason = f"{len(there)} launches lie side by side, each from its first step on; name the one to audit"
            reading.refusals.append(Refusal(one.path.parent, reason, sizes))
            return {}
        chain += entries
    for one, entries in there:
        _use(one.path, len(entries), reading)
    return settled(chain).records


def _use(path: Path, count: int, reading: _Reading) -> None:
    source = reading.sources[path]
    reading.sources[path] = replace(source, used=min(source.rows, count) if source.rows else count)
