"""The record of the last checking run, ``checked.json``, and what may be said of the proofs where Coq is missing.

A stored record never counts as a check: it says which sources were checked, with which Coq, and when.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass

from qae_theory.formal.tools import build, coq, layout, sources


@dataclass(frozen=True)
class Record:
    """A passed run: Coq's version, the day, and the SHA-256 of every file that it read."""

    coq: str
    date: str
    sources: dict[str, str]


def read() -> Record | None:
    """The stored record, or None if there is none."""
    if not layout.CHECKED.is_file():
        return None
    return Record(**json.loads(layout.CHECKED.read_text(encoding="utf-8")))


def write(coq_version: str) -> Record:
    """Store that the sources as they are now passed; a record of the same sources and Coq keeps its date."""
    hashes, stored = sources.hashes(), read()
    if stored is not None and (stored.coq, stored.sources) == (coq_version, hashes):
        return stored
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    record = Record(coq_version, today, hashes)
    layout.CHECKED.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    return record


def unavailable() -> str | None:
    """Why the compiled proofs cannot be checked now, in one line for the ledger; None if they can."""
    absent = coq.missing()
    if absent is not None:
        return f"{absent}; {without_coq()}"
    if build.stale():
        return f"these sources are not compiled: `make formal` compiles them; {without_coq()}"
    return None


def check_compiled() -> str:
    """Let ``coqchk`` read what is compiled; say how many modules. Compiles nothing and takes some seconds.

    Raises:
        CheckError: with the message of ``coqchk``.
    """
    answer = coq.coqchk(sources.modules())
    if not answer.passed:
        raise coq.CheckError(f"coqchk: {coq.first_error(answer)}")
    return f"{len(sources.modules())} modules"


def without_coq() -> str:
    """One line for the ledger where the proofs cannot be checked."""
    record = read()
    if record is None:
        return "formally proved in Coq by this folder's sources, no checking run recorded; `make formal` checks them"
    if record.sources != sources.hashes():
        return f"sources changed since they were checked on {record.date}; `make formal` checks them again"
    return (
        f"formally proved, checked on {record.date} with Coq {record.coq}, sources unchanged; "
        "`make formal` checks it again"
    )
