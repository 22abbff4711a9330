"""The multiples against plain sums over groups."""

from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt

import numpy as np
import pytest

from paper_figures.gain_ratio import APART, DEPTH_LEVELS, DEPTH_SIZES, GRID, GROUP, LEVELS, SIZES, SUCCESS, K
from tests.paper_figures.stored import Drawn, drawn, line, lines, texts


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return drawn("gain_ratio", tmp_path_factory.mktemp("results"))


def gain(p: float, size: int, k: str | None) -> float:
    """E[A | right] - E[A | wrong] over the other G - 1 responses; the mean as baseline if there is no K."""
    total = 0.0
    for others in range(size):
        chance = comb(size - 1, others) * p**others * (1 - p) ** (size - 1 - others)
        total += chance * (advantage(1, others + 1, size, k) - advantage(0, others, size, k))
    return total


def advantage(reward: int, m: int, size: int, k: str | None) -> float:
    if m in (0, size):
        return 0.0
    baseline = m / size if k is None else float(Fraction(m, size) > 1 - Fraction(k))
    return (reward - baseline) / sqrt(m * (size - m) / size**2)


def multiple(p: float, size: int, k: str) -> float:
    return gain(p, size, k) / gain(p, size, None)


@pytest.mark.parametrize("size", SIZES)
def test_curves_by_group_size(figure: Drawn, size: int) -> None:
    p, found = line(figure.axes(0), f"G = {size}")
    some = slice(3, None, 20)
    # Sums of up to 256 terms, in another order.
    np.testing.assert_allclose(found[some], [multiple(x, size, K) for x in p[some]], rtol=1e-9)


def test_the_map_by_level(figure: Drawn) -> None:
    axes = figure.axes(1)
    (image,) = axes.images
    expected = [[multiple(float(p), GROUP, k) for p in SUCCESS] for k in LEVELS]
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-9)
    assert texts(axes)[0] == f"{expected[0][0]:.2f}"


def test_the_extremes_over_difficulty(figure: Drawn) -> None:
    axes = figure.axes(2)
    for k in DEPTH_LEVELS:
        sizes, smallest = line(axes, f"K = {k}: smallest")
        _, largest = line(axes, f"K = {k}: largest")
        np.testing.assert_allclose(np.log2(sizes), np.log2(DEPTH_SIZES), atol=APART + 1e-9)  # levels stand apart
        assert [shown.get_linestyle() for shown in axes.lines if shown.get_label().startswith(f"K = {k}:")] == [
            "None"
        ] * 2
        found = [multiple(float(p), 8, k) for p in GRID]
        np.testing.assert_allclose([smallest[1], largest[1]], [min(found), max(found)], rtol=1e-9)
    assert lines(axes)[0] == "the same step"


def test_the_caption_says_what_is_drawn(figure: Drawn) -> None:
    p, curve = line(figure.axes(0), "G = 4")
    least = min(curve)
    assert f"G = 4 from {least:.2f} (p = {p[curve.index(least)]:.2g}) to {max(curve):.2f}" in figure.caption
    assert figure.missing == [None, None, None]
    assert [texts(figure.axes(panel), "source") for panel in range(3)] == [["theory, exact"]] * 3
