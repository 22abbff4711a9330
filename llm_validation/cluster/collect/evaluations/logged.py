"""Evaluations from logged means, of which there is no more than the mean.

The interval of such a mean is that of questions which are all right or all wrong, wider than need be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scipy import stats

from llm_validation.cluster.collect.evaluations.evaluation import (
    KS,
    LEVEL,
    LOG,
    QUESTIONS,
    WIDEST,
    Evaluation,
    benchmark_of,
)

# verl's name of a mean over questions: of the samples' mean, or of the best of n.
_LOGGED = re.compile(r"val-(?:core|aux)/(.+)/acc/(mean|best)@(\d+)(?:/mean)?")


def of_log(step: int, logged: Mapping[str, float | None]) -> list[Evaluation]:
    """Return the evaluations that the logged metrics of one step hold."""
    evaluations = []
    for benchmark, means in logged_means(logged).items():
        questions = QUESTIONS.get(benchmark)
        estimates = {str(k): widest(means[k], questions) for k in KS if k in means}
        if estimates:
            evaluations.append(
                Evaluation(
                    step=step,
                    benchmark=benchmark,
                    source=LOG,
                    questions=questions,
                    samples=samples_logged(logged),
                    pass_at_k=estimates,
                    interval=None if questions is None else WIDEST,
                )
            )
    return evaluations


def logged_means(logged: Mapping[str, float | None]) -> dict[str, dict[int, float]]:
    """Return the logged means by benchmark and k.

    verl's ``acc/mean@n`` is pass@1, and its ``acc/best@16/mean``, which draws samples with replacement, is pass@16.
    """
    by_benchmark: dict[str, dict[int, float]] = {}
    for name, value in logged.items():
        match = _LOGGED.fullmatch(name)
        if match is None or value is None or not 0 <= value <= 1:
            continue
        is_mean = match[2] == "mean"
        k = 1 if is_mean else int(match[3])
        if is_mean or k > 1:  # the best of one is the mean again
            by_benchmark.setdefault(benchmark_of(match[1]), {})[k] = value
    return by_benchmark


def samples_logged(logged: Mapping[str, float | None]) -> int | None:
    """Return how many samples of a question the logged means are of."""
    matches = (_LOGGED.fullmatch(name) for name in logged)
    return max((int(match[3]) for match in matches if match and match[2] == "mean"), default=None)


def widest(mean: float, questions: int | None, level: float = LEVEL) -> dict[str, Any]:
    """Return Clopper and Pearson's interval of ``mean * questions`` successes; none without the number of questions.

    A question is worth between 0 and 1; for a given mean, questions worth 0 or 1 scatter most (Clopper and Pearson,
    Biometrika 26, 1934).

    Args:
        mean: accuracy, in [0, 1].
        questions: of the benchmark; None where it is not known.
        level: of the interval, in (0, 1).
    """
    if questions is None:
        return {"estimate": mean, "low": None, "high": None, "level": level, "draws": None}
    right = mean * questions
    low = float(stats.beta.ppf((1 - level) / 2, right, questions - right + 1)) if right > 0 else 0.0
    high = float(stats.beta.ppf((1 + level) / 2, right + 1, questions - right)) if right < questions else 1.0
    return {"estimate": mean, "low": low, "high": high, "level": level, "draws": questions}
