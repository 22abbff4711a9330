"""Make evaluations of logged means, of which there is no more than the mean.

The interval of such a mean is that of questions which are all right or all wrong, wider than need be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scipy import stats

from llm_validation.cluster.collect.evaluations.evaluation import (
    LEVEL,
    LOG,
    QUESTIONS,
    WIDEST,
    Evaluation,
    benchmark_of,
)

# verl's names of means over questions: of the samples' mean, of the best or of the vote of n drawn with replacement; of
# right and wrong (`acc`) or, where the scorer gives only a score, of that.
_LOGGED = re.compile(r"val-(?:core|aux)/(.+)/(acc|reward|score)/(mean|best|maj)@(\d+)(?:/mean)?")


def of_log(step: int, logged: Mapping[str, float | None]) -> list[Evaluation]:
    """Return the evaluations that the logged metrics of one step hold.

    verl's ``acc/mean@n`` is pass@1. No other logged mean is a pass@k; these stand beside it under their own names.
    """
    accuracies, others = logged_means(logged), _other_means(logged)
    evaluations = []
    for benchmark in sorted({*accuracies, *others}):
        questions, accuracy = QUESTIONS.get(benchmark), accuracies.get(benchmark)
        estimates = {} if accuracy is None else {"1": widest(accuracy, questions)}
        evaluations.append(
            Evaluation(
                step=step,
                benchmark=benchmark,
                source=LOG,
                questions=questions,
                samples=samples_logged(logged, benchmark),
                pass_at_k=estimates,
                interval=None if questions is None or not estimates else WIDEST,
                others=others.get(benchmark, {}),
            )
        )
    return evaluations


def logged_means(logged: Mapping[str, float | None]) -> dict[str, float]:
    """Return the logged mean accuracy by benchmark, verl's ``acc/mean@n``, which is pass@1."""
    means: dict[str, float] = {}
    for match, value in _logged(logged):
        if match[2] == "acc" and match[3] == "mean" and 0 <= value <= 1:
            means[benchmark_of(match[1])] = value
    return means


def _other_means(logged: Mapping[str, float | None]) -> dict[str, dict[str, float]]:
    """Return by benchmark the other logged means: ``best@16`` and ``maj@16`` of right and wrong, means of scores.

    The best of n draws with replacement from the n samples: of a question with 1 right of 16 it has the mean .64, where
    pass@16 is 1.
    """
    others: dict[str, dict[str, float]] = {}
    for match, value in _logged(logged):
        if match[2] == "acc" and match[3] == "mean":
            continue
        name = f"{match[3]}@{match[4]}" if match[2] == "acc" else f"{match[2]}/{match[3]}@{match[4]}"
        others.setdefault(benchmark_of(match[1]), {})[name] = value
    return others


def _logged(logged: Mapping[str, float | None]) -> Iterator[tuple[re.Match[str], float]]:
    """Yield the metrics that are means over a benchmark's questions, with their names taken apart."""
    for name, value in logged.items():
        match = _LOGGED.fullmatch(name)
        if match is not None and value is not None:
            yield match, value


def samples_logged(logged: Mapping[str, float | None], benchmark: str) -> int | None:
    """Return how many samples of a question the logged means of a benchmark are of."""
    samples = []
    for match, _ in _logged(logged):
        if match[3] == "mean" and benchmark_of(match[1]) == benchmark:
            samples.append(int(match[4]))
    return max(samples, default=None)


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
