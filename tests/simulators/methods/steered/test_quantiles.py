"""The streaming quantile, its stationary law, and the tilted quantile, against plain Python and exact rationals."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulators import initial_state, update_once
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.methods.steered.streaming_quantile import followed
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.methods.contexts import bandit_context, tree_context

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
ERROR_RATE = 1e-6  # of each statistical test here; no seed was chosen


def test_the_baseline_takes_one_step_a_reward() -> None:
    """Against Fractions, rates and levels that binary floats hold exactly."""
    rng = np.random.default_rng(1)
    rewards = rng.integers(0, 2, (3, 4, 9))
    start = np.array([[0.0, 0.25, 0.5, 1.0]] * 3)
    found = followed(start, rewards.astype(float), level=0.25, rate=0.125)
    for s, q in np.ndindex(3, 4):
        b = Fraction(float(start[s, q]))
        for reward in rewards[s, q].tolist():
            b += Fraction(1, 8) * (Fraction(1, 4) - (1 if reward <= b else 0))
        assert found[s, q] == b


def test_advantages_are_rewards_less_the_baseline_from_before_the_group() -> None:
    method = get_method("streaming_quantile", rate=0.1, start=0.3)
    context = bandit_context(np.random.default_rng(2).integers(0, 2, (2, 3, 5)))
    context = context._replace(memory=method.start(context))
    np.testing.assert_allclose(method.context_advantages(context), context.rewards - 0.3, **CLOSE)
    np.testing.assert_allclose(method.advantages(context.rewards), context.rewards - 0.3, **CLOSE)
    memory = method.remember(context, context.behaviour)
    assert memory["baseline"].shape == (2, 3)
    later = method.context_advantages(context._replace(memory=memory))
    np.testing.assert_allclose(later, context.rewards - memory["baseline"][..., None], **CLOSE)
    assert not np.allclose(later, context.rewards - 0.3)


def test_without_a_rate_it_is_the_constant_baseline() -> None:
    rng = np.random.default_rng(3)
    env = bandit((rng.random((2, 4, 5)) < 0.5).astype(float))
    logits = rng.normal(size=(2, 4, 5))
    finals = []
    for name, options in (("streaming_quantile", {"rate": 0.0, "start": 0.25}), ("constant", {"baseline": 0.25})):
        state, rngs = initial_state(logits, env), [np.random.default_rng([4, s]) for s in range(2)]
        for _ in range(3):
            state = update_once(state, env, Update(method=name, options=options, group_size=4), rngs).after
        finals.append(state.logits)
    np.testing.assert_array_equal(*finals)


def stationary_law(p: Fraction, *, up: int, down: int, steps: int) -> tuple[list[Fraction], list[Fraction]]:
    """Positions in units of 1/steps and their stationary probabilities, for a level up/(up + down), solved exactly.

    From b in [0, 1) a success goes up and a failure goes down; from b >= 1 everything goes down, and from b < 0
    everything goes up. b = i/steps, where one reward moves i by +up or -down.
    """
    states = list(range(-down, steps + up))
    place = {i: row for row, i in enumerate(states)}
    matrix = [[Fraction(0)] * len(states) for _ in states]
    for i in states:
        for chance, reward in ((p, 1), (1 - p, 0)):
            target = i - down if reward * steps <= i else i + up
            if target in place:
                matrix[place[target]][place[i]] += chance
    return [Fraction(i, steps) for i in states], solved(matrix)


def solved(matrix: list[list[Fraction]]) -> list[Fraction]:
    """The probabilities x with matrix x = x, by elimination in rationals."""
    n = len(matrix)
    rows = [[matrix[i][j] - (i == j) for j in range(n)] + [Fraction(0)] for i in range(n - 1)]
    rows.append([Fraction(1)] * (n + 1))
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for i in range(n):
            if i != column and rows[i][column] != 0:
                factor = rows[i][column]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column], strict=True)]
    return [row[-1] for row in rows]


# K = up/(up + down) and eta = (up + down)/steps; 1/16 and 1/32 are exact in binary, so that b is met exactly.
WALKS = [(1, 1, 8, "3/5"), (1, 1, 8, "2/5"), (1, 3, 16, "7/10"), (3, 1, 16, "3/10")]


@pytest.mark.parametrize(("up", "down", "steps", "p"), WALKS)
def test_stationary_law(up: int, down: int, steps: int, p: str) -> None:
    """20,000 independent queries after a long run, against the exact law by chi-square.

    Power: a success probability that is off by .02 is found with probability above .99 in the same test (the control).
    """
    success = Fraction(p)
    values, law = stationary_law(success, up=up, down=down, steps=steps)
    found = run_of(float(success), up=up, down=down, steps=steps)
    assert p_value(found, values, law) > ERROR_RATE
    off = run_of(float(success) + 0.02, up=up, down=down, steps=steps)
    assert p_value(off, values, law) < ERROR_RATE


def run_of(p: float, *, up: int, down: int, steps: int) -> Any:
    """Baselines of 20,000 independent queries after 600 rewards and a few, tens of relaxation times of these walks."""
    rng = np.random.default_rng(7)
    rewards = (rng.random((20_000, 600)) < p).astype(float)
    law = {"level": up / (up + down), "rate": (up + down) / steps}
    baselines = followed(np.full(20_000, 0.5), rewards, **law)
    # A step up and a step down differ by up + down positions, so that the walk has that period: each query stops at a
    # random place of it.
    period = up + down
    extra = (rng.random((20_000, period)) < p).astype(float)
    stops = rng.integers(0, period, 20_000)
    for count in range(period):
        there = stops > count
        baselines[there] = followed(baselines[there], extra[there, count : count + 1], **law)
    return baselines


def p_value(found: Any, values: list[Fraction], law: list[Fraction]) -> float:
    counts = np.array([(found == float(v)).sum() for v in values])
    assert counts.sum() == len(found)  # nothing lies off the walk
    expected = np.array([float(x) for x in law]) * len(found)
    # Rare positions are pooled, so that every cell of the chi-square expects at least 20.
    rare = expected < 20
    seen = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    keep = wanted >= 20
    seen, wanted = np.append(seen[keep], seen[~keep].sum()), np.append(wanted[keep], wanted[~keep].sum())
    keep = wanted > 0
    statistic = (np.square(seen - wanted)[keep] / wanted[keep]).sum()
    return float(stats.chi2.sf(statistic, max(int(keep.sum()) - 1, 1)))


def test_it_is_a_smoothed_gate() -> None:
    """The mean baseline rises from near 0 to near 1 as p passes 1 - K, and is in between near it."""
    means = {p: float(run_of(p, up=1, down=1, steps=8).mean()) for p in (0.2, 0.45, 0.5, 0.55, 0.8)}
    assert means[0.2] < 0.2 < means[0.45] < means[0.5] < means[0.55] < 0.8 < means[0.8]


class PlainMultiplier:
    """TQPO's multiplier in plain Python, with its buffer of 100."""

    def __init__(self, limit: float, outage: str, rate: float, first: float, *, released: bool) -> None:
        self.limit, self.outage, self.rate, self.value, self.released = limit, outage, rate, first, released
        self.seen: list[float] = []

    def step(self, costs: list[float]) -> float:
        rank = floor(len(costs) * (1 - Fraction(self.outage)))
        quantile = sorted(costs)[max(rank, 1) - 1]
        self.seen = [*self.seen, quantile][-100:]
        share = 0.0 if self.released else sum(q < self.limit for q in self.seen) / len(self.seen)
        delta = min(10.0, quantile - self.limit)
        tilt = (share + 0.1) / 1.1 if delta > 0 else (1.1 - share) / 1.1
        self.value = max(0.0, self.value + self.rate * tilt * delta)
        return quantile


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("cost", ["failure", "length"])
def test_the_multiplier_is_the_plain_one(cost: str, released: bool) -> None:
    limit = 0.5 if cost == "failure" else 2.5
    options = {"cost": cost, "limit": limit, "outage": 0.3, "rate": 0.3, "released": released}
    method = get_method("tilted_quantile", **options)
    grpo = get_method("grpo")
    memory: Any = None
    plain = [PlainMultiplier(limit, "0.3", 0.3, 0.5, released=released) for _ in range(3)]
    for t in range(130):  # past the buffer's end
        context = tree_context(np.random.default_rng([8, t]))
        context = context._replace(memory=method.start(context) if memory is None else memory)
        advantages = method.context_advantages(context)
        memory = method.remember(context, context.behaviour)
        for s in range(3):
            costs = (1 - context.verdicts[s]) if cost == "failure" else context.lengths[s]
            quantile = plain[s].step([float(c) for c in costs.ravel()])
            weight = plain[s].value
            assert float(memory["multiplier"][s]) == pytest.approx(weight, rel=1e-9, abs=1e-12)
            pulled = grpo.advantages(context.rewards[s]) - weight * 0.1 / 0.3 * (costs >= quantile)
            np.testing.assert_allclose(advantages[s], pulled / (1 + weight), **CLOSE)
    assert memory["quantiles"].shape == (3, 100)


