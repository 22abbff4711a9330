"""The rungs against the theory's functions, exact entropies of moved policies, flint's balls, and straight loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest

from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights, arm_weights
from llm_validation.probe.contexts import Tree
from llm_validation.probe.measures import Enumerated, Sampled
from llm_validation.probe.predictions import (
    RUNGS,
    Derivatives,
    Prediction,
    along,
    entropy,
    from_samples,
    with_curvature,
)
from llm_validation.probe.rollouts import Batch
from qae_theory.entropy_change import curvature_brackets, entropy_change, first_order_entropy_change
from qae_theory.updates import update_direction
from tests import oracles
from tests.assertions import assert_close, fitted_slope

bounds_module = import_module("qae_theory.entropy_change")  # the package has a function of that name
BASELINES = ("0", "0.3", "1")
PER_TOKEN = 0.07
# Errors of order s^2 from 1e-4 to 1e-8, of order s^3 from 1e-4 to 1e-9: far above the entropy's rounding, 1e-15.
FINE_STEPS = 2.0 ** -np.arange(7, 14)
STEPS = 2.0 ** -np.arange(4, 10)


def log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def nothing(shape: tuple[int, ...]) -> Derivatives:
    return Derivatives(np.zeros(shape), np.zeros(shape))


# Where every response is listed: a batch on a tree, the next-token distributions a table


class Table:
    """Random next-token distributions at every context of a tree, and groups drawn from them."""

    def __init__(self, tree: Tree, *, queries: int = 3, group_size: int = 4, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.tree = tree
        self.log_probs = log_softmax(1.5 * rng.normal(size=(queries * tree.contexts, tree.vocabulary)))
        self.responses = tree.log_probs(self.log_probs.reshape(queries, tree.contexts, tree.vocabulary))
        self.arm_rewards = rng.integers(0, 2, size=self.responses.shape).astype(float)
        self.drawn = [rng.choice(tree.size, size=group_size, p=np.exp(row)) for row in self.responses]
        listed = tree.responses()
        self.rewards = np.take_along_axis(self.arm_rewards, np.array(self.drawn), axis=1)
        self.batch = Batch([[1]] * queries, [[listed[i] for i in group] for group in self.drawn], self.rewards)
        self.measure = Enumerated(self.batch, tree, self.arm_rewards, pad=0)

    def rungs(self, weights: Weights, per_token: float = PER_TOKEN) -> Any:
        return self.measure.rungs(self.log_probs, weights, per_token, nothing(self.log_probs.shape))

    def arm(self, name: str) -> Weights:
        return arm_weights(name, self.rewards)


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("b", BASELINES)
def test_identity_is_the_uncentred_update(b: str, length: int) -> None:
    table = Table(Tree(3, length, 1))
    found = table.rungs(table.arm(f"constant-{b}"))["identity"]
    direction = update_direction(table.responses, table.arm_rewards, "uncentred", baseline=float(b))
    # The learning rate of a token times the responses of a group.
    expected = 4 * PER_TOKEN * first_order_entropy_change(table.responses, direction)
    assert_close(found.change, expected.tolist())


@pytest.mark.parametrize("arm", [*(f"constant-{b}" for b in BASELINES), "mean", "quantile-0.4"])
def test_centred_is_the_policy_gradient_whatever_the_baseline(arm: str) -> None:
    table = Table(Tree(4, 2, 0))
    rungs = table.rungs(table.arm(arm))
    direction = update_direction(table.responses, table.arm_rewards, "policy_gradient")
    expected = 4 * PER_TOKEN * first_order_entropy_change(table.responses, direction)
    assert_close(rungs["centred"].change, expected.tolist())
    # Control: the identity is another number unless b is the success probability.
    assert (np.abs(rungs["identity"].change / expected - 1) > 1e-3).all()


@pytest.mark.parametrize("arm", ["constant-0", "mean", "constant-1", "grpo", "qae-0.4"])
def test_sampled_on_one_token_is_the_sampled_group(arm: str) -> None:
    table = Table(Tree(5, 1, 2), group_size=6)
    weights = table.arm(arm)
    direction = update_direction(
        table.responses,
        table.arm_rewards,
        "sampled_group",
        responses=np.array(table.drawn),
        advantages=weights.sampled,
    )
    found = table.rungs(weights)["sampled"]
    expected = 6 * PER_TOKEN * first_order_entropy_change(table.responses, direction)
    assert_close(found.change, expected.tolist(), floor=1e-16)  # 0 where all advantages are
    # One token: the table's step is the response's own, so that the interval is a guarantee.
    change = entropy_change(table.responses, direction, 6 * PER_TOKEN)
    assert (found.low <= change).all()
    assert (change <= found.high).all()


@pytest.mark.parametrize("tree", [Tree(4, 1, 0), Tree(3, 2, 1)], ids=str)
def test_derivatives_at_contexts_are_those_of_responses(tree: Tree) -> None:
    """Rungs 4 and 5: a response's log-probability is a sum, and so are its derivatives."""
    table = Table(tree)
    given = Derivatives(*np.random.default_rng(1).normal(size=(2, *table.log_probs.shape)))
    rungs = table.measure.rungs(table.log_probs, table.arm("mean"), PER_TOKEN, given)
    assert list(rungs) == list(RUNGS)
    by_response = np.zeros((2, *table.responses.shape))
    for query, (number, response) in product(range(3), enumerate(tree.responses())):
        for context, token in zip(tree.path(response), response, strict=True):
            for order in range(2):
                by_response[order, query, number] += given[order][query * tree.contexts + context, token]
    for rung, expected in (
        ("first_order", along(table.responses, by_response[0])),
        ("second_order", with_curvature(table.responses, Derivatives(*by_response))),
    ):
        for found, side in zip(rungs[rung], expected, strict=True):
            assert_close(found, side.tolist())


