"""Which command makes a line of the report again, read from the texts of its evidence and from its runs' provenance."""

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
_SIZED = ("qae simulate", "qae validate")  # commands that have a small size
FIRST_STEP = {"simulators": "qae simulate --list", "llm_validation": "qae validate", "cluster": "qae cluster plan"}


class Made(NamedTuple):
    """A command, the commit at which it ran, and the runs that it made."""

    command: str
    commit: str
    runs: tuple[Run, ...]


def of_claim(entry: Entry) -> list[str]:
    """The commands that make the claim's data, if it needs any, and the one that judges it.

    A command that another one of them begins with is left out: it lacks its arguments.
    """
    found = list(dict.fromkeys(name for outcome in entry.outcomes for name in _of_evidence(outcome)))
    found = [name for name in found if not any(other.startswith(f"{name} ") for other in found)]
    if not found and entry.verdict is Verdict.NOT_RUN and entry.claim.needs in FIRST_STEP:
        found = [FIRST_STEP[entry.claim.needs]]
    return [*found, f"qae verify {entry.claim.id}"]


def of_runs(results: Results, sources: Iterable[str]) -> list[Made]:
    """The runs that figures are drawn from, by the command that made them.

    Raises:
        ValueError: a run's provenance cannot be read.
    """
    wanted = set(sources)
    found: dict[tuple[str, str], list[Run]] = {}
    for experiment in sorted({source.partition("/")[0] for source in wanted if "/" in source}):
        for run in results.runs(experiment):
            if run.id in wanted:
                found.setdefault(_made_by(run), []).append(run)
    return [Made(command, commit, tuple(runs)) for (command, commit), runs in found.items()]


def _of_evidence(outcome: Outcome) -> list[str]:
    """Commands between backticks; of data of the small size, those with which it was made."""
    texts = [outcome.detail, *(step.says for step in outcome.steps)]
    named = [command for text in texts for command in _QUOTED.findall(text) if not command.startswith("qae verify")]
    quick = " --quick" if _QUICK.search(outcome.detail) else ""
    return [f"{command}{quick}" if command.startswith(_SIZED) else command for command in named]


def _made_by(run: Run) -> tuple[str, str]:
    facts = read_json(run.folder / "provenance.json", again=AGAIN)
    return _without_place(facts.get("command") or ["not", "recorded"]), _commit(facts.get("git"))


def _without_place(words: Sequence[str]) -> str:
    """A command line without where its results went.

    >>> _without_place(["qae", "simulate", "--all", "--out", "/data/results"])
    'qae simulate --all'
    """
    kept = [word for i, word in enumerate(words) if word != "--out" and words[max(i - 1, 0)] != "--out"]
    return shlex.join(word for word in kept if not word.startswith("--out="))


def _commit(git: Mapping[str, object] | None) -> str:
    if not git:
        return ""
    return f"{str(git['commit'])[:12]}{' and changes' if git.get('modified') else ''}"
