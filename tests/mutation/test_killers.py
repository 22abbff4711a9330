"""A mutant meets the checks in a stated order, within its budget, and the time of a run ends it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.mutation.killers import KILLED, SURVIVED, affordable, digest, known_outcomes, listed, mutants_until

SECONDS = {
    "shipped-agrees-entropy::agreement": 0.5,
    "tests/qae_theory/test_agreement.py::test_says[entropy]": 0.25,
    "tests/qae_theory/test_softmax.py::test_quick": 0.001,
    "tests/qae_theory/test_softmax.py::test_slow": 3.0,
}
AGREEMENT, SAYS, QUICK, SLOW = SECONDS


def test_the_agreement_comes_first_and_then_the_quickest() -> None:
    assert affordable([SLOW, QUICK, AGREEMENT, SAYS], SECONDS, float("inf")) == [SAYS, AGREEMENT, QUICK, SLOW]


def test_a_budget_leaves_the_last_ones_out_and_never_the_first_or_an_agreement() -> None:
    assert affordable(list(SECONDS), SECONDS, 1.0) == [SAYS, AGREEMENT, QUICK]
    assert affordable(list(SECONDS), SECONDS, 0.0) == [SAYS, AGREEMENT]
    assert affordable([SLOW], SECONDS, 1.0) == [SLOW]
    assert affordable([], SECONDS, 1.0) == []


def test_no_mutant_is_taken_after_the_end() -> None:
    assert list(mutants_until(["a", "b"], float("inf"))) == ["a", "b"]
    assert list(mutants_until(["a", "b"], time.monotonic() - 1)) == []


def test_a_run_goes_on_from_what_an_earlier_one_of_the_same_tree_has_found(tmp_path: Path) -> None:
    tree, result = tmp_path / "tree", tmp_path / "result.json"
    tree.mkdir()
    (tree / "code.py").write_text("x = 1\n")
    outcomes = {"a": KILLED, "b": SURVIVED}
    assert known_outcomes(result, digest(tree), 4.0) == {}
    result.write_text(json.dumps({"tree": digest(tree), "budget": "4.0"} | listed(outcomes)))
    assert known_outcomes(result, digest(tree), 4.0) == outcomes
    assert known_outcomes(result, digest(tree), float("inf")) == {}
    (tree / "code.py").write_text("x = 2\n")
    assert known_outcomes(result, digest(tree), 4.0) == {}


def test_a_result_lists_what_survives_and_what_ran_out_of_time() -> None:
    found = listed({"a": KILLED, "b": SURVIVED, "c": 3, "d": 124, "e": -27})
    assert (found["tried"], found["survivors"], found["timed_out"]) == (5, ["b", "c"], ["d", "e"])
