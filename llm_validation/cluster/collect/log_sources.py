"""What a source of logs is, and which of its files say what: a job folder, a log file, event files, runs of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.dumps import dump_files
from llm_validation.cluster.collect.logs import EVENTS, Reader, read_own, read_tensorboard, read_verl, reader_of
from llm_validation.cluster.collect.run_settings import RunSettings, settings_of_own, settings_of_verl
from llm_validation.verl_engine.configuration.flat_yaml import read_scalars

JOB, OWN_RUN, OWN_EVALUATION, EVENT_FILES, FILE = "job folder", "qae train", "qae evaluate", "event files", "file"
_DUMPS = ("rollouts", "validation", "probe")
_LOG = (".jsonl", ".jsonl.gz")
_ATTEMPT = re.compile(r"attempt-(\d+)\.jsonl(\.gz)?")


@dataclass(frozen=True)
class Place:
    """One file to read. ``label`` names it without the folders above its source."""

    path: Path
    label: str


@dataclass
class Places:
    """The files of a run, of all its sources. ``step`` of a dump is None where the file has several."""

    kinds: list[str] = field(default_factory=list)
    logs: list[tuple[Place, Reader, int]] = field(default_factory=list)
    dumps: dict[str, list[tuple[Place, int | None]]] = field(default_factory=lambda: {name: [] for name in _DUMPS})
    evaluations: list[tuple[Path, Place]] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=dict)
    settings: RunSettings = field(default_factory=RunSettings)
    facts: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """The number of the last attempt so far."""
        return max((attempt for _, _, attempt in self.logs), default=0)


def find(sources: Iterable[Path]) -> Places:
    """The files of the sources; attempts in the order of the sources, inside a job folder by their numbers.

    Raises:
        ValueError: a source is not there, or is none of the kinds that there are.
        OSError: it cannot be read.
    """
    places = Places()
    for source in sources:
        kind = _kind(source)
        places.kinds.append(kind)
        _ADD[kind](places, source)
    return places


def _kind(source: Path) -> str:
    if source.is_file():
        return FILE
    if not source.is_dir():
        raise ValueError(f"SOURCE must be a file or folder that is there; got {str(source)!r}")
    if (source / "job.json").is_file() or any((source / name).is_dir() for name in ("logs", *_DUMPS)):
        return JOB
    if (source / "metrics.jsonl").is_file() and (source / "config.json").is_file():
        return OWN_EVALUATION if (source / "summary.json").is_file() else OWN_RUN
    if any(_events(source)):
        return EVENT_FILES
    raise ValueError(
        f"SOURCE must be a job folder (logs, rollouts, validation or probe in it), a log or an export, a folder of "
        f"event files, or a run of `qae train` or `qae evaluate`; got {str(source)!r}"
    )


def _add_job(places: Places, source: Path) -> None:
    if places.kinds.count(JOB) > 1:
        raise ValueError(f"SOURCE must be of one run; {source.name} is a second job folder")
    places.facts = _facts(source / "job.json")
    if (source / "resolved.yaml").is_file():
        places.settings = settings_of_verl(read_scalars(source / "resolved.yaml"))
    first = places.attempts
    logs = sorted(path for path in (source / "logs").glob("*") if path.name.endswith(_LOG))
    known = _first_steps(places.facts)
    for order, path in enumerate(logs, start=1):
        match = _ATTEMPT.fullmatch(path.name)
        places.logs.append((_place(source, path), read_verl, first + order))
        if match and int(match[1]) in known:
            places.starts[first + order] = known[int(match[1])]
    if not logs:
        _add_events(places, source)
    for name in _DUMPS:
        for step, paths in dump_files(source / name).items():
            places.dumps[name] += [(_place(source, path), step) for path in paths]


def _add_own_run(places: Places, source: Path) -> None:
    if places.kinds.count(OWN_RUN) > 1:
        raise ValueError(f"SOURCE must be of one run; {source.name} is a second run of `qae train`")
    places.own = _facts(source / "config.json")
    places.settings = settings_of_own(places.own)
    places.logs.append((_place(source, source / "metrics.jsonl"), read_own, places.attempts + 1))
    if (source / "rollouts.jsonl").is_file():
        places.dumps["rollouts"].append((_place(source, source / "rollouts.jsonl"), None))


def _add_own_evaluation(places: Places, source: Path) -> None:
    places.evaluations.append((source, _place(source, source / "metrics.jsonl")))


def _add_events(places: Places, source: Path) -> None:
    for order, path in enumerate(sorted(_events(source), key=lambda path: path.name), start=places.attempts + 1):
        places.logs.append((_place(source, path), read_tensorboard, order))


def _add_file(places: Places, source: Path) -> None:
    places.logs.append((Place(source, source.name), reader_of(source), places.attempts + 1))


_ADD = {
    JOB: _add_job,
    OWN_RUN: _add_own_run,
    OWN_EVALUATION: _add_own_evaluation,
    EVENT_FILES: _add_events,
    FILE: _add_file,
}


def _events(source: Path) -> Iterator[Path]:
    """Event files in a folder, at any depth; their names begin with the time at which they were opened."""
    return (path for path in source.rglob(f"*{EVENTS}*") if path.is_file())


def _first_steps(facts: Mapping[str, Any]) -> dict[int, int]:
    """The first step of each attempt that ``job.json`` says it of."""
    attempts = facts.get("attempts")
    listed = attempts if isinstance(attempts, list) else []
    return {
        one["number"]: one["from_step"] + 1
        for one in listed
        if isinstance(one, dict) and all(isinstance(one.get(name), int) for name in ("number", "from_step"))
    }


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return facts


def _place(source: Path, path: Path) -> Place:
    return Place(path, f"{source.resolve().name}/{path.relative_to(source).as_posix()}")
