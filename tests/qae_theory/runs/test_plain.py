"""What is stored has JSON's types, whatever it was computed with."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from qae_theory.runs.plain import finite_or_none, plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((1, (2, None)), [1, [2, None]]),
        (OrderedDict({1: np.float32(0.5)}), {"1": 0.5}),
        ("text", "text"),
    ],
)
def test_a_value_becomes_what_json_gives_back(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found)) == expected


def test_numbers_that_are_not_finite_stay_until_they_are_taken_out() -> None:
    record = plain({"mean": np.float64("nan"), "ends": (-math.inf, 1.0), "name": "nan"})
    assert math.isnan(record["mean"])
    assert finite_or_none(record) == {"mean": None, "ends": [None, 1.0], "name": "nan"}
