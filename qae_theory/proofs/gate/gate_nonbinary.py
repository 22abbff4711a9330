"""Refute claim ``gate-nonbinary``, that with DAPO's rewards QAE still leaves one side of each group at A = 0.

These rewards are 1 or -1 less an overlong penalty in [0, 1]. The smallest groups that lose a zero are shown with the
shipped advantages; z3 shows what survives, the signs of correct responses in hard groups and of wrong ones in easy
groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import z3

from qae_theory import advantages
from qae_theory.baselines import quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import for_all, valid_on_every_path, with_witness
from qae_theory.proofs.tools.estimator_ties import exact_array, levels


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("gate-nonbinary", "smallest-groups", Kind.WITNESS, Role.AGAINST, _dapo_steps()))


# DAPO's rewards: +-1 and a penalty between 0 and -1; the grid has no penalty, half of it, and all of it.
CORRECT = (Fraction(1), Fraction(1, 2), Fraction(0))
WRONG = (Fraction(-1), Fraction(-3, 2), Fraction(-2))


def _dapo_steps() -> tuple[Step, ...]:
    """Return the counterexamples, smallest first, then that none is smaller, and what survives."""
    long_group = ["1"] * 4 + ["-1"] * 10 + ["-3/2", "-2"]
    return (
        Step(
            says=r"Two wrong responses, one of them overlong, at $K=.4$: the group is hard, and the shorter "
            r"failure is pushed up.",
            check=partial(_zero_is_lost, rewards=("-1", "-2")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("-1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The smallest mixed hard group, at $K=.4$: rewards $1, -1, -2$. The overlong failure is pushed "
            r"down.",
            check=partial(_zero_is_lost, rewards=("1", "-1", "-2")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("1", "-1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The easy mirror at $K=.4$: rewards $1, 1/2, -1$ (one success is overlong). The other success "
            r"is pushed up.",
            check=partial(_zero_is_lost, rewards=("1", "1/2", "-1")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("1", "1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A group of 16 at $K=.4$, $\hat p = 1/4$: four at $1$, ten at $-1$, one at $-3/2$, one at "
            r"$-2$. Two failures of a hard group are pushed down.",
            check=partial(_zero_is_lost, rewards=tuple(long_group)),
            planted="without the penalties",
            control=partial(_zero_is_lost, rewards=(*["1"] * 4, *["-1"] * 12)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Minimality: with rewards of the grid $1, 1/2, 0$ and $-1, -3/2, -2$ no mixed group of two "
            r"loses a zero, at any class of $K$.",
            check=partial(_mixed_groups_keep_zeros, size=2),
            planted="no mixed group of three",
            control=partial(_mixed_groups_keep_zeros, size=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"What survives: every correct reward ($\ge 0$) exceeds every wrong one ($\le -1$), so among "
            r"$G-m$ wrong and $m$ correct responses the order statistic of rank $\lceil KG\rceil$ is a "
            r"wrong one's if the group is hard and a correct one's if it is easy. Hence in a hard group "
            r"every correct response still has $A > 0$, and in an easy group every wrong one $A < 0$.",
            check=partial(_order_survives, gap=-1),
            planted="wrong rewards up to 0",
            control=partial(_order_survives, gap=0),
            generality=Generality.GENERAL,
        ),
    )


def _zero_is_lost(*, rewards: tuple[str, ...]) -> Finding:
    """Find whether a wrong response of a hard group, or a correct one of an easy one, has A != 0; K = .4, eps = 0."""
    group, k = tuple(Fraction(r) for r in rewards), Fraction(2, 5)
    # At eps = 0 and in Fractions a zero is a zero, not a small number.
    shipped = advantages(exact_array([group]), "qae", k=k, eps=0)[0]
    hard = _is_hard(group, k)
    finding = for_all([(f"rewards {', '.join(rewards)}", _loses_zero(group, shipped, hard))], "one group")
    short = dict(zip(map(str, group), map(str, shipped), strict=True))
    return with_witness(
        finding,
        {
            "rewards": ", ".join(f"{rewards.count(r)} x {r}" for r in dict.fromkeys(rewards)),
            "K": str(k),
            "regime": "hard" if hard else "easy",
            "baseline": str(oracle.quantile(group, k)),
            "A by reward": ", ".join(f"{r}: {a}" for r, a in short.items()),
        },
    )


def _is_hard(group: Sequence[Fraction], k: Fraction) -> bool:
    """Return whether a group's share of correct responses is at most 1 - K."""
    return Fraction(sum(r in CORRECT for r in group), len(group)) <= 1 - k


def _loses_zero(group: Sequence[Fraction], shipped: Any, hard: bool) -> bool:
    """Return whether a response on the side that the gate leaves at 0 has an advantage."""
    # The side that the gate leaves at 0 on binary rewards.
    gated = WRONG if hard else CORRECT
    return any(r in gated and bool(a != 0) for r, a in zip(group, shipped, strict=True))


def _mixed_groups_keep_zeros(*, size: int) -> Finding:
    """Find whether no mixed group of a size on the grid loses a zero, at any class of K."""

    def cases() -> Iterator[tuple[str, bool]]:
        # The order of a group plays no part, so each is met once.
        for group in combinations_with_replacement(CORRECT + WRONG, size):
            if 0 < sum(r in CORRECT for r in group) < size:
                for k in levels(size):
                    shipped = advantages(np.array(group, dtype=np.float64), "qae", k=k)
                    lost = _loses_zero(group, shipped, _is_hard(group, k))
                    yield f"{', '.join(map(str, group))}, K={k}", not lost

    return for_all(cases(), f"mixed groups of {size} on the grid, every class of K")


def _order_survives(*, gap: int) -> Finding:
    """Find whether the baseline, a wrong response's reward at the ranks 1..G-m, leaves those signs."""
    s = group_symbols()
    baseline, correct, wrong = z3.Reals("b r_correct r_wrong")
    # Only the side with a sign is claimed; the other's zeros are what is lost.
    signs = z3.If(s.is_hard, correct - baseline > 0, wrong - baseline < 0)

    def goal(path: Path) -> Any:
        rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
        # Wrong rewards sort below correct ones, so that the first G - m ranks are wrong responses'.
        ranked = z3.If(rank.term <= s.zeros, baseline <= gap, baseline >= 0)
        return z3.Implies(ranked, signs)

    return valid_on_every_path(goal, *s.domain, correct >= 0, wrong <= gap)
