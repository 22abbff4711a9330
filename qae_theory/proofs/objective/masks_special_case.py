"""Refute claim ``masks-special-case``, that some choice of masks makes the masked objective GRPO's or DAPO's.

With nothing masked the weights are (u, v), GRPO's are (s, s), and u = v at p = 1/2 only, where u = 2 s. A group of
three is the example; z3 and SymPy decide the rest for all p, G; ties compare the shipped weights, advantages and gains.
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
from qae_theory.group_expectation import gain, outcome_advantages
from qae_theory.objective import query_weights
from qae_theory.proofs.carriers.formulas import expression, expression_of, scalar
from qae_theory.proofs.objective.clipping import options
from qae_theory.proofs.tools.checking import all_zero, both, for_all, rational, valid, with_witness
from qae_theory.proofs.tools.groups import LEVELS, binary_group, mixed_groups, same


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("masks-special-case", "no-mask-gives-grpo", Kind.WITNESS, Role.AGAINST, _mask_steps()))


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
            says=r"In every mixed group the gap $A_+ - A_-$ is then $2/\sigma$, twice GRPO's $((1-p) + p)/\sigma$ "
            r"and QAE's $1/\sigma$, so an ablation that unmasks a side changes the step size as well.",
            check=partial(_gap, factor=2),
            planted="the same gap",
            control=partial(_gap, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: so it is for the shipped advantages of every mixed group up to a size.",
            check=partial(_shipped_gap, factor=2),
            planted="the same gap",
            control=partial(_shipped_gap, factor=1),
            tie=True,
        ),
        Step(
            says=r"The expected gain $w$ doubles exactly at $G = 2$. At $G = 3$ it grows by $\frac32(1 + 2p(1-p))$, "
            r"between 3/2 and 9/4, for every $p$ (the shipped `gain` of the shipped tables, symbolic $p$).",
            check=partial(_gain_ratio, doubled=False),
            planted="factor 2 at G = 3",
            control=partial(_gain_ratio, doubled=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $p \to 0$ only groups with one success count, and there the factor of $w$ is $G/(G-1)$, not 2: "
            r"by the first term of the binomial sum, $A_+(m{=}1) - A_-(m{=}0)$, which is $1/\sigma$ against "
            r"$(1-1/G)/\sigma$.",
            check=partial(_rare_gain_ratio, lost=1),
            planted="G / (G - 2)",
            control=partial(_rare_gain_ratio, lost=2),
            generality=Generality.GENERAL,
        ),
    )


def _no_mask_matches(*, num_correct: int, group_size: int) -> Finding:
    """Find whether none of the four maskings of a group has weights proportional to GRPO's."""
    rewards = binary_group(num_correct, group_size)
    u, v = (side.item() for side in query_weights(rewards, "pos_mask", k="0.4"))
    grpo = [side.item() for side in query_weights(rewards, "grpo")]
    masks = {"none masked": (u, v), "wrong masked": (u, 0), "correct masked": (0, v), "both masked": (0, 0)}
    cases = []
    shown = {"K": "2/5", "R": str(tuple(int(r) for r in rewards)), "GRPO": str(tuple(map(str, grpo)))}
    for name, (left, right) in masks.items():
        # Proportional to GRPO's weights, with a factor above 0, means a ratio of 1 between the sides.
        differs = bool(sympy.S(left) * grpo[1] != sympy.S(right) * grpo[0]) or left == 0
        cases.append((f"{name}: {left}, {right}", differs))
        shown[name] = f"({left}, {right})"
    return with_witness(for_all(cases, "four maskings"), shown)


def _weights_exceed(*, larger: bool) -> Finding:
    """Find whether u and v both exceed s, and are equal at p = 1/2 only, where they are 2 s."""
    p, s = z3.Reals("p s")
    # u and v are rational in p and s, which z3 decides; the step below names them as the paper's square roots.
    u, v = s / (1 - p), s / p
    known = (p > 0, p < 1, s > 0, s * s == p * (1 - p))
    named = valid(z3.And(u * u == p / (1 - p), v * v == (1 - p) / p, u > 0, v > 0), *known)  # u and v are the paper's
    exceed = valid(z3.And(u > s if larger else u < s, v > s), *known)
    # u = v is the only way in which (u, v) could be proportional to (s, s).
    half = valid(z3.And((u == v) == (p == z3.Q(1, 2)), z3.Implies(u == v, u == 2 * s)), *known)
    return both(named, exceed, half)


