"""Figures of the study: where the bars of the coverage end."""

from __future__ import annotations

import numpy as np

from llm_validation.study.figures import with_bars


def test_a_bar_goes_down_to_an_end_that_is_zero() -> None:
    middle, bars = with_bars([{"estimate": 0.25, "low": 0.0, "high": 0.5}, {"estimate": 0.0, "low": 0.0, "high": 0.5}])
    np.testing.assert_array_equal(middle, [0.25, 0.0])
    np.testing.assert_array_equal(bars, [[0.25, 0.0], [0.25, 0.5]])


def test_without_an_interval_there_is_a_point() -> None:
    _, bars = with_bars([{"estimate": 0.25, "low": None, "high": None}, {"estimate": 0.5, "low": 0.25, "high": 0.75}])
    np.testing.assert_array_equal(bars, [[0.0, 0.25], [0.0, 0.25]])
