"""Prove claim ``second-order``: E[dH] = eta h_1 + eta^2 h_2 / 2 + O(eta^3), with h_2 by three binomial sums.

h_2 = (1/G) sum_y pi_y alpha_{r_y} Q_y + (G - 1)/G beta g' H'' g: sampling noise times curvature beside the mean step's
own. It is for the tabular softmax with any number of responses and any group size; SymPy decides the steps. First order
is ``neutrality``; the ties to brute force are in ``second_order_ties``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change, response_curvatures, second_order_entropy_change
from qae_theory.group_expectation import OutcomeAdvantages
from qae_theory.group_expectation import moments as shipped_moments
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, PROB, X
from qae_theory.proofs.neutrality import second_order_ties
from qae_theory.proofs.tools.checking import all_zero, zero
from qae_theory.proofs.tools.enumeration import query
from qae_theory.proofs.tools.rational_policies import log_form
from qae_theory.proofs.tools.rule_formulas import symbolic_table
from qae_theory.softmax import entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_taylor_steps(), *_moment_steps(), *_ties())
    ledger.add(Evidence("second-order", "proof", Kind.PROOF, Role.FOR, steps))
    second_order_ties.register(ledger)


def _taylor_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Derivatives along a direction.** Let $\pi_t = softmax(z + td)$ and $\varphi(t) = H(\pi_t)$. The "
            r"shipped `entropy` on any number of arms, moved once and twice by the rule of claim `identity`, is what "
            r"the shipped `first_order_entropy_change` and `second_order_entropy_change` return: $\varphi' = "
            r"-Cov(\log\pi, d)$ and $\varphi'' = -Var(d) - E[(\log\pi-E\log\pi)(d-Ed)^2]$.",
            check=partial(_derivatives, order=2),
            planted="the first derivative for the second",
            control=partial(_derivatives, order=1),
            generality=Generality.GENERAL,
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
            says=r"**Conditioning.** The advantages read the rewards only, and given $y_1$ (and $y_2$) the other "
            r"rewards are independent of them: $E[A_1^2 \mid y_1] = \alpha_{R_1}$ and $E[A_1A_2 \mid y_1, y_2] = "
            r"\beta_{R_1R_2}$, the means that define them, with $\beta_{10} = \beta_{01}$ by exchangeability. "
            r"So $E[A_1A_2B(s_1, s_2)] = \sum_{r,q}\beta_{rq}B(E[1\{R=r\}s], E[1\{R=q\}s])$. Replayed on symbolic "
            r"policies, tables and forms.",
            check=partial(_conditioned_pairs, own=1),
            planted="beta_00 in every term",
            control=partial(_conditioned_pairs, own=0),
            citation="Conditional expectation given independent variables (R. Durrett, Probability: Theory and "
            "Examples, 5th ed., Section 4.1)",
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
            says=r"**Curvature of a score.** $Q_y = \varphi''$ along $e_y - \pi$: the shipped "
            r"`second_order_entropy_change` along it, on any number of arms and with an indicator for $e_y$, is what "
            r"the shipped `response_curvatures` returns.",
            check=partial(_curvature_of_score, sign=1),
            planted=r"$e_y + \pi$",
            control=partial(_curvature_of_score, sign=-1),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: with $J$ the correct ones of the others, binomial $(G-1, p)$ or $(G-2, p)$, the shipped "
            r"`moments`, on symbolic $p$ and tables, are $\alpha_1$, $\alpha_0$ and $\beta = \beta_{11} - "
            r"2\beta_{10} + \beta_{00}$, summed here over all reward vectors.",
            check=partial(_shipped_moments, cross=2),
            planted="beta_11 - beta_10 + beta_00",
            control=partial(_shipped_moments, cross=1),
            tie=True,
        ),
    )


def _derivatives(*, order: int) -> Finding:
    """Find whether the shipped first- and second-order changes are the shipped entropy's derivatives."""
    moved = [for_any_policy(lambda arms: entropy(arms.logits()))]
    for _ in range(2):
        # The same rule twice, from the shipped entropy.
        moved.append(moments.along_step(moved[-1]))
    first = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    second = for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    return all_zero([second - moved[order], first - moved[1]], sympy.expand)


def _taylor(*, half: Any) -> Finding:
    """Find whether the remainder of one query's finite change starts at eta^3."""
    eta = sympy.Symbol("eta", real=True)
    logits, direction = query("1/4 3/4", "1 0").logits, (sympy.Integer(1), sympy.Rational(-1, 3))
    moving = formulas(z + eta * d for z, d in zip(logits, direction, strict=True))
    change = expression(entropy(moving)) - expression(entropy(logits))
    h1 = expression(first_order_entropy_change(logits, formulas(direction)))
    h2 = expression(second_order_entropy_change(logits, formulas(direction)))
    # A remainder of third order has three vanishing coefficients.
    remainder = change - eta * h1 - half * eta**2 * h2
    return all_zero([log_form(sympy.diff(remainder, eta, k).subs(eta, 0)) for k in (0, 1, 2)], sympy.expand)


def _symbolic_form(arms: int) -> dict[tuple[int, int], Any]:
    """Return symbols B(i, j) of a symmetric bilinear form."""
    return {(i, j): sympy.Symbol(f"B{min(i, j)}{max(i, j)}") for i, j in product(range(arms), repeat=2)}


