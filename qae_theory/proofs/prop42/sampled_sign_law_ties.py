"""Tie claim ``sampled-sign-law`` to the shipped functions, and replay its lemmas on small queries.

All groups of two or three responses are listed, with a symbolic baseline b; SymPy decides every residual.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from qae_theory.baselines import is_hard_group
from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.entropy_change import first_order_entropy_change, response_curvatures, second_order_entropy_change
from qae_theory.group_expectation import (
    OutcomeAdvantages,
    count_vectors,
    expected_entropy_change,
    expected_second_order_change,
    finite_step_mean,
    gain,
    moments,
    outcome_advantages,
)
from qae_theory.proofs.carriers.formulas import expression, expressions, formulas, scalar
from qae_theory.proofs.tools.checking import all_zero, rational, with_witness
from qae_theory.proofs.tools.rational_policies import THIRDS, Probs, log_form, logs, number
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

F = Fraction
B = sympy.Symbol("b", real=True)
THREE = (F(1, 2), F(1, 3), F(1, 6))
# The queries of the replays: a policy and the rewards of its responses.
QUERIES = ((THIRDS, (1, 0)), (THREE, (0, 1, 1)))


def second_moment_step() -> Step:
    """Return the lemma on the second moment of a sum of independent vectors, with its replay."""
    return Step(
        says=r"Lemma: the sum of $G$ iid vectors $u_i$ has mean $G\,E[u]$ and "
        r"$E[\sum_iu_i\sum_ju_j^\top]=G\,E[uu^\top]+G(G-1)E[u]E[u]^\top$ (linearity; $G$ equal pairs, "
        r"$G(G-1)$ independent ones). With $u_i=(R_i-b)s_{y_i}$, $d=\frac1G\sum_iu_i$: $E[d]=g$ and "
        r"$E[dd^\top]=\frac1GE[(r_y-b)^2s_ys_y^\top]+\frac{G-1}Ggg^\top$. Replayed with symbolic $b$ "
        r"over all groups of shipped steps, $n=2,3$ and $G=1,2,3$.",
        check=partial(_second_moment, pairs=lambda size: size - 1),
        planted="G for G - 1",
        control=partial(_second_moment, pairs=lambda size: size),
        citation="R. Durrett, Probability: Theory and Examples, 5th ed., Section 2.1 (independence)",
    )


def taylor_step() -> Step:
    """Return the lemma that turns the second derivative into the change of a finite step, with its replay."""
    return Step(
        says=r"Lemma (Taylor): $\eta\mapsto E[\Delta H(b)]$ is a finite average of smooth functions, so it "
        r"is $\eta E[\nabla H\cdot d]+\frac{\eta^2}2E[d^\top\nabla^2H\,d]+O(\eta^3)$. The first-order "
        r"terms are equal, $E[d]=g$ for both. Hence (a). Replayed: the shipped "
        r"`expected_entropy_change` of `nsr` less that of `psr` leaves a remainder whose fitted order "
        r"in $\eta$ is at least $2.9$.",
        check=partial(_remainder_order, factor=F(1, 2)),
        planted="1/G for 1/(2G)",
        control=partial(_remainder_order, factor=F(1)),
        citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 5.15",
    )


def regime_mean_step() -> Step:
    """Return the lemma on the mean step given the group's regime, with its replay."""
    return Step(
        says=r"Lemma (exchangeability, conditioning): $E[d;\mathrm{hard}]=E[(R_1-b)s_1;\mathrm{hard}]$, as "
        r"the $G$ terms have one law. Given $R_1$, the response $y_1$ is independent of the other "
        r"rewards; $E[s_1;R_1=1]=g$, $E[s_1;R_1=0]=-g$, and the group is hard when $R_1+M\le t$ with "
        r"$M\sim\mathrm{Bin}(G-1,p)$. So $E[d;\mathrm{hard}]=w\,g$, $w=(1-b)P(M\le t-1)+bP(M\le t)$; "
        r"likewise $E[d;\mathrm{easy}]$ with $>$ for $\le$. Replayed with symbolic $b$ over all groups "
        r"of shipped steps against the shipped `gain` of a table that is 0 outside the regime, $n=2,3$, "
        r"$G=1,2,3$, every threshold.",
        check=partial(_regime_mean, swap=False),
        planted="the other regime's table",
        control=partial(_regime_mean, swap=True),
        citation="R. Durrett, Probability: Theory and Examples, 5th ed., Section 4.1 (conditioning)",
    )


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `sampled-sign-law` to the shipped functions."""
    return (
        Step(
            says=r"Tie: with symbolic $\pi$, $r$, $b$ and 2, 3, 4 responses, the mean of the shipped one-response "
            r"`sampled_group` steps is the shipped `policy_gradient` step.",
            check=partial(_one_response_mean, rule="policy_gradient"),
            planted="the uncentred step",
            control=partial(_one_response_mean, rule="uncentred"),
            tie=True,
        ),
        Step(
            says=r"The shipped `moments` with symbolic $p$ and $b$ say the same, for $G=2..7$: "
            r"$\alpha_1=(1-b)^2$, $\alpha_0=b^2$, $\beta=1$; and the shipped tables of `psr` and `nsr` are "
            r"$b=0$ and $b=1$.",
            check=partial(_constant_moments, beta=1),
            planted="beta = 2",
            control=partial(_constant_moments, beta=2),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `response_curvatures` are SymPy's Hessian of the shipped `entropy` along "
            r"$e_y-\pi$, at exact policies on 2 and 3 responses.",
            check=partial(_curvature_is_hessian, sign=1),
            planted=r"$e_y+\pi$ for $e_y-\pi$",
            control=partial(_curvature_is_hessian, sign=-1),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `expected_second_order_change` of `nsr` less that of `psr` is the difference of "
            r"(a), exactly, and that of `psr` is the whole formula at $b=0$, on policies with 2, 3 and 4 responses "
            r"(quick: 2 and 3), every mixed $r$, $G=2..4$.",
            check=partial(_curvature_difference, weight=lambda r: 1 - 2 * r),
            planted="1 - r for 1 - 2r",
            control=partial(_curvature_difference, weight=lambda r: 1 - r),
            tie=True,
        ),
        Step(
            says=r"The shipped `gain` with symbolic $p$ and $b$: its slope in $b$ is $+\delta$ on hard and "
            r"$-\delta$ on easy groups, $\delta=P(\mathrm{Bin}(G-1,p)=\lfloor G(1-K)\rfloor)$, for $G=1..6$ "
            r"(quick 4) and every $K=a/(2G+1)$.",
            check=partial(_gain_slope, trials=lambda size: size - 1),
            planted="G trials for G - 1",
            control=partial(_gain_slope, trials=lambda size: size),
            tie=True,
        ),
        Step(
            says=r"Tie, end to end: the $\eta$-derivative at 0 of the shipped `finite_step_mean`, with symbolic "
            r"$\eta$ and $b$ and advantages $R-b$ on one regime's groups, has the slope $\pm\delta h$ in $b$.",
            check=partial(_finite_step_slope, sign=1),
            planted="the regimes exchanged",
            control=partial(_finite_step_slope, sign=-1),
            tie=True,
        ),
    )


def _one_response_mean(*, rule: str) -> Finding:
    """Find whether the mean of the shipped one-response steps is the shipped step of a rule."""
    residuals = []
    for arms in (2, 3, 4):
        free = sympy.symbols(f"p1:{arms}", positive=True)
        p = (*free, 1 - sum(free))
        r = sympy.symbols(f"r1:{arms + 1}", real=True)
        z = formulas(sympy.log(x) for x in p)
        mean = [sympy.Integer(0)] * arms
        for y in range(arms):
            for j, entry in enumerate(_step(z, [y], [r[y] - B])):
                mean[j] += p[y] * entry
        shipped = expressions(update_direction(z, formulas(r), rule, baseline=0))
        residuals += [x - y for x, y in zip(mean, shipped, strict=True)]
    return all_zero(residuals, sympy.expand)


def _second_moment(effort: Effort, *, pairs: Callable[[int], int]) -> Finding:
    """Find whether the first two moments of the shipped step over all groups are the lemma's."""
    residuals = []
    for (probs, r), size in itertools.product(QUERIES, effort.pick((1, 2, 3), (1, 2))):
        arms, p = len(probs), [rational(x) for x in probs]
        listed = list(_all_steps(probs, r, size))
        # A group of one with advantage 1 moves by its score.
        scores = [_step(logs(probs), [y], [sympy.Integer(1)]) for y in range(arms)]
        g = expressions(update_direction(logs(probs), r, "policy_gradient"))
        for i in range(arms):
            residuals.append(sum(weight * d[i] for weight, d, _ in listed) - g[i])
            for j in range(i, arms):
                square = sum(weight * d[i] * d[j] for weight, d, _ in listed)
                own = sum(p[y] * (r[y] - B) ** 2 * scores[y][i] * scores[y][j] for y in range(arms))
                residuals.append(square - (own + pairs(size) * g[i] * g[j]) / sympy.Integer(size))
    return all_zero(residuals, sympy.expand)


