"""Prove claim ``sparsity-some-k``: some K gives 80% of zero advantages if E min(m/G, 1 - m/G) <= 1/5, and only then.

At K = 1/2 a group's share of non-zero advantages is min(m/G, 1 - m/G), and no K makes it smaller. z3 shows both for
every group; two distributions of difficulty without the assumption are the witnesses that it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import z3

from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import SymbolicRatio, group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.gate.eq4 import rank_selects_zero_step
from qae_theory.proofs.gate.sparsity_formula import shipped_zero_share
from qae_theory.proofs.tools.checking import all_equal, for_all, valid, valid_on_every_path, with_witness
from qae_theory.proofs.tools.estimator_ties import levels

HALF, TARGET = Fraction(1, 2), Fraction(4, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    claim = "sparsity-some-k"
    ledger.add(Evidence(claim, "the-middle-level", Kind.PROOF, Role.UNDER, (*_proof(), _tie())))
    ledger.add(Evidence(claim, "uniform-counts", Kind.WITNESS, Role.WITHOUT, _without()))


def _proof() -> tuple[Step, ...]:
    return (
        rank_selects_zero_step(),
        Step(
            says=r"A mixed group's non-zero advantages are its correct responses if it is hard and its wrong ones if "
            r"it is easy (claim `sparsity-formula`): a share $\hat p$ or $1-\hat p$. At $K = 1/2$ hard means $\hat p "
            r"\le 1/2$, so the share is $\min(\hat p, 1-\hat p)$; a degenerate group's is 0, which is $\min(\hat p, "
            r"1-\hat p)$ too. (Shipped gate at $K = 1/2$, symbolic integers.)",
            check=partial(_least_at_half, numerator=1, denominator=2),
            planted="K = 2/5",
            control=partial(_least_at_half, numerator=2, denominator=5),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Averages keep an equality of each group: at $K = 1/2$ the share of non-zeros over the groups is "
            r"$E\min(\hat p, 1-\hat p) \le 1/5$, so that at least 80% are zero.",
            check=partial(_average, most=Fraction(1, 5)),
            planted="E min <= 1/4",
            control=partial(_average, most=Fraction(1, 4)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Remark: the assumption is necessary. At every $K$ each group's share of non-zeros is $\hat p$ or "
            r"$1-\hat p$ or, degenerate, 0, and so at least $\min(\hat p, 1-\hat p)$: no $K$ is sparser than $1/2$, "
            r"for any group.",
            check=partial(_no_level_is_sparser, best=min),
            planted="at least max(p^, 1 - p^)",
            control=partial(_no_level_is_sparser, best=max),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the zeros of the shipped `advantages(..., 'qae')` at $K = 1/2$ are a share $1 - \min(\hat p, "
        r"1-\hat p)$ of every binary group up to a size.",
        check=partial(_shipped_half, k=HALF),
        planted="K = 2/5",
        control=partial(_shipped_half, k=Fraction(2, 5)),
        tie=True,
    )


def _without() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Groups of two with one correct response: $E\min(\hat p, 1-\hat p) = 1/2$, and at every $K$ half "
            r"of the shipped advantages are zero.",
            check=partial(_never_reached, group_size=2, target=TARGET),
            planted="a target of 50%",
            control=partial(_never_reached, group_size=2, target=HALF),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Success counts that are uniform over the mixed groups of 16: the share of zeros stays below 80% "
            r"at every class of $K$.",
            check=partial(_never_reached, group_size=16, target=TARGET),
            planted="a target of 70%",
            control=partial(_never_reached, group_size=16, target=Fraction(7, 10)),
            generality=Generality.GENERAL,
        ),
    )


def _least_at_half(*, numerator: int, denominator: int) -> Finding:
    """Find whether the shipped gate at this level gives a mixed group min(m, G - m) non-zero advantages."""
    s = group_symbols()

    def goal(path: Path) -> Any:
        # A level of its own, not the symbolic one: the claim is about K = 1/2.
        level: Any = SymbolicRatio(z3.IntVal(numerator), z3.IntVal(denominator), path, given=True)
        hard = bool(is_hard_group(s.correct_on(path), s.size_on(path), level))
        mixed = z3.And(s.num_correct >= 1, s.zeros >= 1)
        # The non-zero advantages are the correct responses of a hard group, the wrong ones of an easy one.
        non_zero = z3.If(mixed, s.num_correct if hard else s.zeros, 0)
        return non_zero == z3.If(s.num_correct <= s.zeros, s.num_correct, s.zeros)

    return valid_on_every_path(goal, *s.domain)


def _average(*, most: Fraction) -> Finding:
    """Find whether a bound on the mean share of non-zeros gives at least 80% of zeros."""
    non_zero, zeros = z3.Reals("non_zero zeros")
    bound = z3.Q(most.numerator, most.denominator)
    return valid(zeros >= z3.Q(4, 5), zeros == 1 - non_zero, non_zero <= bound)


def _no_level_is_sparser(*, best: Any) -> Finding:
    """Find whether a share of p, of 1 - p or, in a degenerate group, of 0 is at least the smaller of p and 1 - p."""
    p, non_zero = z3.Reals("p non_zero")
    least = z3.If(p <= 1 - p, p, 1 - p) if best is min else z3.If(p <= 1 - p, 1 - p, p)
    # All that a level can do to a group: make it hard or easy; a degenerate one has no choice.
    possible = z3.Or(non_zero == p, non_zero == 1 - p, z3.And(non_zero == 0, z3.Or(p == 0, p == 1)))
    return valid(non_zero >= least, p >= 0, p <= 1, possible)


def _shipped_half(effort: Effort, *, k: Fraction) -> Finding:
    """Find whether the shipped shares of zeros at this level are 1 - min(m/G, 1 - m/G)."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, effort.pick(24, 9) + 1):
            rates = [Fraction(m, size) for m in range(size + 1)]
            yield f"G={size}", shipped_zero_share(k, size), [1 - min(p, 1 - p) for p in rates]

    return all_equal(cases(), "every binary group up to a size")


def _never_reached(*, group_size: int, target: Fraction) -> Finding:
    """Find whether the mean share of zeros is below a target at every class of K, m uniform on the mixed groups."""
    shown = {"G": str(group_size), "m": f"uniform on 1..{group_size - 1}"}
    cases = []
    for k in levels(group_size):
        # The first and last count are the degenerate groups, which are left out.
        share = sum(shipped_zero_share(k, group_size)[1:-1], Fraction(0)) / (group_size - 1)
        cases.append((f"K={k}: share {share}", share < target))
        shown[f"share of zeros at K = {k}"] = str(share)
    return with_witness(for_all(cases, "every class of K"), shown)
