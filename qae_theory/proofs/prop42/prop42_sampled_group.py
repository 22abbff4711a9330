"""Refute claim ``prop42-sampled-group``, that Prop. 4.2's order holds for the step that a trainer takes.

That step is d = (1/G) sum_i A_i (e_y - pi) on a sampled group. With two responses and G = 2 QAE raises expected entropy
more than GRPO on hard groups, and lowers it more on easy ones: the reverse of the paper's order. Each example is
replayed through the shipped expectation, which is first compared with a sum over all n^G groups. The two without
standardisation are in ``prop42_sampled_group_constant``; the general order is in ``sampled_sign_law``.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import (
    count_vectors,
    expected_entropy_change,
    finite_step_mean,
    multinomial_weights,
)
from qae_theory.proofs.carriers.formulas import expression, expressions, formulas
from qae_theory.proofs.prop42.prop42_sampled_group_constant import constant_steps, regime_steps
from qae_theory.proofs.prop42.prop42_sampled_group_ties import group_step_by_definition, is_sum_over_groups
from qae_theory.proofs.tools.checking import (
    all_zero,
    both,
    certainly_positive,
    close_to,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.rational_policies import TENTHS, THIRDS, Probs, logs, number
from qae_theory.softmax import entropy
from qae_theory.updates import update_direction

F = Fraction


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # W1 to W4 are the names that the claim's text gives its counterexamples.
    for name, steps in (
        ("W1-standardised-hard", _hard_steps()),
        ("W2-standardised-easy", _easy_steps()),
        ("W3-constant-baseline", constant_steps()),
        ("W4-given-the-regime", regime_steps()),
    ):
        ledger.add(Evidence("prop42-sampled-group", name, Kind.WITNESS, Role.AGAINST, steps))


def _hard_steps() -> tuple[Step, ...]:
    """Return W1: on a hard group QAE raises entropy more than GRPO."""
    return (
        Step(
            says=r"What is replayed: the shipped `expected_entropy_change`, exact and in floating point, is the "
            r"sum over all $n^G$ groups of their probability times $H(\mathrm{softmax}(z+\eta d))-H(\pi)$, "
            r"for $n=1..4$ and small $G$, six estimators. The sum is written here from the definitions, in "
            r"ball arithmetic of 60 digits.",
            check=partial(is_sum_over_groups, qae_baseline="quantile"),
            planted="mean for quantile",
            control=partial(is_sum_over_groups, qae_baseline="mean"),
            tie=True,
        ),
        Step(
            says=r"The shipped `update_direction` is the same step for `sampled_group` as the definition, and "
            r"refuses what would count a baseline twice or not at all.",
            check=partial(group_step_by_definition, centre=1),
            planted=r"$e_y+\pi$ for $e_y-\pi$",
            control=partial(group_step_by_definition, centre=-1),
            tie=True,
        ),
        _gap_step_step("2/5", "hard", "1-p"),
        _slope_step(),
        _monotone_step(below=True),
        Step(
            says=r"With $L=\log((1-p)/p)$, $p<1/2$ and $0<\eta\le L/(2(1-p))$ the gaps after the step are in "
            r"order (z3): $-L<-L+2p\eta<-L+\eta<-L+2(1-p)\eta\le0$. As $H$ increases there and the weight "
            r"$2p(1-p)$ is common, $E[\Delta H(\mathrm{QAE})]>E[\Delta H(\mathrm{GRPO})]>E[\Delta "
            r"H(b=1)]>0$: on a hard group QAE raises entropy more. At $p=1/10$ this is every "
            r"$\eta\le(\log9)/1.8$.",
            check=partial(_hard_gaps_in_order, widest="1-p"),
            planted="p for 1-p in the range of the step size",
            control=partial(_hard_gaps_in_order, widest="p"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replay at $\pi=(1/10,9/10)$, $r=(1,0)$, $G=2$, $K=2/5$, $\eta=1/10$: .0065956 (QAE), .0036192 "
            r"(GRPO), .0007143 ($b=1$).",
            check=partial(_standardised_values, probs=TENTHS, k="2/5", quoted=("0.0065956", "0.0036192", "0.0007143")),
            planted="QAE and GRPO exchanged",
            control=partial(
                _standardised_values, probs=TENTHS, k="2/5", quoted=("0.0036192", "0.0065956", "0.0007143")
            ),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replay of the order in ball arithmetic, at $\pi=(1/10,9/10)$ and at the smallest policy "
            r"$(1/3,2/3)$, for $\eta=1/10$, $1/2$ and the largest of the range.",
            check=partial(_standardised_order, policies=(THIRDS, TENTHS), k="2/5", sign=1),
            planted="the paper's order: QAE below GRPO",
            control=partial(_standardised_order, policies=(THIRDS, TENTHS), k="2/5", sign=-1),
            generality=Generality.GENERAL,
        ),
    )


def _easy_steps() -> tuple[Step, ...]:
    """Return W2: on an easy group QAE lowers entropy more than GRPO."""
    mirrored = (THIRDS[::-1], TENTHS[::-1])
    return (
        _gap_step_step("3/5", "easy", "p"),
        _slope_step(),
        _monotone_step(below=False),
        Step(
            says=r"With $L=\log(p/(1-p))$, $p>1/2$ and any $\eta>0$ the gaps after the step are in order (z3): "
            r"$0<L<L+2(1-p)\eta<L+\eta<L+2p\eta$. As $H$ decreases there, $E[\Delta "
            r"H(\mathrm{QAE})]<E[\Delta H(\mathrm{GRPO})]<E[\Delta H(b=0)]<0$: on an easy group QAE lowers "
            r"entropy more, at every step size.",
            check=partial(_easy_gaps_in_order, likelier=True),
            planted="p < 1/2",
            control=partial(_easy_gaps_in_order, likelier=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replay at $\pi=(9/10,1/10)$, $r=(1,0)$, $G=2$, $K=3/5$, $\eta=1/10$: -.0062000 (QAE), "
            r"-.0034966 (GRPO), -.0007094 ($b=0$).",
            check=partial(
                _standardised_values,
                probs=TENTHS[::-1],
                k="3/5",
                quoted=("-0.0062000", "-0.0034966", "-0.0007094"),
            ),
            planted="QAE and GRPO exchanged",
            control=partial(
                _standardised_values,
                probs=TENTHS[::-1],
                k="3/5",
                quoted=("-0.0034966", "-0.0062000", "-0.0007094"),
            ),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replay of the order in ball arithmetic, at $\pi=(9/10,1/10)$ and at the smallest policy "
            r"$(2/3,1/3)$.",
            check=partial(_standardised_order, policies=mirrored, k="3/5", sign=-1),
            planted="the paper's order: QAE above GRPO",
            control=partial(_standardised_order, policies=mirrored, k="3/5", sign=1),
            generality=Generality.GENERAL,
        ),
    )


def _gap_step_step(k: str, regime: str, qae: str) -> Step:
    """Return the step on how far each rule's step moves the logit gap of two responses."""
    other = {"2/5": "3/5", "3/5": "2/5"}[k]
    return Step(
        says=rf"Two responses, $\pi=(p,1-p)$ with symbolic $p$, $r=(1,0)$, $G=2$, $K={k}$, population std, eps = "
        rf"0. The two equal groups do not move; the mixed ones, of probability $2p(1-p)$, are {regime}, and "
        rf"move the gap $z_1-z_2$ per unit step by $2({qae})$ (QAE), $1$ (GRPO), $2(1-p)$ ($b=0$) and $2p$ "
        rf"($b=1$). All from the shipped functions.",
        check=partial(_gap_steps, k=k, qae=qae),
        planted=f"K = {other}, the other regime",
        control=partial(_gap_steps, k=other, qae=qae),
        generality=Generality.GENERAL,
    )


