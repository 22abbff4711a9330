"""Tie claim ``neutrality`` to the shipped closed forms, by enumerating all n^G groups of small queries.

The enumeration is written apart from the closed forms. Policies that share parameters, mixed groups only and the
smallest groups are here too; floating point is in ``neutrality_floats``, the proof in ``neutrality``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import comb
from typing import Any

import numpy as np
import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.group_expectation import (
    OutcomeAdvantages,
    expected_first_order_change,
    expected_gain,
    gain,
    outcome_advantages,
)
from qae_theory.proofs.tools.checking import for_all
from qae_theory.proofs.tools.enumeration import (
    Query,
    all_groups,
    exact,
    group_advantages,
    group_directions,
    group_weights,
    mean_direction,
    query,
)
from qae_theory.proofs.tools.rule_formulas import RULES, exactly_equal, number, option_sets

LEVELS = (Fraction(2, 5), Fraction(3, 4))
QUERIES = (query("1/6 1/3 1/2", "1 0 0"), query("1/10 7/10 1/5", "1 1 0"), query("3/4 1/4", "1 0"))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("neutrality", "all-groups", Kind.CERTIFICATE, Role.FOR, (*_group_steps(), *_mixed_steps())))


def _group_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped `sampled_group` update, averaged exactly over all $n^G$ groups, is "
            r"`expected_gain` times $\pi(r - V)$: nine rules, two levels $K$, both standard deviations.",
            check=partial(_enumerated_update, level_of=lambda k: k),
            planted="1 - K for K in expected_gain",
            control=partial(_enumerated_update, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says=r"The same for policies that share parameters: a log-linear one, and a two-token one whose "
            r"responses have one or two tokens. The gradient is taken by SymPy, the scores are sums over "
            r"tokens.",
            check=partial(_other_policies, normalise=False),
            planted="token scores averaged, not summed (1/|o|)",
            control=partial(_other_policies, normalise=True),
            tie=True,
        ),
        Step(
            says=r"$A = -R$ is reward-only and equivariant too, and the shipped `gain` gives it $w = -1$: that "
            r"$w > 0$ is a property of the named rules.",
            check=partial(_minus_reward, value=-1),
            planted="w = +1",
            control=partial(_minus_reward, value=1),
            tie=True,
        ),
        Step(
            says=r"For entropy: `expected_first_order_change` is $w$ times $-\mathrm{Cov}_\pi(\log\pi, "
            r"\pi(r-V))$, computed from its definition.",
            check=partial(_first_order_change, centre=True),
            planted="the uncentred pi r for pi (r - V)",
            control=partial(_first_order_change, centre=False),
            tie=True,
        ),
    )


def _mixed_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"**Mixed groups only.** Dynamic sampling draws until $0 < m < G$. $A\,1\{mixed\}$ is again "
            r"reward-only and equivariant, so the expected update given a mixed group is $\nabla p$ times "
            r"$(E[A 1\{mixed\} \mid R=1] - E[A 1\{mixed\} \mid R=0]) / P(mixed)$: `mixed_only=True` "
            r"against the enumeration of mixed groups.",
            check=partial(
                _mixed_update,
                mixed_gain=lambda p, size, rule, options: expected_gain(p, size, rule, mixed_only=True, **options),
            ),
            planted="both expectations conditioned on a mixed group",
            control=partial(
                _mixed_update, mixed_gain=lambda p, size, rule, options: _conditioned_gain(p, size, rule, **options)
            ),
            tie=True,
        ),
        Step(
            says=r"There is no mixed group at $G = 1$, where $w$ is 0 for every rule that takes it; the "
            r"shipped functions refuse `mixed_only` there, and RLOO.",
            check=partial(_single_response, least=2),
            planted="mixed groups from G = 1 on",
            control=partial(_single_response, least=1),
            tie=True,
        ),
    )


def _enumerated_update(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the mean shipped step over all groups is the shipped gain times pi (r - V)."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for case, size, rule in product(effort.pick(QUERIES, QUERIES[1:]), range(2, effort.pick(5, 4)), RULES):
            for options in option_sets(rule, effort.pick(LEVELS, LEVELS[:1])):
                # The closed form may be asked for another level than the enumeration: that is the control.
                claimed = {**options, "k": level_of(options["k"])} if "k" in options else options
                mean = mean_direction(case, size, rule, **options)
                w = number(expected_gain(case.success_prob, size, rule, **claimed))
                for arm, slope in enumerate(case.success_gradient):
                    yield f"{rule}, {options}, G={size}, pi={case.probs}, arm {arm}", mean[arm], w * slope

    return exactly_equal(cases(), "all n^G groups of three queries")


def _other_policies(effort: Effort, *, normalise: bool) -> Finding:
    """Find whether the same holds for two policies whose responses share parameters."""
    x, y = sympy.symbols("x y", positive=True)  # exponentials of the two parameters
    at = {x: sympy.Rational(2), y: sympy.Rational(3, 2)}
    # Log-linear: four responses with the features (1, 0), (1, 2), (0, 1) and (0, 0).
    total = x + x * y**2 + y + 1
    # Two tokens: the first may end the response, and both depend on the parameter of x.
    first, second = x / (1 + x), x * y / (1 + x * y)
    policies = (
        ([[x / total], [x * y**2 / total], [y / total], [1 / total]], (1, 0, 1, 0)),
        ([[first], [1 - first, second], [1 - first, 1 - second]], (0, 1, 0)),
    )
    return exactly_equal(
        _policy_cases(effort, policies, (x, y), at, normalise=normalise), "two policies, two parameters"
    )


def _policy_cases(
    effort: Effort, policies: Any, parameters: tuple[Any, Any], at: dict[Any, Any], *, normalise: bool
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the mean push on a parameter over all groups, and the shipped gain times the gradient of p."""
    for tokens, arm_rewards in policies:
        probs = [sympy.prod(factors) for factors in tokens]
        success = sum(q for q, r in zip(probs, arm_rewards, strict=True) if r)
        # The parameters are set after differentiating: the groups then have rational probabilities.
        case = Query(tuple(Fraction(str(q.subs(at))) for q in probs), arm_rewards)
        for parameter, size in product(parameters, (2, effort.pick(4, 3))):
            scores = []
            for factors in tokens:
                # d/d theta = x d/dx for x = e^theta; the scores of a response's tokens add up.
                score = sum(parameter * sympy.diff(sympy.log(q), parameter) for q in factors).subs(at)
                scores.append(score / (len(factors) if normalise else 1))
            gradient = (parameter * sympy.diff(success, parameter)).subs(at)
            groups = all_groups(len(tokens), size)
            weights = group_weights(case.exact_probs, groups)
            for rule in RULES:
                options = next(iter(option_sets(rule, LEVELS)))
                pushes = group_advantages(case, groups, rule, **options) * np.array(scores, dtype=object)[groups]
                mean = (weights[:, None] * pushes).sum() / size
                w = number(expected_gain(case.success_prob, size, rule, **options))
                yield f"{rule}, {len(tokens)} responses, {parameter}, G={size}", mean, w * gradient