def _diagonal_and_pairs(effort: Effort, *, pairs: Callable[[int], int]) -> Finding:
    """Find whether E[B(d, d)] splits into G equal diagonal terms and G (G - 1) equal pairs."""
    arm_rewards = (1, 0, 0)
    policy, form = sympy.symbols("pi1:4"), _symbolic_form(3)
    residuals = []
    for size in range(2, effort.pick(5, 4)):
        table = symbolic_table(size)
        whole = diagonal = pair = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            m = sum(arm_rewards[y] for y in group)
            a = [table[arm_rewards[y], m] for y in group]
            terms = {(i, j): a[i] * a[j] * form[group[i], group[j]] for i, j in product(range(size), repeat=2)}
            # All pairs (i, j) at once, against one diagonal term and one pair.
            whole += weight * sum(terms.values()) / size**2
            diagonal += weight * terms[0, 0]
            pair += weight * terms[0, 1]
        residuals.append(whole - diagonal / size - sympy.Rational(pairs(size), size) * pair)
    return all_zero(residuals, sympy.expand)


def _conditioned_pairs(effort: Effort, *, own: int) -> Finding:
    """Find whether the mean over a pair of responses is the sum over their rewards of beta times the form."""
    arm_rewards = (1, 0, 0)
    first, second = sympy.symbols("pi1:3")
    policy, form = (first, second, 1 - first - second), _symbolic_form(3)
    residuals = []
    for size in range(2, effort.pick(5, 4)):
        table = symbolic_table(size)
        whole = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            m = sum(arm_rewards[y] for y in group)
            pair = table[arm_rewards[group[0]], m] * table[arm_rewards[group[1]], m]
            whole += weight * pair * form[group[0], group[1]]
        parts = sympy.S(0)
        for y, x in product(range(3), repeat=2):
            r, q = (arm_rewards[y], arm_rewards[x]) if own else (0, 0)
            pairs = [table[r, r + q + j] * table[q, r + q + j] for j in range(size - 1)]
            # The other G - 2 rewards are averaged; the two own ones are fixed.
            beta = _mean_over_others(first, pairs)
            parts += policy[y] * policy[x] * beta * form[y, x]
        residuals.append(whole - parts)
    return all_zero(residuals, sympy.expand)


def _mean_over_others(p: Any, values: Sequence[Any]) -> Any:
    """Return the mean of ``values[J]`` over all reward vectors of the others, each correct with probability p."""
    others = len(values) - 1
    total = sympy.S(0)
    for rest in product((0, 1), repeat=others):
        j = sum(rest)
        total += p**j * (1 - p) ** (others - j) * values[j]
    return total


def _score_sums(*, sign: int) -> Finding:
    """Find whether pi_y (e_y - pi), summed over right, wrong and all responses, is g, -g and 0."""
    pi, r, success = sympy.symbols("pi_i r_i V")
    # Component i of sum over y of f_y pi_y (1{i = y} - pi_i) is f_i pi_i - pi_i E[f]; here f = r, 1 - r and 1.
    right, wrong, every = r * pi - pi * success, (1 - r) * pi - pi * (1 - success), pi - pi
    gradient = pi * (r - success)
    return all_zero([right - gradient, wrong - sign * gradient, every], sympy.expand)


def _pair_form(*, cross: int) -> Finding:
    """Find whether the pairs add (beta_11 - 2 beta_10 + beta_00) B(g, g)."""
    form, beta_11, beta_10, beta_00 = sympy.symbols("B_gg beta_11 beta_10 beta_00")
    coefficient = {1: 1, 0: -1}  # the sums of scores, in units of g
    beta = {(1, 1): beta_11, (1, 0): beta_10, (0, 1): beta_10, (0, 0): beta_00}
    pair = sum(beta[r, q] * coefficient[r] * coefficient[q] * form for r, q in beta)
    return all_zero([pair - (beta_11 - cross * beta_10 + beta_00) * form], sympy.expand)


def _curvature_of_score(*, sign: int) -> Finding:
    """Find whether the shipped second-order change along e_y - pi is what the shipped function of it returns."""
    along = for_any_policy(lambda arms: second_order_entropy_change(arms.logits(), arms.entries(X - sign * PROB)))
    shipped = for_any_policy(lambda arms: response_curvatures(arms.logits()))
    return zero(moments.with_indicator(along) - shipped, sympy.expand)


def _shipped_moments(effort: Effort, *, cross: int) -> Finding:
    """Find whether the shipped moments of symbolic tables are the means that define them."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(2, effort.pick(9, 7)):
        c, w = (sympy.symbols(f"{side}0:{size + 1}") for side in "cw")
        shipped = shipped_moments(scalar(p), OutcomeAdvantages(formulas(c), formulas(w)))
        right, wrong = [x**2 for x in c[1:]], [x**2 for x in w[:-1]]
        both_right = _mean_over_others(p, [x**2 for x in c[2:]])
        # One right and one wrong response: m counts at least 1 and at most G - 1.
        differ = _mean_over_others(p, [c[m] * w[m] for m in range(1, size)])
        both_wrong = _mean_over_others(p, [x**2 for x in w[:-2]])
        residuals.append(expression(shipped.alpha_1) - _mean_over_others(p, right))
        residuals.append(expression(shipped.alpha_0) - _mean_over_others(p, wrong))
        residuals.append(expression(shipped.beta) - both_right + cross * differ - both_wrong)
    return all_zero(residuals, sympy.expand)
