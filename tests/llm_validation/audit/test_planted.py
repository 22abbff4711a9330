"""A quick version of the planted worlds: each check finds what is planted and is silent in the healthy run.

The table over 200 seeds is made by ``planted.py``. A check of power .95 or more misses twice or more in four runs with
probability below .015, so that one miss is allowed.
"""

from __future__ import annotations

import pytest

from tests.llm_validation.audit import planted
from tests.llm_validation.audit.planted import COMPANIONS, PLANTED, found_in, simulated

SEEDS = 4
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audit-planted")]


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str) -> None:
    difficulty, switch, plant = PLANTED[name]
    found = [found_in(plant(run)) for run in simulated(SEEDS, difficulty, switch)]
    assert sum(name in one for one in found) >= SEEDS - 1
    expected = {name, "uniform-groups", "data-too-hard", "data-too-easy"} | COMPANIONS.get(name, frozenset())
    assert set.union(*found) <= expected


def test_a_healthy_run_has_no_finding() -> None:
    assert set.union(*(found_in(run) for run in simulated(SEEDS))) == set()


def test_a_run_that_learns_fast_has_no_onset() -> None:
    runs = simulated(SEEDS, planted.HEALTHY, None, planted.FAST)
    assert not {"onset-collapse", "onset-explosion"} & set.union(*(found_in(run) for run in runs))
    assert any(planted.by_threshold(run, "collapse") for run in runs)  # a threshold would have cried


@pytest.mark.parametrize("switch", ["collapse", "explosion"])
def test_onsets_are_found_within_two_steps(switch: str) -> None:
    for run in simulated(SEEDS, planted.HEALTHY, switch):
        assert run.onset is not None
        change = planted.change_of(run.log())
        assert change is not None
        assert abs(change.onset - (run.onset + 1)) <= 2
