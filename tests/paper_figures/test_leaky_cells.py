"""Leaks against interpolation in fractions, written out here; shares against binomial coefficients."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from paper_figures.leaky_cells import ALL_SIZES, COMMON, FINE, LEVELS, Leak, leak
from tests.paper_figures.stored import Drawn, drawn, line, lines, texts


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return drawn("leaky_cells", tmp_path_factory.mktemp("results"))


def differing(size: int, k: str) -> list[tuple[int, Fraction, int]]:
    """Every m at which the quantiles differ, with the interpolated one and Eq. 3's."""
    found = []
    for m in range(size + 1):
        rewards = [0] * (size - m) + [1] * m
        position = (size - 1) * Fraction(k)
        below = int(position)
        above = min(below + 1, size - 1)
        interpolated = rewards[below] + (position - below) * (rewards[above] - rewards[below])
        exact = int(Fraction(m, size) > 1 - Fraction(k))
        if interpolated != exact:
            found.append((m, interpolated, exact))
    return found


@pytest.mark.parametrize("k", ["0.05", "0.2", "0.4", "0.55", "0.9"])
def test_a_pair_leaks_where_interpolation_is_not_eq_3(k: str) -> None:
    for size in (2, 5, 8, 16, 21, 32):
        expected = differing(size, k)
        assert len(expected) == (0 if ((size - 1) * Fraction(k)).denominator == 1 else 1)
        assert leak(size, k) == (Leak(expected[0][0], float(expected[0][1]), expected[0][2]) if expected else None)


def test_the_common_cells(figure: Drawn) -> None:
    axes = figure.axes(0)
    (image,) = axes.images
    expected = [[sum(abs(float(b - exact)) for _, b, exact in differing(size, k)) for k in LEVELS] for size in COMMON]
    # One rounding of the share and one of the difference.
    np.testing.assert_allclose(image.get_array(), expected, atol=1e-15)
    at = COMMON.index(8) * len(LEVELS) + LEVELS.index("0.4")
    assert texts(axes)[at] == "m=5 b=.80"
    assert texts(axes)[COMMON.index(16) * len(LEVELS) + LEVELS.index("0.4")] == "exact"
    leaky = sum(text != "exact" for text in texts(axes)[: len(COMMON) * len(LEVELS)])
    assert f"Of {len(COMMON) * len(LEVELS)} common pairs {leaky} leak" in figure.caption


def test_the_dots_are_the_pairs_without_a_leak(figure: Drawn) -> None:
    k, size = line(figure.axes(1), "exact")
    expected = {
        (float(level), number)
        for number in ALL_SIZES
        for level in FINE
        if ((number - 1) * Fraction(level)).denominator == 1
    }
    assert set(zip(k, size, strict=True)) == expected
    assert f"{len(expected)} do not leak" in figure.caption


def test_the_shares_are_the_chance_of_the_leaky_number(figure: Drawn) -> None:
    axes = figure.axes(2)
    assert lines(axes) == ["G = 8, leak at m = 5", "G = 32, leak at m = 19", "G = 64, leak at m = 38", "G = 16: exact"]
    p, found = line(axes, "G = 8, leak at m = 5")
    np.testing.assert_allclose(found, [comb(8, 5) * x**5 * (1 - x) ** 3 for x in p], rtol=1e-12)
    assert set(line(axes, "G = 16: exact")[1]) == {0.0}
    assert f"G = 8 at most {max(found):.0%}" in figure.caption