def _constant_moments(*, beta: int) -> Finding:
    """Find whether the shipped moments of R - b are (1 - b)^2, b^2 and ``beta``, for PSR and NSR too."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(2, 8):
        shipped_moments = moments(scalar(p), _constant_table(size, B))
        expected = ((1 - B) ** 2, B**2, beta)
        residuals += [expression(x) - y for x, y in zip(shipped_moments, expected, strict=True)]
        for name, b in (("psr", 0), ("nsr", 1)):
            shipped, own = outcome_advantages(size, name, exact=True), _constant_table(size, sympy.Integer(b))
            # Without a correct (wrong) response a group has no such advantage, and the tables fill in what they like.
            for mine, theirs in ((own.correct[1:], shipped.correct[1:]), (own.wrong[:-1], shipped.wrong[:-1])):
                residuals += [x - y for x, y in zip(expressions(mine), expressions(theirs), strict=True)]
    return all_zero(residuals, sympy.expand)


def _curvature_is_hessian(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped curvatures are SymPy's Hessian of the shipped entropy along e_y - pi."""
    residuals = []
    policies = (THIRDS, THREE, (F(1, 7), F(4, 7), F(2, 7)))
    for probs in policies[: effort.pick(3, 2)]:
        point, arms = tuple(logs(probs)), len(probs)
        symbols = sympy.symbols(f"z1:{arms + 1}", real=True)
        hessian = sympy.hessian(expression(entropy(formulas(symbols))), symbols)
        # Differentiated with symbols, then taken at the policy.
        hessian = hessian.subs(dict(zip(symbols, point, strict=True)))
        shipped = expressions(response_curvatures(formulas(point)))
        weights = [sympy.exp(x) for x in point]
        for y in range(arms):
            score = sympy.Matrix([int(y == j) - sign * w / sum(weights) for j, w in enumerate(weights)])
            residuals.append((score.T * hessian * score)[0, 0] - shipped[y])
    return all_zero(residuals, log_form)


