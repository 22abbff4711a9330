"""Prove claim ``loo-quantile``: with the quantile of the other rewards as its baseline a rule has gain 1.

It holds for all K, p and G, because a baseline that does not read the own reward cancels in a_1 - a_0. SymPy decides
the two steps; ties compute the gain and the expected update with the shipped quantile.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import OutcomeAdvantages, gain
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.tools.checking import all_zero, both, zero
from qae_theory.proofs.tools.enumeration import Query, all_groups, exact, group_weights, query
from qae_theory.proofs.tools.estimator_ties import levels
from qae_theory.proofs.tools.rule_formulas import exactly_equal
from qae_theory.updates import update_direction


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("loo-quantile", "the-baseline-cancels", Kind.PROOF, Role.FOR, (*_proof(), *_ties())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$b_K$ of the others reads the other $G-1$ rewards only, which are independent of $R_i$. With $j$ "
            r"of them correct let it be $\beta_j$, whatever that is. Then a correct response has $1 - \beta_j$ and a "
            r"wrong one $0 - \beta_j$, whose difference is 1 for every $j$.",
            check=partial(_difference, own=1),
            planted="twice the baseline for a correct response",
            control=partial(_difference, own=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $w = \sum_jP(J = j)\cdot 1$ with $J$ binomial $(G-1, p)$, and the weights sum to $(p + "
            r"(1-p))^{G-1} = 1$: $w = 1$ for every $K$, $p$ and $G \ge 2$.",
            check=partial(_weights_sum, rest=1),
            planted="2 - p for 1 - p",
            control=partial(_weights_sum, rest=2),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: with the shipped `quantile_baseline` of the other rewards, the shipped `gain` on symbolic $p$ "
            "is 1 for every class of $K$ and groups up to a size.",
            check=partial(_shipped_gain, leave_out=True),
            planted="the quantile of the whole group",
            control=partial(_shipped_gain, leave_out=False),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `sampled_group` step with these advantages, averaged exactly over all $n^G$ "
            r"groups, is $\pi(r - V)$.",
            check=partial(_shipped_update, factor=1),
            planted="twice that",
            control=partial(_shipped_update, factor=2),
            tie=True,
        ),
    )


def _difference(*, own: int) -> Finding:
    """Find whether 1 - beta and 0 - beta differ by 1."""
    # Whatever the quantile is: the proof does not use that it is one.
    baseline = sympy.Symbol("beta_j", real=True)
    return zero((1 - own * baseline) - (0 - baseline) - 1)


def _weights_sum(*, rest: int) -> Finding:
    """Find whether (p + (rest - p))^n is 1."""
    p, trials = sympy.symbols("p n", positive=True)
    return zero((p + (rest - p)) ** trials - 1, sympy.simplify)


def _others_quantile(num_correct: int, size: int, k: Fraction) -> Fraction:
    """Return the shipped K-quantile of a group of 0/1 rewards."""
    group = exact([1] * num_correct + [0] * (size - num_correct))
    return Fraction(quantile_baseline(group, k).item())


def _shipped_gain(effort: Effort, *, leave_out: bool) -> Finding:
    """Find whether the shipped gain of the leave-one-out quantile's table is 1 for symbolic p."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(2, effort.pick(9, 5)):
        for k in levels(size):
            others = size - 1 if leave_out else size
            # m counts the whole group, so that m - 1 of a correct response's others are correct.
            correct = [0] + [1 - _others_quantile(m - 1 if leave_out else m, others, k) for m in range(1, size + 1)]
            wrong = [-_others_quantile(m, others, k) for m in range(size)] + [0]
            shipped = gain(scalar(p), OutcomeAdvantages(formulas(correct), formulas(wrong)))
            residuals.append(expression(shipped) - 1)
    return all_zero(residuals, sympy.expand)


def _shipped_update(effort: Effort, *, factor: int) -> Finding:
    """Find whether the mean shipped step over all groups is ``factor`` times pi (r - V)."""
    queries = (query("1/6 1/3 1/2", "1 0 0"), query("3/4 1/4", "1 0"))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for case, size, k in product(queries, (2, effort.pick(4, 3)), (Fraction(2, 5), Fraction(3, 4))):
            for arm, entry in enumerate(_mean_step(case, size, k)):
                yield f"G={size}, K={k}, pi={case.probs}, arm {arm}", entry, factor * case.success_gradient[arm]

    return both(exactly_equal(cases(), "all n^G groups of two queries"))


def _mean_step(case: Query, size: int, k: Fraction) -> Any:
    """Return the mean of the shipped steps over all groups."""
    groups = all_groups(len(case.probs), size)
    rewards = exact(case.arm_rewards)[groups]
    own = rewards.copy()
    for row in range(len(groups)):
        for i in range(size):
            # The group without its own response.
            others = [r for place, r in enumerate(rewards[row]) if place != i]
            own[row, i] = rewards[row, i] - quantile_baseline(exact(others), k).item()
    steps = update_direction(case.logits, case.arm_rewards, "sampled_group", responses=groups, advantages=own)
    return (group_weights(case.exact_probs, groups)[:, None] * steps).sum(axis=0)
