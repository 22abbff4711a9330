"""The second order of a sampled group's entropy change: sampling noise times curvature, by three binomial sums.

For the tabular softmax with any number of responses and any group size. First order is ``neutrality``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change, second_order_entropy_change
from qae_theory.group_expectation import OutcomeAdvantages, moments
from qae_theory.proofs.neutrality import second_order_ties
from qae_theory.proofs.tools.checking import all_zero, both
from qae_theory.proofs.tools.enumeration import query
from qae_theory.proofs.tools.rule_formulas import exactly_equal, number
from qae_theory.softmax import entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("second-order", "proof", Kind.PROOF, Role.FOR, (*_taylor_steps(), *_moment_steps())))
    second_order_ties.register(ledger)


def _taylor_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Derivatives along a direction.** Let $\pi_t = softmax(z + td)$ and $\varphi(t) = "
            r"H(\pi_t)$. For any $f$, $\frac{d}{dt}E_t[f] = E_t[f'] + E_t[fd] - E_t[f]E_t[d]$, and $x = "
            r"\log\pi_t$ has $x' = d - E_t[d]$. With these two rules alone, on the symbols $E[x], E[d], "
            r"E[xd], E[d^2], E[xd^2]$, for any number of responses: $\varphi = -E[x]$, $\varphi' = "
            r"-Cov(x, d)$ and $\varphi'' = -Var(d) - E[(x-Ex)(d-Ed)^2]$.",
            check=partial(_second_derivative, variance=1),
            planted="+Var(d) for -Var(d)",
            control=partial(_second_derivative, variance=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped `first_order_entropy_change` and `second_order_entropy_change` are "
            r"$\varphi'(0)$ and $\varphi''(0)$: SymPy differentiates the shipped `entropy` of $z + td$ "
            r"twice, symbolic $d$.",
            check=partial(_shipped_derivatives, order=2),
            planted="the first derivative for the second",
            control=partial(_shipped_derivatives, order=1),
            tie=True,
        ),
        Step(
            says=r"**Taylor.** $\varphi$ is infinitely differentiable, so for every group $\varphi(\eta) - "
            r"\varphi(0) = \eta\varphi'(0) + \frac{\eta^2}{2}\varphi''(0) + O(\eta^3)$. There are $n^G$ "
            r"groups, so the mean over them keeps the $O(\eta^3)$. Replayed: the remainder of the shipped "
            r"entropy's series in $\eta$ starts at $\eta^3$.",
            check=partial(_taylor, half=sympy.Rational(1, 2)),
            planted="eta^2 for eta^2/2",
            control=partial(_taylor, half=sympy.Integer(1)),
            citation="Taylor's theorem with remainder (W. Rudin, Principles of Mathematical Analysis)",
        ),
    )


def _moment_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Diagonal and pairs.** Let $B$ be symmetric and bilinear, $s_i = e_{y_i} - \pi$, $d = "
            r"\frac1G\sum_iA_is_i$. The $G$ terms $i = j$ have one mean and the $G(G-1)$ terms $i \ne j$ "
            r"another, by exchangeability: $E[B(d,d)] = \frac1GE[A_1^2B(s_1,s_1)] + "
            r"\frac{G-1}{G}E[A_1A_2B(s_1,s_2)]$. Replayed on symbolic policies, tables $a(r, m)$ and "
            r"forms.",
            check=partial(_diagonal_and_pairs, pairs=lambda size: size - 1),
            planted="G for G - 1",
            control=partial(_diagonal_and_pairs, pairs=lambda size: size),
            citation="Linearity of expectation; independent, identically distributed variables are exchangeable "
            "(R. Durrett, Probability: Theory and Examples)",
        ),
        Step(
            says=r"**Conditioning.** Given $y_1$, $A_1 = a(R_1, R_1 + J)$ with $J$ binomial $(G-1, p)$: "
            r"$E[A_1^2 \mid y_1] = \alpha_{R_1}$. Given $y_1$ and $y_2$, $m = R_1 + R_2 + J'$ with $J'$ "
            r"binomial $(G-2, p)$: $E[A_1A_2 \mid y_1, y_2] = \beta_{R_1R_2}$. The shipped `moments`, run "
            r"on symbolic $p$ and tables, are $\alpha_1$, $\alpha_0$ and $\beta = \beta_{11} - "
            r"2\beta_{10} + \beta_{00}$, summed here over all reward vectors.",
            check=partial(_shipped_moments, cross=2),
            planted="beta_11 - beta_10 + beta_00",
            control=partial(_shipped_moments, cross=1),
            tie=True,
        ),
        Step(
            says=r"**Sums of scores.** $\sum_y\pi_ys_y = 0$ and $\sum_{r_y=1}\pi_ys_y = \pi r - V\pi = "
            r"\pi(r-V) = g$, so $\sum_{r_y=0}\pi_ys_y = -g$. Component $i$ of these sums, for any $n$: "
            r"with $\pi_i$, $r_i$, $V$ symbols and $r_i^2 = r_i$.",
            check=partial(_score_sums, sign=-1),
            planted="+g for the wrong responses",
            control=partial(_score_sums, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**Second moment.** Hence $E[A_1^2B(s_1,s_1)] = \sum_y\pi_y\alpha_{r_y}B(s_y,s_y)$, which is "
            r"$B$ on $\alpha_1M_1 + \alpha_0M_0$, and $E[A_1A_2B(s_1,s_2)] = \beta_{11}B(g,g) + "
            r"2\beta_{10}B(g,-g) + \beta_{00}B(-g,-g) = \beta B(g,g)$. As $B$ is arbitrary, this is the "
            r"formula for $E[dd^\top]$; with $B = \nabla^2H$, for $E[d^\top(\nabla^2H)d]$. And $E[d] = "
            r"wg$ (claim `neutrality`) gives $h_1$.",
            check=partial(_pair_form, cross=2),
            planted="beta_11 - beta_10 + beta_00",
            control=partial(_pair_form, cross=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**Curvature of a score.** $Q_y = \varphi''$ along $e_y - \pi$, which is "
            r"$-E_\pi[\omega_i(F_i - a_i)^2]$, $\omega = 1 + \log\pi - E\log\pi$, $F_i = 1\{i=y\} - "
            r"\pi_y$, $a = \pi - E\pi$. Splitting off $i = y$ and using $E[\omega] = 1$ gives "
            r"$-(\pi_y(\omega_y(1-2\pi_y) + \pi_y) - 2\pi_y(\omega_ya_y - E[\omega a]) + E[\omega a^2])$ "
            r"for any $n$: the form of the shipped `response_curvatures`.",
            check=partial(_curvature_form, cross=2),
            planted="the cross term once",
            control=partial(_curvature_form, cross=1),
        ),
    )


def _second_derivative(*, variance: int) -> Finding:
    x, d, xd, dd, xdd = sympy.symbols("Ex Ed Exd Edd Exdd")
    # E[f]' = E[f'] + E[f d] - E[f] E[d], with x' = d - E[d] and d' = 0.
    slope = {x: (d - d) + xd - x * d, d: dd - d * d, xd: (dd - d * d) + xdd - xd * d}

    def differentiate(expression: Any) -> Any:
        return sum(sympy.diff(expression, moment) * rate for moment, rate in slope.items())

    first = -(xd - x * d)
    third = xdd - x * dd - 2 * d * xd + 2 * x * d**2  # E[(x - Ex)(d - Ed)^2]
    return all_zero([differentiate(-x) - first, differentiate(first) + variance * (dd - d**2) + third], sympy.expand)


def _shipped_derivatives(effort: Effort, *, order: int) -> Finding:
    t = sympy.Symbol("t", real=True)
    cases = []
    for probs in effort.pick(("1/4 3/4", "1/6 1/3 1/2", "1/10 1/5 3/10 2/5"), ("1/6 1/3 1/2",)):
        logits = query(probs, "1" + " 0" * probs.count(" ")).logits
        d = np.array(sympy.symbols(f"d1:{len(logits) + 1}", real=True), dtype=object)
        along = number(entropy(logits + t * d))
        slope, curvature = (sympy.diff(along, t, k).subs(t, 0) for k in (1, order))
        cases.append((f"slope, pi = {probs}", number(first_order_entropy_change(logits, d)), _logs(slope)))
        cases.append((f"curvature, pi = {probs}", number(second_order_entropy_change(logits, d)), _logs(curvature)))
    return exactly_equal(((label, _logs(left), right) for label, left, right in cases), "three policies, symbolic d")


def _logs(expression: Any) -> Any:
    return sympy.expand(sympy.expand_log(expression, force=True))


def _taylor(*, half: Any) -> Finding:
    eta = sympy.Symbol("eta", real=True)
    logits = query("1/4 3/4", "1 0").logits
    d = np.array([sympy.Integer(1), sympy.Rational(-1, 3)], dtype=object)
    change = number(entropy(logits + eta * d)) - number(entropy(logits))
    h1, h2 = number(first_order_entropy_change(logits, d)), number(second_order_entropy_change(logits, d))
    remainder = change - eta * h1 - half * eta**2 * h2
    return all_zero([_logs(sympy.diff(remainder, eta, k).subs(eta, 0)) for k in (0, 1, 2)], sympy.expand)


def _diagonal_and_pairs(effort: Effort, *, pairs: Callable[[int], int]) -> Finding:
    arm_rewards = (1, 0, 0)
    policy = sympy.symbols("pi1:4")
    form = {(i, j): sympy.Symbol(f"B{min(i, j)}{max(i, j)}") for i in range(3) for j in range(3)}
    residuals = []
    for size in range(2, effort.pick(5, 4)):
        table = {(r, m): sympy.Symbol(f"a_{r}_{m}") for r in (0, 1) for m in range(size + 1)}
        whole = diagonal = pair = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            a = [table[arm_rewards[y], sum(arm_rewards[x] for x in group)] for y in group]
            terms = {(i, j): a[i] * a[j] * form[group[i], group[j]] for i in range(size) for j in range(size)}
            whole += weight * sum(terms.values()) / size**2
            diagonal += weight * terms[0, 0]
            pair += weight * terms[0, 1]
        residuals.append(whole - diagonal / size - sympy.Rational(pairs(size), size) * pair)
    return all_zero(residuals, sympy.expand)


def _shipped_moments(effort: Effort, *, cross: int) -> Finding:
    p = sympy.Symbol("p")
    residuals = []
    for size in range(2, effort.pick(9, 7)):
        c, w = (np.array(sympy.symbols(f"{side}0:{size + 1}"), dtype=object) for side in "cw")
        table = (w, c)
        shipped = moments(np.array(p, dtype=object), OutcomeAdvantages(c, w))

        def mean(others: int, value: Callable[[int], Any]) -> Any:
            return sum(
                p ** sum(rest) * (1 - p) ** (others - sum(rest)) * value(sum(rest))
                for rest in product((0, 1), repeat=others)
            )

        def squared(r: int, table: Any = table, size: int = size) -> Any:
            return mean(size - 1, lambda j: table[r][r + j] ** 2)

        def paired(r: int, q: int, table: Any = table, size: int = size) -> Any:
            return mean(size - 2, lambda j: table[r][r + q + j] * table[q][r + q + j])

        residuals += [number(shipped.alpha_1) - squared(1), number(shipped.alpha_0) - squared(0)]
        residuals.append(number(shipped.beta) - paired(1, 1) + cross * paired(1, 0) - paired(0, 0))
    return all_zero(residuals, sympy.expand)


def _score_sums(*, sign: int) -> Finding:
    pi, r, success = sympy.symbols("pi_i r_i V")
    # Component i of sum over y of f_y pi_y (1{i = y} - pi_i) is f_i pi_i - pi_i E[f]; here f = r, 1 - r and 1.
    right, wrong, every = r * pi - pi * success, (1 - r) * pi - pi * (1 - success), pi - pi
    gradient = pi * (r - success)
    return all_zero([right - gradient, wrong - sign * gradient, every], sympy.expand)


def _pair_form(*, cross: int) -> Finding:
    form, beta_11, beta_10, beta_00 = sympy.symbols("B_gg beta_11 beta_10 beta_00")
    coefficient = {1: 1, 0: -1}  # the sums of scores, in units of g
    beta = {(1, 1): beta_11, (1, 0): beta_10, (0, 1): beta_10, (0, 0): beta_00}
    pair = sum(beta[r, q] * coefficient[r] * coefficient[q] * form for r, q in beta)
    return all_zero([pair - (beta_11 - cross * beta_10 + beta_00) * form], sympy.expand)


def _curvature_form(*, cross: int) -> Finding:
    pi, weight, excess, mean_wa, mean_waa = sympy.symbols("pi_y omega_y a_y E_wa E_waa")
    # Means over i != y: what E[omega] = 1, E[omega a] and E[omega a^2] leave when i = y is taken out.
    rest, rest_a, rest_aa = 1 - pi * weight, mean_wa - pi * weight * excess, mean_waa - pi * weight * excess**2
    direct = -(pi * weight * (1 - pi - excess) ** 2 + pi**2 * rest + 2 * pi * rest_a + rest_aa)
    closed = -(pi * (weight * (1 - 2 * pi) + pi) - cross * pi * (weight * excess - mean_wa) + mean_waa)
    probs = sympy.symbols("pi1:4")
    # e_y - pi less its mean is F - a: components i != y and i = y, three responses.
    spread = sum(q**2 for q in probs)
    centring = [
        (int(i == 0) - q) - (probs[0] - spread) - ((int(i == 0) - probs[0]) - (q - spread)) for i, q in enumerate(probs)
    ]
    return both(all_zero([direct - closed], sympy.expand), all_zero(centring, sympy.expand))
