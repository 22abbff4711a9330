"""Prove claim ``neutrality``: to first order every reward-only advantage takes one expected step, w(p, G) grad p.

w = E[A | R = 1] - E[A | R = 0]. The proof is for any differentiable policy, any group size and any
permutation-equivariant reward-only advantage (docs/theory.md, "What the baseline can and cannot do"). SymPy and z3
decide the steps. The ties to the shipped functions are in ``neutrality_ties`` and ``neutrality_floats``, the limit of w
in ``neutrality_limit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import OutcomeAdvantages, binomial_mean, gain, outcome_advantages
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, X, Y
from qae_theory.proofs.neutrality import neutrality_floats, neutrality_ties
from qae_theory.proofs.tools.checking import all_equal, all_zero, both, valid, zero
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.rule_formulas import (
    RULES,
    STANDARDISED,
    agrees_with_shipped,
    numerators,
    option_sets,
    symbolic_table,
)
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

LEVELS = (Fraction(1, 5), Fraction(2, 5), Fraction(1, 2), Fraction(3, 4))
# The rules whose advantages are linear in the rewards, so that w does not depend on p.
CONSTANT_GAIN = ("rloo", "psr", "nsr", "dr_grpo")


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*expected_update_steps(), *_gain_steps(), *_ties())
    ledger.add(Evidence("neutrality", "proof", Kind.PROOF, Role.FOR, steps))
    neutrality_ties.register(ledger)
    neutrality_floats.register(ledger)


def expected_update_steps() -> tuple[Step, ...]:
    """Return the proof that the expected update is w times the gradient of the success probability."""
    return (
        Step(
            says=r"**Exchangeability.** The $G$ responses are iid, so swapping $y_1$ and $y_i$ does not change "
            r"their law, and by equivariance it turns $A_1 s(y_1)$ into $A_i s(y_i)$. By linearity of expectation "
            r"$E[\frac1G\sum_i A_i s(y_i)] = E[A_1 s(y_1)]$. Replayed on symbolic policies, scores and "
            r"tables.",
            check=partial(_exchangeable, by_position=0),
            planted="an advantage that also depends on the position in the group",
            control=partial(_exchangeable, by_position=1),
            citation="Linearity of expectation; independent, identically distributed variables are exchangeable "
            "(R. Durrett, Probability: Theory and Examples)",
        ),
        Step(
            says=r"**Conditioning.** $A_1$ reads the rewards only, and given $y_1$ the other rewards are independent "
            r"of it. So $E[A_1 \mid y_1] = a_{R_1}$ with $a_r = E[A_1 \mid R_1 = r]$, and $E[A_1s(y_1)] = "
            r"a_1E[1\{R=1\}s] + a_0E[1\{R=0\}s]$. Replayed on symbolic policies, scores and tables.",
            check=partial(_conditioned, own=1),
            planted="a_0 in both terms",
            control=partial(_conditioned, own=0),
            citation="Conditional expectation given an independent variable (R. Durrett, Probability: Theory and "
            "Examples, 5th ed., Section 4.1)",
        ),
        Step(
            says=r"**Log-derivative.** On-policy the score is $s(y) = \nabla\log\pi(y)$, and for each response "
            r"$\pi(y)\,s(y) = \nabla\pi(y)$. For a sequence, whose probability is the product of its tokens', the "
            r"score is the sum of the tokens' scores (one more token multiplies the one and is added to the other). "
            r"Summed over the finitely many responses, $E[1\{R=1\}s(y)] = \nabla p$ and, as the probabilities sum to "
            r"1, $E[1\{R=0\}s(y)] = \nabla(1-p) = -\nabla p$.",
            check=partial(_log_derivative, sign=-1),
            planted="+grad p for the wrong responses",
            control=partial(_log_derivative, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**The expected update.** Together, $E[\frac1G\sum_i A_i s(y_i)] = a_1\nabla p - a_0\nabla p = "
            r"w(p, G)\,\nabla p$ with $w = a_1 - a_0 = E[A_i \mid R_i = 1] - E[A_i \mid R_i = 0]$, for any $G$.",
            check=partial(_expected_update, contrast=lambda right, wrong: right - wrong),
            planted="a_1 + a_0 for a_1 - a_0",
            control=partial(_expected_update, contrast=lambda right, wrong: right + wrong),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**First order.** A linear optimiser moves the parameters by $\eta P u$, $P$ fixed, so a "
            r"differentiable functional $F$ moves by $\eta\,\nabla F\cdot P u + o(\eta)$ and in expectation by "
            r"$\eta\,w\,\nabla F\cdot P\nabla p$ (chain rule; there are finitely many groups). For entropy and the "
            r"tabular softmax, on any number of arms: $\nabla p\cdot d = \mathrm{Cov}_\pi(r, d)$ is the product of "
            r"the shipped `policy_gradient` direction $\pi(r-V)$ with $d$, and the shipped "
            r"`first_order_entropy_change` is the derivative of the shipped `entropy`, linear in $d$.",
            check=partial(_first_order_is_linear, power=1),
            planted="a functional's second-order term",
            control=partial(_first_order_is_linear, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _gain_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Closed forms.** The named rules are $A_i = a(R_i, m)$ with $c_m = a(1, m)$, $w_m = a(0, m)$, "
            r"$m$ the number of correct responses. Given $R_i$ the other correct ones, $J$, are Bin$(G-1, p)$, so "
            r"that $w = \sum_jP(J = j)(c_{j+1} - w_j)$. $c_{j+1} - w_j$ is 1 for RLOO, PSR and NSR and $(G-1)/G$ for "
            r"Dr. GRPO, for symbolic $G$ and $j$, and the binomial weights sum to $(p + (1-p))^{G-1} = 1$: $w$ is "
            r"this number for every $p$.",
            check=partial(_closed_forms, dr_grpo=lambda size: (size - 1) / size),
            planted="1 for Dr. GRPO",
            control=partial(_closed_forms, dr_grpo=lambda size: size / size),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**$w > 0$.** $w = \sum_j P(J=j)(c_{j+1} - w_j)$ with every $P(J=j) > 0$. Each rule has $c_m "
            r"\ge 0 \ge w_m$, and $c_m > w_m$ wherever $0 < m < G$ (z3, for all real $0 < m < G$, $G \ge "
            r"2$, $0 < K < 1$, and any positive scale std + eps). So no summand is negative; $G \ge 2$ "
            r"has $m = 1$, where $c_1 > 0$ or $w_1 < 0$, and that makes summand $j=0$ or $j=1$ positive. "
            r"(At $m = 0$ and $m = G$ the standardised rules give 0; the others' formulas are checked "
            r"there too.)",
            check=partial(gain_is_positive, rules=RULES),
            planted="A = -R, for which w = -1: positivity is not automatic",
            control=partial(gain_is_positive, rules=(*RULES, "minus_reward")),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: the shipped `advantages` of all nine rules are $a(R_i, m)$ with the table "
            r"`outcome_advantages`, on every binary group up to a size. (Any permutation-equivariant rule is of this "
            r"form: a permutation that fixes $i$ brings the other rewards into any order with the same $m$.)",
            check=partial(_reads_the_count, own_share=0),
            planted="m counts the other responses only",
            control=partial(_reads_the_count, own_share=1),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `gain`, run on a symbolic $p$ and a symbolic table, is $E[c_{J+1}] - E[w_J]$, "
            r"summed over all $2^{G-1}$ vectors of the other rewards.",
            check=partial(_gain_is_contrast, shift=1),
            planted="E[c_J] for E[c_{J+1}]",
            control=partial(_gain_is_contrast, shift=0),
            tie=True,
        ),
        Step(
            says=r"Tie: $c_m$ and $w_m$ of the shipped `outcome_advantages` are the numerators of `rule_formulas` "
            r"over the standard deviation, exactly, for every $m$.",
            check=partial(_formulas_are_shipped, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_formulas_are_shipped, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says="Tie: the shipped `gain` of the shipped tables has the closed forms, and the shipped "
            "`binomial_mean` of 1 is 1, for symbolic $p$.",
            check=partial(_shipped_closed_forms, dr_grpo=lambda size: (size - 1) / size),
            planted="1 for Dr. GRPO",
            control=partial(_shipped_closed_forms, dr_grpo=lambda size: size / size),
            tie=True,
        ),
    )


def _exchangeable(effort: Effort, *, by_position: int) -> Finding:
    """Find whether the mean over responses of A s(y) has the expectation of the first response's A s(y)."""
    arm_rewards = (1, 0, 0)
    policy, scores = sympy.symbols("pi1:4"), sympy.symbols("s1:4")
    residuals = []
    for size in range(2, effort.pick(5, 4)):
        table = symbolic_table(size)
        whole = first = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            rewards = [arm_rewards[y] for y in group]
            # An advantage may read the reward and the count; the control's reads the place too.
            pushes = [(table[rewards[i], sum(rewards)] + by_position * i) * scores[y] for i, y in enumerate(group)]
            whole += weight * sum(pushes) / size
            first += weight * pushes[0]
        residuals.append(whole - first)
    return all_zero(residuals, sympy.expand)