def _unmasked(effort: Effort, *, unmasked_rule: Callable[[bool], str]) -> Finding:
    """Find whether the shipped advantages with nothing masked are (2R - 1)/sigma."""
    largest = effort.pick(16, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, std in product(mixed_groups(largest), LEVELS, ("population", "bessel")):
            rewards, rule = binary_group(m, size), unmasked_rule(is_hard_group(m, size, k))
            # GRPO gives a success (1 - p^)/sigma, which makes 1/sigma known.
            inverse = advantages(rewards, "grpo", std=std, eps=0)[-1] / Fraction(size - m, size)
            shipped = advantages(rewards, rule, k=k, std=std, eps=0)
            yield f"K={k}, m={m}, G={size}, {std}", shipped, (2 * rewards - 1) * inverse

    return same(cases(), f"all mixed groups of at most {largest}, four levels")


def _gap(*, factor: int) -> Finding:
    """Find whether A+ - A- is ``factor`` times GRPO's and QAE's in either regime, with nothing masked."""
    p, sigma = sympy.symbols("p sigma", positive=True)
    unmasked = (1 - (-1)) / sigma
    # A+ - A- of each rule, from its advantages in either regime.
    grpo, qae_hard, qae_easy = ((1 - p) - (-p)) / sigma, (1 - 0) / sigma, (0 - (-1)) / sigma
    return all_zero([unmasked - factor * gap for gap in (grpo, qae_hard, qae_easy)])


def _shipped_gap(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped advantages of every mixed group up to a size have that gap."""
    largest = effort.pick(16, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, rule in product(mixed_groups(largest), LEVELS, ("grpo", "qae")):
            rewards = binary_group(m, size)
            unmasked = advantages(rewards, "pos_mask" if is_hard_group(m, size, k) else "neg_mask", k=k)
            a = advantages(rewards, rule, **options(rule, k))
            yield f"{rule}, K={k}, m={m}, G={size}", unmasked[-1] - unmasked[0], factor * (a[-1] - a[0])

    return same(cases(), f"all mixed groups of at most {largest}, four levels, eps 1e-6")


def _gain_ratio(*, doubled: bool) -> Finding:
    """Find whether the expected gain doubles at G = 2, and grows by 3/2 (1 + 2 p (1 - p)) at G = 3."""
    p = sympy.Symbol("p", positive=True)
    residuals = []
    for size, factor in ((2, sympy.Integer(2)), (3, sympy.Rational(3, 2) * (1 + 2 * p * (1 - p)))):
        grpo = expression(gain(scalar(p), outcome_advantages(size, "grpo", exact=True, eps=0)))
        # K below 1/G makes every mixed group hard, K above 1 - 1/G every one easy: nothing is masked.
        for rule, k in (("pos_mask", Fraction(1, 10)), ("neg_mask", Fraction(9, 10))):
            unmasked = expression(gain(scalar(p), outcome_advantages(size, rule, exact=True, k=k, eps=0)))
            residuals.append(unmasked - (2 if doubled else factor) * grpo)
    return all_zero(residuals, sympy.expand)


def _rare_gain_ratio(*, lost: int) -> Finding:
    """Find whether the gain of rare successes grows by the factor G/(G - 1)."""
    size, sigma = sympy.symbols("G sigma", positive=True)
    # sigma is that of the group with one success, on both sides of the quotient.
    unmasked, grpo = 1 / sigma, (1 - 1 / size) / sigma
    tied = []
    for n in range(3, 9):
        pos_mask = outcome_advantages(n, "pos_mask", exact=True, k=Fraction(1, 2 * n), eps=0)
        mean = outcome_advantages(n, "grpo", exact=True, eps=0)
        # Only m = 1 for a correct response and m = 0 for a wrong one are left in the limit.
        first, other = (expression_of(t.correct[1] - t.wrong[0]) for t in (pos_mask, mean))
        tied.append(first - other * rational(Fraction(n, n - 1)))
    return both(all_zero([unmasked - grpo * size / (size - lost)]), all_zero(tied, sympy.expand))
