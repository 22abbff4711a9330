"""Make policies with rational probabilities, for running the shipped functions on exact numbers.

Rational probabilities have logits that are logarithms of rationals, and SymPy decides equality among those.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import sympy

from qae_theory.proofs.tools.checking import rational

Probs = tuple[Fraction, ...]

# Two responses, the first one right: equal chances, a rare success, and the smallest probabilities that are not equal.
HALVES: Probs = (Fraction(1, 2), Fraction(1, 2))
TENTHS: Probs = (Fraction(1, 10), Fraction(9, 10))
THIRDS: Probs = (Fraction(1, 3), Fraction(2, 3))
SEVENTHS: Probs = (Fraction(1, 7), Fraction(6, 7))


def number(result: Any) -> Any:
    """Return the exact number in a result of rank 0."""
    return np.asarray(result, dtype=object).item()


def logs(probs: Probs) -> Any:
    """Return exact logits of a policy: the logarithms of its probabilities."""
    return np.array([sympy.log(rational(x)) for x in probs], dtype=object)


def log_form(value: Any) -> Any:
    """Return a combination of logarithms of rationals in its normal form, over the logarithms of primes."""
    return sympy.expand(sympy.expand_log(sympy.expand(value), force=True))


def population(probs: Probs) -> list[int]:
    """Return equally likely 0/1 rewards whose share of ones is the probability of the first response."""
    size = probs[0].denominator
    # Equal probabilities 1/q make the first response's probability a share of the list.
    return [1] * probs[0].numerator + [0] * (size - probs[0].numerator)


def small_policies(largest: int) -> list[Probs]:
    """Return every policy on 2 and 3 responses with a common denominator up to ``largest``, each once."""
    policies = set()
    for size in range(2, largest + 1):
        for arms in (2, 3):
            for parts in product(range(1, size), repeat=arms):
                if sum(parts) == size:
                    policies.add(tuple(Fraction(x, size) for x in parts))
    # The order of a set differs between runs; a counterexample should be the same one each time.
    return sorted(policies, key=str)
