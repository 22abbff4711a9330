"""Prove claim ``prop41-amplification``: on hard groups a success gets G/(G - m) times GRPO's advantage under QAE.

That factor 1/(1 - m/G) lies between G/(G - 1) and 1/K. SymPy and z3 decide it for all m, G and K = p/q, the gate being
the shipped one on symbolic integers; a tie compares the shipped advantages.
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
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools.checking import all_zero, valid, valid_on_every_path
from qae_theory.proofs.tools.groups import LEVELS, binary_group, mixed_groups, same

# Neither eps nor the divisor of the std enters the quotient, so all of them are tried.
SETTINGS: tuple[dict[str, Any], ...] = ({"eps": 0}, {}, {"std": "bessel", "eps": Fraction(1, 10**4)})


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("prop41-amplification", "integer-proof", Kind.PROOF, Role.FOR, _amplification_steps()))


def _amplification_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"On a hard group $b_K = 0$ (`eq4-threshold`), so QAE gives a success $1/(\sigma+\varepsilon)$ "
            r"and GRPO $(1-\hat p)/(\sigma+\varepsilon)$: their quotient is $1/(1-\hat p) = G/(G-m)$ for "
            r"every $\sigma$ and $\varepsilon$.",
            check=partial(_quotient, baseline=0),
            planted="the easy regime's baseline, 1",
            control=partial(_quotient, baseline=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$G/(G-m) \ge G/(G-1)$ for $1 \le m \le G-1$, with equality iff $m = 1$; over all integers.",
            check=partial(_at_least, fewest=1),
            planted="m >= 0, a group without a success",
            control=partial(_at_least, fewest=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$G/(G-m) \le 1/K$ on every hard group, the gate being the shipped `is_hard_group` on symbolic "
            r"integers, $K = p/q$; equality iff $\hat p = 1-K$.",
            check=partial(_at_most, easy=False),
            planted="an easy group",
            control=partial(_at_most, easy=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says="The shipped `advantages` have this quotient on every mixed hard group, thresholds included, "
            "for both standard deviations and with and without eps.",
            check=partial(_shipped_quotient, level_of=lambda k: k),
            planted="1 - K for K in the gate",
            control=partial(_shipped_quotient, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _quotient(*, baseline: int) -> Finding:
    """Find whether QAE's advantage of a success over GRPO's is 1/(1 - m/G), given QAE's baseline."""
    m, n = sympy.symbols("m n", positive=True)
    sigma, eps = sympy.symbols("sigma epsilon", positive=True)
    # With n = G - m as a symbol of its own, m < G needs no side condition.
    p = m / (m + n)
    qae, grpo = (1 - baseline) / (sigma + eps), (1 - p) / (sigma + eps)
    return all_zero([qae / grpo - 1 / (1 - p), qae / grpo - (m + n) / n])


def _at_least(*, fewest: int) -> Finding:
    """Find whether G/(G - m) >= G/(G - 1), with equality at m = 1 only."""
    size, m = z3.Ints("G m")
    # Cross-multiplied: G (G - 1) >= G (G - m), denominators positive.
    smaller, larger = size * (size - m), size * (size - 1)
    return valid(z3.And(larger >= smaller, (larger == smaller) == (m == 1)), size >= 2, m >= fewest, m <= size - 1)


def _at_most(*, easy: bool) -> Finding:
    """Find whether G/(G - m) <= 1/K on hard groups, with equality at m/G = 1 - K only."""
    s = group_symbols()
    # Cross-multiplied with K = p/q: G p <= (G - m) q; equality is m q = G (q - p).
    bound = s.group_size * s.numerator <= s.zeros * s.denominator
    tight = s.group_size * s.numerator == s.zeros * s.denominator
    threshold = s.num_correct * s.denominator == s.group_size * (s.denominator - s.numerator)

    def goal(path: Path) -> Any:
        hard = bool(is_hard_group(s.correct_on(path), s.size_on(path), s.level_on(path)))
        return z3.Implies(hard != easy, z3.And(bound, tight == threshold))

    # Mixed groups: without a success there is nothing to amplify.
    return valid_on_every_path(goal, *s.domain, s.num_correct >= 1, s.zeros >= 1)


def _shipped_quotient(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped advantages of every mixed hard group up to a size have this quotient, exactly."""
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, settings in product(mixed_groups(largest), LEVELS, SETTINGS):
            # Only hard groups: on easy ones QAE gives a success nothing.
            if is_hard_group(m, size, level_of(k)):
                rewards = binary_group(m, size)
                qae, grpo = advantages(rewards, "qae", k=k, **settings)[-1], advantages(rewards, "grpo", **settings)[-1]
                yield f"K={k}, m={m}, G={size}, {settings}", qae * Fraction(size - m, size), grpo

    return same(cases(), f"all mixed hard groups of at most {largest}, four levels")
