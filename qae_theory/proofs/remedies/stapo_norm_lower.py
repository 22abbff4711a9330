"""Prove claim ``stapo-norm-lower``: a token's logit gradient has a squared norm of at least w^2 (1 - 2 pi + e^-H).

The norm is w^2 (1 - 2 pi + sum pi^2), and sum pi^2 >= e^-H is Jensen's inequality. Both are checked for any number of
arms; the norm is that of the shipped direction of one sampled response.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.moments import LOG_PROB, PROB, X
from qae_theory.proofs.entropy_change.self_covariance import log_lemma_step
from qae_theory.proofs.tools.checking import all_equal, ball, for_all, rational, valid, zero
from qae_theory.proofs.tools.rational_policies import Probs, logs, number, small_policies
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

# The ratio times the advantage of the sampled token; its sign drops out of the norm.
WEIGHT = Fraction(-3, 2)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (norm_step(), log_lemma_step(), *_jensen(), norm_tie(), _tie())
    ledger.add(Evidence("stapo-norm-lower", "jensen", Kind.PROOF, Role.FOR, steps))


def norm_step() -> Step:
    """Return the step that computes the squared norm, which both bounds start from."""
    return Step(
        says=r"The logit gradient of a sampled token $a$ is $w(e_a - \pi)$. With $x$ the indicator of $a$, on any "
        r"number of arms, $\sum_j w^2(x_j-\pi_j)^2 = w^2(1 - 2\pi_a + P)$ with $P = \sum_j\pi_j^2$.",
        check=partial(_norm, factor=2),
        planted="1 - pi + P",
        control=partial(_norm, factor=1),
        generality=Generality.GENERAL,
    )


def norm_tie() -> Step:
    """Return the step that ties the norm to the shipped direction of a group of one response."""
    return Step(
        says=r"Tie: it is the squared norm of the shipped `sampled_group` direction of one response with advantage "
        r"$w$, exactly, on small rational policies and for every sampled arm.",
        check=partial(_shipped_norm, factor=2),
        planted="1 - pi + P",
        control=partial(_shipped_norm, factor=1),
        tie=True,
    )


def _jensen() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The lemma at $t = \pi_je^H$ gives $\pi_je^H - 1 - (\log\pi_j + H) \ge 0$ for every arm. Its mean "
            r"under $\pi$ is $e^HP - 1$, because $E[\log\pi] = -H$ (any number of arms).",
            check=partial(_mean_of_lemma, sign=1),
            planted="e^H P + 1",
            control=partial(_mean_of_lemma, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $e^HP \ge 1$, that is $P \ge e^{-H}$, and $w^2(1-2\pi_a+e^{-H}) \le w^2(1-2\pi_a+P)$. The lemma "
            r"is an equality at $t = 1$ only, so the bound is attained exactly at the uniform policy.",
            check=partial(_bound, power=1),
            planted="e^(-H/2) for e^-H",
            control=partial(_bound, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: with the shipped `entropy`, in ball arithmetic, the bound holds on small rational policies, "
        r"strictly unless they are uniform.",
        check=partial(_shipped_bound, share=Fraction(1)),
        planted="e^(-H/2) for e^-H",
        control=partial(_shipped_bound, share=Fraction(1, 2)),
        tie=True,
    )


def squared_norm(probs: Probs, arm: int) -> Any:
    """Return the squared norm of the shipped direction of one response, as an exact number.

    Args:
        probs: the policy.
        arm: the sampled response.
    """
    group = {"responses": [arm], "advantages": [WEIGHT]}
    direction = update_direction(logs(probs), [0] * len(probs), "sampled_group", **group)
    return (direction**2).sum()


def _norm(*, factor: int) -> Finding:
    """Find whether the sum over arms of w^2 (x - pi)^2 is w^2 (1 - factor pi + P), x being one arm's indicator."""
    w = sympy.Symbol("w", real=True)
    squares = moments.with_indicator(moments.plain_sum(sympy.expand(w**2 * (X - PROB) ** 2)))
    return zero(squares - w**2 * (1 - factor * PROB + moments.mean(PROB)), sympy.expand)


def _shipped_norm(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped direction's squared norm is w^2 (1 - factor pi + P)."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for probs in small_policies(effort.pick(6, 4)):
            square = sum((p * p for p in probs), Fraction(0))
            for arm, prob in enumerate(probs):
                claimed = WEIGHT**2 * (1 - factor * prob + square)
                yield f"pi = {probs}, arm {arm}", squared_norm(probs, arm), rational(claimed)

    return all_equal(cases(), "small rational policies, every arm")


def _mean_of_lemma(*, sign: int) -> Finding:
    """Find whether E[pi e^H - 1 - (log pi + H)] is e^H P - 1."""
    scale = sympy.Symbol("e_H", positive=True)
    surprise = -moments.mean(LOG_PROB)
    total = moments.mean(PROB * scale - 1 - (LOG_PROB + surprise))
    return zero(total - (scale * moments.mean(PROB) - sign), sympy.expand)


def _bound(*, power: int) -> Finding:
    """Find whether e^H P >= 1 gives the bound with e^-H, or with its root for ``power`` 2."""
    scale, square, prob, w, inverse = z3.Reals("e_H P pi w inverse")
    # inverse is e^-H, or e^(-H/2) where its square is; H >= 0 makes e^H at least 1.
    known = (scale >= 1, scale * square >= 1, square <= 1, inverse > 0, inverse**power * scale == 1)
    return valid(w * w * (1 - 2 * prob + inverse) <= w * w * (1 - 2 * prob + square), *known)


def _shipped_bound(effort: Effort, *, share: Fraction) -> Finding:
    """Find whether w^2 (1 - 2 pi + e^(-share H)) is below the shipped norm, strictly unless the policy is uniform."""

    def cases() -> Iterator[tuple[str, bool]]:
        for probs in small_policies(effort.pick(6, 4)):
            # A ball around 0 has no sign; at the uniform policy the two sides are equal by the norm step.
            if len(set(probs)) == 1:
                continue
            decay = (-ball(share) * ball(number(entropy(logs(probs))))).exp()
            for arm, prob in enumerate(probs):
                below = ball(WEIGHT**2) * (1 - 2 * ball(prob) + decay)
                yield f"pi = {probs}, arm {arm}", bool(ball(squared_norm(probs, arm)) - below > 0)

    return for_all(cases(), "small rational policies, every arm")