def _conditioned(effort: Effort, *, own: int) -> Finding:
    """Find whether E[A_1 s(y_1)] is the sum over responses of pi a_R s, with a_r averaged over the others."""
    arm_rewards = (1, 0, 0)
    # The last probability is what is left: the others' weights must sum to 1 for the conditioning.
    first, second = sympy.symbols("pi1:3")
    policy, scores = (first, second, 1 - first - second), sympy.symbols("s1:4")
    residuals = []
    for size in range(2, effort.pick(4, 3)):
        table = symbolic_table(size)
        whole = sympy.S(0)
        for group in product(range(3), repeat=size):
            weight = sympy.prod([policy[y] for y in group])
            whole += weight * table[arm_rewards[group[0]], sum(arm_rewards[y] for y in group)] * scores[group[0]]
        given = {}
        for r in (0, 1):
            given[r] = sympy.S(0)
            for others in product((0, 1), repeat=size - 1):
                weight = sympy.prod([first if other else 1 - first for other in others])
                given[r] += weight * table[r, r + sum(others)]
        parts = [policy[y] * given[arm_rewards[y] if own else 0] * scores[y] for y in range(3)]
        residuals.append(whole - sum(parts))
    return all_zero(residuals, sympy.expand)


def _log_derivative(*, sign: int) -> Finding:
    """Find whether pi times the score is grad pi, scores of tokens add up, and wrong responses give -grad p."""
    theta = sympy.Symbol("theta")
    prob, prefix, token, success = (sympy.Function(name)(theta) for name in ("pi", "prefix", "token", "p"))
    own = prob * sympy.diff(sympy.log(prob), theta) - sympy.diff(prob, theta)
    # One token more: the log of a product is a sum.
    longer = sympy.diff(sympy.log(prefix * token), theta) - sympy.diff(sympy.log(prefix), theta)
    token_sum = longer - sympy.diff(sympy.log(token), theta)
    wrong = sympy.diff(1 - success, theta) - sign * sympy.diff(success, theta)
    return all_zero([wrong, own, token_sum])


