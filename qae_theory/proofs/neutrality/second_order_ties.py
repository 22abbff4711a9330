"""Tie claim ``second-order`` to the shipped functions: all n^G groups, floating point, and the order of the remainder.

The enumerations are written apart from the closed forms; the proof is in ``second_order``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, combinations_with_replacement, product
from math import fsum
from typing import Any

import numpy as np
import sympy

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, response_curvatures, second_order_entropy_change
from qae_theory.group_expectation import (
    advantage_moments,
    count_vectors,
    expected_entropy_change,
    expected_first_order_change,
    expected_second_order_change,
    multinomial_weights,
)
from qae_theory.proofs.neutrality.neutrality_floats import PROBABILITIES, binomial_law, float_options, float_pair
from qae_theory.proofs.tools.checking import both, for_all
from qae_theory.proofs.tools.enumeration import (
    Query,
    all_groups,
    exact,
    group_directions,
    group_weights,
    query,
)
from qae_theory.proofs.tools.rule_formulas import RULES, exactly_equal, number, option_sets
from qae_theory.updates import update_direction

LEVELS = (Fraction(2, 5), Fraction(3, 4))
QUERIES = (query("1/6 1/3 1/2", "1 0 0"), query("3/4 1/4", "1 0"), query("1/10 7/10 1/5", "1 1 0"))
# Float64 sums of a few dozen terms of mixed sign: rounding stays four digits below this, one-token errors far above.
RELATIVE = 1e-12


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("second-order", "all-groups", Kind.CERTIFICATE, Role.FOR, _exact_steps()))
    ledger.add(Evidence("second-order", "floating-point", Kind.CERTIFICATE, Role.FOR, _float_steps()))


def _exact_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$E[dd^\top]$ of the shipped `sampled_group` updates over all $n^G$ groups is the formula "
            r"with the shipped `advantage_moments`, entry by entry and exactly: nine rules, both standard "
            r"deviations, two $K$.",
            check=partial(_enumerated_outer, level_of=lambda k: k),
            planted="1 - K for K in the moments",
            control=partial(_enumerated_outer, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says=r"The shipped `response_curvatures` are `second_order_entropy_change` along $e_y - \pi$, "
            r"exactly.",
            check=partial(_curvatures, centre=True),
            planted="along e_y + pi",
            control=partial(_curvatures, centre=False),
            tie=True,
        ),
        Step(
            says=r"The shipped `expected_second_order_change` is the mean of `second_order_entropy_change` "
            r"over all $n^G$ groups, exactly.",
            check=partial(_enumerated_curvature, extra=0),
            planted="a group larger by one in the closed form",
            control=partial(_enumerated_curvature, extra=1),
            tie=True,
        ),
        _count_step(),
    )


def _count_step() -> Step:
    return Step(
        says=r"The finite-step mean sums over count vectors: the shipped `count_vectors` are the counts of the $n^G$ "
        r"groups, each once, and `multinomial_weights` the total probability of the groups that share them, exactly "
        r"and in float64.",
        check=partial(_count_vectors, reverse=False),
        planted="probabilities in reverse order",
        control=partial(_count_vectors, reverse=True),
        tie=True,
    )


def _float_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"`advantage_moments` in float64, for a batch of $p$ down to $10^{-12}$ and $G \le 64$, are "
            r"the binomial sums over `rule_formulas` with exact weights; they refuse $G = 1$.",
            check=partial(_float_moments, default_k=Fraction(2, 5)),
            planted="K = .6 by default",
            control=partial(_float_moments, default_k=Fraction(3, 5)),
            tie=True,
        ),
        Step(
            says=r"`response_curvatures` in float64, for batches of flat and peaked policies of up to 50 "
            r"responses, are the curvatures along $e_y - \pi$.",
            check=partial(_float_curvatures, factor=1.0),
            planted="twice that",
            control=partial(_float_curvatures, factor=2.0),
            tie=True,
        ),
        Step(
            says=r"`expected_entropy_change` in float64 is the mean of `entropy_change` over all listed $n^G$ "
            r"groups, `expected_first_order_change` and `expected_second_order_change` in float64 are "
            r"their exact values, also for a batch of queries.",
            check=partial(_float_changes, flip=False),
            planted="rewards exchanged, right for wrong",
            control=partial(_float_changes, flip=True),
            tie=True,
        ),
        Step(
            says=r"**The order of the remainder.** $|E[\Delta H] - \eta h_1 - \frac{\eta^2}{2}h_2|$ of the "
            r"shipped functions falls with a fitted slope of at least $3 - 0.05$ in $\eta$, nine rules, "
            r"three queries.",
            check=partial(_remainder_order, half=0.5),
            planted="eta^2 for eta^2/2",
            control=partial(_remainder_order, half=1.0),
            tie=True,
        ),
    )


def _enumerated_outer(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether E[d d'] over all groups is the formula with the shipped moments, exactly."""
    return exactly_equal(_outer_cases(effort, level_of), "all n^G groups of three queries")


