"""Evaluations from dumped responses, counted question by question, without bias, with an interval over questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llm_validation.cluster.collect.dumps.findings import RELATIVE, Finding
from llm_validation.cluster.collect.dumps.groups import correct_above
from llm_validation.cluster.collect.evaluations.evaluation import (
    DUMP,
    UNNAMED,
    Counts,
    Evaluation,
    benchmark_of,
    by_question,
)
from llm_validation.cluster.collect.evaluations.logged import logged_means
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.common.pass_at_k import mean_pass_at_k


def counts_of(
    responses: Iterable[Mapping[str, Any]], settings: RunSettings, *, unnamed: str = UNNAMED
) -> dict[str, Counts]:
    """Return samples and correct ones of every question, by benchmark.

    Args:
        responses: of one validation.
        settings: of the run.
        unnamed: the benchmark of responses that name none.
    """
    listed = list(responses)
    threshold = correct_above(listed, settings)
    verdicts: dict[str, dict[str, list[bool]]] = {}
    for response in listed:
        benchmark = benchmark_of(response["benchmark"] or unnamed)
        right = response["reward"] > threshold if response["correct"] is None else response["correct"]
        verdicts.setdefault(benchmark, {}).setdefault(response["question"], []).append(bool(right))
    counts: dict[str, Counts] = {}
    for benchmark, questions in verdicts.items():
        counts[benchmark] = {question: (len(right), sum(right)) for question, right in questions.items()}
    return counts


class Expected:
    """How many questions and samples a whole validation has: as many as the fullest one of the run."""

    def __init__(self, validations: Iterable[Mapping[str, Counts]], settings: RunSettings) -> None:
        """Take the questions of all validations together, and the most samples that one of them has."""
        self.questions: dict[str, set[str]] = {}
        self.samples: dict[str, int] = {}
        for validation in validations:
            for benchmark, counts in validation.items():
                self.questions.setdefault(benchmark, set()).update(counts)
                most = max(samples for samples, _ in counts.values())
                self.samples[benchmark] = max(self.samples.get(benchmark, settings.samples or 0), most)

    def lacking(self, benchmark: str, counts: Counts) -> int:
        """Return how many samples are not there."""
        there = sum(samples for samples, _ in counts.values())
        return len(self.questions[benchmark]) * self.samples[benchmark] - there

    def filled(self, benchmark: str, counts: Counts) -> Counts:
        """Return the counts with every missing sample taken for wrong, as verl counts one that failed."""
        samples = self.samples[benchmark]
        return {question: (samples, counts.get(question, (0, 0))[1]) for question in self.questions[benchmark]}


def of_dump(
    step: int, benchmark: str, counts: Counts, *, expected: Expected, logged: Mapping[str, float | None]
) -> tuple[Evaluation | None, list[Finding]]:
    """Return the evaluation that a dump gives, and where its mean is not the logged one.

    A dump with fewer responses than a whole one was cut off, unless its mean with the others counted as wrong is the
    logged one: then they failed. Of a dump that was cut off there is no evaluation.

    Args:
        step: of the validation.
        benchmark: its name.
        counts: of the dump.
        expected: how many a whole one has.
        logged: metrics of the step.
    """
    said = logged_means(logged).get(benchmark, {}).get(1)
    lacking = expected.lacking(benchmark, counts)
    full = expected.filled(benchmark, counts) if lacking else counts
    mean = float(mean_pass_at_k(list(full.values()), 1))
    agrees = said is not None and abs(said - mean) <= RELATIVE * max(said, mean) + 1e-9
    if lacking and not agrees:
        return None, []
    findings = []
    if said is not None and not agrees:
        findings = [Finding(step, f"accuracy on {benchmark}", "the validation dump", said, mean)]
    return by_question(step, benchmark, full, DUMP, unanswered=lacking), findings
