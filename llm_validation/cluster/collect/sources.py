"""Find what a source of a run is, and which of its files hold what.

A source is a job folder, a log file or an export, a folder of event files, or a run of ``qae train`` or ``qae
evaluate``. Of their contents only ``job.json``, the settings and the beginning of a single file are read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.cluster.collect.dumps.batches import dump_files
from llm_validation.cluster.collect.logs.readers import Reader, read_own, read_verl, reader_of
from llm_validation.cluster.collect.logs.run_settings import RunSettings, settings_of_own, settings_of_verl
from llm_validation.cluster.collect.logs.tensorboard import EVENTS, read_tensorboard
from llm_validation.cluster.collect.paper_rows import ROWS
from llm_validation.verl_engine.configuration.flat_yaml import read_scalars

JOB, OWN_RUN, OWN_EVALUATION, EVENT_FILES, FILE = "job folder", "qae train", "qae evaluate", "event files", "file"
DUMPS = ("rollouts", "validation", "probe")
_LOG = (".jsonl", ".jsonl.gz")
_ATTEMPT = re.compile(r"attempt-(\d+)\.jsonl(\.gz)?")


class SourceFile(NamedTuple):
    """Name one file to read; ``label`` names it without the folders above its source."""

    path: Path
    label: str


class LogFile(NamedTuple):
    """Name a log, what reads it, and the number of the attempt that wrote it, from 1."""

    file: SourceFile
    reader: Reader
    attempt: int


class DumpFile(NamedTuple):
    """Name a dump, and the step that it is of; None where the file has several."""

    file: SourceFile
    step: int | None


class EvaluationFolder(NamedTuple):
    """Name a result folder of ``qae evaluate``, and its file of questions."""

    folder: Path
    file: SourceFile


class Label(NamedTuple):
    """Hold the name of a run, and who gave it."""

    name: str
    given_by: str


@dataclass
class SourceFiles:
    """List the files of a run, of all its sources.

    ``side_by_side`` has the attempts that lay together in a folder of event files, which may be of several launches.
    ``starts`` has the first step of each attempt that a job's folder tells it of, ``settings`` what the run was asked
    to do, ``facts`` what ``job.json`` holds, ``own`` the configuration of ``qae train``.
    """

    kinds: list[str] = field(default_factory=list)
    logs: list[LogFile] = field(default_factory=list)
    dumps: dict[str, list[DumpFile]] = field(default_factory=lambda: {name: [] for name in DUMPS})
    evaluations: list[EvaluationFolder] = field(default_factory=list)
    side_by_side: list[int] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=dict)
    settings: RunSettings = field(default_factory=RunSettings)
    facts: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """Return the number of the last attempt so far."""
        return max((log.attempt for log in self.logs), default=0)

    @property
    def are_our_own(self) -> bool:
        """Return whether some of them are of ``qae train`` or ``qae evaluate``."""
        return OWN_RUN in self.kinds or OWN_EVALUATION in self.kinds

    def label(self, name: str | None) -> Label:
        """Return what the run is called.

        Args:
            name: that somebody gives it; None to take the sources' own.

        Raises:
            ValueError: the job's folder has another name, or a run of our own would pass for a row of the paper.
        """
        in_job = self.facts.get("experiment")
        if in_job is not None and name is not None and name != in_job:
            raise ValueError(f"--name must be left out or {in_job!r}, as job.json says; got {name!r}")
        if self.are_our_own and name in ROWS:
            raise ValueError(f"--name must not be a row of the paper for a run of `qae train`; got {name!r}")
        if in_job is not None:
            return Label(str(in_job), "job.json")
        if name is not None:
            return Label(name, "--name")
        if self.own:
            k = self.own.get("options", {}).get("k")
            rule = f"{self.own.get('estimator')}{f' K={k}' if k else ''}"
            return Label(f"{self.own.get('model')} on {self.own.get('task')}, {rule}", "config.json")
        return Label("unnamed", "nobody")


def find(sources: Iterable[Path]) -> SourceFiles:
    """Return the files of the sources; attempts are in the order of the sources, inside a job folder by their numbers.

    Raises:
        ValueError: a source is not there, is none of the kinds that there are, or is a second run.
        OSError: it cannot be read.
    """
    files = SourceFiles()
    for source in sources:
        kind = _kind(source)
        files.kinds.append(kind)
        _ADD[kind](files, source)
    return files


def _kind(source: Path) -> str:
    if source.is_file():
        return FILE
    if not source.is_dir():
        raise ValueError(f"SOURCE must be a file or folder that is there; got {str(source)!r}")
    if (source / "job.json").is_file() or any((source / name).is_dir() for name in ("logs", *DUMPS)):
        return JOB
    if (source / "metrics.jsonl").is_file() and (source / "config.json").is_file():
        return OWN_EVALUATION if (source / "summary.json").is_file() else OWN_RUN
    if any(_events(source)):
        return EVENT_FILES
    raise ValueError(
        f"SOURCE must be a job folder (logs, rollouts, validation or probe in it), a log or an export, a folder of "
        f"event files, or a run of `qae train` or `qae evaluate`; got {str(source)!r}"
    )


def _add_job(files: SourceFiles, source: Path) -> None:
    if files.kinds.count(JOB) > 1:
        raise ValueError(f"SOURCE must be of one run; {source.name} is a second job folder")
    files.facts = _json_object(source / "job.json")
    if (source / "resolved.yaml").is_file():
        files.settings = settings_of_verl(read_scalars(source / "resolved.yaml"))
    before = files.attempts
    logs = sorted(path for path in (source / "logs").glob("*") if path.name.endswith(_LOG))
    first_steps = _first_steps(files.facts)
    for order, path in enumerate(logs, start=1):
        match = _ATTEMPT.fullmatch(path.name)
        files.logs.append(LogFile(_file(source, path), read_verl, before + order))
        if match and int(match[1]) in first_steps:
            files.starts[before + order] = first_steps[int(match[1])]
    if not logs:  # a job that logged to TensorBoard alone
        _add_events(files, source)
    for name in DUMPS:
        for step, paths in dump_files(source / name).items():
            files.dumps[name] += [DumpFile(_file(source, path), step) for path in paths]


def _add_own_run(files: SourceFiles, source: Path) -> None:
    if files.kinds.count(OWN_RUN) > 1:
        raise ValueError(f"SOURCE must be of one run; {source.name} is a second run of `qae train`")
    files.own = _json_object(source / "config.json")
    files.settings = settings_of_own(files.own)
    files.logs.append(LogFile(_file(source, source / "metrics.jsonl"), read_own, files.attempts + 1))
    rollouts = source / "rollouts.jsonl"
    if rollouts.is_file():
        files.dumps["rollouts"].append(DumpFile(_file(source, rollouts), None))


def _add_own_evaluation(files: SourceFiles, source: Path) -> None:
    files.evaluations.append(EvaluationFolder(source, _file(source, source / "metrics.jsonl")))


def _add_event_folder(files: SourceFiles, source: Path) -> None:
    before = files.attempts
    _add_events(files, source)
    files.side_by_side += range(before + 1, files.attempts + 1)


def _add_events(files: SourceFiles, source: Path) -> None:
    in_time = sorted(_events(source), key=lambda path: path.name)
    for attempt, path in enumerate(in_time, start=files.attempts + 1):
        files.logs.append(LogFile(_file(source, path), read_tensorboard, attempt))


def _add_file(files: SourceFiles, source: Path) -> None:
    files.logs.append(LogFile(SourceFile(source, source.name), reader_of(source), files.attempts + 1))


_ADD = {
    JOB: _add_job,
    OWN_RUN: _add_own_run,
    OWN_EVALUATION: _add_own_evaluation,
    EVENT_FILES: _add_event_folder,
    FILE: _add_file,
}


def _events(source: Path) -> Iterator[Path]:
    """Yield the event files in a folder, at any depth; their names begin with the time at which they were opened."""
    return (path for path in source.rglob(f"*{EVENTS}*") if path.is_file())


def _first_steps(facts: Mapping[str, Any]) -> dict[int, int]:
    """Return the first step of each attempt that ``job.json`` tells it of."""
    attempts = facts.get("attempts")
    first_steps = {}
    for attempt in attempts if isinstance(attempts, list) else []:
        if not isinstance(attempt, dict):
            continue
        number, checkpoint = attempt.get("number"), attempt.get("from_step")
        if isinstance(number, int) and isinstance(checkpoint, int):
            first_steps[number] = checkpoint + 1
    return first_steps


def _json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return content


def _file(source: Path, path: Path) -> SourceFile:
    return SourceFile(path, f"{source.resolve().name}/{path.relative_to(source).as_posix()}")
