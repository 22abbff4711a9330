"""Refute claim ``positive-tokens-collapse``: positive advantages need not carry most of a fall of entropy.

On-policy GRPO's expected step splits into the part of right and of wrong responses in the ratio 1 - p to p, so the
positive side carries more than half exactly if p < 1/2 (``-if``). A question that is solved three times in four loses
entropy mostly through its wrong responses.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.tools.checking import (
    all_zero,
    ball,
    both,
    certainly_positive,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.enumeration import Query, all_groups, group_weights
from qae_theory.proofs.tools.groups import exact
from qae_theory.proofs.tools.rational_policies import log_form, number
from qae_theory.updates import update_direction


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    claim, rescued = "positive-tokens-collapse", "positive-tokens-collapse-if"
    ledger.add(Evidence(claim, "easy-question", Kind.WITNESS, Role.AGAINST, (_witness(), _raising())))
    ledger.add(Evidence(rescued, "shares", Kind.PROOF, Role.UNDER, (*_shares(), _tie())))
    ledger.add(Evidence(rescued, "easy-question", Kind.WITNESS, Role.WITHOUT, (_witness(),)))


def _witness() -> Step:
    return Step(
        says=r"$\pi = (\frac34, \frac14)$, $r = (1, 0)$, $G = 2$, GRPO at $\varepsilon = 0$, every group listed: the "
        r"expected first-order change is negative, and the responses with $A < 0$ carry exactly $\frac34$ of it "
        r"(shipped advantages, direction and change, exactly).",
        check=partial(_share_of_negative, p=Fraction(3, 4)),
        planted="p = 1/4, where entropy rises",
        control=partial(_share_of_negative, p=Fraction(1, 4)),
        generality=Generality.GENERAL,
    )


def _raising() -> Step:
    return Step(
        says=r"Nor does every response with a positive advantage lower entropy: pushing a response up raises it "
        r"wherever $Q_a = \pi_a(\log\pi_a+H) < E\,Q$, a right response of probability $\frac1{10}$ among two for "
        r"instance (shipped direction and change, ball arithmetic).",
        check=partial(_push_raises, p=Fraction(1, 10)),
        planted="probability 9/10",
        control=partial(_push_raises, p=Fraction(9, 10)),
        generality=Generality.GENERAL,
    )


def _shares() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Given $m$ right responses of $G$, right ones have the mean score $\nabla p/p$ and wrong ones "
            r"$-\nabla p/(1-p)$ ($E[1\{r=1\}s] = \nabla p$). GRPO gives them $A_+$ and $A_-$ with $mA_+ + (G-m)A_- = "
            r"0$. So the positive side's part is $\frac{mA_+}{G}\frac{\nabla p}p$, the negative side's "
            r"$\frac{mA_+}G\frac{\nabla p}{1-p}$: the positive share is $1-p$, for every $m$ and $G$.",
            check=partial(_split, balance=0),
            planted="advantages that sum to 1",
            control=partial(_split, balance=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At first order any functional, entropy too, moves linearly in the step, so its expected change "
            r"$h$ splits as $(1-p)h + ph$. Where $h < 0$ and $p < \frac12$ the positive side carries more than half "
            r"of the fall.",
            check=partial(_larger_part, half=Fraction(1, 2)),
            planted="p < 3/4",
            control=partial(_larger_part, half=Fraction(3, 4)),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: over all groups of three-response policies, shipped `advantages`, direction and first-order "
        r"change: the positive side's part is $1-p$ of the whole, exactly.",
        check=partial(_enumerated, of_whole=lambda p: 1 - p),
        planted="p of the whole",
        control=partial(_enumerated, of_whole=lambda p: p),
        tie=True,
    )


def _parts(query: Query, size: int) -> tuple[Any, Any]:
    """Return the expected first-order changes that positive and negative advantages make, over all groups."""
    groups = all_groups(len(query.probs), size)
    weights = group_weights(query.exact_probs, groups)
    rewards = exact(query.arm_rewards)[groups]
    parts = [sympy.Integer(0), sympy.Integer(0)]
    for group, weight, r in zip(groups, weights, rewards, strict=True):
        a = advantages(r, "grpo", eps=0)
        for side, sign in enumerate((1, -1)):
            kept = exact([x if sign * x > 0 else 0 for x in a])
            d = update_direction(query.logits, query.arm_rewards, "sampled_group", responses=group, advantages=kept)
            parts[side] += rational(weight) * number(first_order_entropy_change(query.logits, d))
    return parts[0], parts[1]


def _share_of_negative(*, p: Fraction) -> Finding:
    """Find whether the expected change is negative and the negative side carries 3/4 of it; show it."""
    positive, negative = _parts(Query((p, 1 - p), (1, 0)), 2)
    whole = positive + negative
    falls = certainly_positive(log_form(-whole), "fall of entropy")
    share = all_zero([negative - rational(Fraction(3, 4)) * whole], log_form)
    shown = {
        "pi": f"({p}, {1 - p})",
        "r": "(1, 0)",
        "G": "2",
        "expected first-order change": str(sympy.N(whole, 8)),
        "of it by positive advantages": str(sympy.N(positive, 8)),
        "of it by negative advantages": str(sympy.N(negative, 8)),
    }
    return with_witness(both(falls, share), shown)


def _push_raises(*, p: Fraction) -> Finding:
    """Find whether one sampled right response with advantage 1 raises entropy at first order."""
    query = Query((p, 1 - p), (1, 0))
    group = {"responses": [0], "advantages": exact([1])}
    d = update_direction(query.logits, query.arm_rewards, "sampled_group", **group)
    return certainly_positive(log_form(number(first_order_entropy_change(query.logits, d))), "change")


def _split(*, balance: int) -> Finding:
    """Find whether the positive side's part is 1 - p of the whole, the advantages' sum being ``balance``."""
    right, m, size, p, gradient = sympy.symbols("A_plus m G p grad_p", positive=True)
    wrong = (balance - m * right) / (size - m)
    positive = m * right / size * gradient / p
    negative = (size - m) * wrong / size * (-gradient / (1 - p))
    return all_zero([positive - (1 - p) * (positive + negative)])


def _larger_part(*, half: Fraction) -> Finding:
    """Find whether (1 - p) h is more than half of h < 0 for p below ``half``."""
    p, change = z3.Reals("p h")
    return valid((1 - p) * change < change / 2, change < 0, p > 0, p < z3.Q(half.numerator, half.denominator))


def _enumerated(effort: Effort, *, of_whole: Any) -> Finding:
    """Find whether the positive side's part is the stated share of the whole, over all groups."""
    policies = (("1/6 1/3 1/2", (1, 0, 0)), ("1/5 1/5 3/5", (1, 1, 0)))

    def cases() -> Iterator[tuple[str, bool]]:
        for probs, arm_rewards in policies[: effort.pick(2, 1)]:
            query = Query(tuple(Fraction(x) for x in probs.split()), arm_rewards)
            for size in (2, 3):
                positive, negative = _parts(query, size)
                claimed = rational(of_whole(query.success_prob)) * (positive + negative)
                gap = log_form(positive - claimed)
                yield f"pi = {probs}, G = {size}", bool(gap == 0) or bool(sympy.simplify(gap) == 0)
                # A whole of 0 would make every share right.
                yield f"pi = {probs}, G = {size}: moves", bool(abs(ball(log_form(positive))) > 0)

    return for_all(cases(), "every group")
