"""Define an evaluation: pass@k of one benchmark at one step, with an interval and the counts that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llm_validation.common.pass_at_k import bootstrap_interval, mean_pass_at_k, pass_at_k

KS = (1, 16)  # of the paper's tables
LEVEL = 0.95  # of every interval
QUESTIONS = {"AIME24": 30, "AIME25": 30, "AMC23": 40}  # of the public benchmarks
UNNAMED = "unnamed"  # a benchmark that nothing names
DUMP, LOG, OWN = "validation dump", "logged means", "qae evaluate"  # where an evaluation comes from
BY_QUESTION = "bootstrap over questions"
WIDEST = "as if each question were all right or all wrong"
_COMPETITION = re.compile(r"(aime|amc)[-_ ]?(?:20)?(2\d)")

Counts = dict[str, tuple[int, int]]  # samples and correct ones, by question


@dataclass(frozen=True)
class Evaluation:
    """Hold pass@k of one benchmark at one step, with its intervals.

    ``source`` tells where it comes from, ``interval`` how its intervals were made; None without one. ``counts`` is
    there where every question was seen. ``unanswered`` counts samples that are not there and were taken for wrong.
    ``others`` has logged means that are no pass@k, by verl's name: ``best@16`` draws with replacement,
    ``reward/mean@4`` is not of right and wrong.
    """

    step: int | None
    benchmark: str
    source: str
    questions: int | None
    samples: int | None
    pass_at_k: Mapping[str, Mapping[str, Any]]
    interval: str | None
    counts: Counts = field(default_factory=dict)
    unanswered: int = 0
    others: Mapping[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return the evaluation in JSON's types."""
        return {**vars(self), "counts": {name: list(pair) for name, pair in sorted(self.counts.items())}}


def benchmark_of(source: str) -> str:
    """Return the benchmark that a data source is, by its name; a translation or a part of one is another.

    >>> benchmark_of("math-ai/aime_2024"), benchmark_of("AMC23"), benchmark_of("aime2024_zh")
    ('AIME24', 'AMC23', 'aime2024_zh')
    """
    match = _COMPETITION.fullmatch(source.rpartition("/")[2].strip().lower())
    return f"{match[1].upper()}{match[2]}" if match else source


def by_question(
    step: int | None, benchmark: str, counts: Counts, source: str, *, unanswered: int = 0, ks: Iterable[int] = KS
) -> Evaluation:
    """Return the evaluation of questions that were all seen.

    Args:
        step: of the run; None where it is not known.
        benchmark: its name.
        counts: samples and correct ones of each question.
        source: where they come from.
        unanswered: how many samples among them are not there.
        ks: every k wanted; those for which some question has too few samples are left out.
    """
    samples = min(count for count, _ in counts.values())
    pairs = [pair for _, pair in sorted(counts.items())]
    estimates = {str(k): _estimate(pairs, k, step or 0) for k in ks if k <= samples}
    return Evaluation(
        step=step,
        benchmark=benchmark,
        source=source,
        questions=len(counts),
        samples=samples,
        pass_at_k=estimates,
        interval=BY_QUESTION,
        counts=counts,
        unanswered=unanswered,
    )


def _estimate(pairs: list[tuple[int, int]], k: int, step: int) -> dict[str, Any]:
    """Return the mean of pass@k over questions with its bootstrap interval; one question alone gives none."""
    estimate = float(mean_pass_at_k(pairs, k))
    if len(pairs) < 2:
        return {"estimate": estimate, "low": None, "high": None, "level": LEVEL, "draws": len(pairs)}
    # A stream for each step and k: collecting more steps later changes no interval of those before.
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(step, k)))
    by_pair = [pass_at_k(samples, correct, k) for samples, correct in pairs]
    interval = bootstrap_interval(by_pair, rng=rng, level=LEVEL)
    return {**interval.record(), "estimate": estimate}