def _expected_update(*, contrast: Callable[[Any, Any], Any]) -> Finding:
    """Find whether a_1 grad p - a_0 grad p is the contrast of a_1 and a_0 times grad p."""
    right, wrong, gradient = sympy.symbols("a_1 a_0 grad_p")
    return zero(right * gradient + wrong * (-gradient) - contrast(right, wrong) * gradient, sympy.expand)


def _first_order_is_linear(*, power: int) -> Finding:
    """Find whether the shipped first-order change is linear in d and is the shipped entropy's derivative."""
    w = sympy.Symbol("w", real=True)

    def change(direction: Any) -> Any:
        return for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(direction)))

    # Homogeneous and additive, with y as a second direction.
    linear = change(w * DIRECTION + Y) - w**power * change(DIRECTION) - change(Y)
    derivative = moments.along_step(for_any_policy(lambda arms: entropy(arms.logits()))) - change(DIRECTION)
    # x stands for the reward: V = E x moves along d by the sum over arms of the shipped direction times d.
    gradient = for_any_policy(lambda arms: update_direction(arms.logits(), arms.entries(X), "policy_gradient"))
    success = moments.along_step(moments.mean(X)) - moments.plain_sum(gradient * DIRECTION)
    return all_zero([linear, derivative, success], sympy.expand)


def _closed_forms(*, dr_grpo: Callable[[Any], Any]) -> Finding:
    """Find whether c_(j+1) - w_j is the claimed constant for each rule, and the binomial weights sum to 1."""
    size, j, p, n = sympy.symbols("G j p n", positive=True)
    residuals = []
    for rule in CONSTANT_GAIN:
        # A correct response is one of m = j + 1, a wrong one sees m = j.
        right, _ = numerators(rule, j + 1, size, 0, _never)
        _, wrong = numerators(rule, j, size, 0, _never)
        residuals.append(right - wrong - (dr_grpo(size) if rule == "dr_grpo" else 1))
    # The binomial theorem.
    total = sympy.powsimp((p + (1 - p)) ** n) - 1
    return both(all_zero(residuals), zero(total, sympy.simplify))


