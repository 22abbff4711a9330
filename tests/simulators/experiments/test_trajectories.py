"""Curves of several seeds: what is recorded, what survives storage, and progress instead of time."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from qae_theory.arrays import Array
from qae_theory.curves.trajectories import (
    Trajectory,
    at_gain,
    common_gains,
    from_records,
    mean_level,
    paired_difference,
    path_distance,
)
from simulators.engine import initial_state, train
from simulators.experiments.common.trajectories import to_records, trajectory
from simulators.measures import state_measures
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

WORLD = World(queries=4, arms=4)


def generators(seed: int, count: int = 2) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(count)]


def run(seed: int = 0, **options: object) -> Trajectory:
    rngs = generators(seed)
    return trajectory(random_bandits(WORLD, rngs), Update(group_size=4), 6, rngs, every=3, **options)  # type: ignore[arg-type]


def entropies_of_a_plain_loop(seed: int) -> Array:
    rngs = generators(seed)
    start = random_bandits(WORLD, rngs)
    steps = list(train(initial_state(start.logits, start.env), start.env, Update(group_size=4), 7, rngs))
    return np.stack([state_measures(steps[i], start.env)["sequence_entropy"] for i in (0, 3, 6)], axis=1)


def test_records_what_a_plain_loop_passes_through() -> None:
    found = run()
    assert found.steps.tolist() == [0, 3, 6]
    assert np.array_equal(found.curves["sequence_entropy"], entropies_of_a_plain_loop(0))
    assert not np.array_equal(found.curves["sequence_entropy"], entropies_of_a_plain_loop(1))


def test_keeps_only_what_is_asked_for() -> None:
    found = run(families=("state", "group", "change", "samples"), only=("success", "bound_violations"))
    assert list(found.curves) == ["success", "bound_violations"]
    assert np.all(found.curves["bound_violations"] == 0)


def test_refuses_unknown_measures_and_uneven_records() -> None:
    with pytest.raises(ValueError, match=r"only must be .* got 'zero_share'"):
        run(only=("zero_share",))
    rngs = generators(0)
    start: Start = random_bandits(WORLD, rngs)
    with pytest.raises(ValueError, match="every must be a divisor of steps = 6; got 4"):
        trajectory(start, Update(group_size=4), 6, rngs, every=4)


def test_storage_gives_back_the_same_curves_in_any_order() -> None:
    found = run(families=("state", "samples"))
    found.curves["positive_sample_entropy"][0, 1] = np.nan
    records = to_records(found, k="0.4") + to_records(run(5, families=("state", "samples")), k="0.2")
    again = from_records(records[::-1], tuple(found.curves), k="0.4")
    assert again.steps.tolist() == [0, 3, 6]
    for name, curve in found.curves.items():
        assert np.array_equal(again.curves[name], curve, equal_nan=True)


@pytest.mark.parametrize("spoil", [lambda rows: rows[:-1], lambda rows: [*rows, rows[0]], lambda rows: []])
def test_refuses_records_that_miss_or_repeat_an_update(spoil: object) -> None:
    with pytest.raises(ValueError, match="records must be"):
        from_records(spoil(to_records(run())), ("success",))  # type: ignore[operator]


def test_progress_is_linear_between_records_and_first_passage() -> None:
    success = np.array([[0.2, 0.4, 0.3, 0.6], [0.1, 0.1, 0.1, 0.2]])
    curve = np.array([[0.0, 10.0, 50.0, 80.0], [1.0, 2.0, 3.0, 4.0]])
    found = at_gain(success, curve, [0.0, 0.1, 0.2, 0.3])
    # 0.3 lies half way from the best so far, 0.4 (kept through the fall to 0.3), to 0.6.
    assert found[0] == pytest.approx([0.0, 5.0, 10.0, 65.0])
    assert found[1, :2] == pytest.approx([1.0, 4.0])
    assert isnan(found[1, 2])
    assert isnan(found[1, 3])


def test_common_gains_are_reached_by_every_seed_of_every_run() -> None:
    one = np.array([[0.2, 0.4, 0.3], [0.1, 0.2, 0.5]])
    other = np.array([[0.0, 0.1, 0.12]])
    assert common_gains([one, other], 2) == pytest.approx([0.06, 0.12])


def test_levels_and_distances_are_areas_over_time() -> None:
    steps = np.array([0, 1, 3])
    line, flat = np.array([[0.0, 1.0, 3.0]]), np.array([[1.0, 1.0, 1.0]])
    assert mean_level(steps, line) == pytest.approx([1.5])
    assert path_distance(steps, line, flat) == pytest.approx([(0.5 + 2.0) / 3])


def test_differences_are_paired() -> None:
    shared = np.array([0.0, 100.0, -50.0, 30.0])  # far more spread than the difference, and gone from it
    found = paired_difference(shared + np.array([1.0, 1.1, 0.9, 1.0]), shared, level=0.99)
    assert found.estimate == pytest.approx(1.0)
    assert found.excludes(0.5)