def _slope_step() -> Step:
    return Step(
        says=r"The shipped entropy of two responses with gap $g$ has slope $H'(g)=-g\,e^g/(1+e^g)^2$ (SymPy "
        r"derivative, and the shipped `first_order_entropy_change`).",
        check=partial(_entropy_slope, sign=-1),
        planted="the sign of the slope",
        control=partial(_entropy_slope, sign=1),
        generality=Generality.GENERAL,
    )


def _monotone_step(*, below: bool) -> Step:
    """Return the step on which way the entropy of two responses goes with their gap."""
    side, word = ("g<0", "positive") if below else ("g>0", "negative")
    verb = "increases for $g\\le0$" if below else "decreases for $g\\ge0$"
    return Step(
        says=rf"This slope is {word} for ${side}$, and a function with a slope of one sign is strictly monotone "
        rf"(mean value theorem): $H$ {verb}. Replayed on neighbouring gaps in ball arithmetic.",
        check=partial(_entropy_monotone, side=-1 if below else 1, sign=1),
        planted="the opposite direction",
        control=partial(_entropy_monotone, side=-1 if below else 1, sign=-1),
        citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 5.11",
    )


def _gap_steps(*, k: str, qae: str) -> Finding:
    """Find whether the shipped steps of the mixed group move the logit gap as claimed, with symbolic p."""
    p = sympy.Symbol("p", positive=True)
    z = formulas([sympy.log(p), sympy.log(1 - p)])
    r = np.array([F(1), F(0)], dtype=object)
    rules = {
        "qae": (advantages(r, "qae", k=k, eps=0), 2 * {"p": p, "1-p": 1 - p}[qae]),
        "grpo": (advantages(r, "grpo", eps=0), 1),
        # The std of a mixed group of two is 1/2, which makes the standardised advantages R - b twice as large.
        "b=0": (2 * r, 2 * (1 - p)),
        "b=1": (2 * r - 2, 2 * p),
    }
    residuals = [
        # Equal groups have no advantages: only the mixed one moves.
        advantages([F(1), F(1)], "qae", k=k, eps=0).sum(),
        advantages([F(0), F(0)], "grpo", eps=0).sum(),
    ]
    for a, gap in rules.values():
        first, second = expressions(update_direction(z, r, "sampled_group", responses=[0, 1], advantages=a))
        residuals.append(first - second - gap)
    weights = expressions(multinomial_weights(z, count_vectors(2, 2)))
    # Count vectors in the order (0, 2), (1, 1), (2, 0).
    residuals += [weights[0] - (1 - p) ** 2, weights[1] - 2 * p * (1 - p), weights[2] - p**2]
    return all_zero(residuals)


