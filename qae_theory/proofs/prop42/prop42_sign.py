"""Refute claim ``prop42-sign``: "explosion-proof" and "collapse-proof", read as signs of the entropy change, are false.

On a hard query QAE's entropy change can be positive, on an easy one negative. Two policies of two responses show it, by
the shipped functions on exact numbers; ball arithmetic tells the signs.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import sympy

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change
from qae_theory.proofs.tools.checking import all_equal, both, certainly_positive, with_witness
from qae_theory.proofs.tools.rational_policies import TENTHS, THIRDS, Probs, logs, number, population
from qae_theory.updates import update_direction

Arrange = Callable[[Probs], Probs]


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    claim = "prop42-sign"
    ledger.add(Evidence(claim, "hard-query-rises", Kind.WITNESS, Role.AGAINST, _steps(_as_given, hard=True)))
    ledger.add(Evidence(claim, "easy-query-falls", Kind.WITNESS, Role.AGAINST, _steps(_exchanged, hard=False)))


def _as_given(probs: Probs) -> Probs:
    """Return the probabilities as they are: a rare right response."""
    return probs


def _exchanged(probs: Probs) -> Probs:
    """Return the probabilities exchanged: a rare wrong response."""
    return probs[::-1]


def _steps(arrange: Arrange, *, hard: bool) -> tuple[Step, ...]:
    verb, query, b, sign = ("rises", "hard", 0, 1) if hard else ("falls", "easy", 1, -1)
    level = Fraction(2, 5) if hard else Fraction(3, 5)
    other = _exchanged if hard else _as_given
    thirds, tenths = (", ".join(map(str, arrange(probs))) for probs in (THIRDS, TENTHS))
    return (
        Step(
            says=rf"On this {query} query with $b_K={b}$ entropy {verb}: $\pi=({thirds})$ and $({tenths})$, "
            rf"$r=(1,0)$, at first order and at $\eta=1/10$ and $1$ (shipped functions on exact numbers, "
            rf"sign by ball arithmetic).",
            check=partial(_moves_entropy, sign=sign, arrange=arrange, query=query, baseline=b),
            planted="the two responses' probabilities exchanged",
            control=partial(_moves_entropy, sign=sign, arrange=other, query=query, baseline=b),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"At $K={level}$ both queries are {query}: the shipped `quantile_baseline` of a population "
            rf"with that $V$ is {b}.",
            check=partial(_regime_is, arrange=arrange, level=level, baseline=b),
            planted="1 - V for V",
            control=partial(_regime_is, arrange=other, level=level, baseline=b),
            generality=Generality.GENERAL,
        ),
    )


def _moves_entropy(*, sign: int, arrange: Arrange, query: str, baseline: int) -> Finding:
    """Find whether entropy moves with this sign, to first order and at two finite steps."""
    findings, shown = [], []
    for probs in (arrange(THIRDS), arrange(TENTHS)):
        z = logs(probs)
        d = update_direction(z, [1, 0], "uncentred", baseline=baseline)
        first = number(first_order_entropy_change(z, d))
        finite = [number(entropy_change(z, d, step)) for step in (Fraction(1, 10), Fraction(1))]
        for change in (first, *finite):
            findings.append(certainly_positive(sign * change, f"pi={probs[0]}, {probs[1]}"))
        shown.append(sympy.N(first, 8))
    probs = arrange(THIRDS)
    witness = {
        "pi": f"({probs[0]}, {probs[1]})",
        "r": "(1, 0)",
        "query": query,
        "b_K": str(baseline),
        "result": f"first-order change {shown[0]} nats per unit step",
    }
    return with_witness(both(*findings), witness)


def _regime_is(*, arrange: Arrange, level: Fraction, baseline: int) -> Finding:
    """Find whether the shipped quantile of a population with these success probabilities is the claimed baseline."""
    cases = []
    for probs in (arrange(THIRDS), arrange(TENTHS)):
        cases.append((f"V={probs[0]}", quantile_baseline(population(probs), level), baseline))
    return all_equal(cases, f"K = {level}")
