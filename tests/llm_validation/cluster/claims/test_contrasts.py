"""Differences between rows and their intervals: over questions, over runs, over blocks of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_validation.cluster.claims import contrasts
from llm_validation.cluster.claims.contrasts import Accuracy, accuracy, difference, level_of, log_gap, log_ratio
from llm_validation.cluster.collect.evaluations.evaluation import DUMP, by_question
from llm_validation.cluster.collect.evaluations.logged import of_log
from qae_theory.runs.collected import Collected
from tests.qae_theory.runs.made_up import collected_run

WINDOW, BEFORE = range(11, 101), range(1, 11)


def row(values: list[float]) -> Accuracy:
    return Accuracy((float(np.mean(values)),), {f"q{i:02d}": value for i, value in enumerate(values)}, len(values))


def run(curve: Any, names: tuple[str, ...] = ("actor/entropy",)) -> Collected:
    """A run with a curve of step."""
    lines = tuple({"step": step, "attempt": 1, names[0]: float(curve(step))} for step in range(1, 101))
    return collected_run({"name": "x", "row": None}, lines)


def test_questions_are_paired() -> None:
    rng = np.random.default_rng(0)
    hardness = rng.random(30)
    better = np.clip(hardness + 0.05, 0, None)
    paired = difference([(1.0, row(list(better))), (-1.0, row(list(hardness)))], 0.95)
    assert paired.over == "30 questions"
    assert paired.estimate == pytest.approx(0.05)
    assert (paired.low, paired.high) == pytest.approx((0.05, 0.05))
    shuffled = difference([(1.0, row(list(rng.permutation(better)))), (-1.0, row(list(hardness)))], 0.95)
    assert shuffled.low < 0 < shuffled.high  # the control: other questions' figures under the same names


def test_other_questions_are_not_paired() -> None:
    one = row([0.5] * 30)
    other = Accuracy((0.5,), {f"other{i}": 0.5 for i in range(30)}, 30)
    found = difference([(1.0, one), (-1.0, other)], 0.95)
    assert found.over == "questions, each taken as all right or all wrong"
    assert found.high == pytest.approx(1.96 * (2 * 0.25 / 30) ** 0.5, rel=1e-3)
    assert found.low == -found.high


def test_the_interval_over_questions_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    trials = 400
    for _ in range(trials):
        found = difference([(1.0, row(list(rng.normal(0.1, 0.2, size=30))))], 0.95)
        inside += found.low <= 0.1 <= found.high
    assert 0.91 <= inside / trials <= 0.99  # four standard errors of 400 trials on either side of .95
    values = row(list(rng.normal(size=30)))
    assert difference([(1.0, values)], 0.99).high > difference([(1.0, values)], 0.5).high


def test_runs_are_the_draws_where_there_are_several() -> None:
    many, few = Accuracy((0.4, 0.5, 0.6), {}, 30), Accuracy((0.2, 0.3), {}, 30)
    found = difference([(1.0, many), (-1.0, few)], 0.95)
    from scipy.stats import ttest_ind

    truth = ttest_ind([0.4, 0.5, 0.6], [0.2, 0.3], equal_var=False).confidence_interval(0.95)
    assert found.over == "runs"
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high))
    assert found.draws.mean() == pytest.approx(found.estimate, abs=0.02)


def test_accuracy_of_a_row_from_its_runs() -> None:
    one = by_question(300, "AIME24", {"a": (16, 4), "b": (16, 8)}, DUMP).record()
    other = by_question(300, "AIME24", {"a": (16, 8), "b": (16, 8)}, DUMP).record()
    assert accuracy([one, other], 1) == Accuracy((0.375, 0.5), {"a": 0.375, "b": 0.5}, 2)
    stranger = by_question(300, "AIME24", {"c": (16, 8)}, DUMP).record()
    assert accuracy([one, stranger], 1) == Accuracy((0.375, 0.5), {}, 2)
    (logged,) = of_log(300, {"val-core/aime24/acc/mean@32": 0.4})
    assert accuracy([logged.record()], 1) == Accuracy((0.4,), {}, 30)
    assert accuracy([logged.record()], 16) is None
    assert accuracy([], 1) is None


def test_ratio_of_a_curve_in_two_windows() -> None:
    rises = run(lambda step: 0.3 if step <= 10 else 0.6)
    found = log_ratio([rises], ["actor/entropy"], WINDOW, BEFORE, 0.95)
    assert found is not None
    assert (found.low, found.estimate, found.high) == pytest.approx((np.log(2),) * 3)
    noise = np.random.default_rng(2).lognormal(sigma=0.1, size=101)
    noisy = run(lambda step: (0.3 if step <= 10 else 0.6) * noise[step])
    found = log_ratio([noisy], ["actor/entropy"], WINDOW, BEFORE, 0.95)
    assert found is not None
    assert found.low < np.log(2) < found.high < np.log(2) + 0.2
    assert found.over == "blocks of steps"
    over_runs = log_ratio([rises, noisy], ["actor/entropy"], WINDOW, BEFORE, 0.95)
    assert over_runs is not None
    assert over_runs.over == "runs"


def test_gap_of_two_rows_is_paired_by_blocks_and_level_of_one() -> None:
    wave = run(lambda step: 1 + 0.9 * np.sin(step))
    above = run(lambda step: 1.5 * (1 + 0.9 * np.sin(step)))
    found = log_gap([above], [wave], ["actor/entropy"], WINDOW, 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((np.log(1.5),) * 2)
    several = log_gap([above, above], [wave, run(lambda step: 1.0)], ["actor/entropy"], WINDOW, 0.95)
    assert several is not None
    assert several.over == "runs"
    share = level_of([run(lambda step: 0.8)], ["actor/entropy"], WINDOW, 0.95)
    assert share is not None
    assert share.estimate == pytest.approx(0.8)


def test_too_little_of_a_curve_is_none() -> None:
    short = run(lambda step: 1.0)
    assert log_ratio([short], ["actor/entropy"], range(200, 300), BEFORE, 0.95) is None
    assert log_gap([short], [short], ["nothing"], WINDOW, 0.95) is None
    assert log_gap([short], [run(lambda step: 1.0, ("other",))], ["actor/entropy"], WINDOW, 0.95) is None
    for window in (range(5, 6), range(200, 300)):
        assert log_ratio([short], ["actor/entropy"], WINDOW, window, 0.95) is None
        assert level_of([short], ["actor/entropy"], window, 0.95) is None
    assert level_of([short], ["nothing", "else"], WINDOW, 0.95) is None
    assert log_ratio([run(lambda step: 0.0)], ["actor/entropy"], WINDOW, BEFORE, 0.95) is None  # no logarithm


def test_a_moved_difference_keeps_its_scatter() -> None:
    found = difference([(1.0, row([0.1, 0.2, 0.6]))], 0.95)
    moved = found.moved(0.0)
    assert moved.estimate == 0
    assert moved.high - moved.low == pytest.approx(found.high - found.low)
    assert moved.draws.std() == pytest.approx(found.draws.std())
    assert contrasts.RESAMPLES == len(found.draws) == len(difference([(1.0, Accuracy((0.1,), {}, 30))], 0.9).draws)
