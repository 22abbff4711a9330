"""The compiled loops against NumPy, mpmath and the theory's own softmax, at ordinary and at extreme arguments."""

from __future__ import annotations

from typing import Any

import mpmath
import numba
import numpy as np
import pytest

from qae_theory import softmax
from qae_theory.group_expectation import outcome_advantages
from simulators import bandit, initial_state
from simulators.tabular import kernels, loops
from tests.assertions import refuses

# Below, on and above the window that is counted rather than halved, and one arm.
ARMS = (1, 2, 3, 5, 64, 65, 66, 129, 1000)
ALMOST_ONE = np.nextafter(1.0, 0.0)


def _exp(x: Any) -> Any:
    out = np.empty_like(x)
    loops.weigh(x, 0.0, out)
    return out


@pytest.mark.parametrize("lowest", [1e-8, 0.4, 2.0, 50.0, 708.0])
def test_exp_is_within_one_ulp(lowest: float) -> None:
    """Of mpmath's value; NumPy's is allowed one more."""
    x = -lowest * np.random.default_rng(0).random(4000)
    found = _exp(x)
    with mpmath.workdps(40):
        errors = [abs(mpmath.exp(float(a)) - mpmath.mpf(float(b))) for a, b in zip(x[:1000], found, strict=False)]
    ulps = np.array([float(e) for e in errors]) / np.spacing(found[:1000])
    assert ulps.max() <= 1
    assert np.max(np.abs(found - np.exp(x)) / np.spacing(found)) <= 2


def test_exp_at_its_edges() -> None:
    found = _exp(np.array([0.0, -0.0, -708.0, np.nextafter(-708, -709), -1e308, -np.inf, np.nan]))
    np.testing.assert_array_equal(found[[0, 1, 3, 4, 5]], [1, 1, 0, 0, 0])
    np.testing.assert_allclose(found[2], np.exp(-708.0), rtol=2.3e-16)
    assert np.isnan(found[6])


@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("spread", [1.0, 30.0, 1e4])
def test_log_softmax_is_that_of_the_theory(arms: int, spread: float) -> None:
    logits = spread * np.random.default_rng(arms).normal(size=(3, 7, arms))
    log_probs, probs = kernels.log_softmax(logits)
    # Sums of n terms in another order: n eps relative in the mass, absolute in its log.
    wanted = softmax.log_softmax(logits)
    np.testing.assert_allclose(log_probs, wanted, rtol=1e-15, atol=arms * 3e-16)
    np.testing.assert_allclose(probs, np.exp(wanted), rtol=1e-12, atol=1e-307)


def test_log_softmax_keeps_the_top_arm_of_a_peaked_policy() -> None:
    log_probs, _ = kernels.log_softmax(np.array([0.0, 50.0, 1.0]))
    np.testing.assert_allclose(log_probs[1], -np.exp(-50.0) - np.exp(-49.0), rtol=1e-14)


@pytest.mark.parametrize(
    "logits",
    [[0.0, -1e300, -1e300], [1e300, 1e300, -1e300], [1.7e308, -1.7e308, 0.0], [-1.7e308, -1.7e308, -1.7e308]],
)
def test_log_softmax_of_extreme_gaps(logits: list[float]) -> None:
    log_probs, probs = kernels.log_softmax(np.array(logits))
    top = np.array(logits) == max(logits)
    np.testing.assert_allclose(probs, top / top.sum(), rtol=1e-15)
    np.testing.assert_allclose(log_probs[top], -np.log(top.sum()), atol=1e-15)
    assert np.all(np.isfinite(log_probs))
    assert np.isfinite(softmax.expectation(probs, log_probs))


@pytest.mark.parametrize("place", range(9))
def test_a_nan_spoils_its_row_and_no_other(place: int) -> None:
    logits = np.zeros((2, 9))
    logits[0, place] = np.nan
    _, probs = kernels.log_softmax(logits)
    assert np.all(np.isnan(probs[0]))
    np.testing.assert_allclose(probs[1], 1 / 9)


@pytest.mark.parametrize("wrong", [-np.inf, np.inf, np.nan])
def test_logits_that_are_not_finite_are_refused_at_the_start(wrong: float) -> None:
    logits = [[[0.0, wrong]]]
    refuses(lambda: initial_state(logits, bandit([[[1, 0]]])), "logits", logits)


@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4), (3, 1), (1,), (2, 3, 4)])
def test_shapes_stay(shape: tuple[int, ...]) -> None:
    for values in kernels.log_softmax(np.zeros(shape)):
        assert values.shape == shape
    assert kernels.sample(np.ones(shape), np.zeros((*shape[:-1], 6))).shape == (*shape[:-1], 6)


def test_layout_does_not_matter() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 6, 7))
    wanted = kernels.log_softmax(logits)[1]
    np.testing.assert_array_equal(kernels.log_softmax(logits.transpose(1, 0, 2))[1], wanted.transpose(1, 0, 2))
    wide = np.broadcast_to(logits[:1], logits.shape)
    np.testing.assert_array_equal(kernels.log_softmax(wide)[1], np.broadcast_to(wanted[:1], logits.shape))