def _entropy_slope(*, sign: int) -> Finding:
    """Find whether the entropy of two responses has the slope -g e^g / (1 + e^g)^2 in the gap g."""
    g = sympy.Symbol("g", real=True)
    z = formulas([g, 0])
    # With the second logit at 0 the gap is the first logit.
    slope = sign * g * sympy.exp(g) / (1 + sympy.exp(g)) ** 2
    shipped = expression(first_order_entropy_change(z, [1, 0]))
    return all_zero([sympy.diff(expression(entropy(z)), g) - slope, shipped - slope], sympy.simplify)


def _entropy_monotone(effort: Effort, *, side: int, sign: int) -> Finding:
    """Find whether the entropy of two responses falls from each gap to the next, going away from 0."""
    points = [sympy.Rational(side * i, 4) for i in range(effort.pick(60, 16))]
    heights = [number(entropy(np.array([g, sympy.Integer(0)], dtype=object))) for g in points]
    # `points` leave 0, so that H falls from each to the next.
    falls = [certainly_positive(sign * (near - far), "H") for near, far in itertools.pairwise(heights)]
    finding = both(*falls)
    return finding if not finding.passed else Finding(True, finding.criterion, f"{len(falls)} neighbouring gaps")


def _hard_gaps_in_order(*, widest: str) -> Finding:
    """Find whether the gaps after the step on a hard group are in order and do not cross 0."""
    p, width, eta = z3.Reals("p L eta")
    # The largest of the four pushes, which must not carry the gap beyond 0.
    limit = 2 * (1 - p if widest == "1-p" else p)
    after = [-width, -width + 2 * p * eta, -width + eta, -width + 2 * (1 - p) * eta]
    ordered = [left < right for left, right in itertools.pairwise(after)]
    return valid(z3.And(*ordered, after[-1] <= 0), p > 0, p < 1 - p, width > 0, eta > 0, eta * limit <= width)