def _outer_cases(effort: Effort, level_of: Callable[[Fraction], Fraction]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each entry of E[d d'] over all groups, and of the formula."""
    for case, size in product(effort.pick(QUERIES, QUERIES[1:]), range(2, effort.pick(5, 4))):
        groups = all_groups(len(case.probs), size)
        weights = group_weights(case.exact_probs, groups)
        # The three matrices of the formula: the noise of each outcome, and the mean step.
        right, wrong, g = _noise(case, 1), _noise(case, 0), case.success_gradient
        for rule in RULES:
            for options in option_sets(rule, effort.pick(LEVELS, LEVELS[:1])):
                d = group_directions(case, groups, rule, **options)
                claimed = {**options, "k": level_of(options["k"])} if "k" in options else options
                shipped_moments = advantage_moments(case.success_prob, size, rule, **claimed)
                alpha_1, alpha_0, beta = (number(x) for x in shipped_moments)
                for i, j in combinations_with_replacement(range(len(g)), 2):  # both sides are symmetric
                    outer = (weights * d[:, i] * d[:, j]).sum()
                    formula = (alpha_1 * right[i, j] + alpha_0 * wrong[i, j] + (size - 1) * beta * (g[i] * g[j])) / size
                    yield f"{rule}, {options}, G={size}, pi={case.probs}, entry {i}{j}", outer, formula


def _noise(case: Query, reward: int) -> Any:
    """Return M_r, the second moment of the scores of the responses with reward r."""
    scores = exact(np.eye(len(case.probs), dtype=int)) - case.exact_probs
    chosen = case.exact_probs * (exact(case.arm_rewards) == reward).astype(int)
    return (chosen[:, None, None] * scores[:, :, None] * scores[:, None, :]).sum(axis=0)


def _curvatures(*, centre: bool) -> Finding:
    """Find whether the shipped curvatures are the shipped second-order change along e_y - pi, exactly."""
    cases = []
    for case in (*QUERIES, query("1/10 1/5 3/10 2/5", "1 0 0 0")):
        shipped = response_curvatures(case.logits)
        for y in range(len(case.probs)):
            unit = exact(np.eye(len(case.probs), dtype=int)[y])
            direction = unit - case.exact_probs if centre else unit + case.exact_probs
            cases.append((f"pi={case.probs}, y={y}", _logs(shipped[y]), _logs(_curvature(case, direction))))
    return exactly_equal(cases, "four policies, every response")


def _curvature(case: Query, direction: Any) -> Any:
    """Return the shipped second-order change of a query along a direction."""
    return number(second_order_entropy_change(case.logits, direction))


def _logs(expression: Any) -> Any:
    """Return an expression with its logarithms taken apart, so that equal ones cancel."""
    return sympy.expand(sympy.expand_log(expression, force=True))


def _enumerated_curvature(effort: Effort, *, extra: int) -> Finding:
    """Find whether the shipped expectation is the mean of the shipped second-order change over all groups."""
    return exactly_equal(_curvature_cases(effort, extra), "nine rules, G = 2, 3")


def _curvature_cases(effort: Effort, extra: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield the mean second-order change over all groups, and the shipped expectation."""
    for case, size in product(effort.pick(QUERIES, QUERIES[:2]), (2, 3)):
        groups = all_groups(len(case.probs), size)
        weights = group_weights(case.exact_probs, groups)
        for rule in RULES:
            options = next(iter(option_sets(rule, LEVELS)))
            curvatures = second_order_entropy_change(case.logits, group_directions(case, groups, rule, **options))
            shipped = expected_second_order_change(case.logits, case.arm_rewards, size + extra, rule, **options)
            label = f"{rule}, G={size}, pi={case.probs}"
            yield label, _logs(number((weights * curvatures).sum())), _logs(number(shipped))


def _count_vectors(effort: Effort, *, reverse: bool) -> Finding:
    """Find whether count vectors and multinomial weights are those of the listed groups."""
    cases = []
    for case, size in product(QUERIES, range(1, effort.pick(6, 4))):
        arms = len(case.probs)
        probs = case.exact_probs[::-1] if reverse else case.exact_probs
        groups = all_groups(arms, size)
        shares: dict[tuple[int, ...], Fraction] = {}
        for group, weight in zip(groups, group_weights(probs, groups), strict=True):
            key = tuple(np.bincount(group, minlength=arms).tolist())
            # Groups with the same counts share one vector; their probabilities add up.
            shares[key] = shares.get(key, Fraction(0)) + weight
        counts = count_vectors(arms, size)
        label = f"pi={case.probs}, G={size}"
        cases.append((f"counts, {label}", sorted(shares) == sorted(map(tuple, counts.tolist()))))
        exactly = multinomial_weights(case.logits, counts).tolist()
        floats = multinomial_weights(np.log(np.array(case.probs, dtype=np.float64)), counts).tolist()
        for row, weight, rounded in zip(counts.tolist(), exactly, floats, strict=True):
            share = shares[tuple(row)]
            near = abs(rounded - float(share)) <= RELATIVE * float(share)
            cases.append((f"{row}, {label}", near and bool(number(weight) == number(share))))
    return for_all(cases, "three queries")


def _float_moments(effort: Effort, *, default_k: Fraction) -> Finding:
    """Find whether the shipped moments in float64 are the binomial sums, and G = 1 is refused."""
    sizes = effort.pick((2, 3, 8, 33, 64), (2, 3, 64))

    def cases() -> Iterator[tuple[str, bool]]:
        for rule, size in product(RULES, sizes):
            for options in float_options(rule):
                batch = np.transpose(advantage_moments(np.array(PROBABILITIES), size, rule, **options))
                for p, shipped in zip(PROBABILITIES, batch.tolist(), strict=True):
                    wanted = _moment_sums(rule, Fraction(p), size, {"k": default_k, **options})
                    yield f"{rule}, G={size}, {options}, p={p!r}", _near(shipped, wanted)

    refused = [(f"{rule}, G=1 refused", _refuses(rule)) for rule in RULES]
    return both(for_all(cases(), f"nine rules, G in {sizes}, seven p"), for_all(refused, "G = 1"))


def _near(shipped: list[float], wanted: list[tuple[float, float]]) -> bool:
    """Return whether each number is right relative to the size of its terms."""
    return all(abs(x - y) <= RELATIVE * size for x, (y, size) in zip(shipped, wanted, strict=True))


def _moment_sums(rule: str, p: Fraction, size: int, options: dict[str, Any]) -> list[tuple[float, float]]:
    """Return alpha_1, alpha_0 and beta, each with the sum of its terms' sizes, to which rounding is relative."""
    c, w = zip(*(float_pair(rule, m, size, options) for m in range(size + 1)), strict=True)
    beside_one, beside_two = binomial_law(p, size - 1), binomial_law(p, size - 2)
    sums = (
        [(q * c[j + 1] ** 2,) for j, q in enumerate(beside_one)],
        [(q * w[j] ** 2,) for j, q in enumerate(beside_one)],
        [(q * c[j + 2] ** 2, -2 * q * c[j + 1] * w[j + 1], q * w[j] ** 2) for j, q in enumerate(beside_two)],
    )
    flat = [list(chain.from_iterable(terms)) for terms in sums]
    return [(fsum(terms), fsum(map(abs, terms))) for terms in flat]


def _refuses(rule: str) -> bool:
    """Return whether the shipped moments refuse a lone response."""
    try:
        advantage_moments(Fraction(1, 3), 1, rule)
    except ValueError:
        return True
    return False


def _float_curvatures(effort: Effort, *, factor: float) -> Finding:
    """Find whether the shipped curvatures in float64 are the second-order changes along e_y - pi."""
    rng = np.random.default_rng(effort.seed)
    cases = []
    for arms, scale in product((2, 3, 7, 50), (0.1, 1.0, 5.0, 30.0)):
        logits = scale * rng.standard_normal((effort.pick(20, 5), arms))
        probs = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs /= probs.sum(axis=-1, keepdims=True)
        # All n directions e_y - pi of each policy in one batch.
        along = second_order_entropy_change(logits[:, None, :], np.eye(arms) - probs[:, None, :])
        # Both sum n terms of size up to (1 + spread of log pi), whose cancellation leaves that much rounding.
        allowed = 1e-13 * (1 + np.ptp(logits, axis=-1))[:, None]
        cases.append(
            (f"n={arms}, scale {scale}", bool(np.all(np.abs(response_curvatures(logits) - factor * along) <= allowed)))
        )
    return for_all(cases, "n in 2, 3, 7, 50, four scales")


def _float_changes(effort: Effort, *, flip: bool) -> Finding:
    """Find whether the shipped expectations in float64 are means over listed groups and exact values."""
    return for_all(_change_cases(effort, flip), "three queries, nine rules")


def _change_cases(effort: Effort, flip: bool) -> Iterator[tuple[str, bool]]:
    """Yield whether the shipped changes of each query and rule are what was computed apart."""
    for case, size in product(QUERIES, effort.pick((2, 3, 5), (2, 4))):
        z = np.log(np.array(case.probs, dtype=np.float64))
        # The control swaps right and wrong.
        given = tuple(1 - r for r in case.arm_rewards) if flip else case.arm_rewards
        # The same query twice, once in reverse order: a batch must keep its rows apart.
        batch = np.stack([z, z[::-1]])
        rewards = np.array([given, given[::-1]])
        for rule in RULES:
            options = next(iter(option_sets(rule, LEVELS)))
            label = f"{rule}, G={size}, pi={case.probs}"
            mean = _listed_mean(case, size, rule, 0.7, options)
            shipped = [float(expected_entropy_change(z, given, size, rule, 0.7, **options))]
            wanted = [mean]
            for change in (expected_first_order_change, expected_second_order_change):
                value = float(sympy.N(number(change(case.logits, case.arm_rewards, size, rule, **options)), 30))
                shipped += change(batch, rewards, size, rule, **options).tolist()
                wanted += [value, value]
            # Means of terms of both signs, of size up to 1: a few units in the last place of those terms.
            yield label, bool(np.allclose(shipped, wanted, rtol=RELATIVE, atol=1e-15))


def _listed_mean(case: Query, size: int, rule: str, eta: float, options: dict[str, Any]) -> float:
    """Return the mean entropy change over the n^G listed groups, in float64."""
    probs, rewards = np.array(case.probs, dtype=np.float64), np.array(case.arm_rewards, dtype=np.float64)
    groups = all_groups(len(probs), size)
    pushes = advantages(rewards[groups], rule, **options)
    directions = update_direction(np.log(probs), rewards, "sampled_group", responses=groups, advantages=pushes)
    changes = entropy_change(np.log(probs), directions, eta)
    return fsum((group_weights(probs, groups) * changes).tolist())


def _remainder_order(effort: Effort, *, half: float) -> Finding:
    """Find whether what the second-order prediction leaves falls with a fitted order of 3."""
    steps = 2.0 ** -np.arange(5, effort.pick(10, 9))
    cases = []
    for case, size in product(QUERIES, effort.pick((2, 4, 8), (2, 4))):
        z = np.log(np.array(case.probs, dtype=np.float64))
        for rule in RULES:
            options = next(iter(option_sets(rule, LEVELS)))
            settings = (z, case.arm_rewards, size, rule)
            h1 = float(expected_first_order_change(*settings, **options))
            h2 = float(expected_second_order_change(*settings, **options))
            changes = np.array([float(expected_entropy_change(*settings, eta, **options)) for eta in steps])
            remainder = np.abs(changes - steps * h1 - half * steps**2 * h2)
            # Rounding of the three terms: sixteen digits below the first; a remainder down there says nothing.
            floor = 1e-13 * steps * (abs(h1) + abs(h2))
            seen = remainder > floor
            slope = np.polyfit(np.log(steps[seen]), np.log(remainder[seen]), 1)[0] if seen.sum() > 1 else np.inf
            # The next term bends the fit by about the largest step, 1/32; one-sided, as cancellation only steepens it.
            cases.append((f"{rule}, G={size}, pi={case.probs}: slope {slope:.3f}", bool(slope >= 3 - 0.05)))
    return for_all(cases, f"nine rules, eta in 2^-5..{steps[-1]}")
