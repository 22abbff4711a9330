"""Differences between rows, with intervals: of accuracies over questions or runs, of curves over blocks of steps.

One run a row: questions are drawn anew, the same ones for every row, or blocks of steps count as draws. Several runs a
row: the runs are the draws. Logged means without their questions get the widest interval that their means allow.
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

RESAMPLES = 9999
BLOCKS = 10  # of the steps of a window, at most
SEED = 20260923


class Accuracy(NamedTuple):
    """pass@k of a row on a benchmark: of each run, and of each question over the runs where every run has it."""

    runs: tuple[float, ...]
    questions: Mapping[str, float]
    asked: int


class Difference(NamedTuple):
    """An estimate, its interval, and draws of it; ``over`` says what was drawn."""

    estimate: float
    low: float
    high: float
    draws: Array
    over: str

    def moved(self, to: float) -> Difference:
        """The same scatter around another value: data with a known effect, for a control."""
        by = to - self.estimate
        return Difference(to, self.low + by, self.high + by, self.draws + by, self.over)

    def __str__(self) -> str:
        return f"{self.estimate:+.3g} [{self.low:.3g}, {self.high:.3g}] over {self.over}"


def accuracy(evaluations: Sequence[Mapping[str, Any]], k: int) -> Accuracy | None:
    """From one evaluation of each run of a row; None without one that has this k."""
    there = [one for one in evaluations if str(k) in one["pass_at_k"]]
    if not there:
        return None
    by_run = [{name: float(pass_at_k(n, c, k)) for name, (n, c) in one["counts"].items()} for one in there]
    same = bool(by_run[0]) and all(values.keys() == by_run[0].keys() for values in by_run)
    questions = {name: float(np.mean([values[name] for values in by_run])) for name in by_run[0]} if same else {}
    asked = there[0]["questions"] or QUESTIONS.get(there[0]["benchmark"], 1)
    return Accuracy(tuple(float(one["pass_at_k"][str(k)]["estimate"]) for one in there), questions, asked)


def difference(parts: Sequence[tuple[float, Accuracy]], level: float, *, stream: int = 0, own: int = 0) -> Difference:
    """The weighted sum of accuracies with its interval.

    Args:
        parts: weight and accuracy of each row; weights that sum to zero compare rows.
        level: of the interval.
        stream: which questions are drawn; the same ones for differences of the same stream.
        own: tells apart the draws of what is not drawn from common questions.
    """
    estimate = sum(weight * float(np.mean(one.runs)) for weight, one in parts)
    if all(len(one.runs) > 1 for _, one in parts):
        return _over_runs(estimate, [(weight, np.array(one.runs)) for weight, one in parts], level, own)
    names = parts[0][1].questions.keys()
    if len(names) > 1 and all(one.questions.keys() == names for _, one in parts):
        by_question = np.array([sum(weight * one.questions[name] for weight, one in parts) for name in sorted(names)])
        return _over_questions(by_question, level, stream)
    variance = sum(weight**2 * _widest_variance(one) for weight, one in parts)
    return _normal(estimate, variance, level, own)


def log_ratio(
    runs: Sequence[Collected], names: Sequence[str], window: range, reference: range, level: float
) -> Difference | None:
    """Mean logarithm of a curve in one window of steps less that in another; None where a window has too little."""
    pairs = [(_blocks(run, names, window), _blocks(run, names, reference)) for run in runs]
    there = [(one, other) for one, other in pairs if len(one) > 1 and len(other) > 1]
    if not there:
        return None
    if len(there) > 1:
        each = np.array([one.mean() - other.mean() for one, other in there])
        return _over_runs(float(each.mean()), [(1.0, each)], level)
    one, other = there[0]
    return _over_runs(float(one.mean() - other.mean()), [(1.0, one), (-1.0, other)], level, over="blocks of steps")


def log_gap(
    runs: Sequence[Collected], others: Sequence[Collected], names: Sequence[str], window: range, level: float
) -> Difference | None:
    """Mean logarithm of a curve in a window, one row less another; None where one has too little."""
    first, second = ([_blocks(run, names, window) for run in row] for row in (runs, others))
    first, second = ([one for one in row if len(one) > 1] for row in (first, second))
    if not first or not second:
        return None
    if len(first) > 1 and len(second) > 1:
        means = [np.array([one.mean() for one in row]) for row in (first, second)]
        return _over_runs(float(means[0].mean() - means[1].mean()), [(1.0, means[0]), (-1.0, means[1])], level)
    one, other = (np.mean([blocks[: min(map(len, row))] for blocks in row], axis=0) for row in (first, second))
    shorter = min(len(one), len(other))
    each = one[:shorter] - other[:shorter]
    return _over_runs(float(each.mean()), [(1.0, each)], level, over="blocks of steps")


def level_of(runs: Sequence[Collected], names: Sequence[str], window: range, level: float) -> Difference | None:
    """Mean of a curve in a window; None where it has too little."""
    means = [_blocks(run, names, window, logarithm=False) for run in runs]
    there = [blocks for blocks in means if len(blocks) > 1]
    if not there:
        return None
    if len(there) > 1:
        each = np.array([blocks.mean() for blocks in there])
        return _over_runs(float(each.mean()), [(1.0, each)], level)
    return _over_runs(float(there[0].mean()), [(1.0, there[0])], level, over="blocks of steps")


def _blocks(run: Collected, names: Sequence[str], window: range, *, logarithm: bool = True) -> Array:
    """Means of up to ``BLOCKS`` stretches of the window's steps, each as long as the others, nearly."""
    steps, values = run.curve(*names)
    chosen = values[(steps >= window.start) & (steps < window.stop)]
    chosen = np.log(chosen[chosen > 0]) if logarithm else chosen
    if not len(chosen):
        return chosen
    return np.array([part.mean() for part in np.array_split(chosen, min(BLOCKS, len(chosen)))])


