"""Refute claim ``gate-query-group``, that a query's sampled group is always on the query's side of the gate.

The paper calls queries hard and easy; the gate acts on groups. How often they differ is a binomial tail, at most exp(-2
G (V - (1 - K))^2) by Hoeffding's inequality (J. Amer. Statist. Assoc. 58, 1963), whose proof is short enough to be
checked here step by step with z3 and SymPy (claim ``gate-query-group-if``).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import flint
import numpy as np
import sympy
import z3

from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import binomial_mean
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    ball,
    both,
    for_all,
    valid,
    valid_on_every_path,
    with_witness,
)

HALF, LEVEL = Fraction(1, 2), Fraction(2, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "gate-query-group-if"
    ledger.add(Evidence("gate-query-group", "binomial-tail", Kind.WITNESS, Role.AGAINST, _refutation()))
    ledger.add(Evidence(rescued, "hoeffding", Kind.PROOF, Role.UNDER, (*_sides(), *_exponential_bound(), *_use())))
    ledger.add(Evidence(rescued, "on-the-threshold", Kind.WITNESS, Role.WITHOUT, (_threshold_step(),)))


def other_side(success_prob: Fraction, group_size: int, k: Fraction) -> Fraction:
    """Return the exact probability that a sampled group is on the other side of the shipped gate than its query.

    Args:
        success_prob: V, the query's success probability.
        group_size: G.
        k: quantile level K.
    """
    # The query is judged by the same threshold as its groups.
    hard_query = success_prob <= 1 - k
    differs = [Fraction(bool(is_hard_group(m, group_size, k)) != hard_query) for m in range(group_size + 1)]
    mean = binomial_mean(np.array(success_prob, dtype=object), np.array(differs, dtype=object))
    return Fraction(mean.item())


def _refutation() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The smallest case: $V = 1/2$, $K = 2/5$, $G = 1$. The query is hard ($1/2 \le 3/5$), and the "
            r"group of one correct response is easy ($1 > 3/5$): half of the time. For two responses it is a quarter.",
            check=partial(_probability, k=LEVEL, expected=((1, Fraction(1, 2)), (2, Fraction(1, 4)))),
            planted="K = 1/2",
            control=partial(_probability, k=HALF, expected=((1, Fraction(1, 2)), (2, Fraction(1, 2)))),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At a usual size, $G = 16$: $P(\mathrm{Bin}(16, 1/2) \ge 10) = 14893/65536 = .227$, from the shipped "
            r"gate and the shipped binomial mean.",
            check=partial(_probability, k=LEVEL, expected=((16, Fraction(14893, 65536)),)),
            planted="K = 1/2",
            control=partial(_probability, k=HALF, expected=((16, Fraction(14893, 65536)),)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"It is so for every query with $0 < V < 1$, every $G$ and $K$: the shipped `is_hard_group` calls the "
            r"group without a correct response hard and the group without a wrong one easy (symbolic integers), and "
            r"both have a positive probability. So whichever side the query is on, some group is on the other.",
            check=partial(_both_sides_occur, all_correct_is_easy=True),
            planted="the group of correct responses is hard too",
            control=partial(_both_sides_occur, all_correct_is_easy=False),
            generality=Generality.GENERAL,
        ),
    )


def _sides() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Put $e = |V - (1-K)| > 0$. A hard query's group is easy only if $m - GV > Ge$, and an easy "
            r"query's group is hard only if $G(1-V) - (G-m) \le -Ge$, that is if its wrong responses exceed their "
            r"mean by $Ge$. Exchanging right and wrong, $V$ and $1-V$, makes one case of the two: the number $X$ of "
            r"successes of probability $q$ with $X \ge G(q + e)$. (Shipped gate on symbolic integers, $V$ a symbolic "
            r"real.)",
            check=partial(_excess, factor=1),
            planted="an excess of 2 G e",
            control=partial(_excess, factor=2),
            generality=Generality.GENERAL,
        ),
    )


def _exponential_bound() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For $t > 0$ the indicator of $X \ge a$ is at most $e^{t(X-a)}$, which is positive, and at least 1 "
            r"where $X \ge a$. So $P(X \ge a) \le E\,e^{t(X-a)}$, because a mean of larger numbers is larger.",
            check=partial(_indicator_below, above_one=True),
            planted="at least 1 everywhere",
            control=partial(_indicator_below, above_one=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$E\,e^{tX} = (1 - q + qe^t)^G$ by induction on $G$: binomial weights obey $b_{G+1}(m) = "
            r"q\,b_G(m-1) + (1-q)\,b_G(m)$, so that one more response multiplies $\sum_m b_G(m)e^{tm}$ by $1 - q + "
            r"qe^t$; with no response both sides are 1. (SymPy, symbolic $G$, $m$, $q$, $t$.)",
            check=partial(_one_more_response, own=1),
            planted="q e^(2t)",
            control=partial(_one_more_response, own=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Hoeffding's lemma: $h(t) = qt + t^2/8 - \log(1 - q + qe^t)$ has $h(0) = h'(0) = 0$ and $h'' = "
            r"(\pi - \frac12)^2 \ge 0$ with $\pi = qe^t/(1 - q + qe^t)$. So $h' \ge 0$ and $h \ge 0$ for $t \ge 0$: "
            r"$E\,e^{tX} \le e^{G(qt + t^2/8)}$.",
            check=partial(_lemma, eighth=8),
            planted="t^2/7 for t^2/8",
            control=partial(_lemma, eighth=7),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $a = G(q + e)$ and $t = 4e$ the exponent $G(qt + t^2/8) - ta$ is $-2Ge^2$.",
            check=partial(_exponent, choice=4),
            planted="t = 2 e",
            control=partial(_exponent, choice=2),
            generality=Generality.GENERAL,
        ),
    )


def _use() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For $e > 0$ the bound tends to 0. It is below 1% from $G = \lceil\log(100)/(2e^2)\rceil$ on: at "
            r"$V = 1/2$, $K = 2/5$ that is 231 and not 230 (ball arithmetic).",
            check=partial(_one_percent, group_size=231),
            planted="230",
            control=partial(_one_percent, group_size=230),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: the exact probability, from the shipped gate and the shipped `binomial_mean`, obeys the "
            r"bound for many $V$, $K$ and $G$.",
            check=partial(_shipped_tail, twice=2),
            planted="exp(-8 G e^2)",
            control=partial(_shipped_tail, twice=8),
            tie=True,
        ),
    )


def _threshold_step() -> Step:
    return Step(
        says=r"At $V = 1-K = 1/2$ the query is hard, and a group of odd size is easy with probability exactly $1/2$, "
        r"because $m$ and $G - m$ are equally likely: shown at $G = 1$, 3, 5, 15 and 101. The probability does not "
        r"tend to 0.",
        check=partial(_half_at_threshold, k=HALF),
        planted="K = 2/5, off the threshold",
        control=partial(_half_at_threshold, k=LEVEL),
        generality=Generality.GENERAL,
    )


def _probability(*, k: Fraction, expected: tuple[tuple[int, Fraction], ...]) -> Finding:
    """Find whether queries at V = 1/2 have these probabilities of a group on the other side."""
    cases = [(f"G={size}", other_side(HALF, size, k), value) for size, value in expected]
    shown = {"V": "1/2", "K": str(k), "query": "hard" if 1 - k >= HALF else "easy"}
    for size, value in expected:
        shown[f"P(group on the other side) at G = {size}"] = f"{value} = {float(value):.4f}"
    return with_witness(all_equal(cases, f"V = 1/2, K = {k}"), shown)


def _both_sides_occur(*, all_correct_is_easy: bool) -> Finding:
    """Find whether the shipped gate calls the group of wrong responses hard and the group of correct ones easy."""
    s = group_symbols()

    def none_correct(path: Path) -> Any:
        return bool(is_hard_group(0, s.size_on(path), s.level_on(path)))

    def all_correct(path: Path) -> Any:
        # With m = G every response is correct, with m = 0 none is.
        hard = bool(is_hard_group(s.size_on(path), s.size_on(path), s.level_on(path)))
        return hard != all_correct_is_easy

    return both(valid_on_every_path(all_correct, *s.domain), valid_on_every_path(none_correct, *s.domain))


def _excess(*, factor: int) -> Finding:
    """Find whether a group on the other side has an excess of at least G e over its mean."""
    s, success = group_symbols(), z3.Real("V")
    size, m = z3.ToReal(s.group_size), z3.ToReal(s.num_correct)
    threshold, gap = z3.Real("threshold"), z3.Real("e")
    # threshold = 1 - K, written without a quotient.
    defined = threshold * z3.ToReal(s.denominator) == z3.ToReal(s.denominator - s.numerator)
    # The excess over the mean G V, respectively G (1 - V).
    least = factor * size * gap

    def goal(path: Path) -> Any:
        hard = bool(is_hard_group(s.correct_on(path), s.size_on(path), s.level_on(path)))
        if hard:  # of an easy query: the wrong responses exceed their mean
            return z3.Implies(
                success > threshold, z3.Implies(gap == success - threshold, (size - m) - size * (1 - success) >= least)
            )
        return z3.Implies(success < threshold, z3.Implies(gap == threshold - success, m - size * success >= least))

    return valid_on_every_path(goal, *s.domain, success > 0, success < 1, defined)


def _indicator_below(*, above_one: bool) -> Finding:
    """Find whether the indicator of X >= a is at most exp(t (X - a))."""
    x, a, power = z3.Reals("X a power")
    # What is used of the exponential at t > 0: it is positive, and at least 1 where its argument is at least 0.
    exponential = (power > 0, z3.Implies(x >= a, power >= 1))
    indicator = z3.If(x >= a, z3.RealVal(1), z3.RealVal(0)) if above_one else z3.RealVal(1)
    return valid(indicator <= power, *exponential)


def _one_more_response(*, own: int) -> Finding:
    """Check the induction step of E exp(tX) = (1 - q + q e^t)^G: one more response multiplies each term by the base."""
    size, m, q, t = sympy.symbols("G m q t", positive=True)

    def weight(trials: Any, successes: Any) -> Any:
        return sympy.binomial(trials, successes) * q**successes * (1 - q) ** (trials - successes)

    # The recursion of binomial weights, on symbols; combsimp divides the factorials.
    pascal = weight(size + 1, m) - q * weight(size, m - 1) - (1 - q) * weight(size, m)
    # One term of the sum over m, from either side: a success shifts m by one and so multiplies by e^t.
    grown = q * sympy.exp(t * (m + 1)) + (1 - q) * sympy.exp(t * m)
    factor = grown - sympy.exp(t * m) * (1 - q + q * sympy.exp(own * t))
    recursion = all_zero([sympy.combsimp(sympy.simplify(pascal))], sympy.simplify)
    return both(all_zero([factor], sympy.simplify), recursion)


def _lemma(*, eighth: int) -> Finding:
    """Check Hoeffding's lemma: h and h' vanish at 0, and h'' is a square."""
    q, t = sympy.symbols("q t", positive=True)
    height = q * t + t**2 / eighth - sympy.log(1 - q + q * sympy.exp(t))
    share = q * sympy.exp(t) / (1 - q + q * sympy.exp(t))
    curvature = sympy.diff(height, t, 2) - (share - sympy.Rational(1, 2)) ** 2
    start = [height.subs(t, 0), sympy.diff(height, t).subs(t, 0)]
    return all_zero([curvature, *start], sympy.simplify)


def _exponent(*, choice: int) -> Finding:
    """Check the exponent of the bound at the chosen t."""
    size, q, gap = sympy.symbols("G q e", positive=True)
    # t = 4 e minimises the exponent, a parabola in t.
    t = choice * gap
    return all_zero([size * (q * t + t**2 / 8) - t * size * (q + gap) + 2 * size * gap**2])


def _one_percent(*, group_size: int) -> Finding:
    """Find whether this is the least G at which the bound is at most 1%."""
    # exp(-2 G e^2) <= 1/100 at e = 1/10.
    needed = ball(100).log() / (2 * ball(Fraction(1, 100)))
    # Certainly above, and the next smaller size certainly below.
    smallest = bool(flint.arb(group_size) >= needed) and bool(flint.arb(group_size - 1) < needed)
    return for_all([(f"G = {group_size} against {needed.str(6)}", smallest)], "V = 1/2, K = 2/5")


def _shipped_tail(effort: Effort, *, twice: int) -> Finding:
    """Find whether the exact probability obeys the bound exp(-twice G e^2), in ball arithmetic."""
    sizes = effort.pick((1, 2, 3, 8, 16, 33, 64), (1, 3, 16))
    probs = [Fraction(n, 10) for n in range(1, 10)]

    def cases() -> Iterator[tuple[str, bool]]:
        for size, success, k in product(sizes, probs, (LEVEL, HALF, Fraction(11, 20))):
            gap = success - (1 - k)
            if gap != 0:
                bound = (-ball(twice * size * gap**2)).exp()
                yield f"V={success}, K={k}, G={size}", bool(ball(other_side(success, size, k)) <= bound)

    return for_all(cases(), f"nine V, three K, G in {sizes}")


def _half_at_threshold(*, k: Fraction) -> Finding:
    """Find whether a group of odd size is on the other side with probability exactly 1/2."""
    # Odd sizes: none of their groups meets the threshold 1/2 itself.
    sizes = (1, 3, 5, 15, 101)
    cases = [(f"G={size}", other_side(HALF, size, k), HALF) for size in sizes]
    shown = {"V": "1/2", "K": str(k), "P(group easy), G = 1, 3, 5, 15 and 101": "1/2"}
    return with_witness(all_equal(cases, "odd groups"), shown)
