"""A mutant meets the checks in a stated order, within its budget, and the time of a run ends it."""

from __future__ import annotations

import time

from tests.mutation.killers import affordable, mutants_until

SECONDS = {
    "shipped-agrees-entropy::agreement": 0.5,
    "tests/qae_theory/test_agreement.py::test_says[entropy]": 0.25,
    "tests/qae_theory/test_softmax.py::test_quick": 0.001,
    "tests/qae_theory/test_softmax.py::test_slow": 3.0,
}
AGREEMENT, SAYS, QUICK, SLOW = SECONDS


def test_the_agreement_comes_first_and_then_the_quickest() -> None:
    assert affordable([SLOW, QUICK, AGREEMENT, SAYS], SECONDS, float("inf")) == [SAYS, AGREEMENT, QUICK, SLOW]


def test_a_budget_leaves_the_last_ones_out_and_never_the_first() -> None:
    assert affordable(list(SECONDS), SECONDS, 1.0) == [SAYS, AGREEMENT, QUICK]
    assert affordable([SLOW], SECONDS, 1.0) == [SLOW]
    assert affordable([], SECONDS, 1.0) == []


def test_no_mutant_is_taken_after_the_end() -> None:
    assert list(mutants_until(["a", "b"], float("inf"))) == ["a", "b"]
    assert list(mutants_until(["a", "b"], time.monotonic() - 1)) == []
