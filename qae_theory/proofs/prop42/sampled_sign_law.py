"""Prove claim ``sampled-sign-law``: which way a constant baseline moves expected entropy on sampled groups.

(a) At second order, over all groups, b = 1 less b = 0 is (1/G) E[(1 - 2r) Q] with Q the curvature along e_y - pi. (b)
At first order, given the regime, the slope in b is delta h on hard and -delta h on easy groups, so that one of the
paper's two orders fails wherever h is not 0. The shipped functions run on any number of responses; the replays on small
queries are in ``sampled_sign_law_ties``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.baselines import is_hard_group, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import (
    first_order_entropy_change,
    response_curvatures,
    second_order_entropy_change,
)
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import scalar
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.moments import DIRECTION, PROB, X, Y
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.prop42 import sampled_sign_law_ties as ties
from qae_theory.proofs.tools.checking import all_zero, valid, valid_on_every_path, zero
from qae_theory.updates import update_direction

B = sympy.Symbol("b", real=True)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_moments(), *_curvature(), *_regimes(), *ties.steps())
    ledger.add(Evidence("sampled-sign-law", "moments-and-regimes", Kind.PROOF, Role.FOR, steps))


def _moments() -> tuple[Step, ...]:
    return (
        Step(
            says=r"(a) Write $s_y=e_y-\pi$. Component $j$ of $E[a_ys_y]$, the response $y=j$ singled out and the "
            r"others in one symbol, is $\pi_ja_j(1-\pi_j)-\pi_j(E[a]-\pi_ja_j)=\pi_j(a_j-E[a])$, for any number of "
            r"responses. With $a=r-b$ this is $\pi_j(r_j-V)$ for every constant $b$: the shipped `policy_gradient` "
            r"direction $g$, on any number of arms.",
            check=partial(_score_mean, rule="policy_gradient"),
            planted="the uncentred step",
            control=partial(_score_mean, rule="uncentred"),
            generality=Generality.GENERAL,
        ),
        ties.second_moment_step(),
    )


def _curvature() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$Q_y=s_y^\top\nabla^2H\,s_y$ is the second derivative of entropy along $e_y-\pi$. The shipped "
            r"`second_order_entropy_change` along it, on any number of arms and with an indicator for $e_y$, is what "
            r"the shipped `response_curvatures` returns.",
            check=partial(_curvature_of_score, sign=1),
            planted=r"$e_y+\pi$ for $e_y-\pi$",
            control=partial(_curvature_of_score, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Contract with $\nabla^2H$, a fixed matrix: "
            r"$E[d^\top\nabla^2H\,d]=\frac1GE[(r_y-b)^2Q_y]+\frac{G-1}Gg^\top\nabla^2H\,g$. Only the first term has "
            r"$b$, and $(r-1)^2-r^2=1-2r$: from $b=0$ to $b=1$ it changes by $\frac1GE_\pi[(1-2r_y)Q_y]$ (moments, "
            r"any number of responses).",
            check=partial(_contraction, weight=lambda r: 1 - 2 * r),
            planted="1 - r for 1 - 2r",
            control=partial(_contraction, weight=lambda r: 1 - r),
            generality=Generality.GENERAL,
        ),
        ties.taylor_step(),
    )


def _regimes() -> tuple[Step, ...]:
    return (
        Step(
            says=r"(b) For all $G\ge1$ and rational $K\in(0,1)$ (z3 on the shipped `is_hard_group` and "
            r"`quantile_rank`): a group is hard exactly when $m\le t$ with $t=G-\lceil KG\rceil$, "
            r"$t=\lfloor G(1-K)\rfloor$ and $0\le t\le G-1$. So $\delta=\binom{G-1}tp^t(1-p)^{G-1-t}>0$, "
            r"and both regimes have positive probability ($m=0$ and $m=G$).",
            check=partial(_threshold, shift=0),
            planted="m < t",
            control=partial(_threshold, shift=1),
            generality=Generality.GENERAL,
        ),
        ties.regime_mean_step(),
        Step(
            says=r"For every $G$ and $t$, from $P(M\le t)=P(M\le t-1)+\delta$ (the definition of "
            r"$\delta=P(M=t)$) alone: on hard groups $w=P(M\le t-1)+b\,\delta$, on easy ones $w=1-P(M\le "
            r"t-1)-b\,\delta$.",
            check=partial(_slopes_from_delta, sign=1),
            planted="the signs exchanged",
            control=partial(_slopes_from_delta, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped first-order change is linear in $d$, on any number of arms, and is "
            r"$h=-\mathrm{Cov}_\pi(\log\pi,g)$ at $d=g$: at $d=wg$ it is $wh$. So the slopes in $b$ are $\pm\delta "
            r"h$.",
            check=partial(_linear_change, power=1),
            planted="quadratic in d",
            control=partial(_linear_change, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Conclusion (z3): with $\delta>0$ and $0\le b\le1$, $b\ne b_K$, the hard order $E[\Delta "
            r"H(0)]\le E[\Delta H(b)]$ holds exactly when $h\ge0$, the easy order $E[\Delta H(1)]\ge "
            r"E[\Delta H(b)]$ exactly when $h\le0$: if $h\ne0$ exactly one of them fails, and at $h=0$ both "
            r"are equalities.",
            check=partial(_one_regime_fails, sign=1),
            planted="easy slope + delta h",
            control=partial(_one_regime_fails, sign=-1),
            generality=Generality.GENERAL,
        ),
    )


def _score_mean(*, rule: str) -> Finding:
    """Find whether E[a_y (e_y - pi)] is pi (a - E a), which the shipped direction is for a = r - b."""
    prob, own, mean, success = sympy.symbols("pi_j a_j Ea V", real=True)
    # The response j itself adds a_j (1 - pi_j), every other one y adds -a_y pi_j.
    component = prob * own * (1 - prob) - prob * (mean - prob * own)
    centred = component - prob * (own - mean)
    # With a = r - b the mean is V - b, and the shipped direction has x for r.
    without_baseline = component.subs({own: X - B, mean: success - B, prob: PROB})
    shipped = for_any_policy(lambda arms: update_direction(arms.logits(), arms.entries(X), rule, baseline=scalar(B)))
    tied = without_baseline - shipped.subs(moments.mean(X), success)
    return all_zero([tied, centred], sympy.expand)


def _curvature_of_score(*, sign: int) -> Finding:
    """Find whether the shipped second-order change along e_y - pi is what the shipped function of it returns."""
    # x is the indicator of one response: with it the arm's own terms are singled out.
    along = for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(X - sign * PROB)))
    shipped = for_any_policy(lambda arms: response_curvatures(arms.logits()))
    return zero(moments.with_indicator(along) - shipped, sympy.expand)


def _contraction(*, weight: Callable[[Any], Any]) -> Finding:
    """Find whether the second-order change differs between b = 1 and b = 0 by E[(1 - 2r) Q]/G."""
    # The second term has no b: one symbol stands for it.
    size, mean_part = sympy.symbols("G gHg", positive=True)

    # x stands for r and y for Q_y.
    def contracted(baseline: Any) -> Any:
        own = moments.mean(sympy.expand((X - baseline) ** 2 * Y))
        return own / size + (size - 1) / size * mean_part

    # (r - 1)^2 - r^2 = 1 - 2r.
    claimed = moments.mean(sympy.expand(weight(X) * Y)) / size
    return zero(contracted(1) - contracted(0) - claimed, sympy.expand)


def _threshold(*, shift: int) -> Finding:
    """Find whether a group is hard exactly for m <= t = G - ceil(K G) = floor(G (1 - K)), with 0 <= t < G."""
    s = group_symbols()
    share = s.group_size * (s.denominator - s.numerator)  # G (1 - K) q

    def goal(path: Path) -> Any:
        hard = bool(is_hard_group(s.correct_on(path), s.size_on(path), s.level_on(path)))
        rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
        t = s.group_size - rank.term
        # t = floor(share/q), written without a quotient.
        is_floor = z3.And(t * s.denominator <= share, share < (t + 1) * s.denominator)
        return z3.And(hard == (s.num_correct + shift <= t), is_floor, t >= 0, t <= s.group_size - 1)

    return valid_on_every_path(goal, *s.domain)


def _slopes_from_delta(*, sign: int) -> Finding:
    """Find whether the weights of both regimes are linear in b with slopes delta and -delta."""
    below, delta = sympy.symbols("F delta")
    # below is P(M <= t - 1); one right response more makes it P(M <= t).
    hard = (1 - B) * below + B * (below + delta)
    easy = (1 - B) * (1 - below) + B * (1 - below - delta)
    return all_zero([hard - (below + sign * B * delta), easy - (1 - below - sign * B * delta)], sympy.expand)


def _linear_change(*, power: int) -> Finding:
    """Find whether the shipped first-order change along w d is w times that along d."""
    w = sympy.Symbol("w", real=True)

    def change(direction: Any) -> Any:
        return for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(direction)))

    return zero(change(w * DIRECTION) - w**power * change(DIRECTION), sympy.expand)


def _one_regime_fails(*, sign: int) -> Finding:
    """Find whether exactly one of the two orders fails where h is not 0."""
    h, delta, below, b, c = z3.Reals("h delta F b c")

    def hard(baseline: Any) -> Any:
        return h * (below + baseline * delta)

    def easy(baseline: Any) -> Any:
        return h * (1 - below - sign * baseline * delta)

    # b differs from the end that the paper's order names: it is b_K = 0 or 1.
    hard_holds, easy_holds = hard(0) <= hard(b), easy(1) >= easy(c)
    goal = z3.And(
        hard_holds == (h >= 0),
        easy_holds == (h <= 0),
        z3.Implies(h != 0, hard_holds != easy_holds),
        z3.Implies(h == 0, z3.And(hard(0) == hard(b), easy(1) == easy(c))),
    )
    return valid(goal, delta > 0, b > 0, b <= 1, c >= 0, c < 1)