def test_the_released_tilt_differs_from_the_paper_s_once_the_limit_is_kept() -> None:
    final = {}
    for released in (False, True):
        method = get_method("tilted_quantile", released=released, rate=0.05)
        context = bandit_context(np.ones((1, 2, 10)))
        memory = method.start(context)
        for _ in range(5):
            memory = method.remember(context._replace(memory=memory), context.behaviour)
        final[released] = float(memory["multiplier"][0])
    # No failure: q = 0, delta = -.5. As released the tilt is 1; with F = 1 it is .1/1.1.
    assert final[True] == pytest.approx(0.5 - 5 * 0.05 * 0.5)
    assert final[False] == pytest.approx(0.5 - 5 * 0.05 * 0.5 * 0.1 / 1.1)


def test_without_multiplier_and_rate_it_is_grpo() -> None:
    context = bandit_context(np.random.default_rng(9).integers(0, 2, (2, 3, 5)))
    method = get_method("tilted_quantile", multiplier=0, rate=0)
    context = context._replace(memory=method.start(context))
    np.testing.assert_array_equal(method.context_advantages(context), get_method("grpo").advantages(context.rewards))
    pulled = get_method("tilted_quantile", rate=0).context_advantages(
        context._replace(memory=get_method("tilted_quantile").start(context))
    )
    assert not np.allclose(pulled, method.context_advantages(context))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("streaming_quantile", "k", 1.0),
        ("streaming_quantile", "rate", -0.1),
        ("streaming_quantile", "start", float("inf")),
        ("tilted_quantile", "cost", "time"),
        ("tilted_quantile", "limit", float("nan")),
        ("tilted_quantile", "outage", 0.0),
        ("tilted_quantile", "rate", -1.0),
        ("tilted_quantile", "multiplier", -0.5),
        ("tilted_quantile", "released", 1),
        ("tilted_quantile", "std", "sample"),
    ],
)
def test_bad_options_are_refused_by_name(name: str, option: str, value: Any) -> None:
    refuses(lambda: get_method(name, **{option: value}), option, value)
