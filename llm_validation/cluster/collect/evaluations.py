"""pass@1 and pass@16 by benchmark and step, from validation dumps, logged means or ``qae evaluate``.

From a dump both are counted question by question, without bias, with an interval over questions. Of logged means there
is only the mean: its interval is that of questions which are all right or all wrong, wider than need be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from llm_validation.cluster.collect.recompute import RELATIVE, Finding, correct_above
from llm_validation.cluster.collect.run_settings import RunSettings
from llm_validation.common.pass_at_k import bootstrap_interval, mean_pass_at_k, pass_at_k

KS = (1, 16)
LEVEL = 0.95
QUESTIONS = {"AIME24": 30, "AIME25": 30, "AMC23": 40}  # of the public benchmarks
UNNAMED = "unnamed"
DUMP, LOG, OWN = "validation dump", "logged means", "qae evaluate"
BY_QUESTION = "bootstrap over questions"
WIDEST = "as if each question were all right or all wrong"
_COMPETITION = re.compile(r"(aime|amc)(?:20)?(2\d)(?!\d)")
_LOGGED = re.compile(r"val-(?:core|aux)/(.+)/acc/(mean|best)@(\d+)(?:/mean)?")

Counts = dict[str, tuple[int, int]]  # samples and correct ones, by question


@dataclass(frozen=True)
class Evaluation:
    """One benchmark at one step. ``counts`` is there where every question was seen."""

    step: int | None
    benchmark: str
    source: str
    questions: int | None
    samples: int | None
    pass_at_k: Mapping[str, Mapping[str, Any]]
    interval: str | None
    counts: Counts = field(default_factory=dict)
    unanswered: int = 0

    def record(self) -> dict[str, Any]:
        """In JSON's types."""
        return {**vars(self), "counts": {name: list(pair) for name, pair in sorted(self.counts.items())}}


def benchmark_of(source: str) -> str:
    """The benchmark that a data source is, by its name.

    >>> benchmark_of("math-ai/aime_2024"), benchmark_of("AMC23"), benchmark_of("digits")
    ('AIME24', 'AMC23', 'digits')
    """
    match = _COMPETITION.search(re.sub(r"[^a-z0-9]", "", source.lower()))
    return f"{match[1].upper()}{match[2]}" if match else source


def counts_of(
    responses: Iterable[Mapping[str, Any]], settings: RunSettings, *, unnamed: str = UNNAMED
) -> dict[str, Counts]:
    """Samples and correct ones of every question, by benchmark, from the responses of one validation."""
    listed = list(responses)
    threshold = correct_above(listed, settings)
    found: dict[str, dict[str, list[bool]]] = {}
    for one in listed:
        benchmark = benchmark_of(one["benchmark"] or unnamed)
        right = one["reward"] > threshold if one["correct"] is None else one["correct"]
        found.setdefault(benchmark, {}).setdefault(one["question"], []).append(bool(right))
    return {
        benchmark: {question: (len(right), sum(right)) for question, right in questions.items()}
        for benchmark, questions in found.items()
    }


class Expected:
    """How many questions and samples a whole validation has: as many as the fullest one of the run."""

    def __init__(self, validations: Iterable[Mapping[str, Counts]], settings: RunSettings) -> None:
        self.questions: dict[str, set[str]] = {}
        self.samples: dict[str, int] = {}
        for validation in validations:
            for benchmark, counts in validation.items():
                self.questions.setdefault(benchmark, set()).update(counts)
                most = max(samples for samples, _ in counts.values())
                self.samples[benchmark] = max(self.samples.get(benchmark, settings.samples or 0), most)

    def lacking(self, benchmark: str, counts: Counts) -> int:
        """How many samples are not there."""
        there = sum(samples for samples, _ in counts.values())
        return len(self.questions[benchmark]) * self.samples[benchmark] - there

    def filled(self, benchmark: str, counts: Counts) -> Counts:
        """With every sample that is not there counted as wrong, as verl counts one that failed."""
        return {name: (self.samples[benchmark], counts.get(name, (0, 0))[1]) for name in self.questions[benchmark]}


def of_dump(
    step: int, benchmark: str, counts: Counts, expected: Expected, logged: Mapping[str, float | None]
) -> tuple[Evaluation | None, list[Finding]]:
    """The evaluation that a dump gives, and where its mean is not the logged one.

    A dump with fewer responses than a whole one was cut off, unless its mean with the others counted as wrong is the
    logged one: then they failed. Of a dump that was cut off there is no evaluation.
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


def by_question(
    step: int | None, benchmark: str, counts: Counts, source: str, *, unanswered: int = 0, ks: Iterable[int] = KS
) -> Evaluation:
    """pass@k of questions with (samples, correct) each, for every k that there are samples for."""
    samples = min(n for n, _ in counts.values())
    pairs = [pair for _, pair in sorted(counts.items())]
    estimates = {str(k): _estimate(pairs, k, step or 0) for k in ks if k <= samples}
    return Evaluation(
        step, benchmark, source, len(counts), samples, estimates, BY_QUESTION, counts, unanswered=unanswered
    )


def of_log(step: int, logged: Mapping[str, float | None]) -> list[Evaluation]:
    """What logged means say of one step."""
    found = []
    for benchmark, means in logged_means(logged).items():
        questions = QUESTIONS.get(benchmark)
        estimates = {str(k): widest(means[k], questions) for k in KS if k in means}
        if estimates:
            note = None if questions is None else WIDEST
            found.append(Evaluation(step, benchmark, LOG, questions, samples_logged(logged), estimates, note))
    return found


def logged_means(logged: Mapping[str, float | None]) -> dict[str, dict[int, float]]:
    """verl's ``acc/mean@n`` as pass@1, and ``acc/best@16/mean``, which draws with replacement, as pass@16."""
    found: dict[str, dict[int, float]] = {}
    for name, value in logged.items():
        match = _LOGGED.fullmatch(name)
        if match and value is not None and 0 <= value <= 1:
            k = 1 if match[2] == "mean" else int(match[3])
            if match[2] == "mean" or k > 1:
                found.setdefault(benchmark_of(match[1]), {})[k] = value
    return found


def samples_logged(logged: Mapping[str, float | None]) -> int | None:
    """How many samples of a question the logged means are of."""
    matches = (_LOGGED.fullmatch(name) for name in logged)
    return max((int(match[3]) for match in matches if match and match[2] == "mean"), default=None)


def widest(mean: float, questions: int | None, level: float = LEVEL) -> dict[str, Any]:
    """Clopper and Pearson's interval of ``mean * questions`` successes, in JSON's types; none without the number.

    Questions are worth something between 0 and 1; for a given mean, worth 0 or 1 spreads them most.
    """
    if questions is None:
        return {"estimate": mean, "low": None, "high": None, "level": level, "draws": None}
    right = mean * questions
    low = float(stats.beta.ppf((1 - level) / 2, right, questions - right + 1)) if right > 0 else 0.0
    high = float(stats.beta.ppf((1 + level) / 2, right + 1, questions - right)) if right < questions else 1.0
    return {"estimate": mean, "low": low, "high": high, "level": level, "draws": questions}


def _estimate(pairs: list[tuple[int, int]], k: int, step: int) -> dict[str, Any]:
    estimate = float(mean_pass_at_k(pairs, k))
    if len(pairs) < 2:
        return {"estimate": estimate, "low": None, "high": None, "level": LEVEL, "draws": len(pairs)}
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(step, k)))
    interval = bootstrap_interval([pass_at_k(n, c, k) for n, c in pairs], rng=rng, level=LEVEL)
    return {**interval.record(), "estimate": estimate}
