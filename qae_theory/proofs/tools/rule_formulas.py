"""Write the nine rules down once more, as formulas in m, G and K: what the proofs about expected gains are about.

The shipped estimators are arrays and sorting; these are the closed forms that the proofs put into z3 and SymPy.
``agrees_with_shipped`` ties the two, exactly and for every m; no proof rests on these formulas without that tie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import sympy

from qae_theory.claims.model import Finding
from qae_theory.group_expectation import outcome_advantages
from qae_theory.proofs.tools.checking import all_equal, rational

STANDARDISED = ("grpo", "qae", "qae_linear", "pos_mask", "neg_mask")
GATED = ("qae", "qae_linear", "pos_mask", "neg_mask")
RULES = ("grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask")
Select = Callable[[Any, Any, Any], Any]


def numerators(rule: str, m: Any, size: Any, k: Any, select: Select | None = None) -> tuple[Any, Any]:
    """Return the advantage of a correct and of a wrong response before division by std + eps, for any arithmetic.

    Args:
        rule: a name of ``RULES``, or ``minus_reward`` for the control A = -R.
        m: number of correct responses.
        size: G.
        k: quantile level.
        select: ``(condition, then, otherwise)``; Python's conditional expression unless given (z3 needs its own).
    """
    choose = select or (lambda condition, then, otherwise: then if condition else otherwise)
    hard = m <= (1 - k) * size
    baseline = choose(hard, 0, 1)
    above_zeros = (size - 1) * k - (size - m - 1)  # how far position (G - 1) K lies above the last zero
    leaked = choose(above_zeros <= 0, 0, choose(above_zeros >= 1, 1, above_zeros))
    # Functions, not values: RLOO's formula divides by G - 1, which other rules may have 0.
    formulas: dict[str, Callable[[], tuple[Any, Any]]] = {
        "grpo": lambda: (1 - m / size, -m / size),
        "dr_grpo": lambda: (1 - m / size, -m / size),
        "rloo": lambda: ((size - m) / (size - 1), -m / (size - 1)),
        "qae": lambda: (1 - baseline, 0 - baseline),
        "qae_linear": lambda: (1 - leaked, 0 - leaked),
        "psr": lambda: (1, 0),
        "nsr": lambda: (0, -1),
        "pos_mask": lambda: (choose(hard, 1, 0), -1),
        "neg_mask": lambda: (1, choose(hard, 0, -1)),
        "minus_reward": lambda: (-1, 0),
    }
    return formulas[rule]()


def symbolic_table(size: int) -> dict[tuple[int, int], Any]:
    """Return a SymPy symbol a(r, m) for every reward r and number m of correct responses: the advantages of any rule.

    Args:
        size: G.
    """
    return {(r, m): sympy.Symbol(f"a_{r}_{m}") for r, m in product((0, 1), range(size + 1))}


def squared_scale(m: Fraction, size: Fraction, std: str) -> Fraction:
    """Return the variance of m ones and G - m zeros: m (G - m)/G^2, times G/(G - 1) for ``bessel``.

    Args:
        m: number of correct responses.
        size: G.
        std: ``population`` or ``bessel``.
    """
    population = m * (size - m) / size**2
    return population * size / (size - 1) if std == "bessel" else population


def advantage_pair(rule: str, m: int, size: int, k: Fraction, std: str) -> tuple[Any, Any]:
    """Return A(correct), A(wrong) of a group of m correct responses among G >= 2, at eps = 0, as SymPy numbers.

    An outcome that does not occur has 0, and so have both in a degenerate group of a standardised rule.

    Args:
        rule: a name of ``RULES``.
        m: number of correct responses.
        size: G.
        k: quantile level.
        std: ``population`` or ``bessel``.
    """
    # There the standard deviation is 0, and the shipped rules return 0 in place of 0/0.
    if rule in STANDARDISED and m in (0, size):
        return sympy.S(0), sympy.S(0)
    correct, wrong = numerators(rule, Fraction(m), Fraction(size), k)
    scale = sympy.sqrt(rational(squared_scale(Fraction(m), Fraction(size), std))) if rule in STANDARDISED else 1
    return (
        sympy.S(0) if m == 0 else rational(Fraction(correct)) / scale,
        sympy.S(0) if m == size else rational(Fraction(wrong)) / scale,
    )


def option_sets(rule: str, levels: tuple[Fraction, ...]) -> Iterator[dict[str, Any]]:
    """Yield every combination of K and std that a rule takes, at eps = 0, as keyword arguments.

    Args:
        rule: a name of ``RULES``.
        levels: the quantile levels K.
    """
    if rule not in STANDARDISED:
        yield {}
        return
    for std in ("population", "bessel"):
        # GRPO has no level; one pass over the loop is enough for it.
        for k in levels if rule in GATED else levels[:1]:
            yield {"std": std, "eps": 0, **({"k": k} if rule in GATED else {})}


def agrees_with_shipped(
    sizes: range, levels: tuple[Fraction, ...], level_of: Callable[[Fraction], Fraction] = lambda k: k
) -> Finding:
    """Find whether the formulas are the shipped ``outcome_advantages``, exactly: all rules, every m, both stds.

    Args:
        sizes: the group sizes G.
        levels: the quantile levels K.
        level_of: the level that the formulas read; another one than K makes a control.
    """

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for rule, size in product(RULES, sizes):
            for options in option_sets(rule, levels):
                # A rule without a level gets any: its formulas do not read it.
                level, std = level_of(options.get("k", Fraction(2, 5))), options.get("std", "population")
                table = outcome_advantages(size, rule, exact=True, **options)
                for m in range(size + 1):
                    correct, wrong = advantage_pair(rule, m, size, level, std)
                    label = f"{rule}, G={size}, m={m}, {options}"
                    yield f"{label}, correct", table.correct[m], correct
                    yield f"{label}, wrong", table.wrong[m], wrong

    return exactly_equal(cases(), f"nine rules, G in {sizes.start}..{sizes.stop - 1}, every m, both stds")


def exactly_equal(cases: Any, domain: str) -> Finding:
    """Find whether two sums of rational multiples of square roots are equal in every labelled case.

    SymPy's ``expand`` brings such sums to a normal form, so that an equal pair leaves 0.
    """
    return all_equal(((label, sympy.expand(number(left) - number(right)), 0) for label, left, right in cases), domain)


def number(value: Any) -> Any:
    """Return a Fraction, a SymPy number or an array of rank 0 of one as a SymPy number."""
    value = np.asarray(value, dtype=object).item()
    return rational(value) if isinstance(value, (int, Fraction)) else sympy.S(value)
