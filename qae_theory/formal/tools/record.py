"""Keep the records of checking runs, and say what may be said of the proofs where Coq is missing.

``checked.json`` is committed: it says which sources were checked, with which Coq, and when; it never counts as a check.
``build/passed.json`` lies beside the compiled files: it says that pins, controls and ties passed here for these very
sources, so that a later run need only let ``coqchk`` read what is compiled; and it keeps what the shipped functions
returned then, so that such a run sees whether they still do.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from qae_theory.formal.tools import build, coq, layout, sources, ties

_RETURNED = "returned"
# Seconds for ``coqchk``: thirty times what it takes on two idle cores, as other programs may keep it waiting.
_ALONE, _WITH_LIBRARIES = 600, 2000
# In this module coqchk 8.16 stays at one theorem, about exponentials of arbitrary precision (exp_fast_correct, in
# IntervalTactic.Private.I2.T), for hours; it accepts the functor that states and proves it (Interval.Transcend).
_WITHOUT_ANSWER = "Interval.Tactic"


@dataclass(frozen=True)
class Record:
    """Hold a passed run.

    Attributes:
        coq: Coq's version.
        date: the day, as ``YYYY-MM-DD``.
        sources: the SHA-256 of every file that the run read, by its path.
    """

    coq: str
    date: str
    sources: dict[str, str]


def read() -> Record | None:
    """Return the stored record, or None if there is none."""
    if not layout.CHECKED.is_file():
        return None
    return Record(**json.loads(layout.CHECKED.read_text(encoding="utf-8")))


def write(coq_version: str) -> Record:
    """Store that the sources as they are now passed, and return the record.

    A record of the same sources and the same Coq keeps its date, so that a run that changes nothing leaves no trace.
    """
    hashes, stored = sources.hashes(), read()
    if stored is not None and (stored.coq, stored.sources) == (coq_version, hashes):
        return stored
    # The day in UTC, the same wherever the check runs.
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    record = Record(coq_version, today, hashes)
    layout.CHECKED.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    return record


def write_passed() -> None:
    """Note beside the compiled files which sources passed, and what the shipped functions return."""
    note = {**_state(), _RETURNED: ties.to_note(ties.returned())}
    layout.PASSED.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def passed_here() -> bool:
    """Return whether every check has passed on this machine for the sources as they are now."""
    note = _note()
    return _RETURNED in note and {key: note[key] for key in note if key != _RETURNED} == _state()


def accepted() -> ties.Returned:
    """Return what the shipped functions returned when Coq held it against the definitions.

    Raises:
        KeyError: no check has passed here.
    """
    return ties.noted(_note()[_RETURNED])


def _note() -> dict[str, Any]:
    """Return what is noted beside the compiled files; nothing if no run has passed here."""
    if not layout.PASSED.is_file():
        return {}
    note: dict[str, Any] = json.loads(layout.PASSED.read_text(encoding="utf-8"))
    return note


def _state() -> dict[str, object]:
    """Return what a note is good for: this version of Coq, and these sources."""
    return {"coq": coq.version(), "sources": sources.hashes()}


@cache
def unavailable() -> str | None:
    """Return why the compiled proofs cannot be checked now, in one line for the ledger; None if they can."""
    absent = coq.missing()
    if absent is not None:
        return f"{absent}; {without_coq()}"
    # Compiled files of other sources prove nothing about these.
    if build.stale() or not passed_here():
        return f"these sources are not compiled and checked here: `make formal` does it; {without_coq()}"
    # Formulas are compared by hash: a rewritten one may be equal, but Coq has not said so.
    if returned().symbols != accepted().symbols:
        return f"the shipped code was rewritten since Coq compared its formulas: `make formal` does it; {without_coq()}"
    return None


@cache
def returned() -> ties.Returned:
    """Return what the shipped functions return now; asked once in a process."""
    return ties.returned()


@cache
def coqchk_says() -> tuple[bool, str]:
    """Return whether ``coqchk`` accepts what is compiled, and what it said; asked once in a process."""
    try:
        return True, check_compiled()
    except coq.CheckError as error:
        return False, str(error)


def check_compiled(*, libraries: bool = False) -> str:
    """Let ``coqchk`` read what is compiled, and return how many modules that were.

    It compiles nothing and takes some seconds.

    Args:
        libraries: read the modules of the libraries too that they require, all but ``Interval.Tactic``; a minute.

    Raises:
        CheckError: with the message of ``coqchk``.
    """
    own = [f"QAE.{module}" for module in sources.modules()]
    others = [name for name in coq.required(own) if name != _WITHOUT_ANSWER] if libraries else []
    answer = coq.coqchk(own + others, timeout=_WITH_LIBRARIES if libraries else _ALONE)
    if not answer.passed:
        raise coq.CheckError(f"coqchk: {coq.first_error(answer)}")
    beside = f" and {len(others)} of the libraries that they require, all but {_WITHOUT_ANSWER}" if libraries else ""
    return f"{len(own)} modules{beside}"


def without_coq() -> str:
    """Return one line for the ledger where the proofs cannot be checked."""
    record = read()
    if record is None:
        return "formally proved in Coq by this folder's sources, no checking run recorded; `make formal` checks them"
    if record.sources != sources.hashes():
        return f"sources changed since they were checked on {record.date}; `make formal` checks them again"
    return (
        f"formally proved, checked on {record.date} with Coq {record.coq}, sources unchanged; "
        "`make formal` checks it again"
    )
