"""Which way a baseline moves entropy on sampled groups.

At second order in general, and at first order given the regime.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.baselines import is_hard_group, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import (
    first_order_entropy_change,
    response_curvatures,
    second_order_entropy_change,
)
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
from qae_theory.proofs.tools.checking import all_zero, rational, valid, with_witness
from qae_theory.proofs.tools.integers import SymbolicInt, group_symbols
from qae_theory.proofs.tools.rational_policies import Probs, log_form, logs, number
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

F = Fraction
B = sympy.Symbol("b", real=True)
TWO, THREE = (F(1, 3), F(2, 3)), (F(1, 2), F(1, 3), F(1, 6))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_moment_steps(), *_curvature_steps(), *_regime_steps())
    ledger.add(Evidence("sampled-sign-law", "moments-and-regimes", Kind.PROOF, Role.FOR, steps))


def _moment_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"(a) Write $s_y=e_y-\pi$. For every $n$: $\sum_y\pi_ys_y=\pi-\pi=0$ and $\sum_y\pi_yr_ys_y=\pi "
            r"r-V\pi=g$, so $E[(r_y-b)s_y]=g=\pi(r-V)$ for every constant $b$. The shipped code with "
            r"symbolic $\pi$, $r$, $b$ and 2, 3, 4 responses: the mean of one-response `sampled_group` "
            r"steps is the `policy_gradient` step.",
            check=partial(_one_response_mean, rule="policy_gradient"),
            planted="the uncentred step",
            control=partial(_one_response_mean, rule="uncentred"),
        ),
        Step(
            says=r"Lemma: the sum of $G$ iid vectors $u_i$ has mean $G\,E[u]$ and "
            r"$E[\sum_iu_i\sum_ju_j^\top]=G\,E[uu^\top]+G(G-1)E[u]E[u]^\top$ (linearity; $G$ equal pairs, "
            r"$G(G-1)$ independent ones). With $u_i=(R_i-b)s_{y_i}$, $d=\frac1G\sum_iu_i$: $E[d]=g$ and "
            r"$E[dd^\top]=\frac1GE[(r_y-b)^2s_ys_y^\top]+\frac{G-1}Ggg^\top$. Replayed with symbolic $b$ "
            r"over all groups of shipped steps, $n=2,3$ and $G=1,2,3$.",
            check=partial(_second_moment, pairs=lambda size: size - 1),
            planted="G for G - 1",
            control=partial(_second_moment, pairs=lambda size: size),
            citation="R. Durrett, Probability: Theory and Examples, 5th ed., Section 2.1 (independence)",
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
    )


def _curvature_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$Q_y=s_y^\top\nabla^2H\,s_y$ is what the shipped `response_curvatures` returns: SymPy's "
            r"Hessian of the shipped `entropy` for 2 responses with a symbolic gap, and at exact policies "
            r"on 3.",
            check=partial(_curvature_is_hessian, sign=1),
            planted=r"$e_y+\pi$ for $e_y-\pi$",
            control=partial(_curvature_is_hessian, sign=-1),
            tie=True,
        ),
        Step(
            says=r"Contract with $\nabla^2H$, a fixed matrix: "
            r"$E[d^\top\nabla^2H\,d]=\frac1GE[(r_y-b)^2Q_y]+\frac{G-1}Gg^\top\nabla^2H\,g$. Only the first "
            r"term has $b$, and $(r-1)^2-r^2=1-2r$: from $b=0$ to $b=1$ it changes by "
            r"$\frac1GE_\pi[(1-2r_y)Q_y]$. The shipped `expected_second_order_change` of `nsr` less that of "
            r"`psr` is this, exactly, and that of `psr` is the whole formula at $b=0$, on policies with 2, "
            r"3 and 4 responses (quick: 2 and 3), every mixed $r$, $G=2..4$.",
            check=partial(_curvature_difference, weight=lambda r: 1 - 2 * r),
            planted="1 - r for 1 - 2r",
            control=partial(_curvature_difference, weight=lambda r: 1 - r),
        ),
        Step(
            says=r"Lemma (Taylor): $\eta\mapsto E[\Delta H(b)]$ is a finite average of smooth functions, so it "
            r"is $\eta E[\nabla H\cdot d]+\frac{\eta^2}2E[d^\top\nabla^2H\,d]+O(\eta^3)$. The first-order "
            r"terms are equal, $E[d]=g$ for both. Hence (a). Replayed: the shipped "
            r"`expected_entropy_change` of `nsr` less that of `psr` leaves a remainder whose fitted order "
            r"in $\eta$ is at least $2.9$.",
            check=partial(_remainder_order, factor=F(1, 2)),
            planted="1/G for 1/(2G)",
            control=partial(_remainder_order, factor=F(1)),
            citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 5.15",
        ),
    )


def _regime_steps() -> tuple[Step, ...]:
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
        Step(
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
        ),
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
            says=r"The shipped `gain` with symbolic $p$ and $b$: its slope in $b$ is $+\delta$ on hard and "
            r"$-\delta$ on easy groups, $\delta=P(\mathrm{Bin}(G-1,p)=\lfloor G(1-K)\rfloor)$, for $G=1..6$ "
            r"(quick 4) and every $K=a/(2G+1)$.",
            check=partial(_gain_slope, trials=lambda size: size - 1),
            planted="G trials for G - 1",
            control=partial(_gain_slope, trials=lambda size: size),
            tie=True,
        ),
        Step(
            says=r"The first-order change is linear in $d$ and is $h=-\mathrm{Cov}_\pi(\log\pi,g)$ at $d=g$, so "
            r"the slopes in $b$ are $\pm\delta h$. End to end: the $\eta$-derivative at 0 of the shipped "
            r"`finite_step_mean` with symbolic $\eta$ and $b$ and advantages $R-b$ on one regime's groups.",
            check=partial(_finite_step_slope, sign=1),
            planted="the regimes exchanged",
            control=partial(_finite_step_slope, sign=-1),
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


def _one_response_mean(*, rule: str) -> Finding:
    residuals = []
    for arms in (2, 3, 4):
        free = sympy.symbols(f"p1:{arms}", positive=True)
        p = (*free, 1 - sum(free))
        r = np.array(sympy.symbols(f"r1:{arms + 1}"), dtype=object)
        z = np.array([sympy.log(x) for x in p], dtype=object)
        mean = sum(p[y] * _step(z, [y], [r[y] - B]) for y in range(arms))
        residuals += list(mean - update_direction(z, r, rule, baseline=0))
    return all_zero(residuals, sympy.expand)


def _second_moment(*, pairs: Any) -> Finding:
    residuals = []
    for probs, r in ((TWO, (1, 0)), (THREE, (0, 1, 1))):
        z, p = logs(probs), [rational(x) for x in probs]
        for size in (1, 2, 3):
            steps = list(_all_steps(probs, r, size))
            mean = sum(weight * d for weight, d, _ in steps)
            square = sum(weight * np.outer(d, d) for weight, d, _ in steps)
            g = update_direction(z, r, "policy_gradient")
            own = sum(p[y] * (r[y] - B) ** 2 * np.outer(s, s) for y, s in enumerate(_scores(z)))
            residuals += [
                *(mean - g),
                *(square - (own + pairs(size) * np.outer(g, g)) / sympy.Integer(size)).ravel(),
            ]
    return all_zero(residuals, sympy.expand)


def _constant_moments(*, beta: int) -> Finding:
    p = _symbol_array("p")
    residuals = []
    for size in range(2, 8):
        found = moments(p, _constant_table(size, B))
        residuals += [x - y for x, y in zip(map(number, found), ((1 - B) ** 2, B**2, beta), strict=True)]
        for name, b in (("psr", 0), ("nsr", 1)):
            shipped, own = outcome_advantages(size, name, exact=True), _constant_table(size, sympy.Integer(b))
            residuals += [rational(x) - y for x, y in zip(shipped.correct[1:], own.correct[1:], strict=True)]
            residuals += [rational(x) - y for x, y in zip(shipped.wrong[:-1], own.wrong[:-1], strict=True)]
    return all_zero(residuals, sympy.expand)


def _curvature_is_hessian(effort: Effort, *, sign: int) -> Finding:
    residuals = []
    gap = sympy.Symbol("g", real=True)
    points = ((2, (gap, 0)), (3, logs(THREE)), (3, logs((F(1, 7), F(4, 7), F(2, 7)))))
    for arms, point in points[: effort.pick(3, 2)]:
        symbols = sympy.symbols(f"z1:{arms + 1}", real=True)
        hessian = sympy.hessian(number(entropy(np.array(symbols, dtype=object))), symbols)
        hessian = hessian.subs(dict(zip(symbols, map(sympy.S, point), strict=True)))
        z = np.array([sympy.S(x) for x in point], dtype=object)
        shipped = response_curvatures(z)
        weights = [sympy.exp(x) for x in z]
        for y in range(arms):
            score = sympy.Matrix([int(y == j) - sign * w / sum(weights) for j, w in enumerate(weights)])
            residuals.append((score.T * hessian * score)[0, 0] - shipped[y])
    return all_zero(residuals, lambda e: sympy.simplify(sympy.expand_log(e, force=True)))


def _curvature_difference(effort: Effort, *, weight: Any) -> Finding:
    policies = (TWO, THREE, (F(1, 10), F(2, 10), F(3, 10), F(4, 10)))
    residuals = []
    for probs in policies[: effort.pick(3, 2)]:
        z = logs(probs)
        q = response_curvatures(z)
        for r in itertools.product((0, 1), repeat=len(probs)):
            if len(set(r)) == 1:
                continue
            for size in (2, 3, 4):
                nsr, psr = (number(expected_second_order_change(z, r, size, name)) for name in ("nsr", "psr"))
                law = sum(rational(p) * weight(x) * y for p, x, y in zip(probs, r, q, strict=True)) / size
                residuals.append(nsr - psr - law)
                own = sum(rational(p) * x * y for p, x, y in zip(probs, r, q, strict=True))
                mean = number(second_order_entropy_change(z, update_direction(z, r, "policy_gradient")))
                residuals.append(psr - (own + (size - 1) * mean) / size)
    return all_zero(residuals, log_form)


def _remainder_order(effort: Effort, *, factor: Fraction) -> Finding:
    steps = [2.0**-i for i in range(4, effort.pick(10, 8))]
    worst = math.inf
    for probs, r, size in (
        (TWO, (1, 0), 2),
        ((0.5, 0.3, 0.2), (0, 1, 1), 3),
        ((0.7, 0.1, 0.2), (1, 0, 0), 2),
    ):
        z = np.log(np.array(probs, dtype=float))
        p, q = np.array(probs, dtype=float), response_curvatures(z)
        law = float(factor) / size * float((p * (1 - 2 * np.array(r)) * q).sum())
        remainders = [
            abs(
                float(expected_entropy_change(z, r, size, "nsr", eta))
                - float(expected_entropy_change(z, r, size, "psr", eta))
                - eta**2 * law
            )
            for eta in steps
        ]
        worst = min(worst, float(np.polyfit(np.log(steps), np.log(remainders), 1)[0]))
    # The order is 3 or more; .1 is left for the next term, a part eta of the third-order one. The smallest
    # remainder is above 1e-11, far from the rounding of 1e-17.
    return Finding(worst >= 2.9, "fitted order", f"smallest fitted order {worst:.3f}")


def _threshold(*, shift: int) -> Finding:
    s = group_symbols()
    size, right = SymbolicInt(s.group_size), SymbolicInt(s.num_correct)
    hard = is_hard_group(right, size, s.level)  # type: ignore[arg-type]
    t = s.group_size - quantile_rank(size, s.level).term  # type: ignore[arg-type, attr-defined]
    share = s.group_size * (s.denominator - s.numerator)  # G (1 - K) q
    is_floor = z3.And(t * s.denominator <= share, share < (t + 1) * s.denominator)
    return valid(z3.And(hard == (s.num_correct + shift <= t), is_floor, t >= 0, t <= s.group_size - 1), *s.domain)


def _regime_mean(*, swap: bool) -> Finding:
    residuals = []
    for probs, r in ((TWO, (1, 0)), (THREE, (0, 1, 1))):
        p = sum(rational(x) for x, y in zip(probs, r, strict=True) if y)
        g = update_direction(logs(probs), r, "policy_gradient")
        for size in (1, 2, 3):
            steps = list(_all_steps(probs, r, size))
            for t, hard in itertools.product(range(size), (True, False)):
                k = F(2 * (size - t) - 1, 2 * size)  # ceil(K G) = G - t
                mean = sum(weight * d for weight, d, m in steps if is_hard_group(m, size, k) == hard)
                w = number(gain(_symbol_array(p), _regime_table(size, k, hard=hard != swap)))
                residuals += list(mean - w * g)
    return all_zero(residuals, sympy.expand)


def _slopes_from_delta(*, sign: int) -> Finding:
    below, delta = sympy.symbols("F delta")
    hard = (1 - B) * below + B * (below + delta)
    easy = (1 - B) * (1 - below) + B * (1 - below - delta)
    return all_zero([hard - (below + sign * B * delta), easy - (1 - below - sign * B * delta)], sympy.expand)


def _gain_slope(effort: Effort, *, trials: Any) -> Finding:
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(1, effort.pick(6, 4) + 1):
        for k in (F(a, 2 * size + 1) for a in range(1, 2 * size + 1)):
            t = math.floor(size * (1 - k))
            n = trials(size)
            delta = sympy.binomial(n, t) * p**t * (1 - p) ** (n - t)
            for hard, sign in ((True, 1), (False, -1)):
                w = sympy.expand(number(gain(_symbol_array(p), _regime_table(size, k, hard=hard))))
                residuals.append(sympy.diff(w, B) - sign * delta)
    return all_zero(residuals, sympy.expand)


def _finite_step_slope(effort: Effort, *, sign: int) -> Finding:
    eta = sympy.Symbol("eta", real=True)
    residuals = []
    for probs, size, k in ((TWO, 1, F(2, 5)), (TWO, 2, F(2, 5)), (TWO[::-1], 2, F(2, 3)), (TWO, 3, F(1, 3)))[
        : effort.pick(4, 3)
    ]:
        z, r = logs(probs), np.array([sympy.Integer(1), sympy.Integer(0)], dtype=object)
        h, delta = (
            number(first_order_entropy_change(z, update_direction(z, r, "policy_gradient"))),
            _delta(probs[0], size, k),
        )
        counts = count_vectors(2, size)
        for hard, side in ((True, 1), (False, -1)):
            chosen = np.array(
                [[sympy.Integer(is_hard_group(int(row[0]), size, k) == hard)] for row in counts], dtype=object
            )
            mean = number(finite_step_mean(z, counts, chosen * (r - B), eta))
            slope = sympy.diff(sympy.diff(mean, eta).subs(eta, 0), B)
            residuals.append(slope - sign * side * rational(delta) * h)
    worked = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "G": "2",
        "K": "2/5",
        "delta": str(_delta(TWO[0], 2, F(2, 5))),
        "h": str(
            log_form(
                number(first_order_entropy_change(logs(TWO), update_direction(logs(TWO), [1, 0], "policy_gradient")))
            )
        ),
        "result": "h > 0: the order holds on hard groups and fails on easy ones",
    }
    return with_witness(all_zero(residuals, log_form), worked)


def _one_regime_fails(*, sign: int) -> Finding:
    h, delta, below, b, c = z3.Reals("h delta F b c")

    def hard(baseline: Any) -> Any:
        return h * (below + baseline * delta)

    def easy(baseline: Any) -> Any:
        return h * (1 - below - sign * baseline * delta)

    hard_holds, easy_holds = hard(0) <= hard(b), easy(1) >= easy(c)
    goal = z3.And(
        hard_holds == (h >= 0),
        easy_holds == (h <= 0),
        z3.Implies(h != 0, hard_holds != easy_holds),
        z3.Implies(h == 0, z3.And(hard(0) == hard(b), easy(1) == easy(c))),
    )
    return valid(goal, delta > 0, b > 0, b <= 1, c >= 0, c < 1)


def _all_steps(probs: Probs, r: tuple[int, ...], size: int) -> Any:
    """Probability, shipped step and number of right responses of every group, for R - b with symbolic b."""
    z = logs(probs)
    for group in itertools.product(range(len(probs)), repeat=size):
        d = _step(z, list(group), [r[y] - B for y in group])
        yield math.prod(rational(probs[y]) for y in group), d, sum(r[y] for y in group)


def _step(z: Any, group: list[int], own: list[Any]) -> Any:
    """The shipped step on one group."""
    rewards = [0] * len(z)  # the advantages hold the rewards
    return update_direction(z, rewards, "sampled_group", responses=group, advantages=np.array(own, dtype=object))


def _scores(z: Any) -> list[Any]:
    """e_y - pi for every response."""
    return [_step(z, [y], [sympy.Integer(1)]) for y in range(len(z))]


def _constant_table(size: int, b: Any) -> OutcomeAdvantages:
    """R - b for every group; the entries without a response are 0."""
    zero = sympy.Integer(0)
    correct, wrong = [zero] + [1 - b] * size, [-b] * size + [zero]
    return OutcomeAdvantages(np.array(correct, dtype=object), np.array(wrong, dtype=object))


def _regime_table(size: int, k: Fraction, *, hard: bool) -> OutcomeAdvantages:
    """R - b with symbolic b on the groups of one regime, 0 on the others."""
    chosen = np.array([sympy.Integer(is_hard_group(m, size, k) == hard) for m in range(size + 1)], dtype=object)
    table = _constant_table(size, B)
    return OutcomeAdvantages(table.correct * chosen, table.wrong * chosen)


def _delta(p: Fraction, size: int, k: Fraction) -> Fraction:
    """P(Bin(G - 1, p) = floor(G (1 - K)))."""
    t = math.floor(size * (1 - k))
    return math.comb(size - 1, t) * p**t * (1 - p) ** (size - 1 - t)


def _symbol_array(p: Any) -> Any:
    """A 0-d exact array, the form in which the kernels take a success probability."""
    array = np.empty((), dtype=object)
    array[()] = sympy.Symbol(p, positive=True) if isinstance(p, str) else p
    return array
