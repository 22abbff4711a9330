"""Tie claim ``prop42-sampled-group`` to the shipped expectation and step, by a sum over all n^G groups.

The sum is written here from the definitions, in ball arithmetic, and shares no code with what it is compared with.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy

from qae_theory.claims.model import Effort, Finding
from qae_theory.group_expectation import (
    expected_entropy_change,
)
from qae_theory.proofs.carriers.formulas import expressions, formulas
from qae_theory.proofs.tools.checking import (
    all_zero,
    ball,
    for_all,
    rational,
)
from qae_theory.proofs.tools.rational_policies import THIRDS, Probs, logs, number
from qae_theory.updates import update_direction

F = Fraction
# A ball of 60 digits loses a few in some hundred operations on numbers of size one.
BALL_RADIUS = "1e-45"
# At most 35 terms, each below 1 and good to some units of 2e-16.
FLOAT_TOLERANCE = 1e-13
Shape = tuple[int, ...]
# Batches of policies, groups and advantages, so that each of the three alone gives an axis its length.
BATCHES: tuple[tuple[Shape, Shape, Shape], ...] = (
    ((), (), ()),
    ((2, 1), (3,), ()),
    ((), (2, 1), (3,)),
    ((3,), (), (2, 1)),
)


def is_sum_over_groups(effort: Effort, *, qae_baseline: str) -> Finding:
    """Find whether the shipped expectation is the sum over all groups, exactly and in floating point.

    Args:
        effort: bounds the group sizes.
        qae_baseline: ``quantile``; ``mean`` makes a control.
    """
    policies: tuple[Probs, ...] = (
        (F(1),),
        THIRDS,
        (F(1, 2), F(1, 8), F(3, 8)),
        (F(1, 10), F(2, 10), F(3, 10), F(4, 10)),
    )
    rewards = ((1,), (1, 0), (0, 1, 0), (1, 0, 0, 1))
    # n^G groups with three exponentials each: these sizes take a second.
    largest = {1: 4, 2: 4, 3: effort.pick(4, 3), 4: effort.pick(3, 2)}
    cases: list[tuple[str, Probs, Any, int, str, Any]] = []
    for probs, r in zip(policies, rewards, strict=True):
        for size in range(1, largest[len(probs)] + 1):
            for name in ("qae", "grpo", "dr_grpo", "rloo", "psr", "nsr"):
                # Leave-one-out needs another response.
                if name == "rloo" and size == 1:
                    continue
                rule = _oracle_rule(name, qae_baseline)
                cases.append((f"{name}, n={len(probs)}, G={size}", probs, r, size, name, rule))
    graded = (F(1), F(-1), F(-3, 2))  # an overlong wrong answer
    cases.append(("qae, graded rewards", policies[2], graded, 3, "qae", _oracle_rule("qae", qae_baseline)))
    cases.append(("grpo, graded rewards", policies[2], graded, 2, "grpo", _oracle_rule("grpo", qae_baseline)))
    return for_all(
        ((label, _agrees(probs, r, size, name, rule)) for label, probs, r, size, name, rule in cases),
        "n = 1..4, up to G = 4, exact and float",
    )


def _agrees(probs: Probs, r: Any, size: int, name: str, rule: Any) -> bool:
    """Return whether the shipped expectation, exact and in floats, is the sum over all groups."""
    # eps = 0, so that the definitions need none either.
    options = {"eps": 0} if name in ("qae", "grpo") else {}
    step = F(3, 10)
    oracle = _sum_over_groups(probs, r, size, rule, step)
    exact = ball(number(expected_entropy_change(logs(probs), np.array(r, dtype=object), size, name, step, **options)))
    # A shift of all logits changes nothing, and shows code that takes logits for log-probabilities.
    z, floats = np.log(np.array(probs, dtype=float)) + 1.5, np.array(r, dtype=float)
    inexact = float(expected_entropy_change(z, floats, size, name, float(step), **options))
    return bool(abs(exact - oracle) < flint.arb(BALL_RADIUS)) and abs(inexact - float(oracle.mid())) < FLOAT_TOLERANCE


def _sum_over_groups(probs: Probs, r: Any, size: int, rule: Any, step: Fraction) -> Any:
    """Return E[H(softmax(z + eta d))] - H(pi) over all n^G groups, from the definitions, as a ball."""
    with flint.ctx.workdps(60):
        p = [flint.arb(flint.fmpq(x.numerator, x.denominator)) for x in probs]
        start = [x.log() for x in p]
        total = flint.arb(0)
        for group in itertools.product(range(len(p)), repeat=size):
            a = rule([F(r[y]) for y in group])
            moved = []
            for arm, z in enumerate(start):
                # A_i (e_y - pi), one response at a time.
                pushes = (x * (int(y == arm) - p[arm]) for x, y in zip(a, group, strict=True))
                moved.append(z + ball(step) * sum(pushes, flint.arb(0)) / size)
            probability = math.prod((p[y] for y in group), start=flint.arb(1))
            total += probability * (_ball_entropy(moved) - _ball_entropy(start))
        return total


def _ball_entropy(z: list[Any]) -> Any:
    """Return the entropy of softmax(z) as a ball: log sum exp z - E z."""
    weights = [x.exp() for x in z]
    mass = sum(weights, flint.arb(0))
    return mass.log() - sum((w * x for w, x in zip(weights, z, strict=True)), flint.arb(0)) / mass


def _oracle_rule(name: str, qae_baseline: str) -> Callable[[list[Fraction]], list[Any]]:
    """Return a rule from rewards to advantages, written from its definition; K = 2/5 and no eps."""

    def mean(r: list[Fraction]) -> Fraction:
        return sum(r, F(0)) / len(r)

    def quantile(r: list[Fraction]) -> Fraction:
        return next(x for x in sorted(r) if F(sum(y <= x for y in r), len(r)) >= F(2, 5))

    def over_std(r: list[Fraction], b: Fraction) -> list[Any]:
        variance = sum(((x - mean(r)) ** 2 for x in r), F(0)) / len(r)
        return [ball(x - b) / ball(variance).sqrt() if variance else flint.arb(0) for x in r]

    # The control reads GRPO's baseline where QAE's belongs.
    centre = {"quantile": quantile, "mean": mean}[qae_baseline]
    alone = {"psr": F(0), "nsr": F(1)}
    rules: dict[str, Callable[[list[Fraction]], list[Any]]] = {
        "qae": lambda r: over_std(r, centre(r)),
        "grpo": lambda r: over_std(r, mean(r)),
        "dr_grpo": lambda r: [ball(x - mean(r)) for x in r],
        "rloo": lambda r: [ball(x - (sum(r, F(0)) - x) / (len(r) - 1)) for x in r],
    }
    # A group of one counts as unscorable: its advantage is 0 under every rule.
    rule: Callable[[list[Fraction]], list[Any]] = rules.get(name, lambda r: [ball(x - alone[name]) for x in r])

    def oracle(r: list[Fraction]) -> list[Any]:
        return rule(r) if len(r) > 1 else [ball(0)]

    return oracle


def group_step_by_definition(*, centre: int) -> Finding:
    """Find whether the shipped step is (1/G) sum_i A_i (e_y - centre pi), broadcasts, and refuses what it should.

    Args:
        centre: 1; -1 makes a control.
    """
    # With symbols for the advantages, the step is compared for all of them at once.
    a = sympy.symbols("a1:4")
    probs = (F(1, 2), F(1, 3), F(1, 6))
    p = [rational(x) for x in probs]
    residuals = []
    # All 27 groups of three responses: repeated ones, and every order.
    for group in itertools.product(range(3), repeat=3):
        shipped = update_direction(
            logs(probs), [0, 0, 0], "sampled_group", responses=list(group), advantages=formulas(a)
        )
        for arm, entry in enumerate(expressions(shipped)):
            pushes = sum(x * (int(y == arm) - centre * p[arm]) for x, y in zip(a, group, strict=True))
            residuals.append(entry - pushes / 3)
    # A yes-or-no answer becomes a residual, so that one criterion covers all.
    residuals += [0 if _broadcasts(*batches) else 1 for batches in BATCHES]
    z, drawn_pair = np.zeros(2), {"responses": [0, 1], "advantages": [1.0, -1.0]}
    refused = (
        ("baseline", {"rule": "sampled_group", "baseline": 0.5, **drawn_pair}),
        ("advantages", {"rule": "sampled_group", "responses": [0, 1]}),
        ("responses", {"rule": "sampled_group", "advantages": [1.0, -1.0]}),
        ("responses", {"rule": "uncentred", "responses": [0, 1]}),
        ("advantages", {"rule": "uncentred", "advantages": [1.0, -1.0]}),
        ("rule", {"rule": "centred"}),
        ("rule", {"rule": 1}),
    )
    residuals += [0 if _refuses(name, z, options) else 1 for name, options in refused]
    return all_zero(residuals, sympy.expand)


def _broadcasts(policies: Shape, groups: Shape, weights: Shape) -> bool:
    """Return whether batches of policies, groups and advantages broadcast to the step of each combination."""
    logits = np.arange(math.prod(policies) * 3, dtype=float).reshape(*policies, 3) % 4
    drawn = np.arange(math.prod(groups) * 4).reshape(*groups, 4) % 3
    own = np.arange(math.prod(weights) * 4, dtype=float).reshape(*weights, 4) % 5
    steps = update_direction(logits, [0, 0, 0], "sampled_group", responses=drawn, advantages=own)
    batch = np.broadcast_shapes(policies, groups, weights)
    # Written out to the full batch, so that each entry can be taken by hand.
    every = [np.broadcast_to(x, (*batch, x.shape[-1])) for x in (logits, drawn, own)]
    if steps.shape != (*batch, 3):
        return False
    for index in np.ndindex(*batch):
        expected = _float_step(*(x[index] for x in every))
        if not np.abs(steps[index] - expected).max() < FLOAT_TOLERANCE:
            return False
    return True


def _float_step(logits: Any, group: Any, own: Any) -> Any:
    """Return (1/G) sum_i A_i (e_y - pi) in floats."""
    weights = [math.exp(x) for x in logits]
    total, partition = math.fsum(own), math.fsum(weights)
    pushes = []
    for arm, weight in enumerate(weights):
        sampled = math.fsum(x for x, y in zip(own, group, strict=True) if y == arm)
        pushes.append(sampled - total * weight / partition)
    return np.array(pushes) / len(group)


def _refuses(name: str, z: Any, options: dict[str, Any]) -> bool:
    """Return whether the shipped step refuses the options by naming the argument."""
    try:
        update_direction(z, [1, 0], **options)
    except ValueError as error:
        return str(error).startswith(f"{name} must be ")
    return False
