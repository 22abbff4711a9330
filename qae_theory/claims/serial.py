"""Write the ledger as JSON: the list that ``qae verify --json`` writes, and one record per piece of evidence.

Verdicts, kinds and roles are written by their values, so that a reader needs no Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qae_theory.claims.model import Entry, Outcome, Status, StepOutcome


def ledger_records(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return one record per claim, in the order of the entries, in JSON's types."""
    return [_entry_record(entry) for entry in entries]


def metrics_records(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return one flat record for each piece of evidence."""
    return [_metrics_record(outcome) for entry in entries for outcome in entry.outcomes]


def _entry_record(entry: Entry) -> dict[str, Any]:
    claim = entry.claim
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "update": claim.update,
        "reading": claim.reading.value,
        "family": claim.family,
        "condition": claim.condition,
        "verdict": entry.verdict.value,
        "assumption": claim.assumption,
        "evidence": [_outcome_record(outcome) for outcome in entry.outcomes],
        "witness": None if entry.witness is None else dict(entry.witness),
    }


def _outcome_record(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": outcome.kind.value,
        "role": outcome.role.value,
        "name": outcome.name,
        "status": outcome.status.value,
        # The status in a word for readers that ask only whether it passed.
        "passed": outcome.status is Status.PASSED,
        "answer": None if outcome.answer is None else outcome.answer.value,
        "detail": outcome.detail,
        # Milliseconds: more digits are noise, and would change at each run.
        "seconds": round(outcome.seconds, 3),
        "where": outcome.where,
        "covers_statement": outcome.covers_statement,
        "steps": [_step_record(step) for step in outcome.steps],
    }


def _step_record(step: StepOutcome) -> dict[str, Any]:
    return {
        "says": step.says,
        "generality": step.generality.value,
        "tie": step.tie,
        "citation": step.citation,
        "passed": step.finding.passed and step.control_rejected,
        "where": step.where,
    }


def _metrics_record(outcome: Outcome) -> dict[str, Any]:
    return {
        "claim": outcome.claim,
        **_outcome_record(outcome),
        "steps": len(outcome.steps),
    }
