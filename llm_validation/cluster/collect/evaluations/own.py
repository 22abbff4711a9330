"""Count evaluations by ``qae evaluate`` again from their questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.dumps.batches import NOT_A_RESPONSE, digest_of
from llm_validation.cluster.collect.dumps.findings import RELATIVE, Finding
from llm_validation.cluster.collect.evaluations.evaluation import (
    KS,
    OWN,
    Counts,
    Evaluation,
    benchmark_of,
    by_question,
)
from llm_validation.cluster.collect.logs.lines import Account, read_records

NOT_SCORED = "its question could not be scored"


def of_own(
    folder: Path, metrics: Path, account: Account, *, step: int | None
) -> tuple[Evaluation | None, list[Finding]]:
    """Return the evaluation of a result folder of ``qae evaluate``, and where its own estimates are others.

    Args:
        folder: the result folder.
        metrics: its file of questions.
        account: of that file.
        step: the last step of the run that was evaluated; None where it is not known.

    Returns:
        No evaluation where no question could be scored.

    Raises:
        ValueError: its summary cannot be read.
        OSError: its questions cannot be read.
    """
    task, estimates = _summary(folder, account.name)
    counts = _counts(metrics, account)
    if not counts:
        return None, []
    ks = sorted({*KS, *(int(k) for k in estimates)})
    evaluation = by_question(step, benchmark_of(task), counts, OWN, ks=ks)
    findings = []
    for k, estimate in estimates.items():
        ours = evaluation.pass_at_k[k]["estimate"] if k in evaluation.pass_at_k else None
        if ours is not None and abs(ours - estimate["estimate"]) > RELATIVE * ours:
            theirs = float(estimate["estimate"])
            findings.append(Finding(step or 0, f"pass@{k} on {task}", "the questions", theirs, ours))
    return evaluation, findings


def _summary(folder: Path, label: str) -> tuple[str, dict[str, Any]]:
    """Return the task, and the estimates by k."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return str(summary["task"]), dict(summary["pass_at_k"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{label}: its summary.json cannot be read: {error}") from None


def _counts(metrics: Path, account: Account) -> Counts:
    """Return samples and correct ones of every question that could be scored."""
    counts: Counts = {}
    for number, line in read_records(metrics, account):
        scores = line.get("scores") if isinstance(line, dict) else None
        if not isinstance(scores, list) or not scores or None in scores:
            account.drop(number, NOT_SCORED if scores else NOT_A_RESPONSE)
            continue
        question = digest_of([line.get("prompt"), line.get("answer"), line.get("question")])
        counts[question] = len(scores), sum(score == 1 for score in scores)
    return counts