def _minus_reward(effort: Effort, *, value: int) -> Finding:
    """Find whether A = -R has the shipped gain -1 and moves against the gradient of V."""
    case, size = QUERIES[0], effort.pick(4, 3)
    table = OutcomeAdvantages(exact([0] + [-1] * size), exact([0] * (size + 1)))
    groups = all_groups(3, size)
    # A = -R, for every response of every group.
    pushes = -exact(case.arm_rewards)[groups]
    chosen = (groups[..., None] == np.arange(3)) - case.exact_probs  # e_y - pi
    mean = (group_weights(case.exact_probs, groups)[:, None] * (pushes[..., None] * chosen).sum(axis=1)).sum(
        axis=0
    ) / size
    cases = [("gain", gain(np.array(case.success_prob, dtype=object), table), value)]
    cases += [(f"arm {arm}", mean[arm], value * case.success_gradient[arm]) for arm in range(3)]
    return exactly_equal(cases, f"all groups of {size}")


def _first_order_change(*, centre: bool) -> Finding:
    """Find whether the shipped expected first-order change is -w Cov(log pi, d), with d the policy gradient."""
    cases: list[tuple[str, Any, Any]] = []
    for case in QUERIES:
        logs = case.logits
        # The exact policy gradient, or without its centre for the control.
        step = case.success_gradient if centre else case.exact_probs * exact(case.arm_rewards)
        probs = case.exact_probs
        covariance = (probs * logs * step).sum() - (probs * logs).sum() * (probs * step).sum()
        for rule, size in product(("grpo", "qae", "rloo"), (2, 5)):
            options = next(iter(option_sets(rule, LEVELS)))
            shipped = expected_first_order_change(logs, case.arm_rewards, size, rule, **options)
            w = number(expected_gain(case.success_prob, size, rule, **options))
            cases.append((f"{rule}, G={size}, pi={probs}", shipped, -w * covariance))
    return exactly_equal(cases, "three queries, three rules")