def _easy_gaps_in_order(*, likelier: bool) -> Finding:
    """Find whether the gaps after the step on an easy group are in order, all above 0."""
    p, width, eta = z3.Reals("p L eta")
    # On an easy group every push goes away from 0, at any step size.
    after = [0, width, width + 2 * (1 - p) * eta, width + eta, width + 2 * p * eta]
    ordered = [left < right for left, right in itertools.pairwise(after)]
    side = p > 1 - p if likelier else p < 1 - p
    return valid(z3.And(*ordered), p > 0, p < 1, side, width > 0, eta > 0)


def _standardised(probs: Probs, k: str, eta: Any) -> tuple[Any, Any, Any]:
    """Return the expected changes of QAE, of GRPO and of the other baseline, 1 - b_K; G = 2, standardised."""
    z, r = logs(probs), np.array([F(1), F(0)], dtype=object)
    named = (
        expected_entropy_change(z, r, 2, "qae", eta, k=k, eps=0),
        expected_entropy_change(z, r, 2, "grpo", eta, eps=0),
    )
    b = 1 if is_hard_group(1, 2, F(k)) else 0
    counts = count_vectors(2, 2)
    # Standardised, a group of equal rewards has no advantages.
    mixed = np.array([[F(int(min(row) > 0))] for row in counts], dtype=object)
    other = finite_step_mean(z, counts, mixed * 2 * (r - F(b)), eta)
    return number(named[0]), number(named[1]), number(other)


def _standardised_values(*, probs: Probs, k: str, quoted: tuple[str, ...]) -> Finding:
    """Find whether the expected changes of QAE, GRPO and the other baseline are the quoted ones."""
    values = _standardised(probs, k, F(1, 10))
    names = ("QAE", "GRPO", "the other end")
    # Half a unit of the last quoted digit.
    return both(*(close_to(v, q, n, half_width="0.00000005") for v, q, n in zip(values, quoted, names, strict=True)))


def _standardised_order(*, policies: tuple[Probs, ...], k: str, sign: int) -> Finding:
    """Find whether the three expected changes are in the claimed order, for several policies and steps."""
    findings = []
    for probs in policies:
        # The largest step of the proof's range is log(q/p)/(2q), at which the gap just reaches 0.
        p, q = sorted(rational(x) for x in probs)
        for eta in (sympy.Rational(1, 10), sympy.Rational(1, 2), sympy.log(q / p) / (2 * q)):
            own, mean, other = _standardised(probs, k, eta)
            # The whole chain of inequalities, down to a change of 0.
            for gap in (own - mean, mean - other, other):
                findings.append(certainly_positive(sign * gap, f"{probs[0]}, {eta}"))
    own, mean, other = _standardised(policies[0], k, F(1, 2))
    regime = "hard" if is_hard_group(1, 2, F(k)) else "easy"
    witness = {
        "pi": f"({policies[0][0]}, {policies[0][1]})",
        "r": "(1, 0)",
        "G": "2",
        "K": k,
        "eta": "1/2",
        "mixed group": f"{regime}, b_K = {0 if regime == 'hard' else 1}",
        "QAE": str(sympy.N(own, 8)),
        "GRPO": str(sympy.N(mean, 8)),
        f"b = {1 if regime == 'hard' else 0}": str(sympy.N(other, 8)),
        "result": f"QAE {'raises' if regime == 'hard' else 'lowers'} expected entropy more than GRPO",
    }
    return with_witness(both(*findings), witness)
