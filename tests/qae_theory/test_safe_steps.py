"""The safe step never lies above its certificate, whatever the floats; a sample of the long run, `make enclosure`."""

from __future__ import annotations

import math
from functools import partial

import pytest

from qae_theory import safe_step_size
from tests.qae_theory.enclosure import cases, safe_steps
from tests.qae_theory.enclosure.safe_steps import Query

generator = partial(cases.generator, 500)


def test_no_step_lies_above_its_certificate() -> None:
    found = safe_steps.hold(safe_steps.adversarial(generator(0), 4000))
    assert found.instances == 4000
    assert found.above == []


def test_ordinary_steps_are_as_long_as_the_certificate() -> None:
    rng = generator(1)
    queries = [
        Query(rng.normal(0, 3, n).tolist(), rng.integers(0, 2, n).tolist(), 0.25, 0.75)
        for n in rng.integers(2, 8, 500).tolist()
    ]
    found = safe_steps.hold(iter(queries))
    assert found.above == []
    assert 0 < found.largest_shortfall < 1e-11  # 8 (n + 800) half-units are 7e-13


# Controls: what is planted shows


@pytest.mark.parametrize(
    ("query", "bad"),
    [
        (Query([0.0, 1.0], [1, 1], 0.0, 1.0), 1 + 1e-12),
        (Query([1.5e-323, 0.0], [0, 1], 0.0, 1.0), 2.0),  # subnormal: 3e-323
        (Query([0.0, 1e-200], [1, 1], 0.0, 1.0), 1 + 1e-12),
    ],
)
def test_a_step_a_little_too_long_is_caught(query: Query, bad: float) -> None:
    found = safe_steps.hold(iter([query]), lambda *arguments: bad * safe_step_size(*arguments))
    assert [row[0] for row in found.above] == [query]


def test_an_infinite_step_is_caught_where_the_certificate_is_only_beyond_float64() -> None:
    query = Query([0.0, 1.0], [1, 1], 0.0, 1e-309)
    assert safe_steps.hold(iter([query]), lambda *arguments: math.inf).above == [(query, math.inf)]
    nowhere = Query([0.0, 0.0], [1, 1], 0.0, 0.5)  # no step moves anything
    assert safe_steps.hold(iter([nowhere]), lambda *arguments: math.inf).above == []


def test_no_number_is_caught() -> None:
    query = Query([0.0, 1.0], [1, 0], 0.0, 1.0)
    assert len(safe_steps.hold(iter([query]), lambda *arguments: math.nan).above) == 1
