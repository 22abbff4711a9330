"""Neutrality: in expectation and to first order every reward-only advantage takes one step, times a number w(p, G).

The proof is for any differentiable policy, any group size and any permutation-equivariant reward-only advantage. The
ties to the shipped functions are in ``neutrality_ties``, the limit of w in ``neutrality_limit``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import OutcomeAdvantages, binomial_mean, gain, outcome_advantages
from qae_theory.proofs.neutrality import neutrality_ties
from qae_theory.proofs.tools.checking import all_equal, all_zero, both, valid
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.rule_formulas import (
    RULES,
    STANDARDISED,
    agrees_with_shipped,
    number,
    numerators,
    option_sets,
)
from qae_theory.updates import update_direction

LEVELS = (Fraction(1, 5), Fraction(2, 5), Fraction(1, 2), Fraction(3, 4))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("neutrality", "proof", Kind.PROOF, Role.FOR, (*_expectation_steps(), *_sign_steps())))
    neutrality_ties.register(ledger)


def _expectation_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Reduction to counts.** A reward-only, permutation-equivariant advantage is $A_i = a(R_i, "
            r"m)$, $m$ the number of correct responses: a permutation that fixes $i$ can bring the other "
            r"rewards into any order with the same $m$. Write $c_m = a(1, m)$, $w_m = a(0, m)$. The "
            r"shipped `advantages` are of this form, with the table `outcome_advantages`, for all nine "
            r"rules.",
            check=partial(_reads_the_count, own_share=0),
            planted="m counts the other responses only",
            control=partial(_reads_the_count, own_share=1),
            tie=True,
        ),
        Step(
            says=r"**Exchangeability.** The $G$ responses are iid, so swapping $y_1$ and $y_i$ does not change "
            r"their law, and it turns $A_1 s(y_1)$ into $A_i s(y_i)$. By linearity of expectation "
            r"$E[\frac1G\sum_i A_i s(y_i)] = E[A_1 s(y_1)]$. Replayed on symbolic policies, scores and "
            r"tables.",
            check=partial(_exchangeable, by_position=0),
            planted="an advantage that also depends on the position in the group",
            control=partial(_exchangeable, by_position=1),
            citation="Linearity of expectation; independent, identically distributed variables are exchangeable "
            "(R. Durrett, Probability: Theory and Examples)",
        ),
        Step(
            says=r"**Conditioning.** Given $y_1$, the other rewards are independent of it, and $J$, the "
            r"correct ones among them, is Bin$(G-1, p)$. So $E[A_1 \mid y_1]$ depends on $y_1$ only "
            r"through $R_1$: it is $a_1 = E[c_{J+1}]$ or $a_0 = E[w_J]$. The shipped `gain`, run on a "
            r"symbolic $p$ and a symbolic table, is $w = a_1 - a_0$, summed here over all $2^{G-1}$ "
            r"reward vectors.",
            check=partial(_gain_is_contrast, shift=1),
            planted="E[c_J] for E[c_{J+1}]",
            control=partial(_gain_is_contrast, shift=0),
        ),
        Step(
            says=r"**Log-derivative.** On-policy the score is $s(y) = \nabla\log\pi(y)$, for a sequence the "
            r"sum of its tokens' scores, and $\pi(y)\,s(y) = \nabla\pi(y)$. Over the finitely many "
            r"responses, $E[1\{R=1\}s(y)] = \nabla p$ and, as the probabilities sum to 1, "
            r"$E[1\{R=0\}s(y)] = \nabla(1-p) = -\nabla p$.",
            check=partial(_log_derivative, sign=-1),
            planted="+grad p for the wrong responses",
            control=partial(_log_derivative, sign=1),
        ),
        Step(
            says=r"**The expected update.** Together, $E[\frac1G\sum_i A_i s(y_i)] = a_1 E[1\{R=1\}s] + a_0 "
            r"E[1\{R=0\}s] = (a_1 - a_0)\nabla p = w(p, G)\,\nabla p$, for any $G$. Checked as an "
            r"identity in $a_1$, $a_0$ and the policy's derivatives.",
            check=partial(_expected_update, contrast=lambda right, wrong: right - wrong),
            planted="a_1 + a_0 for a_1 - a_0",
            control=partial(_expected_update, contrast=lambda right, wrong: right + wrong),
        ),
        Step(
            says=r"**First order.** A linear optimiser moves the parameters by $\eta P u$, $P$ fixed, so a "
            r"differentiable functional $F$ moves by $\eta\,\nabla F\cdot P u + o(\eta)$ and in "
            r"expectation by $\eta\,w\,\nabla F\cdot P\nabla p$ (chain rule; there are finitely many "
            r"groups). For entropy and the tabular softmax, on symbols: `update_direction` gives $\nabla "
            r"p = \pi(r-V)$, and `first_order_entropy_change` is $\nabla H\cdot d$, linear in $d$.",
            check=partial(_first_order_is_linear, power=1),
            planted="a functional's second-order term",
            control=partial(_first_order_is_linear, power=2),
        ),
    )


def _sign_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**The nine rules as formulas.** $c_m$ and $w_m$ of the shipped `outcome_advantages` are the "
            r"numerators of `rule_formulas` over the standard deviation, exactly, for every $m$.",
            check=partial(_formulas_are_shipped, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_formulas_are_shipped, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says=r"**Closed forms.** $c_{j+1} - w_j$ is 1 for RLOO, PSR and NSR and $(G-1)/G$ for Dr. GRPO, "
            r"for symbolic $G$ and $j$; binomial weights sum to 1 (the binomial theorem), so that $w$ is "
            r"this number for every $p$.",
            check=partial(_closed_forms, dr_grpo=lambda size: (size - 1) / size),
            planted="1 for Dr. GRPO",
            control=partial(_closed_forms, dr_grpo=lambda size: size / size),
        ),
        Step(
            says=r"**$w > 0$.** $w = \sum_j P(J=j)(c_{j+1} - w_j)$ with every $P(J=j) > 0$. Each rule has $c_m "
            r"\ge 0 \ge w_m$, and $c_m > w_m$ wherever $0 < m < G$ (z3, for all real $0 < m < G$, $G \ge "
            r"2$, $0 < K < 1$, and any positive scale std + eps). So no summand is negative; $G \ge 2$ "
            r"has $m = 1$, where $c_1 > 0$ or $w_1 < 0$, and that makes summand $j=0$ or $j=1$ positive. "
            r"(At $m = 0$ and $m = G$ the standardised rules give 0; the others' formulas are checked "
            r"there too.)",
            check=partial(_gain_is_positive, rules=RULES),
            planted="A = -R, for which w = -1: positivity is not automatic",
            control=partial(_gain_is_positive, rules=(*RULES, "minus_reward")),
            generality=Generality.GENERAL,
        ),
    )


def _reads_the_count(effort: Effort, *, own_share: int) -> Finding:
    largest = effort.pick(6, 4)
    cases = (
        (
            f"{rule}, {options}, group {group}, response {i}",
            given[i],
            table[1 - group[i]][sum(group) - own_share * group[i]],
        )
        for rule in RULES
        for options in option_sets(rule, LEVELS[1:3])
        for size in range(2, largest + 1)
        for table in [outcome_advantages(size, rule, exact=True, **options)]
        for group in product((0, 1), repeat=size)
        for given in [advantages(exact(group), rule, **options)]
        for i in range(size)
    )
    return all_equal(cases, f"nine rules, every group of at most {largest}")


def _exchangeable(effort: Effort, *, by_position: int) -> Finding:
    arm_rewards = (1, 0, 0)
    policy, scores = sympy.symbols("pi1:4"), sympy.symbols("s1:4")
    residuals = []
    for size in range(2, effort.pick(5, 4)):
        table = {(r, m): sympy.Symbol(f"a_{r}_{m}") for r in (0, 1) for m in range(size + 1)}
        whole = first = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            rewards = [arm_rewards[y] for y in group]
            pushes = [(table[rewards[i], sum(rewards)] + by_position * i) * scores[y] for i, y in enumerate(group)]
            whole += weight * sum(pushes) / size
            first += weight * pushes[0]
        residuals.append(whole - first)
    return all_zero(residuals, sympy.expand)


def _gain_is_contrast(effort: Effort, *, shift: int) -> Finding:
    p = sympy.Symbol("p")
    residuals = []
    for size in range(1, effort.pick(9, 7)):
        c, w = (np.array(sympy.symbols(f"{side}0:{size + 1}"), dtype=object) for side in "cw")
        contrast = sum(
            p ** sum(others) * (1 - p) ** (size - 1 - sum(others)) * (c[sum(others) + shift] - w[sum(others)])
            for others in product((0, 1), repeat=size - 1)
        )
        shipped = number(gain(np.array(p, dtype=object), OutcomeAdvantages(c, w)))
        residuals.append(shipped - contrast)
    return all_zero(residuals, sympy.expand)


def _log_derivative(*, sign: int) -> Finding:
    theta = sympy.Symbol("theta")
    first, second, third = (sympy.Function(name)(theta) for name in ("f", "g", "h"))
    last = 1 - first - second - third
    p = first + second  # the first two responses are correct
    gradient = sympy.diff(p, theta)

    def weighted_scores(*members: Any) -> Any:
        return sum(pi * sympy.diff(sympy.log(pi), theta) for pi in members)

    token_sum = sympy.diff(sympy.log(first * second), theta) - sum(
        sympy.diff(sympy.log(q), theta) for q in (first, second)
    )
    single = first * sympy.diff(sympy.log(first), theta) - sympy.diff(first, theta)
    right = weighted_scores(first, second) - gradient
    wrong = weighted_scores(third, last) - sign * gradient
    return all_zero([token_sum, single, right, wrong])


def _expected_update(*, contrast: Callable[[Any, Any], Any]) -> Finding:
    theta, right, wrong = sympy.symbols("theta a_1 a_0")
    pi = [sympy.Function(name)(theta) for name in ("f", "g", "h")]
    pi.append(1 - sum(pi))
    mean = sum(
        advantage * q * sympy.diff(sympy.log(q), theta)
        for advantage, q in zip((right, right, wrong, wrong), pi, strict=True)
    )
    return all_zero([mean - contrast(right, wrong) * sympy.diff(pi[0] + pi[1], theta)])


def _first_order_is_linear(*, power: int) -> Finding:
    z = np.array(sympy.symbols("z1:4", real=True), dtype=object)
    directions = [np.array(sympy.symbols(f"{name}1:4"), dtype=object) for name in "uv"]
    weight = sympy.Symbol("w")
    total = sum(sympy.exp(x) for x in z)
    entropy = -sum(sympy.exp(x) / total * (x - sympy.log(total)) for x in z)
    success = sympy.exp(z[0]) / total
    gradient = update_direction(z, [1, 0, 0], "policy_gradient")
    residuals = [sympy.diff(success, x) - g for x, g in zip(z, gradient, strict=True)]
    change = [number(first_order_entropy_change(z, d)) for d in directions]
    combined = number(first_order_entropy_change(z, weight * directions[0] + directions[1]))
    residuals.append(combined - weight**power * change[0] - change[1])
    residuals.append(sum(sympy.diff(entropy, x) * d for x, d in zip(z, directions[0], strict=True)) - change[0])
    return all_zero(residuals, lambda residual: sympy.cancel(sympy.expand_log(residual)))


def _formulas_are_shipped(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    return agrees_with_shipped(range(2, effort.pick(17, 9)), LEVELS, level_of)


def _closed_forms(effort: Effort, *, dr_grpo: Callable[[Any], Any]) -> Finding:
    size, j, p = sympy.symbols("G j p")
    forms: dict[str, Callable[[Any], Any]] = {
        "rloo": lambda _: 1,
        "psr": lambda _: 1,
        "nsr": lambda _: 1,
        "dr_grpo": dr_grpo,
    }
    symbolic = [
        numerators(rule, j + 1, size, 0, _never)[0] - numerators(rule, j, size, 0, _never)[1] - form(size)
        for rule, form in forms.items()
    ]
    some_p = np.array(p, dtype=object)
    sizes = range(2, effort.pick(13, 9))
    weights = [number(binomial_mean(some_p, np.array([sympy.S(1)] * n, dtype=object))) - 1 for n in sizes]
    gains = [
        number(gain(some_p, outcome_advantages(n, rule, exact=True))) - form(sympy.Integer(n))
        for rule, form in forms.items()
        for n in sizes
    ]
    return both(all_zero(symbolic), all_zero(weights, sympy.expand), all_zero(gains, sympy.expand))


def _never(condition: Any, then: Any, otherwise: Any) -> Any:
    """The gate is not read by rules without K; a symbolic comparison must not be decided."""
    del condition, then
    return otherwise


def _gain_is_positive(*, rules: tuple[str, ...]) -> Finding:
    findings = []
    m, size, k, scale = z3.Reals("m G K scale")
    domain = (size >= 2, k > 0, k < 1, scale > 0)
    for rule in rules:
        correct, wrong = (
            part / scale if rule in STANDARDISED else part for part in numerators(rule, m, size, k, _select)
        )
        inside = z3.And(correct >= 0, wrong <= 0, correct - wrong > 0)
        findings.append(valid(inside, *domain, m > 0, m < size))
        if rule not in STANDARDISED:
            findings.append(valid(z3.And(z3.Implies(m == size, correct >= 0), z3.Implies(m == 0, wrong <= 0)), *domain))
    return both(*findings)


def _select(condition: Any, then: Any, otherwise: Any) -> Any:
    return z3.If(condition, *(z3.RealVal(x) if isinstance(x, int) else x for x in (then, otherwise)))
