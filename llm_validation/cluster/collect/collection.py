"""Hold everything that was read of a run, on its way into a result folder, and name the run by it."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass, field
from typing import Any

from llm_validation.cluster.collect.dumps.findings import Finding
from llm_validation.cluster.collect.evaluations.evaluation import Evaluation
from llm_validation.cluster.collect.logs.lines import Account
from llm_validation.cluster.collect.logs.merge import Merged
from llm_validation.cluster.collect.sources import SourceFile, SourceFiles
from llm_validation.common.reading_bar import Announce

KNOWN_BY = ("actor/entropy", "critic/score/mean")  # metrics of a first step that tell one run from another


class NothingFoundError(RuntimeError):
    """Raised where the sources hold no complete step and no evaluation; the message is one line."""


@dataclass
class DumpedStep:
    """Hold what is left of one step's dump: how many responses, what they give, and which lines they stood on.

    ``remark`` says what could not be looked at, and why; None where nothing is in the way.
    """

    responses: int
    measures: dict[str, float]
    findings: list[Finding]
    lines: list[tuple[Account, array[int]]]
    remark: str | None = None

    def drop(self, reason: str) -> None:
        """Take all of it out of the result."""
        for account, numbers in self.lines:
            for number in numbers:
                account.drop(number, reason)


@dataclass
class Collection:
    """Hold everything that was read of a run.

    ``dumped`` has, for rollouts and probe, what was dumped of each step. ``not_whole`` tells what was dropped because
    responses are missing, ``notes`` what else a reader must know, ``summary`` which steps there are. ``run`` is the
    same for all that is of one run.
    """

    files: SourceFiles
    announce: Announce | None = None
    accounts: list[Account] = field(default_factory=list)
    merged: Merged = field(default_factory=lambda: Merged([], [], 0))
    dumped: dict[str, dict[int, DumpedStep]] = field(default_factory=lambda: {"rollouts": {}, "probe": {}})
    evaluations: list[Evaluation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    not_whole: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    run: str = ""

    def open_account(self, file: SourceFile) -> Account:
        """Return a new account of a file that is about to be read."""
        self.accounts.append(Account(file.label))
        return self.accounts[-1]

    def say(self, file: SourceFile, done: int, total: int) -> None:
        """Announce that a file is about to be read, after ``done`` of ``total``."""
        if self.announce is not None:
            self.announce(file.label, done, total)


def name_of_run(collection: Collection) -> str:
    """Return twelve hexadecimal digits that a job's folder and an export of the same run have in common.

    They come of what the first step logged, to five digits: float32, in which TensorBoard keeps numbers, and a log's
    text agree on so many.
    """
    trained = [record for record in collection.merged.steps if record.trained]
    known = [name for name in KNOWN_BY if trained and trained[0].metrics.get(name) is not None]
    if known:
        content: Any = [trained[0].step, *(f"{name} {trained[0].metrics[name]:.5g}" for name in known)]
    else:
        first = collection.merged.steps[:1]
        content = [collection.files.facts.get("id"), *((record.step, record.metrics) for record in first)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
