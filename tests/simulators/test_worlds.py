"""Random starting points: exact success probabilities, each difficulty's distribution, files good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError
from scipy import stats

from simulators import World, random_bandits
from simulators.worlds import Difficulty, read_histogram, success_probs
from tests.assertions import refuses

DRAWS = 4000
# Fixed before looking; five tests at this rate fail together by chance once in 2000 runs. The controls are
# distributions at a distance of at least 0.06 in CDF, which 4000 draws tell apart at this rate with power above .9999.
ERROR_RATE = 1e-4


def generators(seed: int, count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(count)]


def histogram(folder: Path, content: Any) -> str:
    path = folder / "histogram.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def fits(difficulty: Difficulty, cdf: Callable[[Any], Any]) -> bool:
    draws = success_probs(difficulty, DRAWS, np.random.default_rng(7))
    return float(stats.kstest(draws, cdf).pvalue) >= ERROR_RATE


def test_uniform() -> None:
    difficulty = Difficulty(low=0.2, high=0.7)
    assert fits(difficulty, stats.uniform(0.2, 0.5).cdf)
    assert not fits(difficulty, stats.uniform(0.2, 0.56).cdf)


def test_beta() -> None:
    difficulty = Difficulty(kind="beta", a=2.0, b=5.0, floor=1e-6)
    assert fits(difficulty, stats.beta(2, 5).cdf)
    assert not fits(difficulty, stats.beta(5, 2).cdf)
    assert not fits(difficulty, stats.beta(2, 4).cdf)


def test_bimodal() -> None:
    """Two points: the number of low ones is binomial."""
    difficulty = Difficulty(kind="bimodal", low=0.1, high=0.8, share=0.3)
    draws = success_probs(difficulty, DRAWS, np.random.default_rng(7))
    assert set(draws.tolist()) == {0.1, 0.8}
    low = int((draws == 0.1).sum())
    assert stats.binomtest(low, DRAWS, 0.3).pvalue >= ERROR_RATE
    assert stats.binomtest(low, DRAWS, 0.7).pvalue < ERROR_RATE
    assert stats.binomtest(low, DRAWS, 0.36).pvalue < ERROR_RATE


def test_histogram(tmp_path: Path) -> None:
    """Uniform within a bin: the CDF is linear between the edges."""
    content = {"edges": [0.1, 0.2, 0.6, 0.9], "weights": [2, 1, 5]}
    difficulty = Difficulty(kind="histogram", file=histogram(tmp_path, content))
    assert fits(difficulty, lambda x: np.interp(x, content["edges"], [0, 0.25, 0.375, 1]))
    assert not fits(difficulty, lambda x: np.interp(x, content["edges"], [0, 0.25, 0.44, 1]))


def test_draws_stay_inside_the_floor() -> None:
    draws = success_probs(Difficulty(kind="beta", a=0.05, b=0.05, floor=0.01), DRAWS, np.random.default_rng(7))
    assert draws.min() == 0.01
    assert draws.max() == 0.99


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(2, 12),
    st.floats(0.01, 0.99),
    st.floats(0, 5),
    st.floats(1e-6, 0.4),
)
def test_policies_have_exactly_the_drawn_success_probability(
    seed: int, queries: int, arms: int, share: float, spread: float, floor: float
) -> None:
    """The generator's first draws are the success probabilities, so that another of the same seed repeats them."""
    difficulty = Difficulty(floor=floor)
    world = World(queries=queries, arms=arms, correct_share=share, spread=spread, difficulty=difficulty)
    start = random_bandits(world, [np.random.default_rng(seed)])
    wanted = success_probs(difficulty, queries, np.random.default_rng(seed))
    found = (np.exp(start.logits) * start.env.arm_rewards).sum(axis=-1)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)  # a dozen exponentials
    np.testing.assert_allclose(np.exp(start.logits).sum(axis=-1), 1, rtol=1e-11)
    right = start.env.arm_rewards.sum(axis=-1)
    assert right.min() >= 1
    assert right.max() <= arms - 1


def test_number_and_place_of_right_arms() -> None:
    """Binomial(16, 1/4) within 1..15, and every place alike."""
    start = random_bandits(World(queries=DRAWS, arms=16), generators(3, 1))
    right = start.env.arm_rewards[0]
    probabilities = stats.binom.pmf(np.arange(17), 16, 0.25)
    probabilities[1] += probabilities[0]
    counts = np.bincount(right.sum(axis=-1).astype(int), minlength=17)
    pooled = np.append(counts[1:8], counts[8:].sum()), np.append(probabilities[1:8], probabilities[8:].sum())
    assert stats.chisquare(pooled[0], DRAWS * pooled[1]).pvalue >= ERROR_RATE
    wrong = stats.binom.pmf(np.arange(17), 16, 0.3)
    assert stats.chisquare(counts[1:8], wrong[1:8] / wrong[1:8].sum() * counts[1:8].sum()).pvalue < ERROR_RATE
    places = right.sum(axis=0)
    assert stats.chisquare(places).pvalue >= ERROR_RATE
    assert stats.chisquare(places * np.linspace(0.9, 1.1, 16)).pvalue < ERROR_RATE