def moved(table: Table, weights: Weights, per_token: float) -> Any:
    """Every context's logits pushed by hand, one sampled token after another."""
    logits = table.log_probs.copy()
    probs = np.exp(table.log_probs)
    for query, group in enumerate(table.batch.responses):
        for response, advantage in zip(group, weights.sampled[query], strict=True):
            for context, token in zip(table.tree.path(response), response, strict=True):
                place = query * table.tree.contexts + context
                logits[place] -= per_token * advantage * probs[place]
                logits[place, token] += per_token * advantage
    return log_softmax(logits)


def orders(table: Table, weights: Weights, taken: Weights) -> list[float]:
    """Of each prompt: the order of the rung's error against the entropy, exact over all responses, of ``taken``."""
    start = table.measure.entropy(table.log_probs)
    errors = [
        table.measure.entropy(moved(table, taken, step)) - start - table.rungs(weights, step)["sampled"].change
        for step in FINE_STEPS
    ]
    return [fitted_slope(FINE_STEPS.tolist(), column) for column in np.transpose(errors)]


@pytest.mark.parametrize("arm", ["constant-0", "grpo", "qae-0.4", "constant-1"])
@pytest.mark.parametrize("tree", [Tree(3, 2, 0), Tree(4, 2, 3), Tree(3, 3, 1)], ids=str)
def test_sampled_is_first_order_where_every_context_is_a_table(tree: Tree, arm: str) -> None:
    table = Table(tree, group_size=6, seed=2)
    table.rewards[:] = [1, 0, 0, 1, 0, 0]  # mixed, so that every arm moves something
    weights = table.arm(arm)
    # The next order is some hundredths of the leading one at 1/128, and of either sign.
    assert min(orders(table, weights, weights)) >= 2 - 0.05


def test_a_wrong_advantage_is_an_error_of_first_order() -> None:
    """Control: one response's advantage a tenth off."""
    table = Table(Tree(4, 2, 3), group_size=6, seed=2)
    table.rewards[:] = [1, 0, 0, 1, 0, 0]
    weights = table.arm("grpo")
    planted = weights._replace(sampled=weights.sampled + 0.1 * np.eye(6)[0])
    assert max(orders(table, planted, weights)) < 1.5


def test_a_sampled_direction_sums_repeated_tokens() -> None:
    """Two pushes of one token, one of another in the same context, none in the last."""
    log_probs = log_softmax(np.random.default_rng(3).normal(size=(3, 4)))
    contexts, tokens, pushes = [1, 1, 1, 0], [2, 2, 3, 0], [0.5, 0.25, -0.1, 2.0]
    expected = np.zeros((3, 4))
    for context, token, push in zip(contexts, tokens, pushes, strict=True):
        for other in range(4):
            expected[context, other] += push * ((other == token) - math.exp(log_probs[context, other]))
    found = predictions.sampled_direction(log_probs, np.array(contexts), np.array(tokens), np.array(pushes))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)  # sums of three numbers below 2


# Curvature


