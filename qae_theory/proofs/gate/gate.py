"""Prove claims ``gate-hard`` and ``gate-easy``: the signs and zeros of QAE's advantages in the two regimes of the gate.

In a mixed group A > 0 for R = 1 and A = 0 for R = 0 if m/G <= 1 - K, and A = 0, A < 0 otherwise. The proof is about
real numbers (z3, SymPy); ties compare the shipped advantages on small groups. The quantile itself is in ``eq4``,
rewards that are not binary are in ``gate_nonbinary``, and the ties of all estimators in ``gate_ties``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, product
from typing import Any

import sympy
import z3

from qae_theory import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.gate import gate_ties
from qae_theory.proofs.gate.eq4 import rank_selects_zero_step
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_zero, for_all, valid
from qae_theory.proofs.tools.estimator_ties import exact_array, levels, near, same

# The shipped default 1e-6, none at all, and one so large that a misplaced eps moves every value.
EPS = (Fraction(0), Fraction(1, 1_000_000), Fraction(1, 10))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("gate-hard", "algebraic-proof", Kind.PROOF, Role.FOR, _regime_steps(hard=True)))
    ledger.add(Evidence("gate-easy", "algebraic-proof", Kind.PROOF, Role.FOR, _regime_steps(hard=False)))
    # The ties are evidence of their own: they speak of code, and carry no part of the proof.
    gate_ties.register(ledger)


def _regime_steps(*, hard: bool) -> tuple[Step, ...]:
    """Return the proof of one regime's claim, from the baseline to the shipped advantages."""
    # The two regimes mirror each other: right for wrong and 0 for 1.
    baseline, name = (0, "hard") if hard else (1, "easy")
    signs = "$A > 0$ for $R = 1$ and $A = 0$ for $R = 0$" if hard else "$A = 0$ for $R = 1$ and $A < 0$ for $R = 0$"
    all_same = "all wrong ($m = 0$)" if hard else "all correct ($m = G$)"
    return (
        rank_selects_zero_step(),
        Step(
            says=rf"So QAE's baseline in {'a hard' if hard else 'an easy'} group is $b = {baseline}$. The "
            r"variance of $m$ ones and $G-m$ zeros with mean $\hat p = m/G$ is $\hat p(1-\hat p)$, and "
            r"$\frac{G}{G-1}\hat p(1-\hat p)$ with Bessel's divisor.",
            check=partial(_variance_is, bessel_factor=lambda size: size / (size - 1)),
            planted="the Bessel factor is (G + 1)/G",
            control=partial(_variance_is, bessel_factor=lambda size: (size + 1) / size),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"In a mixed group $0 < m < G$, so $\mathrm{{std}} > 0$, and for every $\varepsilon \ge 0$, "
            rf"$A = (R - {baseline})/(\mathrm{{std}} + \varepsilon)$ is {signs}.",
            check=partial(_signs_are, hard=hard, baseline=baseline),
            planted=f"baseline {1 - baseline}",
            control=partial(_signs_are, hard=hard, baseline=1 - baseline),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"A degenerate group ($m = 0$ or $m = G$) that is {name} is {all_same}, for every $K$.",
            check=partial(_degenerate_is, hard=hard, all_correct=not hard),
            planted="all correct" if hard else "all wrong",
            control=partial(_degenerate_is, hard=hard, all_correct=hard),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"Tie: the shipped `advantages(..., 'qae')` gives exactly these values on every {name} binary "
            rf"group up to a size, mixed "
            r"and degenerate, for every class of $K$, both standard deviations and $\varepsilon \in \{0, "
            r"10^{-6}, 1/10\}$, in exact arithmetic, and to rounding in float64.",
            check=partial(_shipped_regime, hard=hard, std_of=lambda std: std),
            planted="Bessel for population",
            control=partial(
                _shipped_regime,
                hard=hard,
                std_of={"population": "bessel", "bessel": "population"}.__getitem__,
            ),
            tie=True,
        ),
    )


