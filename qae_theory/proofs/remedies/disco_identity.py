"""Prove claim ``disco-identity``: GRPO weighs a question by sqrt(p (1 - p)), DisCO by 1.

Both take the difference of the mean clipped score of right and of wrong responses. The weights are decided by SymPy for
symbolic group sizes; ties run the shipped objective and the shipped gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import OutcomeAdvantages, gain
from qae_theory.objective import group_objective
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.objective.prop41_identity import proof_steps
from qae_theory.proofs.tools.checking import all_equal, all_zero, zero
from qae_theory.proofs.tools.groups import binary_group, number

# Groups whose standard deviation is rational, so that Fractions are enough: p (1 - p) is a square.
SQUARE_GROUPS = ((1, 2), (1, 5), (4, 5), (1, 10), (2, 10), (5, 10), (9, 10))
LOW, HIGH = Fraction(1, 5), Fraction(7, 25)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("disco-identity", "question-weight", Kind.PROOF, Role.FOR, (*_proof(), *_ties())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"DisCO gives a right response $1/m$ and a wrong one $-1/(G-m)$: in every mixed group they sum to 0.",
            check=partial(_sum_of_coefficients, wrong=1),
            planted="-2/(G - m)",
            control=partial(_sum_of_coefficients, wrong=2),
            generality=Generality.GENERAL,
        ),
        # PPO's term is A min(x, 1 + e_high) for A > 0 and A max(x, 1 - e_low) for A < 0: the scores s of what follows.
        proof_steps()[0],
        Step(
            says=r"GRPO (population std, $\varepsilon = 0$) has $A = (1-\hat p)/\sigma$ and $-\hat p/\sigma$, "
            r"$\sigma = \sqrt{\hat p(1-\hat p)}$, $\hat p = m/G$. So the group's objective is $\frac1G[m\,A_+\bar "
            r"s^+ + (G-m)\,A_-\bar s^-] = \sigma\,(\bar s^+ - \bar s^-)$: $\sigma$ times DisCO's difference of means.",
            check=partial(_question_weight, power=1),
            planted="sigma^2 for sigma",
            control=partial(_question_weight, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"On-policy the expected step of a sum over responses with coefficients $G/m$, $-G/(G-m)$ (over "
            r"$G$) is $w\nabla p$ (claim `neutrality`). $\binom{G-1}{m-1}\frac Gm = \binom Gm = "
            r"\binom{G-1}{m}\frac{G}{G-m}$ turns $w = \sum_{0<m<G}[\binom{G-1}{m-1}\frac Gm\,p^{m-1}q^{G-m} + "
            r"\binom{G-1}{m}\frac G{G-m}\,p^m q^{G-m-1}]$, $q = 1-p$, into $P(\text{mixed})(\frac1p + \frac1q)$.",
            check=partial(_absorption, shift=1),
            planted="C(G, m - 1) for C(G, m)",
            control=partial(_absorption, shift=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$(\frac1p + \frac1{1-p})\nabla p = \nabla\log\frac p{1-p}$: given a mixed group, DisCO's expected "
            r"first step ascends the log-odds of the question, at every $G$.",
            check=partial(_log_odds, sign=-1),
            planted="log p (1 - p)",
            control=partial(_log_odds, sign=1),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: with the shipped GRPO `advantages`, the shipped `group_objective` is $\sigma$ times the "
            r"difference of means, in Fractions, on groups whose $\sigma$ is rational, ratios inside and outside the "
            r"range.",
            check=partial(_shipped_objective, power=1),
            planted="sigma^2 for sigma",
            control=partial(_shipped_objective, power=2),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `gain` of DisCO's table is $(1 - p^G - q^G)/(pq)$, for symbolic $p$ and $G$ up "
            r"to a size.",
            check=partial(_shipped_gain, unmixed=2),
            planted="1 - p^G",
            control=partial(_shipped_gain, unmixed=1),
            tie=True,
        ),
    )


def _sum_of_coefficients(*, wrong: int) -> Finding:
    """Find whether m times 1/m and G - m times -wrong/(G - m) cancel."""
    m, size = sympy.symbols("m G", positive=True)
    return zero(m * (1 / m) - (size - m) * wrong / (size - m))


def _question_weight(*, power: int) -> Finding:
    """Find whether GRPO's objective of a group is sigma^power times the difference of means."""
    m, size, right, wrong = sympy.symbols("m G s_plus s_minus", positive=True)
    rate = m / size
    spread = sympy.sqrt(rate * (1 - rate))
    objective = (m * (1 - rate) * right - (size - m) * rate * wrong) / (size * spread)
    return zero(objective - spread**power * (right - wrong), sympy.simplify)


def _absorption(*, shift: int) -> Finding:
    """Find whether the two binomial coefficients with their factor are both C(G, m)."""
    size, m = sympy.symbols("G m", positive=True, integer=True)
    whole = sympy.binomial(size, m if shift else m - 1)
    right = sympy.binomial(size - 1, m - 1) * size / m
    wrong = sympy.binomial(size - 1, m) * size / (size - m)
    # The quotients of binomials are rational functions of G and m.
    return all_zero([right / whole - 1, wrong / whole - 1], sympy.combsimp)


def _log_odds(*, sign: int) -> Finding:
    """Find whether 1/p + 1/(1 - p) is the derivative of the log-odds."""
    p = sympy.Symbol("p", positive=True)
    return zero(1 / p + 1 / (1 - p) - sympy.diff(sympy.log(p) + sign * sympy.log(1 - p), p))


def _shipped_objective(*, power: int) -> Finding:
    """Find whether the shipped objective of shipped GRPO advantages is sigma^power times the difference of means."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for m, size in SQUARE_GROUPS:
            rewards = binary_group(m, size)
            # From 1/2 to nearly 3/2: some ratios lie below the range, some above.
            ratios = np.array([Fraction(1, 2) + Fraction(i, size) for i in range(size)], dtype=object)
            a = advantages(rewards, "grpo", eps=0)
            shipped = group_objective(ratios, a, clip_low=LOW, clip_high=HIGH)
            right = sum((min(x, 1 + HIGH) for x, r in zip(ratios, rewards, strict=True) if r), Fraction(0)) / m
            wrong = sum((max(x, 1 - LOW) for x, r in zip(ratios, rewards, strict=True) if not r), Fraction(0))
            spread = sympy.sqrt(sympy.Rational(m * (size - m), size**2))
            difference = number(np.array(right - wrong / (size - m), dtype=object))
            yield f"m={m}, G={size}", number(shipped), spread**power * difference

    return all_equal(cases(), "groups with a rational standard deviation")


def _shipped_gain(effort: Effort, *, unmixed: int) -> Finding:
    """Find whether the shipped gain of DisCO's table is P(mixed)/(p q)."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size in range(2, effort.pick(9, 6)):
        right = [0, *(Fraction(size, m) for m in range(1, size)), 0]
        wrong = [0, *(-Fraction(size, size - m) for m in range(1, size)), 0]
        table = OutcomeAdvantages(formulas(map(sympy.Rational, right)), formulas(map(sympy.Rational, wrong)))
        mixed = 1 - p**size - ((1 - p) ** size if unmixed == 2 else 0)
        residuals.append(expression(gain(scalar(p), table)) * p * (1 - p) - mixed)
    return all_zero(residuals, sympy.expand)
