"""Refute claim ``asymre-transition``, one surviving arm from every start above V_mu, and prove its rescue.

Above V_mu the flow a + c pi, c = V - V_mu > 0, drives responses apart, but equals stay equal. Where the most likely
response also has the largest mu (r - V), every gap to it grows without bound, for any number of arms (``-if``).
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.remedies.asymre_limit import flow_step, flow_tie, off_policy_direction
from qae_theory.proofs.tools.checking import all_zero, both, valid, with_witness
from qae_theory.proofs.tools.rational_policies import HALVES, THIRDS, Probs


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "asymre-transition-if"
    ledger.add(Evidence("asymre-transition", "equals-stay-equal", Kind.WITNESS, Role.AGAINST, (_witness(), _two())))
    proof = (flow_step(), *_gaps_grow(), flow_tie())
    ledger.add(Evidence(rescued, "gaps-grow", Kind.PROOF, Role.UNDER, proof))
    ledger.add(Evidence(rescued, "equals-stay-equal", Kind.WITNESS, Role.WITHOUT, (_witness(),)))


def _witness() -> Step:
    return Step(
        says=r"$\mu = (\frac12, \frac12)$, both responses right, $V = 2 > V_\mu = 1$, a uniform start: the shipped "
        r"expected direction has two equal entries, so $\pi$ never moves and no single response survives.",
        check=partial(_stays_uniform, behaviour=HALVES),
        planted="mu = (1/3, 2/3)",
        control=partial(_stays_uniform, behaviour=THIRDS),
        generality=Generality.GENERAL,
    )


def _two() -> Step:
    return Step(
        says=r"With two responses that is the only exception: the gap $\delta = z_1 - z_2$ moves at $(a_1-a_2) + "
        r"c\tanh\frac\delta2$, which grows with $\delta$. It has at most one zero, and a start on either side of it "
        r"moves away from it for ever.",
        check=partial(_one_rest_point, sign=1),
        planted="c < 0, the flow below V_mu",
        control=partial(_one_rest_point, sign=-1),
        generality=Generality.GENERAL,
    )


def _gaps_grow() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Let $a_i \ge a_j$ and $z_i - z_j = \delta_j \ge \delta_0 > 0$ for all $j \ne i$. Then "
            r"$\dot\delta_j = (a_i-a_j) + c(\pi_i-\pi_j) \ge c\,\pi_i(1 - e^{-\delta_j}) > 0$, as $\pi_j = "
            r"\pi_ie^{-\delta_j}$: no gap ever shrinks.",
            check=partial(_speed_of_gap, sign=1),
            planted="c < 0, the flow below V_mu",
            control=partial(_speed_of_gap, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The most likely of $n$ responses has $\pi_i \ge 1/n$, and $e^{-\delta_j} \le e^{-\delta_0}$. So "
            r"every gap grows at least at the constant rate $\frac cn(1-e^{-\delta_0})$, without bound.",
            check=partial(_constant_rate, least=1),
            planted="pi_i >= 2/n",
            control=partial(_constant_rate, least=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$1 - \pi_i \le \sum_{j\ne i}e^{-\delta_j} \le (n-1)e^{-\delta}$ for the smallest gap $\delta \to "
            r"\infty$: the limit is the one response $i$.",
            check=partial(_others_vanish, rate=1),
            planted="e^0 for e^-delta",
            control=partial(_others_vanish, rate=0),
            generality=Generality.GENERAL,
        ),
    )


def _stays_uniform(*, behaviour: Probs) -> Finding:
    """Find whether the expected direction at a uniform start has equal entries; show it."""
    direction = off_policy_direction(HALVES, behaviour, (1, 1), Fraction(2))
    equal = all_zero([direction[0] - direction[1]])
    shown = {
        "mu": f"({', '.join(map(str, behaviour))})",
        "r": "(1, 1)",
        "V": "2",
        "start": "(1/2, 1/2)",
        "expected direction": f"({', '.join(map(str, direction))})",
        "result": "the policy stays uniform",
    }
    return with_witness(equal, shown)


def _one_rest_point(*, sign: int) -> Finding:
    """Find whether the gap's speed is as stated and grows with the gap."""
    gap, spread, c = sympy.symbols("delta spread c", positive=True)
    first = 1 / (1 + sympy.exp(-gap))
    speed = spread + sign * c * (first - (1 - first))
    identity = all_zero(
        [speed - (spread + sign * c * sympy.tanh(gap / 2))], lambda e: sympy.simplify(e.rewrite(sympy.exp))
    )
    # tanh(delta/2) has the slope 2 p (1 - p), with p the first response's probability.
    slope = sympy.diff(2 * first - 1, gap) - 2 * first * (1 - first)
    p, rise = z3.Reals("p c")
    grows = valid(sign * rise * 2 * p * (1 - p) > 0, p > 0, p < 1, rise > 0)
    return both(grows, identity, all_zero([slope], sympy.simplify))


def _speed_of_gap(*, sign: int) -> Finding:
    """Find whether every gap to the leading arm grows at least at c pi_i (1 - e^-delta)."""
    lead, other, c, first, second, decay = z3.Reals("a_i a_j c pi_i pi_j decay")
    speed = (lead + sign * c * first) - (other + sign * c * second)
    known: tuple[Any, ...] = (lead >= other, c > 0, first > 0, decay > 0, decay < 1, second == first * decay)
    return valid(z3.And(speed >= c * first * (1 - decay), speed > 0), *known)


def _constant_rate(*, least: int) -> Finding:
    """Find whether pi_i >= least/n and the smallest gap give a constant rate."""
    c, n, first, rest, decay, bound = z3.Reals("c n pi_i rest decay bound")
    # The others are at most as likely as the leading one, n - 1 of them.
    largest = (first + rest == 1, rest <= (n - 1) * first, n >= 2, rest >= 0)
    share = valid(first >= least / n, *largest)
    rate = valid(
        c * first * (1 - decay) >= c / n * (1 - bound), c > 0, first >= 1 / n, n >= 2, decay <= bound, bound < 1
    )
    return both(share, rate)


def _others_vanish(*, rate: int) -> Finding:
    """Find whether (n - 1) e^-delta tends to 0, and bounds the others' probability."""
    gap = sympy.Symbol("delta", positive=True)
    limit = all_zero([sympy.limit(sympy.exp(-rate * gap), gap, sympy.oo)])
    p, ratio, arms, decay = z3.Reals("pi_i ratio n decay")
    # ratio is the sum of pi_j/pi_i over the n - 1 others.
    bound = valid(1 - p <= (arms - 1) * decay, p * (1 + ratio) == 1, ratio >= 0, ratio <= (arms - 1) * decay, arms >= 2)
    return both(limit, bound)
