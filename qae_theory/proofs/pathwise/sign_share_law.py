"""Prove claim ``sign-share-law``: under GRPO the wrong responses carry exactly the share V of the expected change.

Given m, the correct responses' part of the expected direction is 1 - V times the whole and the wrong ones' V times it,
because pi = V pi+ + (1 - V) pi-. SymPy decides it coordinate by coordinate; ties sum the shipped steps over all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
import sympy

from qae_theory.advantages import advantages
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import count_vectors, exact_counts, multinomial_weights
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, X
from qae_theory.proofs.tools.checking import all_zero, for_all, zero
from qae_theory.proofs.tools.groups import LEVELS, binary_group, exact, mixed_groups, number, same
from qae_theory.proofs.tools.rational_policies import Probs, logs
from qae_theory.updates import counted_group, update_direction

# Two right and two wrong responses, whose probabilities differ within each side.
POLICY = (Fraction(1, 2), Fraction(1, 8), Fraction(1, 4), Fraction(1, 8))
ARM_REWARDS = (1, 1, 0, 0)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("sign-share-law", "from-the-mixture", Kind.PROOF, Role.FOR, (*_proof(), *_ties())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Given which responses are correct, the correct ones are independent draws from $\pi^+ = \pi "
            r"r/V$ and the wrong ones from $\pi^- = \pi(1-r)/(1-V)$.",
            check=partial(_conditional_is_product, divide=True),
            planted="pi itself for pi+ and pi-",
            control=partial(_conditional_is_product, divide=False),
            citation="Independent variables, each conditioned on an event of its own; Durrett, Probability, Ch. 2",
        ),
        Step(
            says=r"Coordinate by coordinate, $r_y \in \{0, 1\}$: $\pi^+ - \pi = (1-V)(\pi^+ - \pi^-)$ and $\pi - "
            r"\pi^- = V(\pi^+ - \pi^-)$, because $\pi = V\pi^+ + (1-V)\pi^-$.",
            check=partial(_mixture, swap=False),
            planted="V and 1 - V exchanged",
            control=partial(_mixture, swap=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So given $m$ the correct responses' part of the expected direction is $\frac mG A_+(\pi^+ - "
            r"\pi)$ and the wrong ones' $\frac nG A_-(\pi^- - \pi)$, $n = G - m$. GRPO has $mA_+ = -nA_-$. "
            r"The parts are $(1-V)$ and $V$ times the whole, $\frac mG A_+(\pi^+ - \pi^-)$, in every "
            "coordinate.",
            check=partial(_parts, grpo=True),
            planted="advantages 1 and -1, which do not balance",
            control=partial(_parts, grpo=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped first-order change of entropy is linear in the direction, on any number of arms (as "
            r"the change of any differentiable functional is), so the wrong responses' part of it is $V$ times the "
            r"whole too.",
            check=partial(_linear_change, power=1),
            planted="quadratic in the direction",
            control=partial(_linear_change, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: the shipped functions, summed over all groups with $m$ correct responses, exactly: direction "
            "and entropy.",
            check=partial(_shipped_share, share=lambda v: v),
            planted="1 - V for V",
            control=partial(_shipped_share, share=lambda v: 1 - v),
            tie=True,
        ),
        Step(
            says="Tie: the shipped `update_direction` agrees, response by response: every ordered group, its "
            "advantages set to 0 at the correct responses for the wrong ones' part.",
            check=partial(_shipped_ordered, keep=0),
            planted="the correct responses' part",
            control=partial(_shipped_ordered, keep=1),
            tie=True,
        ),
        Step(
            says="QAE for comparison: on hard groups the wrong responses' part is 0, on easy ones the correct ones'.",
            check=partial(_one_side, rule="qae"),
            planted="GRPO",
            control=partial(_one_side, rule="grpo"),
            tie=True,
        ),
    )


class _Parts(NamedTuple):
    """Hold a count vector's share of the expected direction.

    Attributes:
        weight: the probability of the count vector.
        right: the part of the direction that right responses bring, one entry per response.
        wrong: the part that wrong responses bring.
    """

    weight: Any
    right: Array
    wrong: Array


def _sides(probs: Probs, rewards: tuple[int, ...]) -> tuple[Fraction, Array, Array]:
    """Return V, pi+ = pi r / V (the policy given a right response) and pi- = pi (1 - r)/(1 - V)."""
    pi, r = exact(list(probs)), exact(list(rewards))
    v = sum(pi * r)
    return v, pi * r / v, pi * (1 - r) / (1 - v)


def _conditional_is_product(effort: Effort, *, divide: bool) -> Finding:
    """Find whether responses, given which of them are right, are independent draws from pi+ and pi-."""
    probs, rewards = (Fraction(1, 2), Fraction(1, 8), Fraction(3, 8)), (1, 1, 0)
    _, right, wrong = _sides(probs, rewards)
    # The control forgets to divide by the probability of the condition.
    laws = {1: right, 0: wrong} if divide else {1: exact(list(probs)), 0: exact(list(probs))}
    size = effort.pick(4, 3)
    # Every pattern of right and wrong responses is a condition of its own.
    by_outcome: dict[tuple[int, ...], dict[tuple[int, ...], Fraction]] = {}
    for y in product(range(3), repeat=size):
        outcome = tuple(rewards[y_i] for y_i in y)
        by_outcome.setdefault(outcome, {})[y] = Fraction(prod(probs[y_i] for y_i in y))

    def cases() -> Iterator[tuple[str, bool]]:
        for outcome, weights in by_outcome.items():
            total = sum(weights.values())
            for y, weight in weights.items():
                expected = prod(laws[r][y_i] for r, y_i in zip(outcome, y, strict=True))
                yield f"R={outcome}, responses {y}", weight / total == expected

    return for_all(cases(), f"all groups of {size} from three responses")


def _mixture(*, swap: bool) -> Finding:
    """Find whether pi+ - pi and pi - pi- are 1 - V and V times pi+ - pi-."""
    pi, v = sympy.symbols("pi V", positive=True)
    share = 1 - v if swap else v
    residuals = []
    for r in (0, 1):
        right, wrong = pi * r / v, pi * (1 - r) / (1 - v)
        residuals += [right - pi - (1 - share) * (right - wrong), pi - wrong - share * (right - wrong)]
        residuals.append(pi - v * right - (1 - v) * wrong)
    return all_zero(residuals)


def _parts(*, grpo: bool) -> Finding:
    """Find whether both parts of the direction are 1 - V and V times the whole."""
    m, n, t, v = sympy.symbols("m n t V", positive=True)
    right, wrong = sympy.symbols("pi_right pi_wrong")
    size, pi = m + n, v * right + (1 - v) * wrong
    # GRPO's advantages balance, m A+ = -n A-; the control's 1 and -1 do not.
    a_right, a_wrong = ((1 - m / size) / t, -m / size / t) if grpo else (1 / t, -1 / t)
    correct_part, wrong_part = m / size * a_right * (right - pi), n / size * a_wrong * (wrong - pi)
    whole = m / size * a_right * (right - wrong)
    return all_zero([correct_part - (1 - v) * whole, wrong_part - v * whole, correct_part + wrong_part - whole])


def _linear_change(*, power: int) -> Finding:
    """Find whether the shipped first-order change of a sum is the sum of the changes, to scale."""
    share = sympy.Symbol("V", positive=True)

    def change(direction: Any) -> Any:
        return for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(direction)))

    return zero(change(share * DIRECTION + X) - share**power * change(DIRECTION) - change(X), sympy.expand)


def _by_side(size: int, num_correct: int, rule: str, **settings: Any) -> Iterator[_Parts]:
    """Yield the parts of the direction for every count vector with this number of correct responses."""
    probs, r = exact(list(POLICY)), exact(list(ARM_REWARDS))
    # The first response of the group is a wrong one, the last a correct one.
    values = advantages(binary_group(num_correct, size), rule, **settings)
    per_arm = exact([values[-1] if reward == 1 else values[0] for reward in r])
    counts = count_vectors(len(probs), size)
    weights = multinomial_weights(logs(POLICY), counts)
    for row, weight in zip(exact_counts(counts, probs), weights, strict=True):
        if sum(row * r) == num_correct:
            # The step is linear in the advantages, so that each side's part can be taken alone.
            right, wrong = (counted_group(probs, row, per_arm * side) for side in (r, 1 - r))
            yield _Parts(weight, right, wrong)


def _shipped_share(effort: Effort, *, share: Callable[[Any], Any]) -> Finding:
    """Find whether the wrong responses' part of the shipped direction and change is V times the whole."""
    v, z = _sides(POLICY, ARM_REWARDS)[0], logs(POLICY)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), std in product(mixed_groups(effort.pick(5, 3)), ("population", "bessel")):
            # Summed over all count vectors with m right responses, weighted by their probabilities.
            right = wrong = exact([0] * len(POLICY))
            for parts in _by_side(size, m, "grpo", std=std, eps=0):
                right, wrong = right + parts.weight * parts.right, wrong + parts.weight * parts.wrong
            yield f"m={m}, G={size}, {std}, direction", wrong, share(v) * (right + wrong)
            part, whole = (number(first_order_entropy_change(z, d)) for d in (wrong, right + wrong))
            yield f"m={m}, G={size}, {std}, entropy", part, share(v) * whole

    return same(cases(), "every count vector of a four-response query")


