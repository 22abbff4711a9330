"""Prove claim ``self-covariance``: Cov_pi(pi, log pi) >= 0, with equality at the uniform policy only.

It is the slope of the paper's entropy change in the baseline. The shipped function, run on any number of arms, is a sum
over pairs of arms whose terms are non-negative. How large it can be is in ``self_covariance_max``.
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

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import ARM, LOG_PROB, OTHER_ARM, PROB
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import policies, row_by_row
from qae_theory.proofs.tools.checking import all_zero, ball, both, for_all, valid
from qae_theory.softmax import self_covariance


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("self-covariance", "pairwise-form", Kind.PROOF, Role.FOR, (*_proof(), *_ties())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped `self_covariance`, run on a policy with any number of arms, is the "
            r"pairwise form $\frac12\sum_{i,j}\pi_i\pi_j(\pi_i-\pi_j)(\log\pi_i-\log\pi_j)$: expand it and "
            r"write each double sum as a product of two moments.",
            check=partial(_pairwise, factor=sympy.Rational(1, 2)),
            planted="factor 1/3",
            control=partial(_pairwise, factor=sympy.Rational(1, 3)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The logarithm is strictly increasing: $\log x - \log y \ge (x-y)/x$ for $x, y > 0$ (that is "
            r"$\log t \le t - 1$ at $t = y/x$). So $(x-y)(\log x-\log y) > 0$ unless $x = y$. Every term of "
            r"the pairwise form is non-negative, and as $\pi_i\pi_j > 0$ the sum is zero iff all $\pi_i$ "
            r"are equal.",
            check=partial(_terms, strict=True),
            planted="the term is positive at x = y too",
            control=partial(_terms, strict=False),
            generality=Generality.GENERAL,
        ),
        log_lemma_step(),
    )


def log_lemma_step() -> Step:
    """Return the inequality on which every bound from above by an entropy rests, for the proofs that use it."""
    return Step(
        says=r"Named lemma used here: $\log t \le t - 1$ for $t > 0$, equality iff $t = 1$. (The derivative "
        r"$1 - 1/t$ of $t - 1 - \log t$ has the sign of $t - 1$.)",
        check=partial(_log_lemma, side=1),
        planted="log t >= t - 1",
        control=partial(_log_lemma, side=-1),
        citation="Hardy, Littlewood and Polya, Inequalities (1934), chapter IV",
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped `self_covariance` on exact rational policies is the pairwise form in ball "
            r"arithmetic: positive, and 0 exactly on uniform ones.",
            check=partial(_exact_policies, least=0),
            planted="C >= 1/10",
            control=partial(_exact_policies, least=Fraction(1, 10)),
            tie=True,
        ),
        Step(
            says=r"The shipped `self_covariance` on floats, batches included, is the pairwise form of the same "
            r"floats.",
            check=partial(_floats, off=0.0),
            planted="values 1 + 1e-9 times as large",
            control=partial(_floats, off=1e-9),
            tie=True,
        ),
        Step(
            says="Batches of logits are treated row by row.",
            check=partial(_batches, shift=0),
            planted="the rows shifted by one",
            control=partial(_batches, shift=1),
            tie=True,
        ),
    )


def _pairwise(*, factor: Any) -> Finding:
    """Find whether the shipped value is ``factor`` times E (pi - pi')(log pi - log pi') over two independent arms."""
    other_log, other_prob = (OTHER_ARM[ARM.index(symbol)] for symbol in (LOG_PROB, PROB))
    pairs = factor * moments.pair_mean((PROB - other_prob) * (LOG_PROB - other_log))
    shipped = for_any_policy(lambda arms: self_covariance(arms.logits()))
    by_moments = moments.mean(PROB * LOG_PROB) - moments.mean(PROB) * moments.mean(LOG_PROB)
    return all_zero([shipped - pairs, shipped - by_moments], sympy.expand)


def _terms(*, strict: bool) -> Finding:
    """Find whether (x - y)(log x - log y) is positive unless x = y, given the named lemma both ways."""
    x, y, rise, t, log_t = z3.Reals("x y rise t log_t")
    # rise stands for log x - log y = -log t at t = y/x.
    lemma = valid(rise >= (x - y) / x, log_t <= t - 1, rise == -log_t, t * x == y, x > 0, y > 0)
    # The lemma at y/x and at x/y.
    both_ways = (rise * x >= x - y, -rise * y >= y - x)
    # At x = y the term is 0, which is what the control denies.
    goal = (x - y) * rise > 0 if not strict else z3.And((x - y) * rise >= 0, ((x - y) * rise == 0) == (x == y))
    return both(lemma, valid(goal, *both_ways, x > 0, y > 0))


def _log_lemma(effort: Effort, *, side: int) -> Finding:
    """Find whether log t < t - 1 at multiples of 1/8 other than 1, in ball arithmetic."""

    def cases() -> Iterator[tuple[str, bool]]:
        for t in (Fraction(k, 8) for k in range(1, effort.pick(80, 24)) if k != 8):
            yield f"t = {t}", bool(side * (ball(t) - 1 - ball(t).log()) > 0)

    return for_all(cases(), "t in multiples of 1/8")


def _exact_policies(effort: Effort, *, least: Any) -> Finding:
    """Find whether the shipped value of small policies is the pairwise sum, and 0 on uniform ones only."""

    def cases() -> Iterator[tuple[str, bool]]:
        # Three arms with weights up to 4: ties of two, of three, and none.
        for weights in product(range(1, effort.pick(5, 3)), repeat=3):
            logits = np.array([sympy.log(w) for w in weights], dtype=object)
            with flint.ctx.workdps(60):
                value = sympy.sympify(np.asarray(self_covariance(logits), dtype=object)[()], strict=True)
                shipped = ball(value)
                pairs = exact.self_covariance([ball(x) for x in logits])
                # 60 digits of work leave far more than 40 of the sum; a wrong term is of the size of the sum.
                agree = bool(abs(shipped - pairs) < flint.arb(1e-40))
                uniform = len(set(weights)) == 1
                # A ball around 0 has no sign, so that uniform policies are decided by SymPy.
                sign = sympy.simplify(value) == 0 if uniform else bool(shipped > ball(least))
                yield f"weights {weights}", agree and sign

    return for_all(cases(), "three arms, small integer weights")


def _floats(effort: Effort, *, off: float) -> Finding:
    """Find whether the shipped value on floats is the pairwise sum of the same floats in ball arithmetic."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort, extreme=True):
            with flint.ctx.workdps(4 * exact.DIGITS):  # tells logits of 1e308 apart
                truth = exact.self_covariance(exact.balls(case.logits))
                shipped = self_covariance(case.logits) * (1 + off)
                # The log-probabilities of equal arms differ by an ulp; 1e-300: subnormal numbers.
                floor = flint.arb(1e-16 if case.flat else 1e-300)
                yield case.label, exact.close(shipped, truth, relative=1.0, scale=flint.arb(1e-13) * truth + floor)

    return for_all(cases(), "policies from uniform to gaps beyond float64")


def _batches(effort: Effort, *, shift: int) -> Finding:
    """Find whether the rows of a batch are treated apart."""
    return for_all(row_by_row(effort, self_covariance, arity=1, shift=shift), "a batch of shape [2, 3]")
