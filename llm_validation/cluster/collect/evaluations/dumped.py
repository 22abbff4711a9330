"""Evaluate dumped responses question by question, without bias, with an interval over questions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_validation.cluster.collect.dumps.correctness import right_of
from llm_validation.cluster.collect.dumps.findings import RELATIVE, Finding
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
    responses: Iterable[Mapping[str, Any]],
    *,
    threshold: float | None,
    unnamed: str = UNNAMED,
) -> dict[str, Counts]:
    """Return samples and correct ones of every question, by benchmark.

    A question is a slot of the data, which its ``uid`` names: one text can stand in two. Where each slot has one
    sample, the slots of one text are the samples of one question, as in DAPO's file of AIME 2024, which repeats every
    question 32 times. A benchmark with a response of which nothing tells whether it is right is left out.

    Args:
        responses: of one validation, one a rollout.
        threshold: the reward above which a response is right that states nothing itself; None if it is not known.
        unnamed: the benchmark of responses that name none.
    """
    by_benchmark: dict[str, list[Mapping[str, Any]]] = {}
    for response in responses:
        by_benchmark.setdefault(benchmark_of(response["benchmark"] or unnamed), []).append(response)
    counts: dict[str, Counts] = {}
    for benchmark, listed in by_benchmark.items():
        verdicts = [right_of(response, threshold) for response in listed]
        if not any(map(math.isnan, verdicts)):
            counts[benchmark] = _by_question(_questions(listed), verdicts)
    return counts


def _by_question(questions: Sequence[str], verdicts: Sequence[float]) -> Counts:
    counts: Counts = {}
    for question, right in zip(questions, verdicts, strict=True):
        samples, correct = counts.get(question, (0, 0))
        counts[question] = samples + 1, correct + bool(right)
    return counts


def _questions(responses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the name of each response's question, the same in every validation of the run.

    A ``uid`` is drawn anew for each validation, so a slot goes by its text and its place among the slots of that text.
    """
    slots: dict[str, list[Any]] = {}
    for response in responses:
        of_text = slots.setdefault(response["question"], [])
        if response.get("group") not in of_text:
            of_text.append(response.get("group"))
    slots_in_all = sum(len(of_text) for of_text in slots.values())
    names = []
    for response in responses:
        place = slots[response["question"]].index(response.get("group"))
        is_first = place == 0 or slots_in_all == len(responses)
        names.append(response["question"] if is_first else f"{response['question']}-{place + 1}")
    return names


class Expected:
    """Say how many questions and samples a whole validation has: as many as the fullest one of the run."""

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
    said = logged_means(logged).get(benchmark)
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