def _over_questions(by_question: Array, level: float, stream: int) -> Difference:
    count = len(by_question)
    rng = np.random.default_rng([SEED, stream])
    draws = np.concatenate(
        [by_question[rng.integers(count, size=(303, count))].mean(axis=1) for _ in range(RESAMPLES // 303)]
    )
    aside = tail(count, level)
    low, high = np.quantile(draws, [aside, 1 - aside])
    return Difference(float(by_question.mean()), float(low), float(high), draws, f"{count} questions")


def _over_runs(
    estimate: float, parts: Sequence[tuple[float, Array]], level: float, own: int = 0, over: str = "runs"
) -> Difference:
    """Welch and Satterthwaite's interval of a weighted sum of means."""
    variances = np.array([weight**2 * values.var(ddof=1) / len(values) for weight, values in parts])
    total = float(variances.sum())
    shares = sum(v**2 / (len(values) - 1) for v, (_, values) in zip(variances, parts, strict=True))
    freedom = total**2 / float(shares) if total > 0 else 1.0
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * total**0.5
    draws = estimate + total**0.5 * stats.t.rvs(
        freedom, size=RESAMPLES, random_state=np.random.default_rng([SEED, own])
    )
    return Difference(estimate, estimate - half, estimate + half, draws, over)


def _normal(estimate: float, variance: float, level: float, own: int) -> Difference:
    half = float(stats.norm.ppf(0.5 + level / 2)) * variance**0.5
    draws = estimate + variance**0.5 * np.random.default_rng([SEED, own]).normal(size=RESAMPLES)
    over = "questions, each taken as all right or all wrong"
    return Difference(estimate, estimate - half, estimate + half, draws, over)


def _widest_variance(one: Accuracy) -> float:
    """Of a mean over questions that are worth 0 to 1; at the least that of half a question in doubt."""
    mean = min(max(float(np.mean(one.runs)), 0.5 / one.asked), 1 - 0.5 / one.asked)
    return mean * (1 - mean) / one.asked
