"""Refute claim ``prop42-finite-step``, that Prop. 4.2's order holds at every step size; prove it below the safe step.

Two arms are the counterexample, by the shipped functions on exact numbers: the order holds up to eta = 2 log((1 - p)/p)
and fails beyond. Under a step of at most ``safe_step_size`` the two routes of ``safe_step`` prove it (claim
``prop42-finite-step-if``).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, safe_step_size
from qae_theory.proofs.carriers.formulas import expression, expressions, formulas, scalar
from qae_theory.proofs.entropy_change.safe_step import by_order, by_remainder
from qae_theory.proofs.tools.checking import (
    all_zero,
    ball,
    both,
    close_to,
    for_all,
    rational,
    valid,
    with_witness,
    zero,
)
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

# Quoted in the claim's source text: the right arm's probability, the step, and both changes to four digits.
WITNESS_PROB, WITNESS_STEP, QUOTED = Fraction(2, 5), Fraction(1), ("0.02013", "0.01543")


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence("prop42-finite-step", "two-arms", Kind.WITNESS, Role.AGAINST, (_witness_step(), *_two_arm_law()))
    )
    ledger.add(
        Evidence(
            "prop42-finite-step-if",
            "safe-step",
            Kind.PROOF,
            Role.UNDER,
            (_regimes(), *by_remainder(), *by_order(), _within_step()),
        )
    )
    ledger.add(Evidence("prop42-finite-step-if", "beyond-the-step", Kind.WITNESS, Role.WITHOUT, (_witness_step(),)))


def _witness_step() -> Step:
    return Step(
        says=r"Two arms, the right one with probability $2/5$: a hard query for $K \le 3/5$, so $b_K = 0$. At "
        r"$\eta = 1$ the shipped `entropy_change` of the shipped `uncentred` update, run on exact numbers, "
        r"gives $\Delta H(0) = .02013 > \Delta H(1) = .01543$ (ball arithmetic): the paper's order fails.",
        check=partial(_order_fails, step=WITNESS_STEP),
        planted="eta = 3/4, where the order holds",
        control=partial(_order_fails, step=Fraction(3, 4)),
        generality=Generality.GENERAL,
    )


def _two_arm_law() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The law behind it. With two arms, right with probability $p$ and logit gap $g = "
            r"\log(p/(1-p))$, the uncentred update moves the gap to $g + \eta(p + b(1-2p))$ (shipped "
            r"function on symbols): $g + \eta p$ for $b=0$, $g + \eta(1-p)$ for $b=1$.",
            check=partial(_gap_moves, sign=-1),
            planted="p + b (1 + 2p)",
            control=partial(_gap_moves, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The entropy of two arms is an even function of the gap that decreases in its size: its "
            r"derivative is $-x\,e^x/(1+e^x)^2$ at gap $x$, by SymPy on the shipped `entropy`. So $\Delta "
            r"H(0) \le \Delta H(1)$ iff $|g + \eta p| \ge |g + \eta(1-p)|$.",
            check=partial(_falls_with_gap, sign=-1),
            planted="increases with the gap",
            control=partial(_falls_with_gap, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $p < 1/2$ and $\eta > 0$ that is $(2g + \eta)(2p-1) \ge 0$, that is $\eta \le -2g = "
            r"2\log((1-p)/p)$; for $p \ge 1/2$, where $g \ge 0$, it holds at every $\eta$.",
            check=partial(_limit, two=2),
            planted="eta <= -g",
            control=partial(_limit, two=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replayed: for $p = k/20$ the exact changes at $0.99$ and $1.01$ times $2\log((1-p)/p)$ are in "
            r"the paper's order and out of it.",
            check=partial(_law_replayed, sign=1),
            planted="the two exchanged",
            control=partial(_law_replayed, sign=-1),
            tie=True,
        ),
    )


def _regimes() -> Step:
    return Step(
        says=r"Both halves of the proposition are one order: $\Delta H$ non-decreasing from $b_1$ to $b_2$. "
        r"Hard: $b_K = 0$ is $b_1$, and $b_2 = b$. Easy: $b_K = 1$ is $b_2$, and $b_1 = b$. If $b = b_K$ "
        r"there is nothing to show.",
        check=partial(_one_order, low=0),
        planted="b_K = 1/2",
        control=partial(_one_order, low=Fraction(1, 2)),
        generality=Generality.GENERAL,
    )


def _within_step() -> Step:
    return Step(
        says=r"Replayed with the shipped `safe_step_size` for $b = 0, 1/2, 1$: up to that step the exact order "
        r"holds in both regimes.",
        check=partial(_order_within, factor=1),
        planted="twice the step",
        control=partial(_order_within, factor=2),
        tie=True,
    )


def _change(logits: Any, rewards: Any, baseline: Any, step: Any) -> Any:
    """Return the shipped entropy change of the shipped uncentred update, exactly."""
    direction = update_direction(logits, rewards, "uncentred", baseline=baseline)
    return sympy.sympify(np.asarray(entropy_change(logits, direction, step), dtype=object).item(), strict=True)


def _query(prob: Fraction) -> tuple[Any, Any]:
    """Return exact logits and rewards of two arms, the first one right."""
    logits, rewards = np.empty(2, dtype=object), np.empty(2, dtype=object)
    logits[:] = [sympy.log(rational(prob)), sympy.log(rational(1 - prob))]
    rewards[:] = [Fraction(1), Fraction(0)]
    return logits, rewards


def _order_fails(*, step: Fraction) -> Finding:
    """Find whether the entropy changes of the two baselines are in the wrong order at this step; show them."""
    logits, rewards = _query(WITNESS_PROB)
    eta = np.array(rational(step), dtype=object)
    # b_K = 0 on this hard query, against b = 1.
    changes = [_change(logits, rewards, np.array(Fraction(b), dtype=object), eta) for b in (0, 1)]
    low, high = (ball(x) for x in changes)
    fails = for_all([(f"eta = {step}", bool(low > high))], f"{low.str(8)} > {high.str(8)}")
    # Only the claim's own step has quoted figures.
    if step == WITNESS_STEP:
        # Half a unit of the last quoted digit.
        values = (close_to(x, q, "dH", half_width="0.000005") for x, q in zip(changes, QUOTED, strict=True))
        fails = both(fails, *values)
    return with_witness(
        fails,
        {
            "pi": f"({WITNESS_PROB}, {1 - WITNESS_PROB})",
            "r": "(1, 0)",
            "eta": str(step),
            "regime": f"hard for K <= {1 - WITNESS_PROB}: b_K = 0",
            "dH(b = 0)": low.str(8, radius=False),
            "dH(b = 1)": high.str(8, radius=False),
            "result": "dH(b_K) > dH(1): the order fails",
        },
    )


def _gap_moves(*, sign: int) -> Finding:
    """Find whether the update moves the logit gap of two arms by eta (p + b (1 - 2p))."""
    p, b = sympy.symbols("p b", positive=True)
    logits = formulas([sympy.log(p / (1 - p)), 0])
    first, second = expressions(update_direction(logits, formulas([1, 0]), "uncentred", baseline=scalar(b)))
    return zero(sympy.simplify(first - second) - (p + b * (1 + sign * 2 * p)))


def _falls_with_gap(*, sign: int) -> Finding:
    """Find whether the entropy of two arms is even in the gap, with slope -x e^x / (1 + e^x)^2."""
    x = sympy.Symbol("x", real=True)
    value = expression(entropy(formulas([x, 0])))
    slope = sympy.diff(value, x) - sign * x * sympy.exp(x) / (1 + sympy.exp(x)) ** 2
    mirrored = value - value.subs(x, -x)
    # In one positive symbol the residual is rational up to logarithms, which SymPy's simplification decides.
    weight = sympy.Symbol("w", positive=True)  # e^x
    return all_zero((r.subs(x, sympy.log(weight)) for r in (slope, mirrored)), _in_logs)


def _in_logs(residual: Any) -> Any:
    """Return a residual in one positive symbol with its logarithms taken apart."""
    return sympy.simplify(sympy.expand_log(sympy.expand(sympy.simplify(residual)), force=True))


def _limit(*, two: int) -> Finding:
    """Find whether the order holds exactly for eta <= -2g, if p < 1/2, and always otherwise."""
    p, g, eta = z3.Reals("p g eta")
    left, right = g + eta * p, g + eta * (1 - p)
    # Squares compare sizes without absolute values.
    larger = left * left >= right * right
    factors = valid(left * left - right * right == eta * (2 * g + eta) * (2 * p - 1))
    rare = valid(larger == (eta <= -two * g), p > 0, 2 * p < 1, g < 0, eta > 0)
    likely = valid(larger, 2 * p >= 1, p < 1, g >= 0, eta > 0)
    return both(rare, factors, likely)


def _law_replayed(effort: Effort, *, sign: int) -> Finding:
    """Find whether exact changes just below and above the limit are in order and out of it."""

    def cases() -> Iterator[tuple[str, bool]]:
        for k in range(1, 10, effort.pick(1, 4)):
            prob = Fraction(k, 20)
            logits, rewards = _query(prob)
            # One part in a hundred on either side of the law's limit.
            limit = 2 * sympy.log(rational((1 - prob) / prob))
            for part, holds in ((Fraction(99, 100), 1), (Fraction(101, 100), -1)):
                eta = np.array(rational(part) * limit, dtype=object)
                low, high = (ball(_change(logits, rewards, np.array(Fraction(b), dtype=object), eta)) for b in (0, 1))
                yield f"p = {prob}, {part} of the limit", bool(sign * holds * (high - low) > 0)

    return for_all(cases(), "p in twentieths below 1/2")


def _one_order(*, low: Any) -> Finding:
    """Find whether both halves of the proposition ask for one order of two baselines."""
    b, gate = z3.Reals("b gate")
    hard = z3.Q(Fraction(low).numerator, Fraction(low).denominator)
    # As (b1, b2): (b_K, b) on hard queries, (b, b_K) on easy ones, always 0 <= b1 < b2 <= 1.
    ordered = z3.Or(z3.And(gate == hard, hard == 0, hard < b), z3.And(gate == 1, b < 1), b == gate)
    return valid(ordered, b >= 0, b <= 1, z3.Or(gate == hard, gate == 1))


def _order_within(effort: Effort, *, factor: int) -> Finding:
    """Find whether the exact order holds at ``factor`` times the shipped safe step."""

    def cases() -> Iterator[tuple[str, bool]]:
        # Easy and hard queries for K = 2/5, right arms first or last.
        queries = [
            ((2, 3), (1, 0)), ((1, 9), (1, 0)), ((4, 1), (1, 0)), ((1, 2, 3), (0, 1, 0)), ((5, 4, 3), (0, 1, 1)),
        ][: effort.pick(5, 4)]  # fmt: skip
        for weights, rewards in queries:
            total = sum(weights)
            logits, r = np.empty(len(weights), dtype=object), np.empty(len(weights), dtype=object)
            logits[:], r[:] = [sympy.log(w) for w in weights], [Fraction(x) for x in rewards]
            floats = np.log(np.array(weights, dtype=float))
            success = Fraction(sum(w for w, x in zip(weights, rewards, strict=True) if x), total)
            # The exact gate at K = 2/5.
            gate = Fraction(0) if success <= 1 - Fraction(2, 5) else Fraction(1)
            for b in (Fraction(0), Fraction(1, 2), Fraction(1)):
                if b == gate:
                    continue
                low, high = min(b, gate), max(b, gate)
                step = Fraction(float(safe_step_size(floats, rewards, float(low), float(high)))) * factor
                eta = np.array(rational(step), dtype=object)
                changes = [ball(_change(logits, r, np.array(x, dtype=object), eta)) for x in (low, high)]
                yield f"weights {weights}, r = {rewards}, b = {b}", bool(changes[0] < changes[1])

    return for_all(cases(), "K = 2/5, hard and easy queries")
