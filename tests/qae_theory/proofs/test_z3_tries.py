"""z3 is asked again with another seed, and counts steps, so that neither luck nor the machine decides about a goal."""

from __future__ import annotations

from typing import Any

import pytest
import z3

from qae_theory.proofs.carriers import paths as carriers
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools import checking
from qae_theory.proofs.tools.checking import contradictory, entailed, valid

A, B, C = z3.Ints("a b c")
X = z3.Real("x")
FERMAT = (A > 0, B > 0, C > 0, A**3 + B**3 == C**3)  # no search comes to an end of these
ENOUGH = 1_000_000


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that z3 is given from here on, in order."""
    given: list[int] = []
    set_option = z3.Solver.set

    def noting(solver: Any, name: str, value: Any) -> None:
        if name == "random_seed":
            given.append(value)
        set_option(solver, name, value)

    monkeypatch.setattr(z3.Solver, "set", noting)
    return given


def test_a_try_without_steps_is_followed_by_the_next(seeds: list[int]) -> None:
    assert entailed(X * X >= 0, tries=(1, ENOUGH)).passed
    assert seeds == [0, 1]
    assert not entailed(X * X > 0, tries=(1, ENOUGH)).passed
    assert seeds == [0, 1, 0, 1]


def test_no_further_try_follows_an_answer(seeds: list[int]) -> None:
    assert entailed(X * X >= 0, tries=(ENOUGH, ENOUGH)).passed
    assert entailed(X * X > 0, tries=(ENOUGH, ENOUGH)).criterion == "z3 countermodel"
    assert seeds == [0, 0]


def test_no_answer_in_any_try_is_undecided(seeds: list[int]) -> None:
    found = valid(A**3 + B**3 != C**3, *FERMAT[:3], tries=(20_000, 20_000))
    assert (found.passed, found.criterion) == (False, "z3 undecided")
    assert "2 tries" in found.detail
    assert seeds == [0, 0, 1]  # whether the assumptions contradict each other is asked before


def test_assumptions_that_nothing_is_known_of_are_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "Z3_CONSISTENCY_TRIES", (20_000,))
    assert not contradictory(*FERMAT)
    assert contradictory(X > 1, X < 0)


def test_a_question_that_z3_cannot_answer_is_open_on_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "Z3_STEPS", 20_000)
    path = Path(FERMAT[:3], (False,))
    assert not path.decide(FERMAT[3])
    assert path.answers == (False,)
    # Each question has the steps anew: this one is answered after the one that used all of them up.
    assert path.decide(A > -1)
    assert path.answers == (False,)
