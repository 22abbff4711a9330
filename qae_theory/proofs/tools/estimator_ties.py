"""Tie the shipped quantiles and estimators to their definitions in ``oracle``, over options, groups and masks.

Each check takes a ``Reading``: a function that returns the rule and options that the definition is read with. A control
passes one that misreads a single token, and the same comparison must then fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import chain, pairwise, product
from typing import Any

import numpy as np
import sympy

from qae_theory import advantages, quantile_baseline
from qae_theory.claims.model import Effort, Finding
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import for_all
from qae_theory.proofs.tools.oracle import Group, Options

Reading = Callable[[str, Options], tuple[str, Options]]

# A few dozen roundings of 2**-53 on numbers of size one; a wrong token moves some value by more than 1e-7.
ROUNDING = 1e-12


def faithful(rule: str, options: Options) -> tuple[str, Options]:
    """Return the rule and its options as they are."""
    return rule, options


def other_level(rule: str, options: Options) -> tuple[str, Options]:
    """Return the options with 1 - K for K."""
    return rule, replace(options, k=1 - options.k)


def other_std(rule: str, options: Options) -> tuple[str, Options]:
    """Return the options with Bessel's standard deviation for the population's, or back; no divisor stays none."""
    other = {"population": "bessel", "bessel": "population", "none": "none"}[options.std]
    return rule, replace(options, std=other)


def mean_for_quantile(rule: str, options: Options) -> tuple[str, Options]:
    """Return GRPO, whose baseline is the mean, for QAE."""
    return ("grpo" if rule == "qae" else rule), options


def pos_for_neg(rule: str, options: Options) -> tuple[str, Options]:
    """Return the mask of Eq. 7 for that of Eq. 8."""
    return ("pos_mask" if rule == "neg_mask" else rule), options


def psr_for_nsr(rule: str, options: Options) -> tuple[str, Options]:
    """Return successes only for failures only."""
    return ("psr" if rule == "nsr" else rule), options


def levels(size: int) -> tuple[Fraction, ...]:
    """Return one K for every way that K G and (G - 1) K can lie among the integers: j/G, j/(G-1), and between.

    A quantile depends on K through these positions only, so that one K for each way is enough.
    """
    edges = sorted({Fraction(j, n) for n in (size, size - 1) if n for j in range(n + 1)})
    between = [(low + high) / 2 for low, high in pairwise(edges)]
    # K is strictly between 0 and 1, so both ends are left out.
    return tuple(sorted(edges[1:-1] + between))


@cache
def binary_groups(size: int) -> tuple[Group, ...]:
    """Return one group per number of correct responses, with the correct ones first, last or in between.

    Every order is not needed: each rule treats responses alike, which the rotated groups test.
    """
    # Correct ones first, and each group rotated by its own m: the places of the correct ones then vary.
    right, wrong = Fraction(1), Fraction(0)
    groups = [(right,) * m + (wrong,) * (size - m) for m in range(size + 1)]
    turned = [group[i % size :] + group[: i % size] for i, group in enumerate(groups)]
    return tuple(dict.fromkeys(groups + turned))


@cache
def graded_groups(size: int) -> tuple[Group, ...]:
    """Return groups with ties, negative rewards and penalties; all rewards are exact in float64."""
    grades = [Fraction(x) for x in (-2, -1, -1, 1, Fraction(-3, 2), Fraction(1, 4), 1, 0, 3)]
    groups = []
    for start in range(9):
        # Steps that are prime to 9 walk through all nine grades before one comes again.
        for step in (1, 2, 4):
            groups.append(tuple(grades[(start + step * i) % 9] for i in range(size)))
    return tuple(dict.fromkeys([*groups, (Fraction(-1),) * size]))


def groups_for(rule: str, size: int) -> tuple[Group, ...]:
    """Return the groups that a rule takes.

    Args:
        rule: a name of ``oracle.RULES``; some take rewards of 0 and 1 only.
        size: G.
    """
    return binary_groups(size) if rule in oracle.BINARY_ONLY else binary_groups(size) + graded_groups(size)


def option_grid(rule: str, size: int, *, exact: bool = False) -> Iterator[Options]:
    """Yield every class of K that the rule has, with both standard deviations and three eps, and without a divisor.

    Args:
        rule: a name of ``oracle.RULES``.
        size: G, which decides the classes of K.
        exact: whether square roots are to stay exact.
    """
    names = oracle.OPTION_NAMES[rule]
    ks = levels(size) if "k" in names else (Fraction(2, 5),)
    # The shipped default is 1e-6; 1/10 is large enough that a misplaced eps moves every value.
    eps = (Fraction(0), Fraction(1, 1_000_000), Fraction(1, 10))
    divided = list(product(("population", "bessel"), eps))
    # Nothing is added where nothing divides: an eps that moved a value would show.
    undivided = [("none", eps[-1])]
    # What a rule does by itself comes first: a thinned-out grid always has it.
    scales = [*undivided, *divided] if oracle.OWN_STDS[rule] == "none" else [*divided, *undivided]
    for k, (std, e) in product(ks, scales):
        yield Options(k=k, std=std, eps=e, exact=exact)


def stds_to_meet(rule: str, divisor: str) -> tuple[str, ...]:
    """Return a divisor, and with it ``none`` for a rule that has no divisor of its own.

    Args:
        rule: a name of ``oracle.RULES``.
        divisor: ``population`` or ``bessel``.
    """
    return ("none", divisor) if oracle.OWN_STDS[rule] == "none" else (divisor,)


def keywords(rule: str, options: Options) -> dict[str, Any]:
    """Return the options as keyword arguments of ``qae_theory.advantages``.

    Args:
        rule: a name of ``oracle.RULES``; only the options that it has are returned.
        options: K, std and eps.
    """
    return {name: getattr(options, name) for name in oracle.OPTION_NAMES[rule]}


def exact_array(groups: Sequence[Sequence[Any]]) -> Any:
    """Return Fractions in an object array of rank 2, for the shipped functions to run on.

    Args:
        groups: rows of equal length.
    """
    array = np.empty((len(groups), len(groups[0])), dtype=object)
    for index in np.ndindex(array.shape):
        array[index] = groups[index[0]][index[1]]
    return array


def near(shipped: Any, expected: Any) -> bool:
    """Return whether floats equal the expected values up to rounding.

    The sign of a zero is free, and a NaN equals nothing.
    """
    right = np.asarray(expected, dtype=np.float64)
    return bool(np.all(np.abs(shipped - right) <= ROUNDING * np.maximum(1, np.abs(right))))


def same(left: Any, right: Any) -> bool:
    """Return whether two numbers are exactly equal; a float is not exact, so it equals nothing.

    Args:
        left: a Fraction, an integer or a SymPy number.
        right: the same.
    """
    if isinstance(left, (float, np.floating)) or isinstance(right, float):
        return False
    return bool(left == right) or (
        isinstance(left, sympy.Basic) and bool(sympy.simplify(left - sympy.sympify(right, strict=True)) == 0)
    )


def floats_match(effort: Effort, *, rules: Sequence[str], reading: Reading) -> Finding:
    """Find whether float64 batches of the rules equal their definitions.

    Args:
        effort: bounds the group sizes.
        rules: names of estimators.
        reading: how the definition is read.
    """

    def cases() -> Iterator[tuple[str, bool]]:
        # Sizes up to 9 meet every way that K G and (G - 1) K can lie, and take seconds.
        for size in range(2, effort.pick(9, 5) + 1):
            for rule in rules:
                groups = groups_for(rule, size)
                batch = np.array(groups, dtype=np.float64)
                for options in option_grid(rule, size):
                    shipped = advantages(batch, rule, **keywords(rule, options))
                    expected = [oracle.advantages(group, *reading(rule, options)) for group in groups]
                    yield f"{rule}, G={size}, {options}", near(shipped, expected)

    return for_all(cases(), "(rule, G, K, std, eps), each on a batch of binary and graded groups")


def exact_match(effort: Effort, *, reading: Reading) -> Finding:
    """Find whether the rules turn Fractions into exact numbers that equal their definitions.

    Args:
        effort: bounds the group sizes and thins out groups and options.
        reading: how the definition is read.
    """

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(2, effort.pick(6, 4) + 1):
            for rule in oracle.RULES:
                # Exact square roots are slow: only a share of the groups and of the options is taken.
                groups = groups_for(rule, size)[:: 1 if rule in oracle.BINARY_ONLY else effort.pick(2, 5)]
                # A grid has seven options for each K: a step prime to seven meets all of them.
                for options in list(option_grid(rule, size, exact=True))[:: effort.pick(3, 5)]:
                    shipped = advantages(exact_array(groups), rule, **keywords(rule, options))
                    expected = [oracle.advantages(group, *reading(rule, options)) for group in groups]
                    pairs = zip(shipped.flat, chain.from_iterable(expected), strict=True)
                    yield f"{rule}, G={size}, {options}", all(same(a, b) for a, b in pairs)

    return for_all(cases(), "(rule, G, K, std, eps) in exact arithmetic")


def quantiles_match(effort: Effort, *, level_of: Callable[[Fraction], Fraction], method: str) -> Finding:
    """Find whether ``quantile_baseline`` of a batch equals the definition for every level class, exact and in float64.

    Args:
        effort: bounds the group sizes.
        level_of: the level that the definition reads, given K.
        method: ``inverted_cdf`` or ``linear``.
    """
    definition = oracle.quantile if method == "inverted_cdf" else oracle.linear_quantile

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(1, effort.pick(10, 7) + 1):
            groups = binary_groups(size) + graded_groups(size)
            exact, floats = exact_array(groups), np.array(groups, dtype=np.float64)
            for k in levels(size):
                expected = [definition(group, level_of(k)) for group in groups]
                shipped = quantile_baseline(exact, k, method=method)
                yield f"G={size}, K={k}", all(same(a, b) for a, b in zip(shipped, expected, strict=True))
                shipped = quantile_baseline(floats.reshape(1, *floats.shape), k, method=method)
                yield (
                    f"G={size}, K={k}, floats",
                    shipped.shape == (1, len(groups)) and near(shipped[0], expected),
                )

    return for_all(cases(), "(G, K), each on a batch of groups with ties")


def masks_match(effort: Effort, *, reading: Reading) -> Finding:
    """Find whether responses that the mask leaves out change nothing, for every mask of every group of four.

    Their rewards hold NaN or nonsense, so that any use of them shows.

    Args:
        effort: thins out the options.
        reading: how the definition is read.
    """
    grades = [Fraction(x) for x in (-2, 1, Fraction(1, 4))]
    # All 16 masks, the empty one and the full one among them.
    masks = list(product((True, False), repeat=4))

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in oracle.RULES:
            values = [Fraction(0), Fraction(1)] if rule in oracle.BINARY_ONLY else grades
            masked_groups = list(product(product(values, repeat=4), masks))
            rewards = np.array([group for group, _ in masked_groups], dtype=np.float64)
            flags = np.array([mask for _, mask in masked_groups])
            for options in list(option_grid(rule, 4))[:: effort.pick(4, 17)]:
                expected = []
                for group, mask in masked_groups:
                    expected.append(oracle.masked_advantages(group, mask, *reading(rule, options)))
                # NaN shows in every sum and is lost in some comparisons; a number far from the rewards shows there.
                for junk in (np.nan, -7.5):
                    batch = np.where(flags, rewards, junk)
                    shipped = advantages(batch, rule, mask=flags, **keywords(rule, options))
                    yield f"{rule}, {options}, {junk} in unscorable rows", near(shipped, expected)

    return for_all(cases(), "(rule, options), each on every mask of every group of four")


def exact_masks_match(effort: Effort, *, reading: Reading) -> Finding:
    """Find whether masked groups of Fractions stay exact and equal their definitions.

    Args:
        effort: thins out the masks.
        reading: how the definition is read.
    """
    groups = [tuple(map(Fraction, group)) for group in ((1, 0, 0, 1, 0), (0, 1, 1, 1, 0), (0, 0, 0, 0, 1))]
    masks = list(product((False, True), repeat=5))[:: effort.pick(1, 3)]

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in oracle.RULES:
            # At K = 11/20 some masked groups are of another regime than the whole ones: the gate must read the mask.
            for std, group in product(stds_to_meet(rule, "population"), groups):
                options = Options(k=Fraction(11, 20), std=std, eps=Fraction(0), exact=True)
                batch = exact_array([group] * len(masks))
                shipped = advantages(batch, rule, mask=np.array(masks), **keywords(rule, options))
                expected = [oracle.masked_advantages(group, mask, *reading(rule, options)) for mask in masks]
                flat = chain.from_iterable(expected)
                yield f"{rule}, {std}, {group}", all(same(a, b) for a, b in zip(shipped.flat, flat, strict=True))

    return for_all(cases(), "(rule, group of five), each under many masks")
