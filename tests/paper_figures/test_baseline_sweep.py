"""Exact changes against softmax and entropy written out for two answers; shares of policies against the run."""

from __future__ import annotations

from math import comb, exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figures.baseline_sweep import NAMES
from tests.paper_figures.stored import Drawn, drawn, line, lines, store, texts

STEP = 0.1


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return drawn("baseline_sweep", tmp_path_factory.mktemp("results"))


def change(p: float, gap: float) -> float:
    """Entropy change when the right answer's logit rises by ``gap`` against the other's."""
    moved = p * exp(gap) / (p * exp(gap) + 1 - p)
    return entropy(moved) - entropy(p)


def entropy(p: float) -> float:
    return -p * log(p) - (1 - p) * log(1 - p)


def sampled(p: float, size: int, b: float) -> float:
    """Expectation over m; a group's direction is A (e_y - pi) averaged, whose gap is of the right answer's mass."""
    total = 0.0
    for m in range(1, size):
        share = m / size
        std = sqrt(share * (1 - share))
        right, wrong = share * (1 - b) / std, (1 - share) * -b / std
        push = (right - (right + wrong) * p) - (wrong - (right + wrong) * (1 - p))
        total += comb(size, m) * p**m * (1 - p) ** (size - m) * change(p, STEP * push)
    return total


GAPS = {
    "uncentred": lambda p, b: p * (1 - b) + (1 - p) * b,
    "policy_gradient": lambda p, b: 2 * p * (1 - p),
    "natural_gradient": lambda p, b: 1.0,
}


@pytest.mark.parametrize("update", list(GAPS))
@pytest.mark.parametrize(("regime", "p"), [("hard", 0.1), ("easy", 0.9)])
def test_population_updates(figure: Drawn, update: str, regime: str, p: float) -> None:
    b, found = line(figure.axes(list(NAMES).index(update)), regime)
    expected = [1000 * change(p, STEP * GAPS[update](p, one)) for one in b]
    # Differences of entropies near .3 nats: 1e-16 against changes of 1e-3, shown in thousandths.
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize(("regime", "p"), [("hard", 0.1), ("easy", 0.9)])
@pytest.mark.parametrize("size", [2, 16])
def test_sampled_groups(figure: Drawn, regime: str, p: float, size: int) -> None:
    b, found = line(figure.axes(3), f"{regime}, G = {size}")
    np.testing.assert_allclose(found, [1000 * sampled(p, size, one) for one in b], atol=1e-11)


def test_the_witness_of_the_ledger(figure: Drawn) -> None:
    b, found = line(figure.axes(3), "hard, G = 2")
    at = [found[b.index(one)] for one in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(at, [6.5956, 3.6192, 0.7143], atol=6e-5)  # theory.md, W1, printed to 1e-7 nats


def test_the_titles_say_what_the_lines_do(figure: Drawn) -> None:
    assert [figure.panels[i].title for i in range(4)] == [
        "uncentred: order kept",
        "policy gradient: b drops out",
        "natural gradient: b drops out",
        "sampled group: order reversed",
    ]
    assert figure.missing[:4] == [None] * 4
    assert figure.missing[4:] == ["not run: qae simulate ordering"] * 4
    _, hard = line(figure.axes(0), "hard")
    assert f"hard from {hard[0]:.3g} at b = 0 to {hard[-1]:.3g} at b = 1" in figure.caption


def shares(rate: float) -> list[dict[str, Any]]:
    compared = [*((name, "every baseline") for name in GAPS), ("sampled_group qae", "grpo"), ("uncentred", "the mean")]
    return [
        {
            "update": update,
            "against": against,
            "regime": regime,
            "step_size": step,
            "holds": {"estimate": rate, "low": rate / 2, "high": 1.0, "level": 0.99, "draws": 9},
            "strict": {"estimate": rate / 4, "low": 0.0, "high": rate, "level": 0.99, "draws": 9},
        }
        for update, against in compared
        for regime in ("hard", "easy")
        for step in (0.0, 0.01, 1.0)
    ]


def test_shares_are_the_run_and_change_with_it(tmp_path: Path) -> None:
    store(tmp_path, "ordering", files={"analysis.json": {"shares": shares(0.8)}})
    before = drawn("baseline_sweep", tmp_path)
    for panel in range(4, 8):
        axes = before.axes(panel)
        assert lines(axes) == [f"{regime}, {word}" for regime in ("hard", "easy") for word in ("not broken", "strict")]
        assert line(axes, "hard, not broken") == ([0.01, 1.0], [0.8, 0.8])
        assert line(axes, "easy, strict")[1] == [0.2, 0.2]
        # The first order stands alone: no line joins it to a step.
        alone = [
            (one.get_xdata().tolist(), one.get_ydata().tolist()) for one in axes.lines if len(one.get_xdata()) == 1
        ]
        assert alone == [([0.0025], [share]) for share in (0.8, 0.2, 0.8, 0.2)]
        low, high = axes.collections[0].get_paths()[0].get_extents().intervaly
        assert (low, high) == (0.4, 1.0)
        assert texts(axes, "source") == ["ordering, run 0123456789ab, quick size, settings changed"]
    assert "hard, not broken 80%" in before.caption
    store(tmp_path, "ordering", files={"analysis.json": {"shares": shares(0.4)}})
    after = drawn("baseline_sweep", tmp_path)
    assert line(after.axes(7), "hard, not broken")[1] == [0.4, 0.4]
    assert "hard, not broken 40%" in after.caption