def curves(count: int, arms: int, seed: int = 0) -> Any:
    """Logits z + s a + s^2 c / 2."""
    rng = np.random.default_rng([seed, arms])
    return 2 * rng.normal(size=(count, arms)), rng.normal(size=(count, arms)), 3 * rng.normal(size=(count, arms))


def derivatives(z: Any, a: Any, c: Any) -> tuple[Any, Derivatives]:
    """Log-probabilities at s = 0, and a - E a and c - E c - Var a."""
    log_probs = log_softmax(z)
    probs = np.exp(log_probs)
    centred = a - (probs * a).sum(-1, keepdims=True)
    bend = c - (probs * c).sum(-1, keepdims=True) - (probs * centred**2).sum(-1, keepdims=True)
    return log_probs, Derivatives(centred, bend)


@pytest.mark.parametrize("arms", [2, 3, 7])
def test_second_order_is_the_second_derivative_of_entropy(arms: int) -> None:
    """By balls: H' + H''/2 along z + s a + s^2 c / 2 is h1(a) + h1(c)/2 + a' Hess H a / 2."""
    z, a, c = curves(20, arms)
    log_probs, along_curve = derivatives(z, a, c)
    expected = [
        oracles.first_order(*row[:2]) + oracles.first_order(row[0], row[2]) / 2 + oracles.second_order(*row[:2]) / 2
        for row in zip(z.tolist(), a.tolist(), c.tolist(), strict=True)
    ]
    # Terms of size up to 20 may cancel.
    assert_close(with_curvature(log_probs, along_curve).change, expected, rel=1e-11, floor=1e-13)


def test_the_remainder_of_second_order_is_of_third() -> None:
    z, a, c = curves(10, 5, seed=1)
    log_probs, (first, second) = derivatives(z, a, c)
    for with_second, order in ((True, 3), (False, 2)):  # the second is the control
        errors = []
        for s in STEPS:
            exact = entropy(log_softmax(z + s * a + s * s * c / 2)) - entropy(log_probs)
            scaled = Derivatives(s * first, s * s * second)
            errors.append(
                exact - (with_curvature(log_probs, scaled) if with_second else along(log_probs, s * first)).change
            )
        slopes = [fitted_slope(STEPS.tolist(), column) for column in np.transpose(errors)]
        # A remainder whose leading term is small fits a higher order; ten curves' median does not.
        assert order - 0.1 <= np.median(slopes) <= order + 0.3


# Intervals


def grid() -> Any:
    """All policies of three arms with logits of a grid, and all directions of another, of every size of step."""
    logits = list(product((-4.0, -1.0, 0.0, 2.0), repeat=3))
    ways = [d for d in product((-1.0, 0.0, 0.5, 1.0), repeat=3) if len(set(d)) > 1]
    pairs = [(z, np.multiply(size, d)) for z in logits for d in ways for size in (0.01, 0.3, 2.0, 50.0)]
    return tuple(np.array(side) for side in zip(*pairs, strict=True))


def escapes(prediction: Prediction, exact: Any) -> int:
    return int(((exact < prediction.low) | (exact > prediction.high)).sum())


def test_the_interval_of_a_direction_holds_the_exact_change() -> None:
    z, d = grid()
    prediction, exact = along(log_softmax(z), d), entropy_change(z, d, 1.0)
    assert escapes(prediction, exact) == 0
    assert escapes(Prediction(*(-side for side in prediction)), exact) > 0
    # It is worth something: for the smaller steps it is narrower than all that entropy can do.
    small = np.ptp(d, axis=-1) < 0.5
    assert (prediction.high - prediction.low)[small].max() < 0.2
    # The first order itself may lie outside: the interval is one for the change that the step really makes.


@pytest.mark.parametrize("arms", [2, 5, 300])
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 30.0])
def test_both_intervals_hold_along_curved_paths(arms: int, size: float) -> None:
    """Logits z + s a + s^2 c / 2 at s = 1: a quadratic is all that the second order leaves."""
    z, a, c = curves(300, arms)
    a, c = size * a, size * size * c
    log_probs, along_curve = derivatives(z, a, c)
    exact = entropy_change(z, a + c / 2, 1.0)
    assert escapes(with_curvature(log_probs, along_curve), exact) == 0
    assert escapes(along(log_probs, a), entropy_change(z, a, 1.0)) == 0
    if size == 0.1 and arms < 300:  # control: the straight step's interval is none for the curved one
        assert escapes(along(log_probs, a), exact) > 0


