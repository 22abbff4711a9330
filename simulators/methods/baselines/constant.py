"""Define the constant baseline: the rule in which a baseline is set by hand, on- and off-policy."""

from __future__ import annotations

from typing import Any

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, finite_number, register_method

SOURCE = "arXiv 2506.20520 (AsymRE)"


def constant(baseline: Any = 0.5) -> Method:
    """Return the rule A = R - b for a fixed b; it does not standardise.

    Args:
        baseline: b, any finite number.

    Raises:
        ValueError: ``baseline`` is not one finite number.

    Source: arXiv 2506.20520 (AsymRE).

    >>> constant(0.25).advantages([1.0, 0.0]).tolist()
    [0.75, -0.25]
    """
    b = finite_number("baseline", baseline)

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        return checked - b

    return Method("constant", SOURCE, advantages)


def register() -> None:
    """Register the rule under its name."""
    register_method("constant", constant, source=SOURCE, baseline=0.5)
