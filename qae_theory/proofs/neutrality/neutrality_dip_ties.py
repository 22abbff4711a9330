"""Tie claim ``neutrality-dip`` to the shipped gains of QAE and GRPO at finite G, exactly and in float64.

The proof is in ``neutrality_dip``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import ceil, sqrt
from typing import Any

import numpy as np

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.group_expectation import expected_gain, gain, outcome_advantages
from qae_theory.proofs.neutrality.neutrality_limit_ties import LEVELS, binomial_weights
from qae_theory.proofs.tools.checking import both, for_all, rational
from qae_theory.proofs.tools.rule_formulas import exactly_equal, number


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `neutrality-dip` to the shipped gains."""
    return (
        Step(
            says=r"Tie: at $p = 1-K$ the shipped difference is the positive sum $E[\min(u, v)\,|\hat p - "
            r"p|]/(p(1-p))$ of the formula, exactly (the minimum taken by the gate: $u$ below $p$, $v$ above).",
            check=partial(_shipped_dip, at=lambda k: 1 - k),
            planted="p = K",
            control=partial(_shipped_dip, at=lambda k: k),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `gain` at the ends $p = 0, 1$ has the ratio $G/(G-1)$, exactly.",
            check=partial(_shipped_ends, inside=lambda k, size: Fraction(1, size) < k <= 1 - Fraction(1, size)),
            planted="K = 1/G included",
            control=partial(_shipped_ends, inside=lambda k, size: Fraction(1, size) <= k <= 1 - Fraction(1, size)),
            tie=True,
        ),
        Step(
            says="Tie: the shipped ratio in float64 is above 1 at both ends and below 1 at $p = 1-K$, $K$ and $G$ on "
            "a grid.",
            check=partial(_shipped_shape, at=lambda k: 1 - k),
            planted="the dip at p = K",
            control=partial(_shipped_shape, at=lambda k: k),
            tie=True,
        ),
        Step(
            says="Tie: the shipped ratio is above 1 from the $G$ of the proof on.",
            check=partial(_shipped_closing, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_closing, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _shipped_dip(effort: Effort, *, at: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the difference of the shipped gains at p = 1 - K is the claimed positive sum."""
    positive: list[tuple[str, bool]] = []
    equal = exactly_equal(_dip_cases(range(2, effort.pick(25, 7)), at, positive), "G >= 2, seven K")
    return both(equal, for_all(positive, "some term is positive"))


def _dip_cases(
    sizes: range, at: Callable[[Fraction], Fraction], positive: list[tuple[str, bool]]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the shipped difference and its formula.

    Whether some term of the formula is positive is added to ``positive`` on the way.
    """
    for size in sizes:
        # Two extreme levels: the dip is claimed for every K.
        for k in (*LEVELS, Fraction(1, 100), Fraction(99, 100)):
            p = at(k)
            difference = number(expected_gain(p, size, "grpo", eps=0)) - number(
                expected_gain(p, size, "qae", k=k, eps=0)
            )
            terms = [(weight, *_fall(Fraction(m, size), p)) for m, weight in binomial_weights(p, size)]
            wanted = sum(rational(weight * distance / (p * (1 - p))) * root for weight, distance, root in terms)
            yield f"K={k}, G={size}", difference, wanted
            # At G = 2 and p = 1/2 the two gains are equal: no term is positive.
            strict = any(distance > 0 and root > 0 for _, distance, root in terms)
            positive.append((f"K={k}, G={size}", strict == (size > 2 or p != Fraction(1, 2))))


def _fall(x: Fraction, p: Fraction) -> tuple[Fraction, Any]:
    """Return |x - p|, and u(x) up to p or v(x) beyond it."""
    square = x / (1 - x) if x <= p else (1 - x) / x
    return abs(x - p), rational(square) ** rational(Fraction(1, 2))


def _shipped_ends(effort: Effort, *, inside: Callable[[Fraction, int], bool]) -> Finding:
    """Find whether the ratio of the shipped gains at p = 0 and 1 is G/(G - 1)."""
    cases = []
    for size in range(3, effort.pick(33, 17)):
        grpo = outcome_advantages(size, "grpo", exact=True, eps=0)
        for k in (*LEVELS, Fraction(1, size), 1 - Fraction(1, size)):
            if not inside(k, size):
                continue
            qae = outcome_advantages(size, "qae", exact=True, k=k, eps=0)
            for end in (Fraction(0), Fraction(1)):
                p = np.array(end, dtype=object)
                wanted = number(gain(p, grpo)) * rational(Fraction(size, size - 1))
                cases.append((f"K={k}, G={size}, p={end}", gain(p, qae), wanted))
    return exactly_equal(cases, "G >= 3, K strictly between 1/G and 1, at most 1 - 1/G")


def _shipped_shape(effort: Effort, *, at: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped ratio is above 1 at both ends and below 1 at p = 1 - K."""
    sizes = effort.pick((16, 17, 31, 64, 256, 1024), (16, 31, 256))

    def cases() -> Iterator[tuple[str, bool]]:
        for size, k in product(sizes, LEVELS):
            if k != Fraction(1, 2):  # there p = K is p = 1 - K
                # Close enough to the ends that the limit's sign is the ratio's.
                ratio = _ratio(np.array([1e-9, float(at(k)), 1 - 1e-9]), size, k)
                yield f"K={k}, G={size}", bool(ratio[0] > 1 and ratio[1] < 1 and ratio[2] > 1)

    return for_all(cases(), f"G in {sizes}, four K")


def _ratio(p: Any, size: int, k: Fraction) -> Any:
    """Return w_QAE / w_GRPO of the shipped gains."""
    return expected_gain(p, size, "qae", k=k, eps=0) / expected_gain(p, size, "grpo", eps=0)


def _shipped_closing(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped ratio is above 1 from the G of the proof on."""
    k = Fraction(2, 5)
    level = float(level_of(k))

    def cases() -> Iterator[tuple[str, bool]]:
        for p, multiple in product((0.05, 0.2, 0.3, 0.6, 0.9, 0.95), effort.pick((1, 2, 5, 20), (1, 4))):
            if abs(p - (1 - level)) > 1e-9:
                size = _settled(p, level) * multiple
                # Larger groups take seconds each, and their binomial sums lose digits.
                if size <= 20_000:
                    yield f"p={p}, G={size}", bool(_ratio(p, size, k) > 1)

    return for_all(cases(), "K = 2/5, six p")


def _settled(p: float, k: float) -> int:
    """Return the G of the proof, from which on the ratio at p is above 1."""
    # Right and wrong exchanged: the proof treats p < 1 - K.
    if p > 1 - k:
        p, k = 1 - p, 1 - k
    square, root = p * (1 - p), sqrt(p / (1 - p))
    a, c = 1 - k - p, (1 + p / (1 - p)) / (1 + root)
    b = c / a**2 + (root + sqrt(k / (1 - k))) / a**3
    return ceil(max(1 / square, 4 * b * square / c)) + 1
