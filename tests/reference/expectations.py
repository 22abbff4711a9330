"""Expectations over sampled groups: binomial sums over written-out groups, and sums over count vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from math import factorial
from typing import Any

import flint

from .changes import first_order, response_curvatures, second_order
from .groups import advantages
from .numbers import ball, powers, precise, total
from .policies import atoms, mean, probabilities

Options = tuple[tuple[str, Any], ...]


@cache
def outcome_advantages(size: int, estimator: str, options: Options = ()) -> tuple[list[Fraction], list[Fraction]]:
    """Return the advantage of a correct and of a wrong response for m = 0..G; 0 where there is none."""
    right, wrong, one, none = [], [], Fraction(1), Fraction(0)
    for m in range(size + 1):
        tally = {value: count for value, count in ((one, m), (none, size - m)) if count}
        found = advantages(tally, estimator, **dict(options))
        right.append(found.get(one, none))
        wrong.append(found.get(none, none))
    return right, wrong


@precise
def binomial(trials: int, p: Any) -> list[flint.arb]:
    """Return the binomial probabilities of 0..N, without a quotient: p may be so near to 1 that 1 - p may be 0."""
    right, wrong = (powers(x, trials) for x in (ball(p), 1 - ball(p)))
    weights, ways = [], 1
    for j in range(trials + 1):
        weights.append(ways * right[j] * wrong[trials - j])
        ways = ways * (trials - j) // (j + 1)
    return weights


@precise
def expected_gain(p: Any, size: int, estimator: str, *, mixed_only: bool = False, options: Options = ()) -> flint.arb:
    """Return E[A | R = 1] - E[A | R = 0]; over mixed groups only, and divided by their probability, if asked."""
    right, wrong = outcome_advantages(size, estimator, options)
    value = flint.arb(0)
    for j, weight in enumerate(binomial(size - 1, p)):
        if not (mixed_only and j == size - 1):
            value += weight * ball(right[j + 1])
        if not (mixed_only and j == 0):
            value -= weight * ball(wrong[j])
    p = ball(p)
    return value / (1 - p**size - (1 - p) ** size) if mixed_only else value


@precise
def advantage_moments(p: Any, size: int, estimator: str, options: Options = ()) -> tuple[flint.arb, ...]:
    """Return alpha_1, alpha_0 and beta of claim `second-order`."""
    right, wrong = outcome_advantages(size, estimator, options)
    one, pair = binomial(size - 1, p), binomial(size - 2, p)
    alpha_1 = total(w * ball(right[j + 1]) ** 2 for j, w in enumerate(one))
    alpha_0 = total(w * ball(wrong[j]) ** 2 for j, w in enumerate(one))
    beta = total(
        w * (ball(right[j + 2]) ** 2 - 2 * ball(right[j + 1]) * ball(wrong[j + 1]) + ball(wrong[j]) ** 2)
        for j, w in enumerate(pair)
    )
    return alpha_1, alpha_0, beta


@precise
def score(logits: Sequence[Any], arm_rewards: Sequence[Any]) -> tuple[flint.arb, list[flint.arb]]:
    """Return V and pi (r - V); responses that are alike share one object."""
    policy = atoms(logits, arm_rewards)
    success = mean(policy, [ball(atom.rest[0]) for atom in policy])
    kinds = dict.fromkeys(zip(logits, arm_rewards, strict=True))
    pushes = {kind: atom.prob * (ball(atom.rest[0]) - success) for kind, atom in zip(kinds, policy, strict=True)}
    return success, [pushes[kind] for kind in zip(logits, arm_rewards, strict=True)]


@precise
def expected_first_order_change(
    logits: Sequence[Any], arm_rewards: Sequence[Any], size: int, estimator: str, options: Options = ()
) -> flint.arb:
    """Return w(V, G) times the first order along pi (r - V)."""
    success, pushes = score(logits, arm_rewards)
    return expected_gain(success, size, estimator, options=options) * first_order(logits, pushes).value


@lru_cache(maxsize=2000)
@precise
def curvatures(logits: tuple[Any, ...], arm_rewards: tuple[Any, ...]) -> tuple[flint.arb, ...]:
    """Return V, the sums of pi_y Q_y over right and over wrong responses, and the second order along pi (r - V)."""
    success, pushes = score(logits, arm_rewards)
    of_logit = dict(zip(logits, response_curvatures(logits), strict=True))
    sums = {1: flint.arb(0), 0: flint.arb(0)}
    kinds = dict.fromkeys(zip(logits, arm_rewards, strict=True))
    for (logit, r), atom in zip(kinds, atoms(logits, arm_rewards), strict=True):
        sums[int(r)] += atom.prob * of_logit[logit] * atom.count
    return success, sums[1], sums[0], second_order(logits, pushes).value


@precise
def expected_second_order_change(
    logits: Sequence[Any], arm_rewards: Sequence[Any], size: int, estimator: str, options: Options = ()
) -> flint.arb:
    """Return E[d' (Hess H) d] from the three moments of the advantages."""
    success, right, wrong, along = curvatures(tuple(logits), tuple(arm_rewards))
    alpha_1, alpha_0, beta = advantage_moments(success, size, estimator, options)
    return (alpha_1 * right + alpha_0 * wrong + (size - 1) * beta * along) / size


@precise
def expected_entropy_change(
    logits: Sequence[Any], arm_rewards: Sequence[Any], size: int, estimator: str, step: Any, options: Options = ()
) -> flint.arb:
    """Return E[H(softmax(z + eta d))] - H by going through all count vectors of a group."""
    probs, eta, value = probabilities(logits), ball(step), flint.arb(0)
    rewards = [Fraction(r) for r in arm_rewards]
    log_probs = [p.log() for p in probs]
    before = -total(p * x for p, x in zip(probs, log_probs, strict=True))
    for counts in compositions(len(logits), size):
        weight = flint.arb(factorial(size))
        tally: dict[Fraction, int] = {}
        for p, r, c in zip(probs, rewards, counts, strict=True):
            if c:
                weight *= p**c / factorial(c)
                tally[r] = tally.get(r, 0) + c
        table = advantages(tally, estimator, **dict(options))
        pushes = [c * table[r] if c else 0 for r, c in zip(rewards, counts, strict=True)]
        if any(pushes):
            everything = ball(sum(pushes))
            moved = [
                x + eta * (ball(push) - everything * p) / size
                for push, p, x in zip(pushes, probs, log_probs, strict=True)
            ]
            value += weight * (entropy_of(moved) - before)
    return value


def entropy_of(logits: Sequence[flint.arb]) -> flint.arb:
    """Return the entropy of a policy whose logits are balls: log of the mass less the mean logit."""
    weights = [x.exp() for x in logits]
    mass = total(weights)
    return mass.log() - total(w * x for w, x in zip(weights, logits, strict=True)) / mass


def compositions(arms: int, size: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to write the group's size as a sum of so many counts."""
    if arms == 1:
        yield (size,)
        return
    for first in range(size + 1):
        for rest in compositions(arms - 1, size - first):
            yield (first, *rest)