def _curvature_difference(effort: Effort, *, weight: Callable[[Any], Any]) -> Finding:
    """Find whether the shipped second-order expectations of NSR and PSR differ as (a) says, exactly."""
    policies = (THIRDS, THREE, (F(1, 10), F(2, 10), F(3, 10), F(4, 10)))
    residuals = []
    for probs in policies[: effort.pick(3, 2)]:
        z, p = logs(probs), [rational(x) for x in probs]
        q = response_curvatures(z)
        for r, size in itertools.product(itertools.product((0, 1), repeat=len(probs)), (2, 3, 4)):
            if len(set(r)) == 1:
                continue  # the shipped function refuses a query without two outcomes
            nsr, psr = (number(expected_second_order_change(z, r, size, name)) for name in ("nsr", "psr"))
            residuals.append(nsr - psr - sum(p[y] * weight(r[y]) * q[y] for y in range(len(p))) / size)
            own = sum(p[y] * r[y] * q[y] for y in range(len(p)))
            mean = number(second_order_entropy_change(z, update_direction(z, r, "policy_gradient")))
            residuals.append(psr - (own + (size - 1) * mean) / size)
    return all_zero(residuals, log_form)


def _remainder_order(effort: Effort, *, factor: Fraction) -> Finding:
    """Find whether the difference of the shipped finite changes leaves a remainder of order 3 in eta."""
    steps = [2.0**-i for i in range(4, effort.pick(10, 8))]
    worst = math.inf
    queries = ((THIRDS, (1, 0), 2), ((0.5, 0.3, 0.2), (0, 1, 1), 3), ((0.7, 0.1, 0.2), (1, 0, 0), 2))
    for probs, r, size in queries:
        p = np.array(probs, dtype=float)
        z = np.log(p)
        # The claimed difference of the second-order terms, eta^2 / 2 times (1/G) E[(1 - 2r) Q].
        law = float(factor) / size * float((p * (1 - 2 * np.array(r)) * response_curvatures(z)).sum())
        remainders = []
        for eta in steps:
            nsr, psr = (float(expected_entropy_change(z, r, size, name, eta)) for name in ("nsr", "psr"))
            remainders.append(abs(nsr - psr - eta**2 * law))
        worst = min(worst, float(np.polyfit(np.log(steps), np.log(remainders), 1)[0]))
    # The order is 3 or more; .1 is left for the next term, a part eta of the third-order one. The smallest
    # remainder is above 1e-11, far from the rounding of 1e-17.
    return Finding(worst >= 2.9, "fitted order", f"smallest fitted order {worst:.3f}")


def _regime_mean(effort: Effort, *, swap: bool) -> Finding:
    """Find whether the mean shipped step given the regime is the shipped gain times the policy gradient."""
    residuals = []
    for (probs, r), size in itertools.product(QUERIES, effort.pick((1, 2, 3), (1, 2))):
        p = sum(rational(x) for x, y in zip(probs, r, strict=True) if y)
        g = expressions(update_direction(logs(probs), r, "policy_gradient"))
        listed = list(_all_steps(probs, r, size))
        for t, hard in itertools.product(range(size), (True, False)):
            # Half a response below G - t, so that no rounding is near.
            k = F(2 * (size - t) - 1, 2 * size)  # ceil(K G) = G - t
            w = expression(gain(scalar(p), _regime_table(size, k, hard=hard != swap)))
            for arm, slope in enumerate(g):
                mean = sum(weight * d[arm] for weight, d, m in listed if is_hard_group(m, size, k) == hard)
                residuals.append(mean - w * slope)
    return all_zero(residuals, sympy.expand)