@pytest.mark.parametrize("arms", ARMS)
def test_sample_inverts_the_distribution_function(arms: int) -> None:
    rng = np.random.default_rng(arms)
    probs = rng.random((20, arms)) * (rng.random((20, arms)) < 0.7)
    probs[:, rng.integers(arms)] = 1.0
    uniforms = rng.random((20, 50))
    uniforms[:, 0], uniforms[:, 1] = 0.0, ALMOST_ONE
    found = kernels.sample(probs, uniforms)
    cumulative = np.cumsum(probs, axis=-1)
    for row, targets, places in zip(cumulative, uniforms * cumulative[:, -1:], found, strict=True):
        np.testing.assert_array_equal(places, np.searchsorted(row, targets, side="right"))
    assert np.all(np.take_along_axis(probs, found, axis=-1) > 0)


@pytest.mark.parametrize("rows", [(2,), (4,), (3, 1)])
def test_sample_refuses_other_rows(rows: tuple[int, ...]) -> None:
    uniforms = np.zeros((*rows, 5))
    refuses(lambda: kernels.sample(np.ones((3, 4)), uniforms), "uniforms", uniforms)


def test_push_is_what_add_at_does() -> None:
    rng = np.random.default_rng(0)
    cells = np.array([[0, -1], [1, 3], [1, 4], [2, 5]])  # two nodes of three actions; the second follows action 1 or 2
    probs = rng.dirichlet(np.ones(3), (6, 2))
    responses, coefficients = rng.integers(0, 4, (6, 5)), rng.normal(size=(6, 5, 2))
    wanted = np.zeros((6, 6))
    for q, i, t in np.ndindex(6, 5, 2):
        cell = cells[responses[q, i], t]
        if cell >= 0:
            node = cell // 3
            np.add.at(wanted[q], cell, coefficients[q, i, t])
            wanted[q, 3 * node : 3 * node + 3] -= coefficients[q, i, t] * probs[q, node]
    np.testing.assert_allclose(kernels.push(coefficients, responses, cells, probs).reshape(6, 6), wanted, atol=1e-14)


def _plain_update(logits: Any, rewards: Any, correct: Any, wrong: Any, uniforms: Any, step_size: float) -> Any:
    """A query at a time, in NumPy."""
    moved = logits.copy()
    for q, draws in enumerate(uniforms):
        probs = np.exp(logits[q] - logits[q].max())
        cumulative = np.cumsum(probs)
        arms = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
        m = int(rewards[q, arms].sum())
        for arm in arms:
            value = correct[m] if rewards[q, arm] else wrong[m]
            moved[q] += step_size * value / len(draws) * (np.eye(len(probs))[arm] - probs / probs.sum())
    return moved


@pytest.mark.parametrize("arms", ARMS)
def test_group_update_is_the_plain_one(arms: int) -> None:
    rng = np.random.default_rng(arms)
    logits, rewards = 2 * rng.normal(size=(40, arms)), (rng.random((40, arms)) < 0.4).astype(float)
    uniforms = rng.random((40, 6))
    for table in (rng.normal(size=(2, 7)), outcome_advantages(6, "qae")):
        found = kernels.group_update(logits, rewards, table[0], table[1], uniforms, 0.3)
        np.testing.assert_allclose(found, _plain_update(logits, rewards, *table, uniforms, 0.3), atol=1e-13)
        place = logits.copy()
        assert kernels.group_update(place, rewards, table[0], table[1], uniforms, 0.3, out=place) is place
        np.testing.assert_array_equal(place, found)


def test_group_update_of_no_queries() -> None:
    empty = np.empty((0, 4))
    assert kernels.group_update(empty, empty, np.zeros(3), np.zeros(3), np.empty((0, 2)), 0.1).shape == (0, 4)


def test_group_update_looks_up_degenerate_groups_too() -> None:
    """All wrong, at m = 0, and all right, at m = G, move as the tables say."""
    logits, uniforms = np.zeros((2, 3)), np.zeros((2, 4))  # arm 0, always
    rewards = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    correct, wrong = np.array([9.0, 9, 9, 9, 2]), np.array([-1.0, 9, 9, 9, 9])
    moved = kernels.group_update(logits, rewards, correct, wrong, uniforms, 1.0)
    direction = np.array([2 / 3, -1 / 3, -1 / 3])
    np.testing.assert_allclose(moved, [-direction, 2 * direction], atol=1e-15)


@pytest.mark.parametrize(("queries", "threads"), [(4, 1), (kernels.WORTH_THREADS, 2)])
def test_threads_are_called_where_there_is_work_for_them(
    queries: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the loop is run on, and that the number of threads is afterwards what it was."""
    now, seen = [2], []  # not Numba's own count: a machine may have one core
    monkeypatch.setattr(numba, "get_num_threads", lambda: now[-1])
    monkeypatch.setattr(numba, "set_num_threads", now.append)
    monkeypatch.setattr(loops, "log_softmax", lambda *arrays: seen.append(now[-1]))
    kernels.log_softmax(np.zeros((queries, 1)))
    assert (seen, now[-1]) == ([threads], 2)