def _variance_is(*, bessel_factor: Callable[[Any], Any]) -> Finding:
    """Find whether the mean squared distance from m/G, over G and over G - 1, is p(1 - p) and its Bessel multiple."""
    m, size = sympy.symbols("m G", positive=True)
    p = m / size
    # m ones lie 1 - p from the mean, G - m zeros lie p from it.
    squares = m * (1 - p) ** 2 + (size - m) * p**2
    return all_zero([squares / size - p * (1 - p), squares / (size - 1) - bessel_factor(size) * p * (1 - p)])


def _signs_are(*, hard: bool, baseline: int) -> Finding:
    """Find whether a mixed group has the regime's signs, given the baseline, for any std that either divisor allows."""
    size, m, reward, std, eps, a = z3.Reals("G m R std eps A")
    p = m / size
    # The std enters as the non-negative root of its equation, since z3 decides polynomials and not roots.
    population, bessel = std * std == p * (1 - p), std * std * (size - 1) == p * (1 - p) * size
    domain = (
        size >= 2,
        m >= 1,
        m <= size - 1,
        # Either divisor: the signs must not depend on it.
        z3.Or(population, bessel),
        std >= 0,
        eps >= 0,
        z3.Or(reward == 0, reward == 1),
        # The advantage is defined without a quotient: z3 gives a division by 0 some value.
        a * (std + eps) == reward - baseline,
    )
    correct, wrong = (a > 0, a == 0) if hard else (a == 0, a < 0)
    return valid(z3.And(std > 0, z3.If(reward == 1, correct, wrong)), *domain)


def _degenerate_is(*, hard: bool, all_correct: bool) -> Finding:
    """Find whether a degenerate group of the regime is all wrong, or all correct, for every K."""
    size, m, k = z3.Reals("G m K")
    in_regime = m <= size * (1 - k) if hard else m > size * (1 - k)
    return valid(m == (size if all_correct else 0), size >= 1, z3.Or(m == 0, m == size), k > 0, k < 1, in_regime)


def _shipped_regime(effort: Effort, *, hard: bool, std_of: Callable[[str], str]) -> Finding:
    """Find whether the shipped advantages of every group of the regime are those that the statement names."""
    # Groups of 4 hold every case of the statement already; larger ones guard against sizes that coincide.
    largest = effort.pick(8, 4)

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(2, largest + 1):
            for k, std, eps in product(levels(size), ("population", "bessel"), EPS):
                regime_counts = [m for m in range(size + 1) if (Fraction(m, size) <= 1 - k) == hard]
                groups = [[1] * m + [0] * (size - m) for m in regime_counts]
                expected = [_regime_advantages(m, size, std_of(std), eps, hard) for m in regime_counts]
                exact = advantages(exact_array(groups), "qae", k=k, std=std, eps=eps)
                pairs = zip(exact.flat, chain.from_iterable(expected), strict=True)
                label = f"G={size}, K={k}, {std}, eps={eps}"
                yield label, all(same(a, b) for a, b in pairs)
                yield f"{label}, floats", near(advantages(groups, "qae", k=k, std=std, eps=eps), expected)

    return for_all(cases(), f"(G, K, std, eps), all groups of the regime, G <= {largest}")


def _regime_advantages(m: int, size: int, std: str, eps: Fraction, hard: bool) -> list[Any]:
    """Return the advantages that the statement names: 1/(std + eps) on one side of a mixed group, 0 elsewhere."""
    # A degenerate group has no standard deviation, and the shipped rules give it zeros.
    if m in (0, size):
        return [Fraction(0)] * size
    divisor = size * (size - 1) if std == "bessel" else size * size
    unit = 1 / (oracle.root(Fraction(m * (size - m), divisor), exact=True) + eps)
    if hard:
        return [unit] * m + [Fraction(0)] * (size - m)
    return [Fraction(0)] * m + [-unit] * (size - m)