def _mixed_update(effort: Effort, *, mixed_gain: Callable[..., Any]) -> Finding:
    """Find whether the mean step given a mixed group is ``mixed_gain`` times pi (r - V)."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for case, size in product(effort.pick(QUERIES, QUERIES[1:]), range(2, effort.pick(5, 4))):
            groups = all_groups(len(case.probs), size)
            mixed = _is_mixed(case, groups)
            weights = group_weights(case.exact_probs, groups)[mixed]
            for rule in RULES:
                for options in option_sets(rule, LEVELS[:1]):
                    directions = group_directions(case, groups, rule, **options)[mixed]
                    # The condition divides by the probability of a mixed group.
                    given_mixed = (weights[:, None] * directions).sum(axis=0) / weights.sum()
                    w = number(mixed_gain(case.success_prob, size, rule, options))
                    for arm, slope in enumerate(case.success_gradient):
                        label = f"{rule}, {options}, G={size}, pi={case.probs}, arm {arm}"
                        yield label, given_mixed[arm], w * slope

    return exactly_equal(cases(), "the mixed ones of all n^G groups of three queries")


def _is_mixed(case: Query, groups: Any) -> Any:
    """Return which groups have correct and wrong responses."""
    correct = np.array(case.arm_rewards)[groups].sum(axis=-1)
    return (correct > 0) & (correct < groups.shape[-1])


def _conditioned_gain(p: Fraction, size: int, rule: str, **options: Any) -> Any:
    """Return E[A | R = 1, mixed] - E[A | R = 0, mixed], which ``mixed_only`` is not."""
    correct, wrong = outcome_advantages(size, rule, exact=True, **options)
    weights = [comb(size - 1, j) * p**j * (1 - p) ** (size - 1 - j) for j in range(size)]
    right = sum(weights[j] * correct[j + 1] for j in range(size - 1)) / sum(weights[:-1])
    return right - sum(weights[j] * wrong[j] for j in range(1, size)) / sum(weights[1:])


def _single_response(*, least: int) -> Finding:
    """Find whether a lone response has gain 0, and mixed groups of one are refused."""
    p = Fraction(1, 3)
    single = [(f"{rule}, G=1", bool(number(expected_gain(p, 1, rule)) == 0)) for rule in RULES if rule != "rloo"]
    refused = []
    for rule, size in product(RULES, range(max(least - 1, 1), 4)):
        refused.append((f"{rule}, G={size}, mixed_only", _refuses(rule, size, mixed_only=True) == (size < 2)))
    return for_all([*single, *refused, ("rloo, G=1", _refuses("rloo", 1, mixed_only=False) == (least == 2))], "G = 1")


def _refuses(rule: str, size: int, *, mixed_only: bool) -> bool:
    """Return whether the shipped gain refuses these arguments."""
    try:
        expected_gain(Fraction(1, 3), size, rule, mixed_only=mixed_only)
    except ValueError:
        return True
    return False
