"""Refute claim ``dph-theorem-1``: a step of DPH-RL's rehearsal term can lower the success of the question it protects.

On a question of the near-perfect set DPH-RL takes no reward, but the forward divergence from the reference on the
reference's stored right responses. Its step takes probability from a right response that the reference rarely gave, and
the wrong responses gain by it. One policy shows it, exactly at first order, and in ball arithmetic at a finite step.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.moments import PROB, X, Y
from qae_theory.proofs.remedies.asymre_limit import off_policy_direction
from qae_theory.proofs.tools.checking import ball, for_all, with_witness, zero
from qae_theory.proofs.tools.enumeration import Query, exact
from qae_theory.proofs.tools.rational_policies import Probs

# Two right responses, then four wrong ones.
REWARDS = (1, 1, 0, 0, 0, 0)
POLICY: Probs = (Fraction(1, 2), *(Fraction(1, 10),) * 5)
# Right with probability .99, mostly by the second response.
REFERENCE: Probs = (Fraction(1, 25), Fraction(19, 20), *(Fraction(1, 400),) * 4)
# Right as often, but the way the policy is right.
LIKE_POLICY: Probs = (Fraction(19, 20), Fraction(1, 25), *(Fraction(1, 400),) * 4)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (_rule(), _slope(), _as_released(), _finite())
    ledger.add(Evidence("dph-theorem-1", "another-right-response", Kind.WITNESS, Role.AGAINST, steps))


def _rule() -> Step:
    return Step(
        says=r"With $c_y = \pi_{ref}(y)\,r_y$ and $C = \sum_yc_y$ the term $\sum_yc_y\log\pi_y$ has the gradient $c "
        r"- C\pi$ in the logits, and along it $V = E_\pi r$ moves at $\sum_y\pi_y(r_y-V)(c_y-C\pi_y) = \sum\pi rc - "
        r"V\sum\pi c - C(\sum\pi^2r - V\sum\pi^2)$, on any number of arms.",
        check=partial(_moves_success, sign=-1),
        planted="+ C (sum pi^2 r - V sum pi^2)",
        control=partial(_moves_success, sign=1),
        generality=Generality.GENERAL,
    )


def _slope() -> Step:
    return Step(
        says=r"$\pi = (\frac12, \frac1{10}, \ldots)$ with the first two of six responses right, $\pi_{ref} = "
        r"(\frac1{25}, \frac{19}{20}, \frac1{400}, \ldots)$, right with probability .99: $V = \frac35$ moves at "
        r"$-\frac{83}{2500}$ per unit step (the shipped direction of sampled responses, averaged over $c$, in "
        r"Fractions).",
        check=partial(_success_falls, reference=REFERENCE),
        planted="a reference that is right in the policy's way",
        control=partial(_success_falls, reference=LIKE_POLICY),
        generality=Generality.GENERAL,
    )


def _as_released() -> Step:
    return Step(
        says=r"With the released term $f(u) = u - 1 - \log u$, $u = \pi/\pi_{ref}$, on the same stored responses the "
        r"direction is $\sum_yr_y(\pi_{ref}(y)-\pi_y)(e_y-\pi)$, and the same $V$ moves at $-\frac{223}{2500}$.",
        check=partial(_released_falls, subtracted=1),
        planted="the added term u - 1 left out",
        control=partial(_released_falls, subtracted=0),
        generality=Generality.GENERAL,
    )


def _finite() -> Step:
    return Step(
        says=r"At the finite step $\eta = \frac12$ the divergence falls, as the step is meant to make it, and success "
        r"falls with it (ball arithmetic).",
        check=partial(_both_fall, step=Fraction(1, 2)),
        planted="the opposite step",
        control=partial(_both_fall, step=Fraction(-1, 2)),
        generality=Generality.GENERAL,
    )


def _moves_success(*, sign: int) -> Finding:
    """Find whether V moves along c - C pi as stated; x is the reward and y is c, which is 0 on wrong responses."""
    total = moments.plain_sum(Y)
    value = moments.mean(X)
    speed = moments.mean(sympy.expand((X - value) * (Y - total * PROB)))
    claimed = moments.mean(X * Y) - value * moments.mean(Y)
    claimed += sign * total * (moments.mean(PROB * X) - value * moments.mean(PROB))
    return zero(speed - claimed, sympy.expand)


def _slope_of_success(reference: Probs) -> Any:
    """Return the rate at which the success probability moves along the mean shipped direction."""
    direction = off_policy_direction(POLICY, reference, REWARDS, Fraction(0))
    return (Query(POLICY, REWARDS).success_gradient * direction).sum()


def _success_falls(*, reference: Probs) -> Finding:
    """Find whether the rate is the stated negative number; show the policies."""
    rate = _slope_of_success(reference)
    shown = {
        "pi": f"({', '.join(map(str, POLICY))})",
        "pi_ref": f"({', '.join(map(str, reference))})",
        "r": str(REWARDS),
        "V": "3/5",
        "change of V per unit step": str(rate),
        "result": "the step that recalls the reference's right responses lowers success",
    }
    return with_witness(for_all([(f"rate {rate}", bool(rate == sympy.Rational(-83, 2500)))], f"rate {rate}"), shown)


def _released_falls(*, subtracted: int) -> Finding:
    """Find whether V moves at -223/2500 along the released term's direction, with pi taken off ``subtracted`` times."""
    pulls = [r * (c - subtracted * p) for r, c, p in zip(REWARDS, REFERENCE, POLICY, strict=True)]
    direction = exact(pulls) - sum(pulls) * exact(POLICY)
    rate = (Query(POLICY, REWARDS).success_gradient * direction).sum()
    return for_all([(f"rate {rate}", rate == Fraction(-223, 2500))], f"rate {rate}")


def _both_fall(*, step: Fraction) -> Finding:
    """Find whether success and the divergence from c are both smaller after a finite step."""
    weights = [p * r for p, r in zip(REFERENCE, REWARDS, strict=True)]
    mass = sum(weights, Fraction(0))
    moved = [ball(p) * ball(step * (c - mass * p)).exp() for p, c in zip(POLICY, weights, strict=True)]
    total = sum(moved[1:], moved[0])
    after = [w / total for w in moved]
    success = sum((after[i] for i, r in enumerate(REWARDS) if r), ball(0))
    gained = sum((ball(c) * (a / ball(p)).log() for c, a, p in zip(weights, after, POLICY, strict=True) if c), ball(0))
    cases = [("success falls", bool(success < ball(Fraction(3, 5)))), ("divergence falls", bool(gained > 0))]
    return for_all(cases, f"V = {success.str(8)}")
