"""Two-line helpers for running the shipped functions on policies with rational probabilities."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from qae_theory.proofs.tools.checking import rational

Probs = tuple[Fraction, ...]


def number(scalar: Any) -> Any:
    """The exact number in a 0-d result."""
    return np.asarray(scalar, dtype=object).item()


def logs(probs: Probs) -> Any:
    """Exact logits of a policy: the logarithms of its probabilities."""
    return np.array([sympy.log(rational(x)) for x in probs], dtype=object)


def log_form(value: Any) -> Any:
    """A combination of logarithms of rationals in its normal form, over the logarithms of primes."""
    return sympy.expand(sympy.expand_log(sympy.expand(value), force=True))