def _shipped_closed_forms(effort: Effort, *, dr_grpo: Callable[[Any], Any]) -> Finding:
    """Find whether the shipped gains of the shipped tables are these constants for symbolic p."""
    p = sympy.Symbol("p", positive=True)
    weights, gains = [], []
    for n in range(2, effort.pick(13, 8)):
        weights.append(expression(binomial_mean(scalar(p), formulas([1] * n))) - 1)
        for rule in CONSTANT_GAIN:
            form = dr_grpo(sympy.Integer(n)) if rule == "dr_grpo" else 1
            gains.append(expression(gain(scalar(p), outcome_advantages(n, rule, exact=True))) - form)
    return both(all_zero(gains, sympy.expand), all_zero(weights, sympy.expand))


def _never(condition: Any, then: Any, otherwise: Any) -> Any:
    """Stand for the gate, which rules without K do not read: a symbolic comparison must not be decided."""
    del condition, then
    return otherwise


def gain_is_positive(*, rules: tuple[str, ...]) -> Finding:
    """Find whether c_m >= 0 >= w_m and c_m > w_m for every rule and 0 < m < G.

    Args:
        rules: names that ``rule_formulas.numerators`` takes.
    """
    findings = []
    m, size, k, scale = z3.Reals("m G K scale")
    # All real m and G, of which the integers are a part.
    domain = (size >= 2, k > 0, k < 1, scale > 0)
    for rule in rules:
        correct, wrong = numerators(rule, m, size, k, _select)
        if rule in STANDARDISED:
            correct, wrong = correct / scale, wrong / scale
        inside = z3.And(correct >= 0, wrong <= 0, correct - wrong > 0)
        findings.append(valid(inside, *domain, m > 0, m < size))
        if rule not in STANDARDISED:
            # A standardised rule gives 0 in a degenerate group; the others' formulas hold there too.
            ends = z3.And(z3.Implies(m == size, correct >= 0), z3.Implies(m == 0, wrong <= 0))
            findings.append(valid(ends, *domain))
    return both(*findings)


def _select(condition: Any, then: Any, otherwise: Any) -> Any:
    """Return z3's conditional expression, with integers as reals."""
    values = [z3.RealVal(x) if isinstance(x, int) else x for x in (then, otherwise)]
    return z3.If(condition, *values)


def _reads_the_count(effort: Effort, *, own_share: int) -> Finding:
    """Find whether the shipped advantage of every response is the table's entry at its reward and its group's m."""
    largest = effort.pick(6, 4)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for rule, size in product(RULES, range(2, largest + 1)):
            for options in option_sets(rule, LEVELS[1:3]):
                table = outcome_advantages(size, rule, exact=True, **options)
                for group in product((0, 1), repeat=size):
                    given = advantages(exact(group), rule, **options)
                    # Response by response: each must get the entry of its own reward.
                    for i, r in enumerate(group):
                        side = table.correct if r else table.wrong
                        label = f"{rule}, {options}, group {group}, response {i}"
                        yield label, given[i], side[sum(group) - own_share * r]

    return all_equal(cases(), f"nine rules, every group of at most {largest}")


def _gain_is_contrast(effort: Effort, *, shift: int) -> Finding:
    """Find whether the shipped gain of a symbolic table is E[c_(J+1)] - E[w_J], by listing the other rewards."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(1, effort.pick(9, 7)):
        c, w = (sympy.symbols(f"{side}0:{size + 1}") for side in "cw")
        contrast = sympy.S(0)
        for others in product((0, 1), repeat=size - 1):
            j = sum(others)
            # The other rewards one vector at a time, without binomial coefficients.
            contrast += p**j * (1 - p) ** (size - 1 - j) * (c[j + shift] - w[j])
        shipped = expression(gain(scalar(p), OutcomeAdvantages(formulas(c), formulas(w))))
        residuals.append(shipped - contrast)
    return all_zero(residuals, sympy.expand)


def _formulas_are_shipped(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped tables are those of ``rule_formulas``."""
    return agrees_with_shipped(range(2, effort.pick(17, 7)), LEVELS, level_of)
