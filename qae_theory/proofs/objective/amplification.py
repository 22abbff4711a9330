"""Around Prop. 4.1: what eps, amplification and the absence of a mask do to a group's weights."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import sqrt
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import expected_gain, outcome_advantages
from qae_theory.objective import group_objective, masked_objective, query_weights
from qae_theory.proofs.objective.prop41_identity import CLIPS, RULES, options
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    both,
    close_to,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.groups import LEVELS, binary_group, exact, mixed_groups, same
from qae_theory.proofs.tools.integers import SymbolicInt, group_symbols

EPS = (Fraction(1, 10**8), Fraction(1, 10**6), Fraction(1, 10**4))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("prop41-constant", "two-groups", Kind.WITNESS, Role.AGAINST, _constant_steps()))
    ledger.add(Evidence("prop41-amplification", "integer-proof", Kind.PROOF, Role.FOR, _amplification_steps()))
    ledger.add(Evidence("prop41-rarer-is-larger", "two-hard-groups", Kind.WITNESS, Role.AGAINST, _rarer_steps()))
    ledger.add(Evidence("masks-special-case", "no-mask-gives-grpo", Kind.WITNESS, Role.AGAINST, _mask_steps()))


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


def _rarer_steps() -> tuple[Step, ...]:
    return (
        Step(
            says="Groups of four at $K = 2/5$, both hard: one success is amplified 4/3 times with weight $u = "
            r"1/\sqrt3$, each of two successes twice with weight 1. The rarer success is amplified less.",
            check=partial(_rarer_is_smaller, rare=1, common=2),
            planted="the two groups exchanged",
            control=partial(_rarer_is_smaller, rare=2, common=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="For all $0 < p_1 < p_2 < 1$: $1/(1-p_1) < 1/(1-p_2)$ and $u(p_1)^2 < u(p_2)^2$. So the "
            "statement fails for every pair of hard groups, and both peak at the threshold.",
            check=partial(_increasing, weight=lambda p: p / (1 - p)),
            planted="v for u",
            control=partial(_increasing, weight=lambda p: (1 - p) / p),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $p \to 0$ the factor $1/(1-p)$ tends to 1 and $u(p)$ to 0.",
            check=partial(_limits, factor_limit=1),
            planted="the factor tends to 2",
            control=partial(_limits, factor_limit=2),
            generality=Generality.GENERAL,
        ),
    )


def _mask_steps() -> tuple[Step, ...]:
    return (
        Step(
            says="Group of three, one correct, $K = 2/5$: with nothing masked (POS-MASK on a hard group) the "
            r"weights are $(1/\sqrt2, \sqrt2)$, and GRPO's are $(\sqrt2/3, \sqrt2/3)$. No choice of masks "
            "makes them GRPO's, nor proportional to GRPO's.",
            check=partial(_no_mask_matches, num_correct=1, group_size=3),
            planted="p^ = 1/2, where they are proportional (factor 2)",
            control=partial(_no_mask_matches, num_correct=1, group_size=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For every $p \in (0,1)$ and $s = \sqrt{p(1-p)}$: $u > s > 0$ and $v > s > 0$, so none of "
            "$(u,v), (u,0), (0,v), (0,0)$ is $(s,s)$; and $u = v$ only at $p = 1/2$, where the factor is 2.",
            check=partial(_weights_exceed, larger=True),
            planted="u < s",
            control=partial(_weights_exceed, larger=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With nothing masked the shipped advantages are $(2R-1)/(\sigma+\varepsilon)$: POS-MASK on "
            "hard groups, NEG-MASK on easy ones. DAPO's advantages are GRPO's, so this refutes its case "
            "too.",
            check=partial(_unmasked, unmasked_rule=lambda hard: "pos_mask" if hard else "neg_mask"),
            planted="QAE's advantages",
            control=partial(_unmasked, unmasked_rule=lambda hard: "qae"),
            tie=True,
        ),
        Step(
            says="In every mixed group the gap $A_+ - A_-$ is then twice GRPO's and QAE's, so an ablation that "
            "unmasks a side changes the step size as well.",
            check=partial(_gap, factor=2),
            planted="the same gap",
            control=partial(_gap, factor=1),
            tie=True,
        ),
        Step(
            says=r"The expected gain $w$ doubles exactly at $G = 2$. At $G = 3$ it grows by $\frac32(1 + "
            "2p(1-p))$, between 3/2 and 9/4.",
            check=partial(_gain_ratio, doubled=False),
            planted="factor 2 at G = 3",
            control=partial(_gain_ratio, doubled=True),
            tie=True,
        ),
        Step(
            says=r"As $p \to 0$ only groups with one success count, and there the factor of $w$ is $G/(G-1)$, "
            "not 2: by the first term of the binomial sum, $A_+(m{=}1) - A_-(m{=}0)$.",
            check=partial(_rare_gain_ratio, lost=1),
            planted="G / (G - 2)",
            control=partial(_rare_gain_ratio, lost=2),
            tie=True,
        ),
    )


def _scale(num_correct: int, group_size: int, eps: Fraction, std: str = "population") -> Any:
    """The standard deviation of a binary group plus eps, as a SymPy number."""
    variance = Fraction(num_correct * (group_size - num_correct), group_size**2)
    if std == "bessel":
        variance *= Fraction(group_size, group_size - 1)
    root = sqrt(exact([variance])).item()
    return (rational(root) if isinstance(root, Fraction) else root) + rational(eps)


def _both_sides(num_correct: int, group_size: int, rule: str, eps: Fraction) -> tuple[Any, Any]:
    """The shipped objective with eps, and the shipped masked form."""
    rewards = binary_group(num_correct, group_size)
    ratios = exact([Fraction(17 + 3 * i, 20) for i in range(group_size)])
    a = advantages(rewards, rule, eps=eps)
    return group_objective(ratios, a, **CLIPS[0]), masked_objective(ratios, rewards, rule, **CLIPS[0])


def _factors_differ(*, other: int) -> Finding:
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
    largest = effort.pick(8, 5)
    residuals = []
    for m, size in mixed_groups(largest):
        for rule in RULES:
            for eps in EPS:
                left, right = _both_sides(m, size, rule, eps)
                sigma = _scale(m, size, Fraction(0), std)
                residuals.append(sympy.S(left) * (sigma + rational(eps)) - sympy.S(right) * sigma)
    return all_zero(residuals, sympy.radsimp)


def _variance_range(*, least: int) -> Finding:
    size, m = z3.Ints("G m")
    spread = m * (size - m)
    return valid(z3.And(spread >= size - least, 4 * spread <= size * size), m >= 1, m <= size - 1)


def _sizes(*, rare: int) -> Finding:
    findings = []
    for eps, middle, extreme in zip(EPS, ("2.0e-8", "2.0e-6", "2.0e-4"), ("4.1e-8", "4.1e-6", "4.1e-4"), strict=True):
        for m, quoted in ((8, middle), (rare, extreme)):
            rewards = binary_group(m, 16)
            with_eps, without = (sympy.S(advantages(rewards, "grpo", eps=e)[-1]) for e in (eps, 0))
            # The quoted numbers have two digits.
            width = f"0.05e{quoted[-2:]}"
            findings.append(
                close_to(1 - with_eps / without, quoted, f"1 - factor, m={m}, eps={float(eps)}", half_width=width)
            )
    return both(*findings)


def _bessel_constant(effort: Effort, *, upside_down: bool) -> Finding:
    largest = effort.pick(16, 8)
    cases = (
        (
            f"{rule}, m={m}, G={size}",
            advantages(binary_group(m, size), rule, std="bessel", eps=0),
            advantages(binary_group(m, size), rule, eps=0) * sqrt(exact([1 / constant if upside_down else constant])),
        )
        for m, size in mixed_groups(largest)
        for rule in RULES
        for constant in [Fraction(size - 1, size)]
    )
    return same(cases, f"all mixed groups of at most {largest}, four rules")


def _quotient(*, baseline: int) -> Finding:
    m, n = sympy.symbols("m n", positive=True)
    sigma, eps = sympy.symbols("sigma epsilon", positive=True)
    p = m / (m + n)
    qae, grpo = (1 - baseline) / (sigma + eps), (1 - p) / (sigma + eps)
    return all_zero([qae / grpo - 1 / (1 - p), qae / grpo - (m + n) / n])


def _at_least(*, fewest: int) -> Finding:
    size, m = z3.Ints("G m")
    # Cross-multiplied: G (G - 1) >= G (G - m), denominators positive.
    smaller, larger = size * (size - m), size * (size - 1)
    return valid(z3.And(larger >= smaller, (larger == smaller) == (m == 1)), size >= 2, m >= fewest, m <= size - 1)


def _at_most(*, easy: bool) -> Finding:
    s = group_symbols()
    hard = is_hard_group(SymbolicInt(s.num_correct), SymbolicInt(s.group_size), s.level)  # type: ignore[arg-type]
    wrong = s.group_size - s.num_correct
    # Cross-multiplied with K = p/q: G p <= (G - m) q; equality is m q = G (q - p).
    bound = s.group_size * s.numerator <= wrong * s.denominator
    tight = s.group_size * s.numerator == wrong * s.denominator
    threshold = s.num_correct * s.denominator == s.group_size * (s.denominator - s.numerator)
    regime = z3.Not(hard) if easy else hard
    return valid(z3.And(bound, tight == threshold), *s.domain, s.num_correct >= 1, wrong >= 1, regime)


def _shipped_quotient(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    largest = effort.pick(20, 10)
    cases = (
        (
            f"K={k}, m={m}, G={size}, {settings}",
            advantages(rewards, "qae", k=k, **settings)[-1] * Fraction(size - m, size),
            advantages(rewards, "grpo", **settings)[-1],
        )
        for m, size in mixed_groups(largest)
        for k in LEVELS
        if is_hard_group(m, size, level_of(k))
        for rewards in [binary_group(m, size)]
        for settings in ({"eps": 0}, {}, {"std": "bessel", "eps": EPS[2]})
    )
    return same(cases, f"all mixed hard groups of at most {largest}, four levels")


def _rarer_is_smaller(*, rare: int, common: int) -> Finding:
    factors, weights = [], []
    for m in (rare, common):
        rewards = binary_group(m, 4)
        factors.append(sympy.S(advantages(rewards, "qae", eps=0)[-1]) / sympy.S(advantages(rewards, "grpo", eps=0)[-1]))
        weights.append(sympy.S(query_weights(rewards, "qae").positive.item()))
    smaller = bool(factors[0] < factors[1]) and bool(weights[0] < weights[1])
    finding = for_all([(f"amplifications {factors}, weights {weights}", smaller)], "two hard groups")
    shown = {"K": "2/5", "G": "4"}
    for m, factor, weight in zip((rare, common), factors, weights, strict=True):
        shown |= {f"amplification at m = {m}": str(factor), f"u at m = {m}": str(weight)}
    return with_witness(finding, shown)


def _increasing(*, weight: Callable[[Any], Any]) -> Finding:
    p, q = z3.Reals("p_1 p_2")
    return valid(z3.And(1 / (1 - p) < 1 / (1 - q), weight(p) < weight(q)), p > 0, p < q, q < 1)


def _limits(*, factor_limit: int) -> Finding:
    p = sympy.symbols("p", positive=True)
    factor, weight = sympy.limit(1 / (1 - p), p, 0, "+"), sympy.limit(sympy.sqrt(p / (1 - p)), p, 0, "+")
    return all_zero([factor - factor_limit, weight])


def _no_mask_matches(*, num_correct: int, group_size: int) -> Finding:
    rewards = binary_group(num_correct, group_size)
    u, v = (side.item() for side in query_weights(rewards, "pos_mask", k="0.4"))
    grpo = [side.item() for side in query_weights(rewards, "grpo")]
    masks = {"none masked": (u, v), "wrong masked": (u, 0), "correct masked": (0, v), "both masked": (0, 0)}
    # Proportional to GRPO's weights, with a factor above 0, means a ratio of 1 between the sides.
    cases = [
        (f"{name}: {left}, {right}", bool(sympy.S(left) * grpo[1] != sympy.S(right) * grpo[0]) or left == 0)
        for name, (left, right) in masks.items()
    ]
    shown = {"K": "2/5", "R": str(tuple(int(r) for r in rewards)), "GRPO": str(tuple(map(str, grpo)))}
    return with_witness(for_all(cases, "four maskings"), {**shown, **{n: f"({a}, {b})" for n, (a, b) in masks.items()}})


def _weights_exceed(*, larger: bool) -> Finding:
    p, s = z3.Reals("p s")
    u, v = s / (1 - p), s / p
    known = (p > 0, p < 1, s > 0, s * s == p * (1 - p))
    named = valid(z3.And(u * u == p / (1 - p), v * v == (1 - p) / p, u > 0, v > 0), *known)  # u and v are the paper's
    exceed = valid(z3.And(u > s if larger else u < s, v > s), *known)
    half = valid(z3.And((u == v) == (p == z3.Q(1, 2)), z3.Implies(u == v, u == 2 * s)), *known)
    return both(named, exceed, half)


def _unmasked(effort: Effort, *, unmasked_rule: Callable[[bool], str]) -> Finding:
    largest = effort.pick(16, 8)
    cases = (
        (
            f"K={k}, m={m}, G={size}, {settings}",
            advantages(rewards, unmasked_rule(is_hard_group(m, size, k)), k=k, **settings),
            # GRPO gives a success (1 - p^)/sigma, which makes 1/sigma known.
            (2 * rewards - 1) * (advantages(rewards, "grpo", **settings)[-1] / Fraction(size - m, size)),
        )
        for m, size in mixed_groups(largest)
        for k in LEVELS
        for rewards in [binary_group(m, size)]
        for settings in ({"eps": 0}, {"std": "bessel", "eps": 0})
    )
    return same(cases, f"all mixed groups of at most {largest}, four levels")


def _gap(effort: Effort, *, factor: int) -> Finding:
    largest = effort.pick(16, 8)
    cases = []
    for m, size in mixed_groups(largest):
        for k in LEVELS:
            rewards = binary_group(m, size)
            unmasked = advantages(rewards, "pos_mask" if is_hard_group(m, size, k) else "neg_mask", k=k)
            for rule in ("grpo", "qae"):
                a = advantages(rewards, rule, **options(rule, k))
                cases.append((f"{rule}, K={k}, m={m}, G={size}", unmasked[-1] - unmasked[0], factor * (a[-1] - a[0])))
    return same(cases, f"all mixed groups of at most {largest}, four levels, eps 1e-6")


def _gain_ratio(*, doubled: bool) -> Finding:
    cases = []
    for p in (Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(9, 10)):
        for size, factor in ((2, Fraction(2)), (3, Fraction(3, 2) * (1 + 2 * p * (1 - p)))):
            # K below 1/G makes every mixed group hard, K above 1 - 1/G every one easy: nothing is masked.
            for rule, k in (("pos_mask", Fraction(1, 10)), ("neg_mask", Fraction(9, 10))):
                unmasked, grpo = (
                    expected_gain(p, size, rule, k=k, eps=0),
                    expected_gain(p, size, "grpo", eps=0),
                )
                cases.append((f"{rule}, p={p}, G={size}", _item(unmasked), (2 if doubled else factor) * _item(grpo)))
    return all_equal(cases, "G = 2 and 3, four success probabilities")


def _item(value: Any) -> Any:
    return np.asarray(value).item()


def _rare_gain_ratio(effort: Effort, *, lost: int) -> Finding:
    largest = effort.pick(64, 24)
    cases = []
    for size in range(3, largest + 1):
        first = [
            _item(table.correct[1] - table.wrong[0])
            for table in (
                outcome_advantages(size, "pos_mask", exact=True, k=Fraction(1, 2 * size), eps=0),
                outcome_advantages(size, "grpo", exact=True, eps=0),
            )
        ]
        cases.append((f"G={size}", first[0], first[1] * Fraction(size, size - lost)))
    return same(cases, f"G from 3 to {largest}")
