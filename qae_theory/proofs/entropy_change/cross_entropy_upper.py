"""Prove claim ``cross-entropy-upper``: H(pi') - H(pi) <= -sum_i (pi'_i - pi_i) log pi_i, for any two policies.

The difference is minus the divergence D(pi' | pi), which is not negative by log t <= t - 1. SymPy and z3 decide it term
by term; ties compare the shipped change and the shipped bounds in ball arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import flint
import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, entropy_change_bounds
from qae_theory.proofs.entropy_change.self_covariance import log_lemma_step
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import policies, steps_of
from qae_theory.proofs.tools.checking import for_all, valid, zero


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*divergence_steps(), _conclusion(), *_ties())
    ledger.add(Evidence("cross-entropy-upper", "gibbs-inequality", Kind.PROOF, Role.FOR, steps))


def divergence_steps() -> tuple[Step, ...]:
    """Return the steps from the two entropies to the divergence between the policies, and its sign."""
    return (
        Step(
            says=r"Write $D = \sum_i\pi'_i\log(\pi'_i/\pi_i)$. Term by term $-\pi'\log\pi' = -\pi'\log\pi - "
            r"\pi'(\log\pi' - \log\pi)$ and $-\pi'\log\pi + \pi\log\pi = -(\pi' - \pi)\log\pi$, so that, summed over "
            r"any number of responses, $H(\pi') - H(\pi) = -\sum_i(\pi'_i - \pi_i)\log\pi_i - D$.",
            check=partial(_difference_of_terms, sign=1),
            planted="+D",
            control=partial(_difference_of_terms, sign=-1),
            generality=Generality.GENERAL,
        ),
        log_lemma_step(),
        Step(
            says=r"With $t = \pi_i/\pi'_i$ the lemma gives $-\pi'_i\log(\pi'_i/\pi_i) \le \pi_i - \pi'_i$, with "
            r"equality iff $\pi_i = \pi'_i$. Summed, $-D \le 1 - 1 = 0$, with equality iff every term is equal, that "
            r"is iff $\pi' = \pi$.",
            check=partial(_divergence_sign, upper=1),
            planted="at most (pi - pi')/2",
            control=partial(_divergence_sign, upper=2),
            generality=Generality.GENERAL,
        ),
    )


def _conclusion() -> Step:
    return Step(
        says=r"So $H(\pi') - H(\pi) \le -\sum_i(\pi'_i - \pi_i)\log\pi_i$, with equality iff $D = 0$, that is iff "
        r"$\pi' = \pi$.",
        check=partial(_bound_follows, strict=False),
        planted="strictly below at pi' = pi too",
        control=partial(_bound_follows, strict=True),
        generality=Generality.GENERAL,
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: the exact change of a step, and the shipped `entropy_change`, lie below the linear part in ball "
            "arithmetic, for policies from uniform to peaked and steps of every size.",
            check=partial(_replayed, sign=1),
            planted="above it",
            control=partial(_replayed, sign=-1),
            tie=True,
        ),
        Step(
            says="Tie: the shipped `entropy_change_bounds` with `method='cross-entropy'` contain the exact change, "
            "and their upper end is the linear part to a part in $10^6$.",
            check=partial(_shipped_bounds, factor=1),
            planted="the change of twice the step",
            control=partial(_shipped_bounds, factor=2),
            tie=True,
        ),
    )


def _difference_of_terms(*, sign: int) -> Finding:
    """Find whether one response's terms of H(pi') - H(pi) are those of the linear part and of the divergence."""
    p, q = sympy.symbols("p q", positive=True)
    new, old = -q * sympy.log(q), -p * sympy.log(p)
    divergence = q * (sympy.log(q) - sympy.log(p))
    return zero(new - old + (q - p) * sympy.log(p) + sign * divergence, sympy.expand)


def _divergence_sign(*, upper: int) -> Finding:
    """Find whether q log(p/q) <= p - q, with equality at p = q only, follows from the lemma."""
    p, q, log_ratio = z3.Reals("p q log_ratio")
    # log_ratio stands for log(p/q); the lemma at t = p/q, multiplied by q > 0.
    lemma = (q * log_ratio <= p - q, (q * log_ratio == p - q) == (p == q))
    bound = q * log_ratio * upper <= p - q
    return valid(z3.And(bound, (q * log_ratio == p - q) == (p == q)), p > 0, q > 0, *lemma)


def _bound_follows(*, strict: bool) -> Finding:
    """Find whether the change lies below its linear part, with equality where the divergence is 0."""
    change, linear, divergence = z3.Reals("change linear D")
    # At pi' = pi both are 0, so that a strict bound is false.
    goal = change < linear if strict else z3.And(change <= linear, (change == linear) == (divergence == 0))
    return valid(goal, change == linear - divergence, divergence >= 0)


def _linear_part(z: exact.Balls, moved: exact.Balls) -> Any:
    """Return -sum_i (pi'_i - pi_i) log pi_i as a ball."""
    old, logs = exact.policy(z)
    new, _ = exact.policy(moved)
    return exact.mean(old, logs) - exact.mean(new, logs)


def _replayed(effort: Effort, *, sign: int) -> Finding:
    """Find whether the exact and the shipped change lie below the linear part on many policies and steps."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, eta in product(policies(effort), steps_of(effort)):
            if case.flat or eta == 0:
                continue  # a ball around 0 tells no sign
            with flint.ctx.workdps(4 * exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                moved = [x + flint.arb(eta) * y for x, y in zip(z, d, strict=True)]
                gap = _linear_part(z, moved) - (exact.entropy(moved) - exact.entropy(z))
                yield f"{case.label}, eta={eta}", bool(sign * gap > 0)
                # The shipped change is a float: a billionth of the gap is far above its rounding.
                slack = flint.arb(1e-9) * abs(gap) + flint.arb(1e-12)
                shipped = flint.arb(float(entropy_change(case.logits, case.direction, eta)))
                yield f"{case.label}, eta={eta}, shipped", bool(shipped <= _linear_part(z, moved) + slack)

    return for_all(cases(), "policies from uniform to peaked, every step size")


def _shipped_bounds(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped bounds contain the exact change and are tight above."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, eta in product(policies(effort), (1e-3, 0.3, -1.0)):
            if case.flat or np.ptp(case.logits) > 100:
                continue  # of a gap of 700 little but the allowance for underflow is left
            lower, upper = entropy_change_bounds(case.logits, case.direction, eta, method="cross-entropy")
            with flint.ctx.workdps(exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                change = exact.entropy_change(z, d, factor * flint.arb(eta))
                moved = [x + flint.arb(eta) * y for x, y in zip(z, d, strict=True)]
                linear = _linear_part(z, moved)
                inside = bool(flint.arb(float(lower)) <= change) and bool(change <= flint.arb(float(upper)))
                # 1e-6: far above the rounding that the bounds allow for, far below any wrong term.
                tight = bool(flint.arb(float(upper)) <= linear + flint.arb(1e-6) * abs(linear) + flint.arb(1e-250))
                yield f"{case.label}, eta={eta}", inside and tight

    return for_all(cases(), "policies that are neither flat nor extreme, three steps")
