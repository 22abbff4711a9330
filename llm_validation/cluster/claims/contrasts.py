"""Estimate differences between rows of the paper, with intervals: of accuracies and of logged curves.

With one run per row, questions are drawn anew, the same ones for every row, or blocks of steps count as draws. With
several runs per row, the runs are the draws. A logged mean whose questions are not known gets the widest interval that
its value allows. What counts as found is decided in ``criteria``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from llm_validation.cluster.collect.evaluations.evaluation import QUESTIONS
from llm_validation.common.pass_at_k import pass_at_k
from llm_validation.common.resampling import tail
from qae_theory.arrays import Array
from qae_theory.runs.collected import Collected

RESAMPLES = 9999  # the standard error of a share near 0.95 is then 0.002
# At most so many blocks of a window's steps: long enough that neighbouring blocks are nearly independent, and enough of
# them for a variance.
BLOCKS = 10
SEED = 20260923  # of the resamples: two readers of one collection get the same interval


class Accuracy(NamedTuple):
    """Hold pass@k of a row on a benchmark.

    Attributes:
        runs: pass@k of each run.
        questions: pass@k of each question, averaged over the runs; empty where the runs do not all have the same
            questions.
        asked: the number of questions of the benchmark.
    """

    runs: tuple[float, ...]
    questions: Mapping[str, float]
    asked: int


class Difference(NamedTuple):
    """Hold an estimate with its interval.

    Attributes:
        estimate: the difference.
        low: lower end of its interval.
        high: upper end of its interval.
        draws: draws of the estimate, shape [draws].
        over: what was drawn, such as questions or runs.
    """

    estimate: float
    low: float
    high: float
    draws: Array
    over: str

    def moved(self, to: float) -> Difference:
        """Return the same scatter around another value: data with a known effect, for a control."""
        shift = to - self.estimate
        return self._replace(estimate=to, low=self.low + shift, high=self.high + shift, draws=self.draws + shift)

    def __str__(self) -> str:
        return f"{self.estimate:+.3g} [{self.low:.3g}, {self.high:.3g}] over {self.over}"


def accuracy(evaluations: Sequence[Mapping[str, Any]], k: int) -> Accuracy | None:
    """Return the accuracy of a row, or None where no evaluation has this k.

    Args:
        evaluations: one evaluation of each run of the row, as collected.
        k: of pass@k.
    """
    with_k = [evaluation for evaluation in evaluations if str(k) in evaluation["pass_at_k"]]
    if not with_k:
        return None
    by_run = [_by_question(evaluation, k) for evaluation in with_k]
    same = bool(by_run[0]) and all(values.keys() == by_run[0].keys() for values in by_run)
    questions: dict[str, float] = {}
    if same:
        for name in by_run[0]:
            questions[name] = float(np.mean([values[name] for values in by_run]))
    # A log of means does not always say how many questions they are over; the benchmark's own number is known.
    asked = with_k[0]["questions"] or QUESTIONS.get(with_k[0]["benchmark"], 1)
    runs = tuple(float(evaluation["pass_at_k"][str(k)]["estimate"]) for evaluation in with_k)
    return Accuracy(runs=runs, questions=questions, asked=asked)


def _by_question(evaluation: Mapping[str, Any], k: int) -> dict[str, float]:
    """Return pass@k of each question of an evaluation, from its n responses and c right ones."""
    return {name: float(pass_at_k(n, c, k)) for name, (n, c) in evaluation["counts"].items()}


def difference(parts: Sequence[tuple[float, Accuracy]], level: float, *, stream: int = 0, own: int = 0) -> Difference:
    """Return a weighted sum of accuracies with its interval.

    Args:
        parts: weight and accuracy of each row; weights that sum to zero compare rows.
        level: confidence level of the interval.
        stream: which questions are drawn; differences of the same stream draw the same ones.
        own: seed of the draws that are not of common questions.
    """
    estimate = sum(weight * float(np.mean(row.runs)) for weight, row in parts)
    # Scatter between runs includes that of training, so that runs come before questions wherever there are several.
    if all(len(row.runs) > 1 for _, row in parts):
        return _over_runs(estimate, [(weight, np.array(row.runs)) for weight, row in parts], level, own)
    names = parts[0][1].questions.keys()
    if len(names) > 1 and all(row.questions.keys() == names for _, row in parts):
        weighted = []
        for name in sorted(names):  # sorted: the draws must not depend on the order of a log
            weighted.append(sum(weight * row.questions[name] for weight, row in parts))
        return _over_questions(np.array(weighted), level, stream)
    variance = sum(weight**2 * _widest_variance(row) for weight, row in parts)
    return _normal(estimate, variance, level, own)


def log_ratio(
    runs: Sequence[Collected], names: Sequence[str], window: range, reference: range, level: float
) -> Difference | None:
    """Return the mean logarithm of a curve in one window of steps less that in another.

    Args:
        runs: the runs of one row.
        names: names of the curve, the first that a run has.
        window: the steps that are compared.
        reference: the steps that they are compared with.
        level: confidence level of the interval.

    Returns:
        The difference; None where a window has fewer than two blocks of steps in every run.
    """
    pairs = [(_blocks(run, names, window), _blocks(run, names, reference)) for run in runs]
    usable = [(later, earlier) for later, earlier in pairs if len(later) > 1 and len(earlier) > 1]
    if not usable:
        return None
    if len(usable) > 1:
        by_run = np.array([later.mean() - earlier.mean() for later, earlier in usable])
        return _over_runs(float(by_run.mean()), [(1.0, by_run)], level)
    later, earlier = usable[0]
    parts = [(1.0, later), (-1.0, earlier)]
    return _over_runs(float(later.mean() - earlier.mean()), parts, level, over="blocks of steps")


def log_gap(
    runs: Sequence[Collected], others: Sequence[Collected], names: Sequence[str], window: range, level: float
) -> Difference | None:
    """Return the mean logarithm of a curve in a window, one row less another; None where one has too little.

    Args:
        runs: the runs of the first row.
        others: the runs of the row that is subtracted.
        names: names of the curve, the first that a run has.
        window: the steps.
        level: confidence level of the interval.
    """
    first, second = (_usable_blocks(row, names, window) for row in (runs, others))
    if not first or not second:
        return None
    if len(first) > 1 and len(second) > 1:
        means, subtracted = (np.array([blocks.mean() for blocks in row]) for row in (first, second))
        parts = [(1.0, means), (-1.0, subtracted)]
        return _over_runs(float(means.mean() - subtracted.mean()), parts, level)
    mean_blocks, subtracted_blocks = (_mean_of_blocks(row) for row in (first, second))
    shorter = min(len(mean_blocks), len(subtracted_blocks))
    by_block = (
        mean_blocks[:shorter] - subtracted_blocks[:shorter]
    )  # paired by time: a trend common to both rows is no scatter
    return _over_runs(float(by_block.mean()), [(1.0, by_block)], level, over="blocks of steps")


def level_of(runs: Sequence[Collected], names: Sequence[str], window: range, level: float) -> Difference | None:
    """Return the mean of a curve in a window; None where it has too little.

    Args:
        runs: the runs of one row.
        names: names of the curve, the first that a run has.
        window: the steps.
        level: confidence level of the interval.
    """
    usable = _usable_blocks(runs, names, window, logarithm=False)
    if not usable:
        return None
    if len(usable) > 1:
        means = np.array([blocks.mean() for blocks in usable])
        return _over_runs(float(means.mean()), [(1.0, means)], level)
    (blocks,) = usable
    return _over_runs(float(blocks.mean()), [(1.0, blocks)], level, over="blocks of steps")


def _usable_blocks(
    runs: Sequence[Collected], names: Sequence[str], window: range, *, logarithm: bool = True
) -> list[Array]:
    """Return the block means of each run that has at least two blocks, as a variance needs."""
    by_run = [_blocks(run, names, window, logarithm=logarithm) for run in runs]
    return [blocks for blocks in by_run if len(blocks) > 1]


def _mean_of_blocks(row: Sequence[Array]) -> Array:
    """Return the mean over runs of each block that all of them have."""
    shortest = min(map(len, row))
    return np.mean([blocks[:shortest] for blocks in row], axis=0)


def _blocks(run: Collected, names: Sequence[str], window: range, *, logarithm: bool = True) -> Array:
    """Return the means of up to ``BLOCKS`` stretches of the window's steps, nearly equally long."""
    steps, values = run.curve(*names)
    chosen = values[(steps >= window.start) & (steps < window.stop)]
    chosen = np.log(chosen[chosen > 0]) if logarithm else chosen
    if not len(chosen):
        return chosen
    stretches = np.array_split(chosen, min(BLOCKS, len(chosen)))
    return np.array([stretch.mean() for stretch in stretches])


