"""A quick version of the planted worlds: each check finds what is planted and is silent in the healthy run.

The table over 200 seeds is made by ``planted.py``. A check of power .95 or more misses twice or more in four runs with
probability below .015, so that one miss is allowed.
"""

from __future__ import annotations

import numpy as np
import pytest

from llm_validation.audit.changes.changepoint import changepoint
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


@pytest.mark.parametrize(("memory", "most"), [(0.0, 10), (0.5, 16), (0.8, 27)])
def test_noise_seldom_has_a_break(memory: float, most: int) -> None:
    """Noise of 40 steps has a break at .05 in a share .05 of runs, and up to .11 and .26 where it lives for a while.

    More than these counts then come with probability below .001 each. Innovations of no memory give 44 and 59 of 60.
    """
    rng, found = np.random.default_rng(41), 0
    for _ in range(60):
        noise = rng.normal(size=(3, 90))
        for time in range(1, 90):
            noise[:, time] += memory * noise[:, time - 1]
        change = changepoint(np.arange(40), dict(zip("abc", noise[:, 50:], strict=True)))
        assert change is not None
        found += change.p_value <= 0.05
    assert found <= most
