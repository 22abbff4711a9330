"""Refute claim ``prop42-sampled-group`` without standardisation too (the evidence named W3 and W4).

W3: with a constant baseline, expected entropy after a sampled step is in the reverse of the paper's order, at second
order. W4: given the group's regime, it is so at first order. The shipped expectations run on exact numbers; ball
arithmetic tells the signs.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from qae_theory.baselines import is_hard_group
from qae_theory.claims.model import Finding, Generality, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import (
    count_vectors,
    expected_entropy_change,
    finite_step_mean,
    multinomial_weights,
)
from qae_theory.proofs.carriers.formulas import expression, formulas
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    both,
    certainly_positive,
    close_to,
    rational,
    with_witness,
)
from qae_theory.proofs.tools.rational_policies import SEVENTHS, THIRDS, Probs, log_form, logs, number
from qae_theory.updates import update_direction

F = Fraction
# The policies that the claim quotes: a right response of probability 1/4 and 1/2 beside two equal wrong ones.
QUARTERS = (F(1, 4), F(3, 8), F(3, 8))
HALVES = (F(1, 2), F(1, 4), F(1, 4))


def constant_steps() -> tuple[Step, ...]:
    """Return the steps of W3: a constant baseline, at second order."""
    tens = (F(7, 10), F(3, 10))
    return (
        Step(
            says=r"No standardisation, a constant baseline, $G=2$, $\eta=1$ (`psr` is $b=0$, `nsr` is $b=1$). "
            r"Hard query, $\pi=(1/4,3/8,3/8)$, $r=(1,0,0)$: .0021493 at $b=0$, -.0177424 at $b=1$. Easy "
            r"query, $\pi=(7/10,3/10)$, $r=(1,0)$: -.0854124 at $b=0$, -.0880914 at $b=1$.",
            check=partial(
                _constant_values,
                cases=((QUARTERS, "0.0021493", "-0.0177424"), (tens, "-0.0854124", "-0.0880914")),
            ),
            planted="b = 0 and b = 1 exchanged",
            control=partial(
                _constant_values,
                cases=((QUARTERS, "-0.0177424", "0.0021493"), (tens, "-0.0880914", "-0.0854124")),
            ),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The order is the reverse of the paper's on both sides, $E[\Delta H(0)]>E[\Delta H(1)]$, also "
            r"where $V\le1-K$ makes $b_K=0$; two responses suffice on the hard side: $\pi=(1/7,6/7)$, "
            r"$G=2$, $\eta=1/4$; on the easy side $\pi=(2/3,1/3)$, $G=2$, $\eta=1/4$.",
            check=partial(_constant_order, sign=1),
            planted="the paper's order",
            control=partial(_constant_order, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At first order the constant baseline does nothing: with symbolic $b$, the mean over all "
            r"groups of the shipped first-order changes does not depend on $b$ ($n=2,3$, $G=2$).",
            check=partial(_first_order_is_free_of_b, hard_only=False),
            planted="hard groups only",
            control=partial(_first_order_is_free_of_b, hard_only=True),
            tie=True,
        ),
    )


def regime_steps() -> tuple[Step, ...]:
    """Return the steps of W4: a constant baseline given the group's regime, at first order."""
    return (
        Step(
            says=r"$\pi=(1/2,1/4,1/4)$, $r=(1,0,0)$, $G=2$, $K=2/5$, $\eta=1/10$, not standardised, averaged "
            r"over the hard groups, that is divided by $P(\mathrm{hard})=3/4$: -.00445 at $b=0$, -.00914 at "
            r"$b=1$, exact at this finite step.",
            check=partial(_regime_values, normalise=True),
            planted="not divided by P(hard)",
            control=partial(_regime_values, normalise=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"First order, given a hard group: $-\frac1{16}\log2$ and $-\frac18\log2$ per unit step "
            r"(-.00433 and -.00866 at $\eta=1/10$), from all groups through the shipped `update_direction`.",
            check=partial(_regime_first_order, values=(F(-1, 16), F(-1, 8))),
            planted="b = 0 and b = 1 exchanged",
            control=partial(_regime_first_order, values=(F(-1, 8), F(-1, 16))),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Two responses suffice: $\pi=(2/3,1/3)$, $r=(1,0)$, $G=2$, $K=1/3$, a hard query with hard "
            r"groups $m\le1$. The gap $z_1-z_2=\log2>0$ widens at $b=0$ by 0 ($m=0$) and $\eta/3$ ($m=1$), "
            r"at $b=1$ by $4\eta/3$ and $2\eta/3$ (shipped directions): more in each hard group, for every "
            r"$\eta>0$, and $H$ falls as the gap widens (W2).",
            check=partial(_regime_gap_steps, widen=((0, F(1, 3)), (F(4, 3), F(2, 3)))),
            planted="b = 0 and b = 1 exchanged",
            control=partial(_regime_gap_steps, widen=((F(4, 3), F(2, 3)), (0, F(1, 3)))),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Replay in ball arithmetic at $\eta=1/10$ and $1$, and of the easy mirror $\pi=(1/3,2/3)$, "
            r"$K=2/3$ at $\eta=1/10$, easy groups $m\ge1$: $b=1$ lies below $b=0$ there.",
            check=partial(_regime_order, sign=1),
            planted="the paper's order",
            control=partial(_regime_order, sign=-1),
            generality=Generality.GENERAL,
        ),
    )


def _constant_changes(probs: Probs, eta: Fraction) -> tuple[Any, Any]:
    """Return the expected changes at b = 0 and b = 1, not standardised; the first response is right."""
    z, r = logs(probs), [1] + [0] * (len(probs) - 1)
    # PSR is R - 0 and NSR R - 1, so the two are constant baselines.
    at_0, at_1 = (expected_entropy_change(z, r, 2, name, eta) for name in ("psr", "nsr"))
    return number(at_0), number(at_1)


def _constant_values(*, cases: tuple[tuple[Probs, str, str], ...]) -> Finding:
    """Find whether the expected changes at b = 0 and b = 1 are the quoted ones."""
    findings = []
    for probs, *quoted in cases:
        for value, expected in zip(_constant_changes(probs, F(1)), quoted, strict=True):
            # Half a unit of the last quoted digit.
            findings.append(close_to(value, expected, f"pi={probs[0]}, ...", half_width="0.00000005"))
    return both(*findings)


def _constant_order(*, sign: int) -> Finding:
    """Find whether b = 0 raises expected entropy more than b = 1 on four queries; show the one of two responses."""
    cases = (
        (QUARTERS, F(1)),
        ((F(7, 10), F(3, 10)), F(1)),
        (SEVENTHS, F(1, 4)),
        (THIRDS[::-1], F(1, 4)),
    )
    findings = []
    for probs, eta in cases:
        at_0, at_1 = _constant_changes(probs, eta)
        findings.append(certainly_positive(sign * (at_0 - at_1), f"pi=({', '.join(map(str, probs))})"))
    at_0, at_1 = _constant_changes(SEVENTHS, F(1, 4))
    witness = {
        "pi": "(1/7, 6/7)",
        "r": "(1, 0)",
        "G": "2",
        "eta": "1/4",
        "query": "hard for K <= 6/7, b_K = 0",
        "b = 0": str(sympy.N(at_0, 8)),
        "b = 1": str(sympy.N(at_1, 8)),
        "result": "b_K = 0 raises expected entropy more than b = 1",
    }
    return with_witness(both(*findings), witness)


def _first_order_is_free_of_b(*, hard_only: bool) -> Finding:
    """Find whether the mean first-order change over groups does not depend on b."""
    b = sympy.Symbol("b", real=True)
    # Given hard groups only, the baseline does act: that is the control.
    level = F(2, 5) if hard_only else None
    slopes = [sympy.diff(_mean_first_order(probs, b, level), b) for probs in (THIRDS, HALVES)]
    return all_zero(slopes, log_form)


def _mean_first_order(probs: Probs, b: Any, hard_level: Fraction | None) -> Any:
    """Return the mean first-order change over groups of two, over the hard ones only where a level is given."""
    z, total = logs(probs), sympy.Integer(0)
    for group in itertools.product(range(len(probs)), repeat=2):
        right = sum(y == 0 for y in group)
        if hard_level is not None and not is_hard_group(right, 2, hard_level):
            continue
        a = formulas(int(y == 0) - b for y in group)
        d = update_direction(z, [0] * len(probs), "sampled_group", responses=list(group), advantages=a)
        # Groups are ordered, and their responses independent.
        total += math.prod(rational(probs[y]) for y in group) * expression(first_order_entropy_change(z, d))
    return total


def _regime_changes(probs: Probs, k: Fraction, eta: Any, *, hard: bool, normalise: bool = True) -> tuple[Any, Any]:
    """Return E[dH(b) | regime] at b = 0 and b = 1, or E[dH(b); regime]; G = 2, not standardised."""
    z, counts = logs(probs), count_vectors(len(probs), 2)
    r = np.array([F(1)] + [F(0)] * (len(probs) - 1), dtype=object)
    # The first response is the right one, so that its count is m.
    chosen = np.array([[F(int(is_hard_group(int(row[0]), 2, k) == hard))] for row in counts], dtype=object)
    mass = (multinomial_weights(z, counts) * chosen[:, 0]).sum() if normalise else 1
    at_0, at_1 = (number(finite_step_mean(z, counts, chosen * (r - F(b)), eta)) / mass for b in (0, 1))
    return at_0, at_1


def _regime_values(*, normalise: bool) -> Finding:
    """Find whether the expected changes given a hard group are the quoted ones."""
    values = _regime_changes(HALVES, F(2, 5), F(1, 10), hard=True, normalise=normalise)
    findings = []
    for b, (value, quoted) in enumerate(zip(values, ("-0.00445", "-0.00914"), strict=True)):
        # Half a unit of the last quoted digit.
        findings.append(close_to(value, quoted, f"b={b}", half_width="0.000005"))
    return both(*findings)


def _regime_first_order(*, values: tuple[Fraction, Fraction]) -> Finding:
    """Find whether the first-order changes given a hard group are these multiples of log 2."""
    # P(hard): every group of two but the one with two right responses, of probability 1/4.
    mass = sympy.Rational(3, 4)
    residuals = []
    for b, value in enumerate(values):
        mean = _mean_first_order(HALVES, sympy.Integer(b), F(2, 5)) / mass
        residuals.append(mean - rational(value) * sympy.log(2))
    return all_zero(residuals, log_form)


def _regime_gap_steps(*, widen: tuple[tuple[Any, Any], tuple[Any, Any]]) -> Finding:
    """Find whether the shipped steps widen the gap of two responses by these amounts in each hard group."""
    z = logs(THIRDS[::-1])
    cases = []
    for b, gaps in enumerate(widen):
        for right, gap in enumerate(gaps):
            group = [0] * right + [1] * (2 - right)
            # R - b without standardisation.
            a = [F(int(y == 0) - b) for y in group]
            d = update_direction(z, [1, 0], "sampled_group", responses=group, advantages=np.array(a, dtype=object))
            cases.append((f"b={b}, m={right}", d[0] - d[1], rational(gap)))
    # The regime of each group by the shipped gate: the claim is about hard ones.
    cases.append(("m = 2 is easy", is_hard_group(2, 2, F(1, 3)), False))
    cases.append(("m = 1 is hard", is_hard_group(1, 2, F(1, 3)), True))
    return all_equal(cases, "the hard groups")


def _regime_order(*, sign: int) -> Finding:
    """Find whether b = 0 leaves expected entropy above b = 1 given a hard group, or an easy one in the mirror image."""
    hard = _regime_changes(THIRDS[::-1], F(1, 3), F(1, 10), hard=True)
    large = _regime_changes(THIRDS[::-1], F(1, 3), F(1), hard=True)
    easy = _regime_changes(THIRDS, F(2, 3), F(1, 10), hard=False)
    findings = (certainly_positive(sign * (at_0 - at_1), "b=0 above b=1") for at_0, at_1 in (hard, large, easy))
    witness = {
        "pi": "(2/3, 1/3)",
        "r": "(1, 0)",
        "G": "2",
        "K": "1/3",
        "eta": "1/10",
        "b = 0": str(sympy.N(hard[0], 8)),
        "b = 1": str(sympy.N(hard[1], 8)),
        "result": "given a hard group, b_K = 0 leaves expected entropy higher than b = 1",
    }
    return with_witness(both(*findings), witness)