def _over_questions(by_question: Array, level: float, stream: int) -> Difference:
    """Return the bootstrap interval of a mean over questions; its tails are widened for few questions."""
    count = len(by_question)
    rng = np.random.default_rng([SEED, stream])
    batches = []
    for _ in range(RESAMPLES // 303):  # 9999 = 33 x 303: batches bound the memory for long benchmarks
        batches.append(by_question[rng.integers(count, size=(303, count))].mean(axis=1))
    draws = np.concatenate(batches)
    aside = tail(count, level)
    low, high = np.quantile(draws, [aside, 1 - aside])
    return Difference(float(by_question.mean()), float(low), float(high), draws, f"{count} questions")


def _over_runs(
    estimate: float, parts: Sequence[tuple[float, Array]], level: float, own: int = 0, over: str = "runs"
) -> Difference:
    """Return the interval of a weighted sum of means by Welch and Satterthwaite.

    The variance is V = sum_i w_i^2 s_i^2 / n_i, its degrees of freedom are V^2 / sum_i ((w_i^2 s_i^2 / n_i)^2 / (n_i -
    1)).
    """
    variances = np.array([weight**2 * values.var(ddof=1) / len(values) for weight, values in parts])
    total = float(variances.sum())
    shares = sum(v**2 / (len(values) - 1) for v, (_, values) in zip(variances, parts, strict=True))
    freedom = total**2 / float(shares) if total > 0 else 1.0  # without scatter any number does: the interval is a point
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * total**0.5
    draws = estimate + total**0.5 * stats.t.rvs(
        freedom, size=RESAMPLES, random_state=np.random.default_rng([SEED, own])
    )
    return Difference(estimate, estimate - half, estimate + half, draws, over)


def _normal(estimate: float, variance: float, level: float, own: int) -> Difference:
    """Return the normal interval of an estimate with a known variance."""
    half = float(stats.norm.ppf(0.5 + level / 2)) * variance**0.5
    draws = estimate + variance**0.5 * np.random.default_rng([SEED, own]).normal(size=RESAMPLES)
    over = "questions, each taken as all right or all wrong"
    return Difference(estimate, estimate - half, estimate + half, draws, over)


def _widest_variance(row: Accuracy) -> float:
    """Return the largest variance that a mean over questions with values in [0, 1] can have.

    The mean is kept half a question away from 0 and 1, so that a benchmark without a right answer is not certain.
    """
    mean = min(max(float(np.mean(row.runs)), 0.5 / row.asked), 1 - 0.5 / row.asked)
    return mean * (1 - mean) / row.asked
