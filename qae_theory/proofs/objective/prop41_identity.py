"""Prove claim ``prop41-identity`` (Prop. 4.1): the group objective is a masked, re-weighted form of itself.

(1/G) sum_i f(x_i, A_i) = w_+ E_+[s^+] - w_- E_-[s^-] for all groups, ratios and clip ranges, at eps = 0. The shipped
clipped term runs on symbols (z3); SymPy does the weights for symbolic m and G. The shipped objectives are compared with
each other in ``prop41_identity_ties``.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.objective import prop41_identity_ties
from qae_theory.proofs.objective.clipping import (
    RULES,
    clip_domain,
    clip_symbols,
    clip_term,
    lower,
    numerators,
    upper,
    weights,
)
from qae_theory.proofs.tools.checking import all_zero, both, valid, valid_on_every_path


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*proof_steps(), *prop41_identity_ties.steps())
    ledger.add(Evidence("prop41-identity", "term-by-term-proof", Kind.PROOF, Role.FOR, steps))


def proof_steps() -> tuple[Step, ...]:
    """Return the proof, from one clipped term to the weights of a group."""
    return (
        Step(
            says="One term. The shipped `clipped_surrogate`, run on a symbolic ratio $x > 0$, advantage $A$ and "
            r"clip ranges, is $f(x, A) = A\,\min(x, 1+\varepsilon_{high})$ for $A \ge 0$ and $A\,\max(x, "
            r"1-\varepsilon_{low})$ for $A \le 0$: the other bound drops out. So $f$ is $A s^+$ on a "
            r"correct response and $A s^-$ on a wrong one whenever $A_+ \ge 0 \ge A_-$.",
            check=partial(_surrogate_splits, wrong_side=upper),
            planted="min for max on the wrong side",
            control=partial(_surrogate_splits, wrong_side=lower),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The sum over a group, by induction over its responses. If $\sum f = A_+ \sum s^+ + A_- \sum "
            "s^-$ and one response is added, correct or wrong, with any ratio, the same holds of the "
            "longer sums; the empty group starts it with $0 = 0$. The same induction over the tokens of a "
            r"response covers token means. It needs $A_+ \ge 0 \ge A_-$.",
            check=partial(_sum_grows, sign=1),
            planted="A- >= 0",
            control=partial(_sum_grows, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="The variance of $m$ ones and $n = G-m$ zeros around their mean $p = m/G$, divided by $G$, is "
            "$p(1-p)$; for a mixed group it is positive.",
            check=partial(_variance, lost=0),
            planted="Bessel: divided by G - 1",
            control=partial(_variance, lost=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At eps = 0 and times $\sqrt{p(1-p)}$ the advantages of correct and wrong responses are, by the "
            r"definitions and with $b = 0$ on hard and 1 on easy groups (`eq4-threshold`): GRPO $(1-p, -p)$; QAE "
            r"$(1, 0)$ on hard and $(0, -1)$ on easy groups; POS-MASK $(1, -1)$ and $(0, -1)$; NEG-MASK $(1, 0)$ and "
            r"$(1, -1)$. In every case $A_+ \ge 0 \ge A_-$, for all $0 < p < 1$.",
            check=partial(_signs_of_advantages, grpo_wrong=-1),
            planted="GRPO's A- is +p",
            control=partial(_signs_of_advantages, grpo_wrong=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So $\frac1G\sum_i f = \frac1G(A_+\, m\, E_+[s^+] + A_-\, n\, E_-[s^-])$, and with those "
            r"advantages this is $w_+E_+[s^+] - w_-E_-[s^-]$ with the weights $u = \sqrt{p/(1-p)}$, $v = "
            r"\sqrt{(1-p)/p}$, $\sqrt{p(1-p)}$ of the proposition: four rules, two regimes, symbolic $m$, "
            "$n$, $E_+$, $E_-$.",
            check=partial(_weights_follow, swap=False),
            planted="u and v exchanged",
            control=partial(_weights_follow, swap=True),
            generality=Generality.GENERAL,
        ),
    )


def _surrogate_splits(*, wrong_side: Any) -> Finding:
    """Find whether the shipped clipped term is A min(x, 1 + e_high) for A >= 0 and A max(x, 1 - e_low) for A <= 0."""
    x, a, low, high = clip_symbols()

    def goal(path: Path) -> Any:
        term = clip_term(x, a, low, high, path)
        positive = z3.Implies(a >= 0, term == a * lower(x, 1 + high))
        return z3.And(positive, z3.Implies(a <= 0, term == a * wrong_side(x, 1 - low)))

    return valid_on_every_path(goal, *clip_domain(x))


def _sum_grows(*, sign: int) -> Finding:
    """Find whether one more response keeps: sum of terms = A+ (sum of s+) + A- (sum of s-)."""
    x, _, low, high = clip_symbols()
    total, right, wrong, a_right, a_wrong = z3.Reals("S P N A_right A_wrong")
    # The hypothesis of the induction, for any sums so far.
    known = (total == a_right * right + a_wrong * wrong, a_right >= 0, sign * a_wrong <= 0)

    def add_correct(path: Path) -> Any:
        grown = total + clip_term(x, a_right, low, high, path)
        return grown == a_right * (right + lower(x, 1 + high)) + a_wrong * wrong

    def add_wrong(path: Path) -> Any:
        grown = total + clip_term(x, a_wrong, low, high, path)
        return grown == a_right * right + a_wrong * (wrong + upper(x, 1 - low))

    return both(*(valid_on_every_path(goal, *clip_domain(x), *known) for goal in (add_correct, add_wrong)))


def _variance(*, lost: int) -> Finding:
    """Find whether the variance of m ones and n zeros, divided by G - ``lost``, is p (1 - p)."""
    m, n = sympy.symbols("m n", positive=True)
    size = m + n
    p = m / size
    return all_zero([(m * (1 - p) ** 2 + n * p**2) / (size - lost) - p * (1 - p)])


def _signs_of_advantages(*, grpo_wrong: int) -> Finding:
    """Find whether A+ >= 0 >= A- for every rule and regime, and QAE's are R - b by definition."""
    p, reward, baseline = z3.Reals("p R b")
    findings = []
    for rule, hard in product(RULES, (True, False)):
        right, wrong = numerators(rule, hard, p)
        wrong = grpo_wrong * p if rule == "grpo" else wrong
        findings.append(valid(z3.And(right >= 0, wrong <= 0), p > 0, p < 1))
    # What QAE's are by definition: R - b, with b = 0 on hard and 1 on easy groups.
    for hard in (True, False):
        right, wrong = numerators("qae", hard, p)
        # By definition, not by the table: this ties the numerators to R - b.
        defined = z3.If(reward == 1, reward - baseline == right, reward - baseline == wrong)
        gate = baseline == (0 if hard else 1)
        findings.append(valid(defined, gate, z3.Or(reward == 0, reward == 1)))
    return both(*findings)


def _weights_follow(*, swap: bool) -> Finding:
    """Find whether (1/G)(A+ m E+ + A- n E-) = w+ E+ - w- E- for every rule and regime, with symbolic m and n."""
    m, n = sympy.symbols("m n", positive=True)
    mean_right, mean_wrong = sympy.symbols("E_right E_wrong")
    size = m + n
    p = m / size
    residuals = []
    for rule in RULES:
        for hard in (True, False):
            top_right, top_wrong = numerators(rule, hard, p)
            # Times sqrt(p (1 - p)) = sqrt(m n)/G are the numerators, so they are divided by it.
            left = (top_right * m * mean_right + top_wrong * n * mean_wrong) / size / sympy.sqrt(m * n) * size
            weight_right, weight_wrong = weights(rule, hard, 1 - p if swap else p)
            residuals.append(left - (weight_right * mean_right - weight_wrong * mean_wrong))
    return all_zero(residuals, sympy.simplify)
