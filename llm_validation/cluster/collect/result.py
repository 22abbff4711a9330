"""Make what the folder of a collected run is known by, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llm_validation.cluster.collect.collection import Collection
from llm_validation.cluster.collect.dumps.anthropomorphic import WORDS
from llm_validation.cluster.collect.dumps.measures import PREFIX
from llm_validation.cluster.collect.paper_rows import unlike
from llm_validation.cluster.collect.sources import Label
from qae_theory.runs.collected import EXPERIMENT
from qae_theory.runs.files import to_json

VERL = ("actor/", "critic/", "val-core/", "val-aux/")  # prefixes that only verl's metrics have


class Asked(NamedTuple):
    """Hold what a collection was asked for: first and last step to keep, and the responses of a whole step."""

    steps: tuple[int, int] | None
    responses: int | None

    @property
    def wanted(self) -> range | None:
        """Return the steps to keep; None for all."""
        return None if self.steps is None else range(self.steps[0], self.steps[1] + 1)


def identity_of(collection: Collection, label: Label, asked: Asked) -> dict[str, Any]:
    """Return what determines the folder: the content of every file read, and what was asked for; in JSON's types.

    Its hash and that of the code are the folder's name, so that the same files are collected once.
    """
    files, engine = collection.files, _engine(collection)
    overrides = files.facts.get("overrides") or []
    against = unlike(label.name, files.settings, [str(override) for override in overrides])
    if engine != "verl":
        against.append("its log is not verl's")
    return {
        "experiment": EXPERIMENT,
        "name": label.name,
        "named_by": label.given_by,
        "row": None if against else label.name,
        "no_row_because": against,
        "engine": engine,
        "run": collection.run,
        "overrides": overrides,
        "settings": files.settings.record(),
        "kinds": files.kinds,
        "steps": None if asked.steps is None else list(asked.steps),
        "responses": asked.responses,
        "inputs": [{"file": account.name, "sha256": account.sha256} for account in collection.accounts],
    }


def _engine(collection: Collection) -> str:
    """Return what trained, ``trl``, ``verl`` or ``unknown``, by the sources and the names of the metrics."""
    if collection.files.are_our_own:
        return "trl"
    names = {name for record in collection.merged.steps for name in record.metrics}
    return "verl" if any(name.startswith(VERL) for name in names) else "unknown"


def metrics_lines(collection: Collection) -> Iterator[dict[str, Any]]:
    """Yield a line a step: what was logged, and after ``recomputed/`` what the dumps give."""
    for record in collection.merged.steps:
        labels = {"step": record.step, "attempt": record.attempt, "abandoned": record.abandoned}
        metrics: dict[str, Any] = dict(record.metrics)
        for steps in collection.dumped.values():
            if record.step in steps:
                measures = steps[record.step].measures
                metrics |= {f"{PREFIX}{name}": value for name, value in measures.items()}
        yield labels | {name: value for name, value in metrics.items() if name not in labels}


def texts_of(collection: Collection) -> dict[str, str]:
    """Return the texts of the folder's other files by name: evaluations, findings, and what was dropped."""
    abandoned = {record.step for record in collection.merged.steps if record.abandoned}
    evaluations = [
        {**evaluation.record(), "abandoned": evaluation.step in abandoned} for evaluation in collection.evaluations
    ]
    findings = [finding.record() for finding in collection.findings]
    return {
        "evaluations.json": _one_a_line("evaluations", evaluations),
        "findings.json": _one_a_line("findings", findings),
        "dropped.json": to_json(_dropped(collection)),
    }


def _one_a_line(name: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return a JSON object with one list, an entry a line: there can be hundreds, and a person looks for one."""
    entries = ",\n".join(json.dumps(dict(record), allow_nan=False) for record in records)
    return f'{{"{name}": [\n{entries}\n]}}\n'


def _dropped(collection: Collection) -> dict[str, Any]:
    """Return what of the sources is not in the result, and why."""
    words = f"anthropomorphic words, a list of this project's choice: {', '.join(WORDS)}"
    return {
        "steps": {**collection.summary, "not_whole": collection.not_whole},
        "files": [account.record() for account in collection.accounts],
        "notes": [*collection.notes, words] if collection.dumped["rollouts"] else collection.notes,
    }
