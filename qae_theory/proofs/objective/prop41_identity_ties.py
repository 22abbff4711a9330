"""Tie claim ``prop41-identity`` to the shipped advantages, weights and objectives.

They are compared on symbols, in exact arithmetic and in floats; the proof is in ``prop41_identity``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import Array, sqrt
from qae_theory.baselines import is_hard_group
from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.objective import (
    QueryWeights,
    clipped_surrogate,
    clipped_terms,
    group_objective,
    masked_mean,
    masked_objective,
    query_weights,
)
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.carriers.reals import SymbolicReal, real_term, symbolic_reals
from qae_theory.proofs.objective.clipping import (
    CLIPS,
    RULES,
    clip_domain,
    clip_symbols,
    numerators,
    options,
    some_ratios,
    weights,
)
from qae_theory.proofs.tools.checking import valid_on_every_path
from qae_theory.proofs.tools.groups import LEVELS, binary_group, close, exact, floats, mixed_groups, same


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `prop41-identity` to the shipped functions."""
    return (
        Step(
            says=r"The advantages that the shipped `advantages` gives, at eps = 0 and times $\sqrt{p(1-p)}$: "
            "GRPO $(1-p, -p)$ to correct and wrong; QAE $(1, 0)$ on hard and $(0, -1)$ on easy groups; "
            r"POS-MASK $(1, -1)$ and $(0, -1)$; NEG-MASK $(1, 0)$ and $(1, -1)$. In every case $A_+ \ge 0 "
            r"\ge A_-$. (The gate for all $G$, $m$, $K$ is `eq4-threshold`.)",
            check=partial(_shipped_advantages, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_advantages, std="bessel"),
            tie=True,
        ),
        Step(
            says="The shipped `query_weights` are those weights, exactly, thresholds included.",
            check=partial(_shipped_weights, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_weights, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says="The shipped `group_objective` and `masked_objective`, both run on symbolic ratios and clip "
            "ranges, are equal on every path through their minima and maxima, so for all real ratios and "
            "clip ranges at once (small groups, all four rules, exact square roots).",
            check=partial(_shipped_on_symbols, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_on_symbols, std="bessel"),
            tie=True,
        ),
        Step(
            says="They are equal as exact numbers on larger groups: batches, both orders of the rewards, four "
            "levels, clip ranges down to 0 and up to infinity.",
            check=partial(_shipped_exactly, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_exactly, std="bessel"),
            tie=True,
        ),
        Step(
            says="In float64, with the default clip ranges 0.2 and 0.28 and the default K = 0.4, they agree with "
            "the exact values.",
            check=partial(_shipped_floats, clip_high=0.28),
            planted="clip_high = 0.2",
            control=partial(_shipped_floats, clip_high=0.2),
            tie=True,
        ),
        Step(
            says="Token-level ratios: with the mean over a response's tokens first, $s^+$ and $s^-$ are token "
            "means and the identity holds for responses of unequal lengths.",
            check=partial(token_means, lengths=(1, 3, 2), per_response=True),
            planted="DAPO's normaliser: one mean over all tokens",
            control=partial(token_means, lengths=(1, 3, 2), per_response=False),
            tie=True,
        ),
        Step(
            says="A degenerate group, also one of a single response, weighs nothing on either side, for every rule.",
            check=partial(_degenerate, groups=((1,), (0,), (1, 1, 1), (0, 0))),
            planted="a mixed group",
            control=partial(_degenerate, groups=((1, 1, 0),)),
            tie=True,
        ),
    )


def _shipped_advantages(effort: Effort, *, std: str) -> Finding:
    """Find whether the shipped advantages of every mixed group up to a size are the proof's, rule by rule."""
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, rule in product(mixed_groups(largest), LEVELS, RULES):
            right, wrong = numerators(rule, is_hard_group(m, size, k), Fraction(m, size))
            sigma = sqrt(exact([Fraction(m * (size - m), size**2)]))
            shipped = advantages(binary_group(m, size), rule, std=std, eps=0, **options(rule, k))
            yield f"{rule}, K={k}, m={m}, G={size}", shipped, exact([wrong] * (size - m) + [right] * m) / sigma

    return same(cases(), f"all mixed groups of at most {largest}, four levels, four rules")


def _shipped_weights(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped weights of every mixed group up to a size are the proposition's."""
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, rule in product(mixed_groups(largest), LEVELS, RULES):
            expected = exact(weights(rule, is_hard_group(m, size, level_of(k)), Fraction(m, size)))
            shipped = np.array(query_weights(binary_group(m, size), rule, k=k))
            yield f"{rule}, K={k}, m={m}, G={size}", shipped, expected

    return same(cases(), f"all mixed groups of at most {largest}, four levels, four rules")


def _shipped_on_symbols(effort: Effort, *, std: str) -> Finding:
    """Find whether both sides, run on symbolic ratios and clip ranges, are equal on every path."""
    # No group at all would prove nothing, so the start is a failure.
    finding = Finding(False, "z3 countermodel", "no groups")
    for m, size in effort.pick(((1, 2), (1, 3), (2, 3)), ((1, 2),)):
        for rule in RULES:
            finding = _equal_on_symbols(rule, binary_group(m, size), std)
            if not finding.passed:
                return finding
    return finding


def _equal_on_symbols(rule: str, rewards: Array, std: str) -> Finding:
    """Find whether objective and masked form of one group are equal for all ratios and clip ranges."""
    _, _, low, high = clip_symbols()
    ratios = z3.Reals([f"x_{i}" for i in range(len(rewards))])
    # Rewards and weights are numbers; ratios and clip ranges are the symbols.
    own, weighted = advantages(rewards, rule, eps=0, std=std), QueryWeights(*query_weights(rewards, rule))

    def goal(path: Path) -> Any:
        x, bounds = symbolic_reals(path, *ratios), (SymbolicReal(low, path), SymbolicReal(high, path))
        left = clipped_terms(x, own, *bounds).sum() / Fraction(len(rewards))
        return real_term(left) == real_term(masked_mean(x, rewards, weighted, *bounds))

    return valid_on_every_path(goal, *clip_domain(*ratios))


def _shipped_exactly(effort: Effort, *, std: str) -> Finding:
    """Find whether both sides are equal as Fractions and roots, three groups a call, in two orders of rewards."""
    largest = effort.pick(7, 5)
    cases = []
    for size in range(2, largest + 1):
        ratios = np.stack([some_ratios(size, turn) for turn in range(3)])
        for m in range(1, size):
            # Two orders of one group, and its mirror image: a batch must keep them apart.
            rewards = np.stack([binary_group(m, size), binary_group(m, size)[::-1], binary_group(size - m, size)])
            for k in LEVELS[:: effort.pick(1, 2)]:
                # Also no range at all and no upper bound, where one of the minima never acts.
                for clip in CLIPS:
                    for rule in RULES:
                        a = advantages(rewards, rule, eps=0, std=std, **options(rule, k))
                        left = group_objective(ratios, a, **clip)
                        right = masked_objective(ratios, rewards, rule, k=k, **clip)
                        cases.append((f"{rule}, K={k}, m={m}, G={size}, {clip}", left, right))
    return same(cases, f"groups of at most {largest} in batches, three clip ranges")


def _shipped_floats(*, clip_high: float) -> Finding:
    """Find whether float64 with default options agrees with exact values with the defaults written out."""
    cases = []
    for size in (2, 5, 8):
        rewards = np.stack([binary_group(m, size) for m in range(size + 1)])
        # Each row has other ratios, so that a mix-up of rows shows.
        ratios = np.stack([some_ratios(size, turn) for turn in range(size + 1)])
        for rule in RULES:
            a = advantages(rewards, rule, eps=0, **options(rule, "0.4"))
            clip: dict[str, Any] = {"clip_low": Fraction(1, 5), "clip_high": Fraction(str(clip_high))}
            expected = floats(masked_objective(ratios, rewards, rule, k="0.4", **clip))
            label = f"{rule}, G={size}, m=0..{size}"
            cases += [
                (label, group_objective(floats(ratios), floats(a)), expected),
                (label, masked_objective(floats(ratios), floats(rewards), rule), expected),
                (
                    label,
                    np.array(query_weights(floats(rewards), rule)),
                    floats(np.array(query_weights(rewards, rule))),
                ),
                (
                    label,
                    clipped_surrogate(floats(ratios), floats(a)),
                    floats(clipped_surrogate(ratios, a, **clip)),
                ),
            ]
    return close(cases, "float64, degenerate groups included")


def token_means(*, lengths: tuple[int, ...], per_response: bool) -> Finding:
    """Find whether token-level terms average to the masked form.

    Args:
        lengths: the number of tokens of each response.
        per_response: whether to average over each response's tokens first, not over all tokens at once.
    """
    size = len(lengths)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for rule, m in product(RULES, range(1, size)):
            rewards = binary_group(m, size)
            a = advantages(rewards, rule, eps=0)
            left: Any = Fraction(0)
            means = []
            for i, n in enumerate(lengths):
                ratios = some_ratios(n, i)
                # Either each response counts alike, or each token does.
                share = Fraction(1, size * n) if per_response else Fraction(1, sum(lengths))
                left = left + share * clipped_surrogate(ratios, a[i], **CLIPS[0]).sum()
                means.append(_clipped_mean(ratios, rewards[i]))
            # s+ <= 1 + e_high and s- >= 1 - e_low already, so the second clipping inside changes nothing.
            yield f"{rule}, m={m}", left, masked_objective(exact(means), rewards, rule, **CLIPS[0])

    return same(cases(), f"token-level ratios of responses of lengths {lengths}")


def _clipped_mean(ratios: Array, reward: Any) -> Any:
    """Return the mean of s+ over the tokens of a correct response, that of s- of a wrong one."""
    low, high = CLIPS[0]["clip_low"], CLIPS[0]["clip_high"]
    clipped = np.minimum(ratios, 1 + high) if reward == 1 else np.maximum(ratios, 1 - low)
    return clipped.sum() / Fraction(len(ratios))


def _degenerate(*, groups: tuple[tuple[int, ...], ...]) -> Finding:
    """Find whether both sides and both weights of these groups are 0."""
    cases = []
    for rewards in groups:
        ratios, group = some_ratios(len(rewards), 0), exact(list(rewards))
        for rule in RULES:
            # Floats too: 0/0 must not slip through as a NaN.
            for x, r in ((ratios, group), (floats(ratios), floats(group))):
                sides = (group_objective(x, advantages(r, rule, eps=0)), masked_objective(x, r, rule))
                values = exact([*sides, *query_weights(r, rule)])
                cases.append((f"{rule}, rewards {rewards}", values, exact([0] * 4)))
    return same(cases, "degenerate groups, exact and float64")