def test_brackets_a_tenth_as_wide_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control."""
    monkeypatch.setattr(
        bounds_module, "curvature_brackets", lambda arms: tuple(x / 10 for x in curvature_brackets(arms))
    )
    z, d = grid()
    exact = entropy_change(z, d, 1.0)
    assert escapes(along(log_softmax(z), d), exact) > 100
    log_probs, along_curve = derivatives(z, d, np.zeros_like(d))
    assert escapes(with_curvature(log_probs, along_curve), exact) > 100


# Where responses cannot be listed


def policy(arms: int = 4, seed: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return log_softmax(1.5 * rng.normal(size=arms)), np.arange(arms) % 2.0


def groups_of(log_probs: Any, size: int) -> tuple[Any, Any]:
    """All groups of that size, [n^G, G], and their probabilities."""
    groups = np.array(list(product(range(len(log_probs)), repeat=size)))
    return groups, np.exp(log_probs[groups].sum(-1))


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("b", BASELINES)
def test_the_identity_of_samples_is_unbiased(b: str, size: int) -> None:
    """Its mean over all groups is the exact covariance."""
    log_probs, r = policy()
    groups, weights = groups_of(log_probs, size)
    advantage = r - float(b)
    found = from_samples(log_probs[groups], advantage[groups], 0.3, responses=4, centred=False)
    exact = 0.3 * first_order_entropy_change(log_probs, np.exp(log_probs) * advantage)
    # 4^5 groups of numbers below 1.
    assert abs(weights @ found.change - exact) < 1e-14
    # Control: the plain mean over the group for the sample covariance is short by a factor of 1 - 1/G.
    assert abs(weights @ found.change * (1 - 1 / size) - exact) > 1e-4


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("b", BASELINES)
def test_centring_by_the_samples_costs_a_third_moment_over_the_group(b: str, size: int) -> None:
    """E[mean A Cov^(x, pi)] = E A Cov(x, pi) + E[(A - E A)(x - E x)(pi - E pi)] / G for independent samples."""
    log_probs, r = policy()
    groups, weights = groups_of(log_probs, size)
    probs = np.exp(log_probs)
    advantage = r - float(b)
    found = from_samples(log_probs[groups], advantage[groups], 0.3, responses=4, centred=True)
    centred = [x - probs @ x for x in (advantage, log_probs, probs)]
    moment = probs @ np.prod(centred, axis=0)
    exact = 0.3 * first_order_entropy_change(log_probs, probs * centred[0])
    assert abs(weights @ found.change - (exact + 0.3 * moment / size)) < 1e-14
    assert abs(0.3 * moment / size) > 1e-4


def cov_by_loops(x: Sequence[float], y: Sequence[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / (len(x) - 1)


def first_order_by_loops(log_probs: Sequence[float], d: Sequence[float]) -> float:
    mean = sum(math.exp(lp) * x for lp, x in zip(log_probs, d, strict=True))
    minus_entropy = sum(math.exp(lp) * lp for lp in log_probs)
    return -sum(math.exp(lp) * (lp - minus_entropy) * (x - mean) for lp, x in zip(log_probs, d, strict=True))


class Rollouts:
    """Responses of unequal length, some with a prefix in common, some the same; a table at every (prompt, prefix)."""

    responses = (
        ((0, 1, 2), (0, 1, 3), (0, 1, 2), (2,), (0, 2)),
        ((1,), (1,), (3, 3), (3, 1, 1), (0, 1, 2)),
    )

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.rewards = np.array([[1.0, 0, 0, 1, 0], [0, 1, 1, 1, 0]])
        self.batch = Batch([[1], [1, 2]], self.responses, self.rewards)
        self.measure = Sampled(self.batch, vocabulary=4, max_length=3, pad=0)
        places = [(q, r[:n]) for q, group in enumerate(self.responses) for r in group for n in range(len(r))]
        self.table = {place: log_softmax(rng.normal(size=4)) for place in sorted(set(places))}
        self.before = np.array([self.table[place] for place in places])
        self.derivatives = Derivatives(*rng.normal(size=(2, len(places), 4)))

    def pushes(self, query: int, prefix: tuple[int, ...], given: Any) -> Any:
        """Logit change of a context: every response of the prompt that passes through it."""
        total = np.zeros(4)
        for response, advantage in zip(self.responses[query], given[query], strict=True):
            if len(response) > len(prefix) and response[: len(prefix)] == prefix:
                for token in range(4):
                    chosen = response[len(prefix)] == token
                    total[token] += PER_TOKEN * advantage * (chosen - math.exp(self.table[query, prefix][token]))
        return total


@pytest.mark.parametrize("arm", ["constant-0", "mean", "qae-0.4"])
def test_along_rollouts_by_loops(arm: str) -> None:
    made = Rollouts()
    weights = arm_weights(arm, made.rewards)
    rungs = made.measure.rungs(made.before, weights, PER_TOKEN, made.derivatives)
    assert set(rungs) == set(RUNGS)
    place = 0
    sums = {name: np.zeros((2, 3)) for name in ("sampled", "first_order", "second_order")}
    for query, group in enumerate(made.responses):
        totals = []
        for response in group:
            total = 0.0
            for depth, token in enumerate(response):
                here = made.table[query, response[:depth]]
                total += here[token]
                first, second = made.derivatives.first[place], made.derivatives.second[place]
                pushed = made.pushes(query, response[:depth], weights.sampled)
                slope = -sum(math.exp(x) * f * (x + 1) for x, f in zip(here, first, strict=True))
                bend = -sum(
                    math.exp(x) * ((f * f + s) * (x + 1) + f * f) for x, f, s in zip(here, first, second, strict=True)
                )
                for name, change, step in (
                    ("sampled", first_order_by_loops(here, pushed), pushed),
                    ("first_order", first_order_by_loops(here, first), first),
                    ("second_order", slope + bend / 2, first + second / 2),
                ):
                    low, high = bounds_module.entropy_change_bounds(here, step, 1.0)
                    sums[name][query] += change / 5, low / 5, high / 5
                place += 1
            totals.append(total)
        given = weights.sampled[query]
        for name, shift in (("identity", 0.0), ("centred", sum(given) / 5)):
            direction = [5 * PER_TOKEN * math.exp(x) * (a - shift) for x, a in zip(totals, given, strict=True)]
            below, above = curvature_brackets(4 + 16 + 64)
            half = (max(direction) - min(direction)) ** 2 / 2
            change = -cov_by_loops(totals, direction)
            expected = [change, change - half * below, change + half * above]
            # Sums of a few dozen numbers below 1.
            np.testing.assert_allclose([side[query] for side in rungs[name]], expected, rtol=0, atol=1e-14)
    for name, expected in sums.items():
        np.testing.assert_allclose(np.transpose(rungs[name]), expected, rtol=0, atol=1e-13)


def test_a_prefix_in_common_is_one_table() -> None:
    """Control: tables of each response's own, as if none were shared, give another number."""
    made = Rollouts()
    weights = arm_weights("mean", made.rewards)
    rungs = made.measure.rungs(made.before, weights, PER_TOKEN, made.derivatives)
    responses = made.measure.contexts.row
    pushes = PER_TOKEN * weights.sampled.reshape(-1)[responses]
    apart = predictions.sampled_direction(made.before, np.arange(len(made.before)), made.batch.tokens(), pushes)
    other = predictions.along_rollouts(made.before, responses // 5, 5, apart, made.derivatives)
    assert (np.abs(other["sampled"].change - rungs["sampled"].change) > 1e-3).all()


# Shapes of what is handed on


def test_predictions_of_contexts_add_up_for_each_prompt() -> None:
    prediction = Prediction(np.array([1.0, 2.0, 4.0]), np.array([0.0, -1.0, 3.0]), np.array([2.0, 5.0, 8.0]))
    found = predictions.summed(prediction, np.array([1, 0, 1]), 2)
    assert [side.tolist() for side in found] == [[1.0, 2.5], [-0.5, 1.5], [2.5, 5.0]]


def test_columns_are_every_rung_with_its_interval() -> None:
    made = {
        rung: Prediction(*(np.array([10.0 * number + side]) for side in range(3))) for number, rung in enumerate(RUNGS)
    }
    found = predictions.columns(dict(reversed(made.items())))
    assert list(found) == [f"{rung}{suffix}" for rung in RUNGS for suffix in ("", "_low", "_high")]
    assert [column.tolist() for column in found.values()] == [[10.0 * n + side] for n in range(5) for side in range(3)]


def test_entropy_in_nats() -> None:
    assert_close(entropy(np.log([[0.5, 0.5], [0.25, 0.75]])), [math.log(2), 2 * math.log(2) - 0.75 * math.log(3)])
