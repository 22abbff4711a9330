"""Read the lines of a ledger file as entries of the ledger, with the titles and falsehoods that are installed here.

The file keeps each verdict, the outcome of each piece of evidence, and how each of its steps went. Titles, notes and
the falsehoods planted in the steps are taken from the claims and the evidence as they are registered now. Nothing is
run, and no verdict is computed for the reader: it is the file's. It is only compared with what the file's own evidence
allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_figures.report.details import reason
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import (
    Answer,
    Claim,
    Entry,
    Evidence,
    Finding,
    Generality,
    Kind,
    Outcome,
    Reading,
    Role,
    Status,
    StepOutcome,
    Verdict,
)
from qae_theory.claims.verdict import judge

OTHER = "Other claims"
STRANGE = "this version of the suite does not have this claim"
REWORDED = "this version of the suite states the claim otherwise"
AGAINST = "its verdict does not follow from its evidence, from which it would be"
WITHOUT_STEPS = "some of its evidence is not registered here, so its steps are not shown"


@dataclass(frozen=True)
class LedgerLine:
    """A line of the ledger file: its record, and its entry.

    ``doubts`` say where the file and the installed suite differ.
    """

    record: Mapping[str, Any]
    entry: Entry
    doubts: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Return how the verdict follows from the evidence, or that it does not."""
        if self.entry.problems or not any(doubt.startswith(AGAINST) for doubt in self.doubts):
            return reason(self.entry)
        return "It does not follow from the evidence in the file."


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ledger file.

    Raises:
        ValueError: it is not what ``qae verify --json`` writes.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(records, list) or not records:
            raise ValueError("a list of claims is needed")
        ids = [_checked(record) for record in records]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    # Any JSON file may be named as a ledger; what it lacks is said in one line, whichever access found it.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no ledger: {error!r}") from None
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"{path} is no ledger: {', '.join(twice)} occurs twice")
    return records


def ledger_lines(records: Iterable[Mapping[str, Any]], ledger: Ledger) -> list[LedgerLine]:
    """Return a line for each record, in their order.

    Args:
        records: of a ledger file.
        ledger: the claims and the evidence that are installed.
    """
    claims = {claim.id: claim for claim in ledger.claims}
    return [_line(record, claims.get(record["id"]), ledger.evidence_for(record["id"])) for record in records]


def _checked(record: Mapping[str, Any]) -> str:
    """Return the record's id, if all that is read from the record has its type."""
    texts = [record["statement"], record["source"], record["update"], record["id"]]
    for item in record["evidence"]:
        texts += [item["name"], item["detail"], item["where"]]
    optional = [record["assumption"], *(record["witness"] or {}).values()]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(text, str | None) for text in optional):
        raise TypeError(f"a text of {record['id']!r} is none")
    # Each of these raises for a value that it does not know.
    Verdict(record["verdict"])
    for item in record["evidence"]:
        Kind(item["kind"]), Role(item["role"]), Status(item["status"]), float(item["seconds"])
        for step in item["steps"]:
            Generality(step["generality"])
    return str(record["id"])


def _line(record: Mapping[str, Any], known: Claim | None, evidence: Sequence[Evidence]) -> LedgerLine:
    """Return a record's line; the installed claim, if there is one, gives what the file does not keep."""
    # A note is about a statement; it may not fit one that has been reworded since.
    same = known is not None and known.statement == record["statement"] and known.assumption == record["assumption"]
    claim = Claim(
        id=record["id"],
        title=known.title if known else record["id"],
        statement=record["statement"],
        source=record["source"],
        section=known.section if known else OTHER,
        needs=known.needs if known else "",
        reading=Reading(record["reading"]),
        update=record["update"],
        assumption=record["assumption"],
        note=known.note if known and same else None,
        family=record["family"],
        condition=record["condition"],
    )
    # The verdict is computed again only to be compared: where it differs, the reader is warned.
    outcomes, all_matched = _outcomes(record, evidence)
    judged = judge(claim, outcomes)
    doubts = [
        STRANGE if known is None else "" if same else REWORDED,
        "" if all_matched else WITHOUT_STEPS,
        f"{AGAINST} {judged.verdict.value!r}" if judged.verdict != record["verdict"] else "",
    ]
    entry = Entry(claim=claim, verdict=Verdict(record["verdict"]), outcomes=outcomes, problems=judged.problems)
    return LedgerLine(record, entry, tuple(filter(None, doubts)))


def _outcomes(record: Mapping[str, Any], evidence: Sequence[Evidence]) -> tuple[tuple[Outcome, ...], bool]:
    """Return an outcome for each piece of evidence of the record, and whether the evidence is that installed here."""
    known = {item.name: item for item in evidence}
    outcomes = tuple(_outcome(record, item, known.get(item["name"])) for item in record["evidence"])
    return outcomes, {outcome.name for outcome in outcomes} == set(known)


def _outcome(record: Mapping[str, Any], item: Mapping[str, Any], installed: Evidence | None) -> Outcome:
    """Return a piece of evidence as it went, with the steps that the file keeps."""
    return Outcome(
        claim=record["id"],
        name=item["name"],
        kind=Kind(item["kind"]),
        role=Role(item["role"]),
        status=Status(item["status"]),
        detail=item["detail"],
        seconds=float(item["seconds"]),
        where=item["where"],
        covers_statement=item["covers_statement"],
        steps=tuple(_step(step, installed) for step in item["steps"]),
        answer=None if item["answer"] is None else Answer(item["answer"]),
    )


def _step(step: Mapping[str, Any], evidence: Evidence | None) -> StepOutcome:
    """Return a step as it went, with the falsehood that the installed evidence plants at a step of the same words."""
    planted = [known.planted for known in evidence.steps if known.says == step["says"]] if evidence else []
    return StepOutcome(
        says=step["says"],
        planted=planted[0] if planted else "",
        citation=step["citation"],
        where=step["where"],
        # A step passes in the file only if its control was rejected too, so that one entry says both.
        finding=Finding(step["passed"], "", ""),
        control_rejected=step["passed"],
        control_detail="",
        generality=Generality(step["generality"]),
        tie=step["tie"],
    )
