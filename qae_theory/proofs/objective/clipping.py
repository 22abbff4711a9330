"""Share what the proofs about the clipped objective need: the clipped term on symbols, clip ranges, rules and weights.

The clipped term is min(x A, clip(x, 1 - e_low, 1 + e_high) A) of a ratio x and an advantage A (docs/theory.md,
"Objective"). No evidence is registered here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
import z3

from qae_theory.arrays import Array, sqrt
from qae_theory.objective import clipped_terms
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.carriers.reals import SymbolicReal, real_term, symbolic_reals
from qae_theory.proofs.tools.groups import exact

RULES = ("grpo", "qae", "pos_mask", "neg_mask")
# The usual ranges, none at all, and one that only the lower bound can end.
CLIPS: tuple[dict[str, Any], ...] = (
    {"clip_low": Fraction(1, 5), "clip_high": Fraction(28, 100)},
    {"clip_low": 0, "clip_high": 0},
    {"clip_low": Fraction(9, 10), "clip_high": float("inf")},
)


def options(rule: str, k: Any) -> dict[str, Any]:
    """Return the quantile level as a keyword, for the rules that have one.

    Args:
        rule: a name of ``RULES``.
        k: quantile level K.
    """
    # GRPO refuses a level, since it would have no effect.
    return {} if rule == "grpo" else {"k": k}


def numerators(rule: str, hard: bool, p: Any) -> tuple[Any, Any]:
    """Return a rule's advantage of a correct and of a wrong response, times the standard deviation (eps = 0).

    Args:
        rule: a name of ``RULES``.
        hard: whether the group is hard, m/G <= 1 - K.
        p: the group's success rate m/G, a number or a symbol.
    """
    return {
        "grpo": (1 - p, -p),
        "qae": (1, 0) if hard else (0, -1),
        "pos_mask": (1 if hard else 0, -1),
        "neg_mask": (1, 0 if hard else -1),
    }[rule]


def weights(rule: str, hard: bool, p: Any) -> tuple[Any, Any]:
    """Return Prop. 4.1's weights of the correct and of the wrong side.

    They are u = sqrt(p/(1 - p)) and v = sqrt((1 - p)/p), masked as the rule says, and sqrt(p (1 - p)) on both sides for
    GRPO.

    Args:
        rule: a name of ``RULES``.
        hard: whether the group is hard, m/G <= 1 - K.
        p: the group's success rate m/G, a Fraction or a SymPy symbol.
    """
    # The shipped square root keeps Fractions exact; SymPy symbols need SymPy's.
    root = sympy.sqrt if isinstance(p, sympy.Basic) else lambda value: sqrt(exact([value])).item()
    u, v, both_sides = root(p / (1 - p)), root((1 - p) / p), root(p * (1 - p))
    return {
        "grpo": (both_sides, both_sides),
        "qae": (u, 0) if hard else (0, v),
        "pos_mask": (u if hard else 0, v),
        "neg_mask": (u, 0 if hard else v),
    }[rule]


def some_ratios(size: int, turn: int) -> Array:
    """Return ratios below, inside and above the usual clip range, in an order that ``turn`` shifts.

    Args:
        size: how many.
        turn: where in the list of ratios to begin.
    """
    # .8 is the usual lower end itself, and .15 and 3 lie far outside on either side.
    pool = [Fraction(n, 20) for n in (3, 16, 19, 20, 24, 27, 60)]
    return exact([pool[(2 * i + turn) % len(pool)] for i in range(size)])


def clip_symbols() -> tuple[Any, Any, Any, Any]:
    """Return the z3 reals x (ratio), A (advantage), e_low and e_high (clip range)."""
    x, a, low, high = z3.Reals("x A e_low e_high")
    return x, a, low, high


def clip_domain(*ratios: Any) -> tuple[Any, ...]:
    """Return what ratios and clip ranges have to obey: x > 0, 0 <= e_low < 1, e_high >= 0.

    Args:
        *ratios: the z3 reals that stand for ratios.
    """
    _, _, low, high = clip_symbols()
    # A ratio of probabilities is positive; e_low = 1 would leave no lower bound.
    return (*(x > 0 for x in ratios), low >= 0, low < 1, high >= 0)


def clip_term(x: Any, a: Any, low: Any, high: Any, path: Path) -> Any:
    """Return the shipped clipped term of one symbolic ratio and advantage, as a z3 term.

    Args:
        x: ratio.
        a: advantage.
        low: e_low.
        high: e_high.
        path: the path that comparisons are followed on.
    """
    values = clipped_terms(
        symbolic_reals(path, x), symbolic_reals(path, a), SymbolicReal(low, path), SymbolicReal(high, path)
    )
    return real_term(values.item())


def lower(a: Any, b: Any) -> Any:
    """Return the minimum of two z3 terms."""
    return z3.If(a <= b, a, b)


def upper(a: Any, b: Any) -> Any:
    """Return the maximum of two z3 terms."""
    return z3.If(a >= b, a, b)