def _gain_slope(effort: Effort, *, trials: Callable[[int], int]) -> Finding:
    """Find whether the shipped gain of R - b in one regime has the slope delta, or -delta, in b."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(1, effort.pick(6, 3) + 1):
        # Levels a/(2G + 1) meet every class of K without an exact tie.
        for k in (F(a, 2 * size + 1) for a in range(1, 2 * size + 1)):
            # M counts the right ones among the other G - 1 responses.
            t, n = math.floor(size * (1 - k)), trials(size)
            delta = sympy.binomial(n, t) * p**t * (1 - p) ** (n - t)
            for hard, sign in ((True, 1), (False, -1)):
                w = expression(gain(scalar(p), _regime_table(size, k, hard=hard)))
                residuals.append(sympy.diff(w, B) - sign * delta)
    return all_zero(residuals, sympy.expand)


def _finite_step_slope(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped finite-step mean has the first-order slope of (b) in b."""
    eta = sympy.Symbol("eta", real=True)
    residuals = []
    queries = ((THIRDS, 1, F(2, 5)), (THIRDS, 2, F(2, 5)), (THIRDS[::-1], 2, F(2, 3)), (THIRDS, 3, F(1, 3)))
    for probs, size, k in queries[: effort.pick(4, 2)]:
        # delta h, by the binomial formula.
        slope = sign * rational(_delta(probs[0], size, k)) * _slope_of_entropy(probs)
        z, counts = formulas(logs(probs)), count_vectors(2, size)
        for hard, side in ((True, 1), (False, -1)):
            own = np.empty(counts.shape, dtype=object)
            for row, (right, _) in enumerate(counts):
                # The advantages are 0 outside the regime, so that the mean is over all groups.
                inside = int(is_hard_group(int(right), size, k) == hard)
                own[row] = formulas([inside * (1 - B), inside * -B])
            mean = expression(finite_step_mean(z, counts, own, scalar(eta)))
            residuals.append(sympy.diff(sympy.diff(mean, eta).subs(eta, 0), B) - side * slope)
    worked = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "G": "2",
        "K": "2/5",
        "delta": str(_delta(THIRDS[0], 2, F(2, 5))),
        "h": str(log_form(_slope_of_entropy(THIRDS))),
        "result": "h > 0: the order holds on hard groups and fails on easy ones",
    }
    return with_witness(all_zero(residuals, log_form), worked)


def _slope_of_entropy(probs: Probs) -> Any:
    """Return h of a query of two responses, the first one right."""
    z = logs(probs)
    return number(first_order_entropy_change(z, update_direction(z, [1, 0], "policy_gradient")))


def _all_steps(probs: Probs, r: tuple[int, ...], size: int) -> Iterator[tuple[Any, list[Any], int]]:
    """Yield every group's probability, shipped step and number of right responses, for R - b with symbolic b."""
    for group in itertools.product(range(len(probs)), repeat=size):
        d = _step(logs(probs), list(group), [r[y] - B for y in group])
        yield math.prod(rational(probs[y]) for y in group), d, sum(r[y] for y in group)


def _step(z: Any, group: list[int], own: list[Any]) -> list[Any]:
    """Return the shipped step on one group; the advantages hold the rewards."""
    return expressions(update_direction(z, [0] * len(z), "sampled_group", responses=group, advantages=formulas(own)))


def _constant_table(size: int, b: Any) -> OutcomeAdvantages:
    """Return R - b for every group; the entries without a response are 0."""
    return OutcomeAdvantages(formulas([0, *[1 - b] * size]), formulas([*[-b] * size, 0]))


def _regime_table(size: int, k: Fraction, *, hard: bool) -> OutcomeAdvantages:
    """Return R - b with symbolic b on the groups of one regime, and 0 on the others."""
    inside = [int(is_hard_group(m, size, k) == hard) for m in range(size + 1)]
    correct = [0 if m == 0 else chosen * (1 - B) for m, chosen in enumerate(inside)]
    wrong = [0 if m == size else chosen * -B for m, chosen in enumerate(inside)]
    return OutcomeAdvantages(formulas(correct), formulas(wrong))


def _delta(p: Fraction, size: int, k: Fraction) -> Fraction:
    """Return P(Bin(G - 1, p) = floor(G (1 - K)))."""
    t = math.floor(size * (1 - k))
    return math.comb(size - 1, t) * p**t * (1 - p) ** (size - 1 - t)