def _shipped_ordered(effort: Effort, *, keep: int) -> Finding:
    """Find whether the same holds response by response, over every ordered group."""
    v = _sides(POLICY, ARM_REWARDS)[0]
    z, r, size = logs(POLICY), exact(list(ARM_REWARDS)), effort.pick(3, 2)
    nothing = exact([0] * len(POLICY))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for m in range(1, size):
            whole = part = nothing
            for y in product(range(len(POLICY)), repeat=size):
                group = r[list(y)]
                if sum(group) == m:
                    a = advantages(group, "grpo", eps=0)
                    # Only one side's advantages are kept: its part of the step.
                    kept = np.where(np.asarray(group == keep), a, exact([0] * size))
                    weight = prod(POLICY[y_i] for y_i in y)
                    step = partial(update_direction, z, r, "sampled_group", responses=list(y))
                    whole, part = whole + weight * step(advantages=a), part + weight * step(advantages=kept)
            yield f"m={m}, G={size}", part, v * whole

    return same(cases(), f"every ordered group of {size}")


def _one_side(*, rule: str) -> Finding:
    """Find whether a rule's direction has no part of wrong responses on hard groups, nor of right ones on easy ones."""
    nothing = exact([0] * len(POLICY))

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k in product(mixed_groups(4), LEVELS):
            hard = is_hard_group(m, size, k)
            for parts in _by_side(size, m, rule, **({"k": k} if rule == "qae" else {})):
                yield f"{rule}, K={k}, m={m}, G={size}", parts.wrong if hard else parts.right, nothing

    return same(cases(), "every count vector, four levels")
