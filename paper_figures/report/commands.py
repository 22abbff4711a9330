"""Find the command that makes a line of the report again, in the texts of its evidence and its runs' provenance."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from paper_figures.runs import Results, Run
from qae_theory.claims.model import Entry, Outcome, Verdict
from qae_theory.runs.files import read_json
from qae_theory.runs.stored import AGAIN

_QUOTED = re.compile(r"`(qae [^`]+)`")
_QUICK = re.compile(r"run [0-9a-f]{12}, quick size")
_SIZED = ("qae simulate", "qae validate")  # the commands that have a small size
# Where a claim's evidence names no command: the first one of the package that brings the evidence.
FIRST_STEP = {"simulators": "qae simulate --list", "llm_validation": "qae validate", "cluster": "qae cluster plan"}


class Made(NamedTuple):
    """A command, the commit at which it ran, and the runs that it made."""

    command: str
    commit: str
    runs: tuple[Run, ...]


def of_claim(entry: Entry) -> list[str]:
    """Return the commands that make the claim's data, if it needs any, and the one that judges it.

    A command is left out where another one begins with it: it lacks that one's arguments.
    """
    named: dict[str, None] = {}  # a set that keeps the order
    for outcome in entry.outcomes:
        named |= dict.fromkeys(_of_evidence(outcome))
    commands = [name for name in named if not any(other.startswith(f"{name} ") for other in named)]
    if not commands and entry.verdict is Verdict.NOT_RUN and entry.claim.needs in FIRST_STEP:
        commands = [FIRST_STEP[entry.claim.needs]]
    return [*commands, f"qae verify {entry.claim.id}"]


def of_runs(results: Results, sources: Iterable[str]) -> list[Made]:
    """Return the runs that figures are drawn from, by the command that made them.

    Args:
        results: the results folder.
        sources: ids of runs, ``<experiment>/<run id>``, and names of files, which are left out.

    Raises:
        ValueError: a run's provenance cannot be read.
    """
    # Files have no slash in their names, and no provenance to read a command from.
    wanted = set(sources)
    made: dict[tuple[str, str], list[Run]] = {}
    for experiment in sorted({source.partition("/")[0] for source in wanted if "/" in source}):
        for run in results.runs(experiment):
            if run.id in wanted:
                made.setdefault(_made_by(run), []).append(run)
    return [Made(command, commit, tuple(runs)) for (command, commit), runs in made.items()]


def _of_evidence(outcome: Outcome) -> list[str]:
    """Return the commands between backticks in the evidence's texts.

    Where its data have the small size, the commands that have one get ``--quick``.
    """
    named = []
    for text in (outcome.detail, *(step.says for step in outcome.steps)):
        named += [command for command in _QUOTED.findall(text) if not command.startswith("qae verify")]
    quick = " --quick" if _QUICK.search(outcome.detail) else ""
    return [f"{command}{quick}" if command.startswith(_SIZED) else command for command in named]


def _made_by(run: Run) -> tuple[str, str]:
    """Return the command that made a run, and the commit at which it ran."""
    # Runs that were written before commands were recorded have none.
    facts = read_json(run.folder / "provenance.json", again=AGAIN)
    return _without_out(facts.get("command") or ["not", "recorded"]), _commit(facts.get("git"))


def _without_out(arguments: Sequence[str]) -> str:
    """Return a command line without the folder that its results went to, which others do not have.

    >>> _without_out(["qae", "simulate", "--all", "--out", "/data/results"])
    'qae simulate --all'
    """
    kept = []
    for i, argument in enumerate(arguments):
        is_folder = i > 0 and arguments[i - 1] == "--out"
        if argument != "--out" and not argument.startswith("--out=") and not is_folder:
            kept.append(argument)
    return shlex.join(kept)


def _commit(git: Mapping[str, object] | None) -> str:
    """Return the first twelve digits of a commit, and whether there were changes beside it; nothing without git."""
    if not git:
        return ""
    return f"{str(git['commit'])[:12]}{' and changes' if git.get('modified') else ''}"