def test_spread_is_that_of_the_logits() -> None:
    def spread_of(value: float) -> float:
        world = World(queries=500, arms=16, spread=value, correct_share=0.5)
        start = random_bandits(world, generators(4, 1))
        wrong = np.where(start.env.arm_rewards[0] == 0, start.logits[0], np.nan)
        return float(np.sqrt(np.nanmean(np.nanvar(wrong, axis=-1, ddof=1))))

    assert spread_of(0.0) < 1e-12
    # 500 queries of about 7 degrees of freedom: the root has a standard error of 1.5 / sqrt(7000) = .018
    assert abs(spread_of(1.5) - 1.5) < 5 * 0.018
    assert abs(spread_of(1.2) - 1.5) > 5 * 0.018


def test_a_seed_draws_from_its_own_generator_alone() -> None:
    world = World(queries=3, arms=4)
    three = random_bandits(world, generators(5, 3))
    alone = random_bandits(world, generators(5, 3)[1:2])
    assert np.array_equal(three.logits[1:2], alone.logits)
    assert np.array_equal(three.env.arm_rewards[1:2], alone.env.arm_rewards)
    assert not np.array_equal(three.logits[0], three.logits[1])


def test_a_histogram_is_read_and_normalised(tmp_path: Path) -> None:
    edges, weights = read_histogram(Path(histogram(tmp_path, {"edges": [0, 0.5, 1], "weights": [3, 1]})))
    assert edges.tolist() == [0, 0.5, 1]
    assert weights.tolist() == [0.75, 0.25]


BAD_HISTOGRAMS: list[Any] = [
    "",
    "not JSON",
    "[1, 2]",
    "null",
    {"edges": [0, 1]},
    {"weights": [1]},
    {"edges": [0, 1], "weights": [1, 1]},
    {"edges": [0, 1], "weights": []},
    {"edges": [0.5], "weights": []},
    {"edges": [0, 0, 1], "weights": [1, 1]},
    {"edges": [1, 0], "weights": [1]},
    {"edges": [-0.1, 1], "weights": [1]},
    {"edges": [0, 1.1], "weights": [1]},
    {"edges": [0, 0.5, 1], "weights": [1, -1]},
    {"edges": [0, 0.5, 1], "weights": [0, 0]},
    {"edges": [0, "x"], "weights": [1]},
    {"edges": [[0, 1]], "weights": [[1]]},
    '{"edges": [0, NaN, 1], "weights": [1, 1]}',
    '{"edges": [0, 0.5, 1], "weights": [1, Infinity]}',
    '{"edges": [0, 0.5, 1], "weights": [1, NaN]}',
]


@pytest.mark.parametrize("content", BAD_HISTOGRAMS)
def test_bad_histograms_are_refused(tmp_path: Path, content: Any) -> None:
    file = histogram(tmp_path, content)
    refuses(lambda: read_histogram(Path(file)), "file", file)
    with pytest.raises(ValidationError, match="file must be a JSON file"):
        Difficulty(kind="histogram", file=file)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str) -> None:
    file = str(tmp_path / name)
    refuses(lambda: read_histogram(Path(file)), "file", file)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.json"
    path.write_bytes(b"\xff\xfe\x00")
    refuses(lambda: read_histogram(path), "file", str(path))


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ({"kind": "normal"}, "kind"),
        ({"low": 0.5, "high": 0.5}, "low"),
        ({"low": -0.1}, "low"),
        ({"high": 1.1}, "high"),
        ({"a": 0}, "a"),
        ({"b": -1}, "b"),
        ({"b": float("inf")}, "b"),
        ({"a": float("nan")}, "a"),
        ({"share": 1.0}, "share"),
        ({"floor": 0.5}, "floor"),
        ({"kind": "histogram"}, "file"),
        ({"file": "x.json"}, "file"),
        ({"shape": 1}, "shape"),
    ],
)
def test_bad_difficulties_are_refused(bad: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Difficulty.model_validate(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"queries": 0},
        {"arms": 1},
        {"correct_share": 0.0},
        {"correct_share": 1.0},
        {"spread": -1.0},
        {"spread": float("inf")},
        {"spread": float("nan")},
        {"tasks": 3},
    ],
)
def test_bad_worlds_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        World.model_validate(bad)
