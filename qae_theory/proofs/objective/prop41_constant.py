"""Refute claim ``prop41-constant``, that with eps > 0 the identity of Prop. 4.1 holds up to one constant factor.

The factor sigma/(sigma + eps) differs between groups. Two groups show it with the shipped objectives; z3 and ball
arithmetic say how far from 1 it can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import sqrt
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import group_objective, masked_objective
from qae_theory.proofs.objective.clipping import CLIPS, RULES, some_ratios
from qae_theory.proofs.tools.checking import all_zero, both, close_to, for_all, rational, valid, with_witness
from qae_theory.proofs.tools.groups import binary_group, exact, mixed_groups, same

# verl's 1e-6 and TRL's 1e-4, and one that is smaller than either.
EPS = (Fraction(1, 10**8), Fraction(1, 10**6), Fraction(1, 10**4))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("prop41-constant", "two-groups", Kind.WITNESS, Role.AGAINST, _constant_steps()))


def _constant_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Two groups of four with the same eps, $\hat p = 1/4$ and $\hat p = 1/2$: objective over "
            r"masked form is $\sigma/(\sigma+\varepsilon)$ with $\sigma = \sqrt3/4$ and $1/2$. The two "
            "factors differ.",
            check=partial(_factors_differ, other=2),
            planted="m = 3, which has the standard deviation of m = 1",
            control=partial(_factors_differ, other=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For every rule and every mixed group the factor is $\sigma/(\sigma+\varepsilon)$, exactly.",
            check=partial(_factor, std="population"),
            planted="Bessel for population",
            control=partial(_factor, std="bessel"),
            tie=True,
        ),
        Step(
            says="In groups of G the variance $m(G-m)/G^2$ lies between $(G-1)/G^2$ and $1/4$, so the distance "
            r"of the factor from 1, $\varepsilon/(\sigma+\varepsilon)$, is largest at one correct or one "
            r"wrong response and smallest at $\hat p = 1/2$.",
            check=partial(_variance_range, least=1),
            planted="m (G - m) >= G",
            control=partial(_variance_range, least=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says="At G = 16 that distance is 2.0e-8 to 4.1e-8 for eps = 1e-8, 2.0e-6 to 4.1e-6 for 1e-6, 2.0e-4 "
            "to 4.1e-4 for 1e-4.",
            check=partial(_sizes, rare=1),
            planted="m = 2 as the rarest success",
            control=partial(_sizes, rare=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Bessel's standard deviation at eps = 0 does give a constant, $\sqrt{(G-1)/G}$, the same for "
            "all groups of one size.",
            check=partial(_bessel_constant, upside_down=False),
            planted="G / (G - 1)",
            control=partial(_bessel_constant, upside_down=True),
            tie=True,
        ),
    )


def _deviation(num_correct: int, group_size: int, std: str) -> Any:
    """Return the standard deviation of a binary group as a SymPy number."""
    divisor = group_size * (group_size - 1) if std == "bessel" else group_size**2
    return sympy.sqrt(rational(Fraction(num_correct * (group_size - num_correct), divisor)))


def _both_sides(num_correct: int, group_size: int, rule: str, eps: Fraction) -> tuple[Any, Any]:
    """Return the shipped objective with eps, and the shipped masked form."""
    rewards = binary_group(num_correct, group_size)
    # Any ratios do: both sides have the same, so that only the factor is left.
    ratios = some_ratios(group_size, 0)
    a = advantages(rewards, rule, eps=eps)
    return group_objective(ratios, a, **CLIPS[0]), masked_objective(ratios, rewards, rule, **CLIPS[0])


def _factors_differ(*, other: int) -> Finding:
    """Find whether objective over masked form is another number in two groups of four."""
    factors = []
    for m in (1, other):
        left, right = _both_sides(m, 4, "grpo", EPS[1])
        factors.append(sympy.radsimp(sympy.S(left) / sympy.S(right)))
    first, second = factors
    finding = for_all([(f"factors {first} and {second}", sympy.simplify(first - second) != 0)], "two groups")
    shown = {
        "eps": str(EPS[1]),
        "G": "4",
        "factor at m = 1": f"{float(first):.9f}",
        f"factor at m = {other}": f"{float(second):.9f}",
    }
    return with_witness(finding, shown)


def _factor(effort: Effort, *, std: str) -> Finding:
    """Find whether objective over masked form is sigma/(sigma + eps) for every rule and small mixed group."""
    residuals = []
    for (m, size), rule, eps in product(mixed_groups(effort.pick(8, 4)), RULES, EPS):
        left, right = _both_sides(m, size, rule, eps)
        sigma = _deviation(m, size, std)
        # Multiplied out, so that a masked form of 0 does no harm.
        residuals.append(sympy.S(left) * (sigma + rational(eps)) - sympy.S(right) * sigma)
    return all_zero(residuals, sympy.radsimp)


def _variance_range(*, least: int) -> Finding:
    """Find whether m (G - m) lies between G - 1 and G^2/4 in a mixed group."""
    size, m = z3.Ints("G m")
    spread = m * (size - m)
    return valid(z3.And(spread >= size - least, 4 * spread <= size * size), m >= 1, m <= size - 1)


def _sizes(*, rare: int) -> Finding:
    """Find whether the quoted distances of the factor from 1 at G = 16 are right to their two digits."""
    findings = []
    for eps, exponent in zip(EPS, ("e-8", "e-6", "e-4"), strict=True):
        # The standard deviation is largest at m = 8 and smallest at m = 1.
        for m, digits in ((8, "2.0"), (rare, "4.1")):
            rewards = binary_group(m, 16)
            with_eps, without = (sympy.S(advantages(rewards, "grpo", eps=e)[-1]) for e in (eps, 0))
            label = f"1 - factor, m={m}, eps={float(eps)}"
            # The quoted numbers have two digits.
            width = f"0.05{exponent}"
            findings.append(close_to(1 - with_eps / without, digits + exponent, label, half_width=width))
    return both(*findings)


def _bessel_constant(effort: Effort, *, upside_down: bool) -> Finding:
    """Find whether Bessel's std at eps = 0 multiplies the advantages by sqrt((G - 1)/G), in every mixed group."""
    largest = effort.pick(16, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), rule in product(mixed_groups(largest), RULES):
            # Bessel divides by a standard deviation that is sqrt(G/(G - 1)) times as large.
            constant = Fraction(size, size - 1) if upside_down else Fraction(size - 1, size)
            bessel = advantages(binary_group(m, size), rule, std="bessel", eps=0)
            population = advantages(binary_group(m, size), rule, eps=0)
            yield f"{rule}, m={m}, G={size}", bessel, population * sqrt(exact([constant]))

    return same(cases(), f"all mixed groups of at most {largest}, four rules")
