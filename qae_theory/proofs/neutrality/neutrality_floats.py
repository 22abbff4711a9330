"""Tie claim ``neutrality`` to the shipped floats: gains, tables and the probability of a mixed group.

They are compared with sums whose weights are exact and whose terms are the formulas of ``rule_formulas``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache, partial
from itertools import product
from math import comb, fsum, sqrt
from typing import Any

import numpy as np

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.group_expectation import expected_gain, mixed_probability, outcome_advantages
from qae_theory.proofs.tools.checking import for_all
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.rule_formulas import GATED, RULES, STANDARDISED, numerators, squared_scale

# Eight decimal places above the rounding of a binomial sum in float64, four below any one-token error.
RELATIVE = 1e-12
# Exact binary numbers, so that Fraction(p) is the very p of the float path.
PROBABILITIES = (1e-12, 0.03125, 0.3, 0.4, 0.6, 0.96875, 1 - 2.0**-40)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("neutrality", "floating-point", Kind.CERTIFICATE, Role.FOR, _float_steps()))


def _float_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"`expected_gain` in float64, for a batch of $p$ down to $10^{-12}$ and up to $1 - 2^{-40}$, "
            r"$G \le 64$, is the binomial sum over `rule_formulas` with exact weights: with and without "
            r"`mixed_only`, default and given $K$, std and eps.",
            check=partial(_float_gain, default_k=Fraction(2, 5)),
            planted="K = .6 by default",
            control=partial(_float_gain, default_k=Fraction(3, 5)),
            tie=True,
        ),
        Step(
            says=r"`outcome_advantages` are float64 unless asked otherwise, and those of `rule_formulas`.",
            check=partial(_float_table, default_k=Fraction(2, 5)),
            planted="K = .6 by default",
            control=partial(_float_table, default_k=Fraction(3, 5)),
            tie=True,
        ),
        Step(
            says=r"`mixed_probability` in float64 keeps its relative accuracy near 0 and 1, and is exact on "
            r"Fractions.",
            check=partial(_mixed_probability, wrong_power=0),
            planted="G - 1 for G in P(all wrong)",
            control=partial(_mixed_probability, wrong_power=1),
            tie=True,
        ),
    )


def _float_gain(effort: Effort, *, default_k: Fraction) -> Finding:
    """Find whether the shipped gain in float64 is the binomial sum with exact weights, for every rule and option."""
    sizes = effort.pick((1, 2, 3, 5, 8, 16, 33, 64), (1, 2, 3, 64))

    def cases() -> Iterator[tuple[str, bool]]:
        for rule, size, mixed_only in product(RULES, sizes, (False, True)):
            # Both are refused there, which `neutrality_ties` checks.
            if size == 1 and (rule == "rloo" or mixed_only):
                continue
            for options in float_options(rule):
                batch = expected_gain(np.array(PROBABILITIES), size, rule, mixed_only=mixed_only, **options)
                for p, shipped in zip(PROBABILITIES, batch.tolist(), strict=True):
                    wanted = _reference_gain(rule, Fraction(p), size, mixed_only, {"k": default_k, **options})
                    label = f"{rule}, G={size}, {options}, mixed_only={mixed_only}, p={p!r}"
                    yield label, abs(shipped - wanted) <= RELATIVE * abs(wanted)

    return for_all(cases(), f"nine rules, G in {sizes}, seven p")


def _float_table(effort: Effort, *, default_k: Fraction) -> Finding:
    """Find whether the shipped tables are float64 and those of ``rule_formulas``."""

    def cases() -> Iterator[tuple[str, bool]]:
        for rule, size in product(RULES, effort.pick((2, 5, 16, 64), (2, 5))):
            for options in float_options(rule):
                table = outcome_advantages(size, rule, **options)
                yield f"{rule}: dtype", table.correct.dtype == np.float64
                for m in range(size + 1):
                    pair = _occurring(rule, m, size, {"k": default_k, **options})
                    for shipped, wanted in zip((table.correct[m], table.wrong[m]), pair, strict=True):
                        near = abs(shipped - wanted) <= RELATIVE * abs(wanted)
                        yield f"{rule}, G={size}, m={m}, {options}", bool(near)

    return for_all(cases(), "nine rules, every m")


def _occurring(rule: str, m: int, size: int, options: dict[str, Any]) -> tuple[float, float]:
    """Return ``float_pair``, with 0 for an outcome that does not occur."""
    correct, wrong = float_pair(rule, m, size, options)
    return (0.0 if m == 0 else correct), (0.0 if m == size else wrong)


def float_options(rule: str) -> list[dict[str, Any]]:
    """Return option sets that exercise every default and every option of a rule.

    Args:
        rule: a name of ``RULES``.
    """
    if rule not in STANDARDISED:
        return [{}]
    # A level other than the default, for the rules that read one.
    gate = [{"k": Fraction(3, 4)}] if rule in GATED else []
    return [{}, {"std": "population", "eps": 0}, {"std": "bessel", "eps": 0.125}, *gate]


def _reference_gain(rule: str, p: Fraction, size: int, mixed_only: bool, options: dict[str, Any]) -> float:
    """Return the binomial sum with exact weights; its summands have one sign, so rounding stays relative."""
    if size == 1:
        return 0.0
    pairs = [float_pair(rule, m, size, options) for m in range(size + 1)]
    terms = []
    for j, weight in enumerate(binomial_law(p, size - 1)):
        # Given a mixed group, the all-correct and the all-wrong one drop out.
        right = 0.0 if mixed_only and j == size - 1 else pairs[j + 1][0]
        wrong = 0.0 if mixed_only and j == 0 else pairs[j][1]
        terms.append(weight * (right - wrong))
    return fsum(terms) / (float(1 - p**size - (1 - p) ** size) if mixed_only else 1.0)


def float_pair(rule: str, m: int, size: int, options: dict[str, Any]) -> tuple[float, float]:
    """Return A(correct), A(wrong) in float64 by ``rule_formulas``.

    Args:
        rule: a name of ``RULES``.
        m: number of correct responses.
        size: G.
        options: ``k``, and ``std`` and ``eps`` where they are not the shipped defaults.
    """
    if rule in STANDARDISED and m in (0, size):
        return 0.0, 0.0
    correct, wrong = numerators(rule, Fraction(m), Fraction(size), options["k"])
    std = options.get("std", "bessel" if rule == "qae_linear" else "population")
    scale = (
        sqrt(squared_scale(Fraction(m), Fraction(size), std)) + options.get("eps", 1e-6)
        if rule in STANDARDISED
        else 1.0
    )
    return float(correct) / scale, float(wrong) / scale


@cache
def binomial_law(p: Fraction, trials: int) -> tuple[float, ...]:
    """Return the binomial probabilities C(n, j) p^j (1 - p)^(n - j), exact and then rounded once.

    Args:
        p: success probability.
        trials: n.

    Returns:
        n + 1 floats, for j = 0..n.
    """
    return tuple(float(comb(trials, j) * p**j * (1 - p) ** (trials - j)) for j in range(trials + 1))


def _mixed_probability(*, wrong_power: int) -> Finding:
    """Find whether the shipped probability of a mixed group is 1 - p^G - (1 - p)^G, exactly and in floats."""
    # 1e-300: its complement is 1 in float64, and 1 - (1 - p)**G loses everything.
    p = np.array((*PROBABILITIES, 0.5, 1e-300))
    cases = []
    for size in (2, 3, 4, 16, 64):
        wanted = [1 - Fraction(x) ** size - (1 - Fraction(x)) ** (size - wrong_power) for x in p.tolist()]
        floats = mixed_probability(p, size).tolist()
        exactly = mixed_probability(exact(p), size).tolist()
        cases += [
            (f"G={size}, p={x!r}", y == z and abs(f - float(z)) <= RELATIVE * float(z))
            for x, f, y, z in zip(p.tolist(), floats, exactly, wanted, strict=True)
        ]
    return for_all(cases, "G in 2, 3, 4, 16, 64, nine p")
