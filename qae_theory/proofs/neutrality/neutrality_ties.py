"""Neutrality against brute force: the shipped updates over all n^G groups, other policies, mixed groups, and float64.

The proof is in ``neutrality``; here the shipped closed forms meet enumerations that know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from itertools import product
from math import comb, fsum, sqrt
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
    mixed_probability,
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
from qae_theory.proofs.tools.rule_formulas import (
    GATED,
    RULES,
    STANDARDISED,
    exactly_equal,
    number,
    numerators,
    option_sets,
    squared_scale,
)

LEVELS = (Fraction(2, 5), Fraction(3, 4))
QUERIES = (query("1/6 1/3 1/2", "1 0 0"), query("1/10 7/10 1/5", "1 1 0"), query("3/4 1/4", "1 0"))
# Eight decimal places above the rounding of a binomial sum in float64, four below any one-token error.
RELATIVE = 1e-12
# Exact binary numbers, so that Fraction(p) is the very p of the float path.
PROBABILITIES = (1e-12, 0.03125, 0.3, 0.4, 0.6, 0.96875, 1 - 2.0**-40)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("neutrality", "all-groups", Kind.CERTIFICATE, Role.FOR, (*_group_steps(), *_mixed_steps())))
    ledger.add(Evidence("neutrality", "floating-point", Kind.CERTIFICATE, Role.FOR, _float_steps()))


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


def _float_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"`expected_gain` in float64, for a batch of $p$ down to $10^{-12}$ and up to $1 - 2^{-40}$, "
            r"$G \le 64$, is the binomial sum over `rule_formulas` with exact weights: with and without "
            r"`mixed_only`, default and given $K$, std and eps.",
            check=partial(_float_gain, default_k=Fraction(2, 5)),
            planted="K = .6 by default",
            control=partial(_float_gain, default_k=Fraction(3, 5)),
            tie=True,
        ),
        Step(
            says=r"`outcome_advantages` are float64 unless asked otherwise, and those of `rule_formulas`.",
            check=partial(_float_table, default_k=Fraction(2, 5)),
            planted="K = .6 by default",
            control=partial(_float_table, default_k=Fraction(3, 5)),
            tie=True,
        ),
        Step(
            says=r"`mixed_probability` in float64 keeps its relative accuracy near 0 and 1, and is exact on "
            r"Fractions.",
            check=partial(_mixed_probability, wrong_power=0),
            planted="G - 1 for G in P(all wrong)",
            control=partial(_mixed_probability, wrong_power=1),
            tie=True,
        ),
    )


def _enumerated_update(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    cases = (
        (f"{rule}, {options}, G={size}, pi={case.probs}, arm {arm}", mean[arm], w * case.success_gradient[arm])
        for case in effort.pick(QUERIES, QUERIES[1:])
        for size in range(2, effort.pick(5, 4))
        for rule in RULES
        for options in option_sets(rule, LEVELS)
        for mean in [mean_direction(case, size, rule, **options)]
        for claimed in [{**options, "k": level_of(options["k"])} if "k" in options else options]
        for w in [number(expected_gain(case.success_prob, size, rule, **claimed))]
        for arm in range(len(case.probs))
    )
    return exactly_equal(cases, "all n^G groups of three queries")


def _other_policies(effort: Effort, *, normalise: bool) -> Finding:
    x, y = sympy.symbols("x y", positive=True)  # exponentials of the two parameters
    at = {x: sympy.Rational(2), y: sympy.Rational(3, 2)}
    total = x + x * y**2 + y + 1
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
    for tokens, arm_rewards in policies:
        probs = [sympy.prod(factors) for factors in tokens]
        success = sum(q for q, r in zip(probs, arm_rewards, strict=True) if r)
        case = Query(tuple(Fraction(str(q.subs(at))) for q in probs), arm_rewards)
        for parameter, size in product(parameters, (2, effort.pick(4, 3))):
            # d/d theta = x d/dx for x = e^theta
            scores = [
                sum(parameter * sympy.diff(sympy.log(q), parameter) for q in factors).subs(at)
                / (len(factors) if normalise else 1)
                for factors in tokens
            ]
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
    case, size = QUERIES[0], effort.pick(4, 3)
    table = OutcomeAdvantages(exact([0] + [-1] * size), exact([0] * (size + 1)))
    groups = all_groups(3, size)
    pushes = -exact(case.arm_rewards)[groups]
    chosen = (groups[..., None] == np.arange(3)) - case.exact_probs  # e_y - pi
    mean = (group_weights(case.exact_probs, groups)[:, None] * (pushes[..., None] * chosen).sum(axis=1)).sum(
        axis=0
    ) / size
    cases = [("gain", gain(np.array(case.success_prob, dtype=object), table), value)]
    cases += [(f"arm {arm}", mean[arm], value * case.success_gradient[arm]) for arm in range(3)]
    return exactly_equal(cases, f"all groups of {size}")


def _first_order_change(*, centre: bool) -> Finding:
    cases: list[tuple[str, Any, Any]] = []
    for case in QUERIES:
        logs = case.logits
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
    cases = (
        (f"{rule}, {options}, G={size}, pi={case.probs}, arm {arm}", given_mixed[arm], w * case.success_gradient[arm])
        for case in effort.pick(QUERIES, QUERIES[1:])
        for size in range(2, effort.pick(5, 4))
        for groups in [all_groups(len(case.probs), size)]
        for mixed in [_is_mixed(case, groups)]
        for weights in [group_weights(case.exact_probs, groups)[mixed]]
        for rule in RULES
        for options in option_sets(rule, LEVELS[:1])
        for directions in [group_directions(case, groups, rule, **options)[mixed]]
        for given_mixed in [(weights[:, None] * directions).sum(axis=0) / weights.sum()]
        for w in [number(mixed_gain(case.success_prob, size, rule, options))]
        for arm in range(len(case.probs))
    )
    return exactly_equal(cases, "the mixed ones of all n^G groups of three queries")


def _is_mixed(case: Query, groups: Any) -> Any:
    correct = np.array(case.arm_rewards)[groups].sum(axis=-1)
    return (correct > 0) & (correct < groups.shape[-1])


def _conditioned_gain(p: Fraction, size: int, rule: str, **options: Any) -> Any:
    """E[A | R = 1, mixed] - E[A | R = 0, mixed]: what ``mixed_only`` is not."""
    correct, wrong = outcome_advantages(size, rule, exact=True, **options)
    weights = [comb(size - 1, j) * p**j * (1 - p) ** (size - 1 - j) for j in range(size)]
    right = sum(weights[j] * correct[j + 1] for j in range(size - 1)) / sum(weights[:-1])
    return right - sum(weights[j] * wrong[j] for j in range(1, size)) / sum(weights[1:])


def _single_response(*, least: int) -> Finding:
    p = Fraction(1, 3)
    single = [(f"{rule}, G=1", bool(number(expected_gain(p, 1, rule)) == 0)) for rule in RULES if rule != "rloo"]
    refused = [
        (f"{rule}, G={size}, mixed_only", _refuses(rule, size, mixed_only=True) == (size < 2))
        for rule in RULES
        for size in range(least - 1, 4)
        if size > 0
    ]
    return for_all([*single, *refused, ("rloo, G=1", _refuses("rloo", 1, mixed_only=False) == (least == 2))], "G = 1")


def _refuses(rule: str, size: int, *, mixed_only: bool) -> bool:
    try:
        expected_gain(Fraction(1, 3), size, rule, mixed_only=mixed_only)
    except ValueError:
        return True
    return False


def _float_gain(effort: Effort, *, default_k: Fraction) -> Finding:
    sizes = effort.pick((1, 2, 3, 5, 8, 16, 33, 64), (1, 2, 3, 64))
    cases = (
        (
            f"{rule}, G={size}, {options}, mixed_only={mixed_only}, p={p!r}",
            abs(shipped - wanted) <= RELATIVE * abs(wanted),
        )
        for rule in RULES
        for options in float_options(rule)
        for size in sizes
        if size > 1 or rule != "rloo"
        for mixed_only in (False, True)
        if size > 1 or not mixed_only
        for batch in [expected_gain(np.array(PROBABILITIES), size, rule, mixed_only=mixed_only, **options)]
        for p, shipped in zip(PROBABILITIES, batch.tolist(), strict=True)
        for wanted in [_reference_gain(rule, Fraction(p), size, mixed_only, {"k": default_k, **options})]
    )
    return for_all(cases, f"nine rules, G in {sizes}, seven p")


def _float_table(effort: Effort, *, default_k: Fraction) -> Finding:
    cases = (
        (
            f"{rule}, G={size}, m={m}, {options}",
            table.correct.dtype == np.float64 and abs(shipped - wanted) <= RELATIVE * abs(wanted),
        )
        for rule in RULES
        for options in float_options(rule)
        for size in effort.pick((2, 5, 16, 64), (2, 5))
        for table in [outcome_advantages(size, rule, **options)]
        for m in range(size + 1)
        for pair in [_occurring(rule, m, size, {"k": default_k, **options})]
        for shipped, wanted in zip((table.correct[m], table.wrong[m]), pair, strict=True)
    )
    return for_all(cases, "nine rules, every m")


def _occurring(rule: str, m: int, size: int, options: dict[str, Any]) -> tuple[float, float]:
    """``float_pair``, with 0 for an outcome that does not occur."""
    correct, wrong = float_pair(rule, m, size, options)
    return (0.0 if m == 0 else correct), (0.0 if m == size else wrong)


def float_options(rule: str) -> list[dict[str, Any]]:
    """Option sets that exercise every default and every option of a rule."""
    if rule not in STANDARDISED:
        return [{}]
    gate = [{"k": Fraction(3, 4)}] if rule in GATED else []
    return [{}, {"std": "population", "eps": 0}, {"std": "bessel", "eps": 0.125}, *gate]


def _reference_gain(rule: str, p: Fraction, size: int, mixed_only: bool, options: dict[str, Any]) -> float:
    """The binomial sum with exact weights; its summands have one sign, so rounding stays relative."""
    if size == 1:
        return 0.0
    pairs = [float_pair(rule, m, size, options) for m in range(size + 1)]
    terms = []
    for j, weight in enumerate(binomial_law(p, size - 1)):
        right = 0.0 if mixed_only and j == size - 1 else pairs[j + 1][0]
        wrong = 0.0 if mixed_only and j == 0 else pairs[j][1]
        terms.append(weight * (right - wrong))
    return fsum(terms) / (float(1 - p**size - (1 - p) ** size) if mixed_only else 1.0)


def float_pair(rule: str, m: int, size: int, options: dict[str, Any]) -> tuple[float, float]:
    """A(correct), A(wrong) in float64 by ``rule_formulas``, for the options given or the shipped defaults."""
    if rule in STANDARDISED and m in (0, size):
        return 0.0, 0.0
    correct, wrong = numerators(rule, Fraction(m), Fraction(size), options["k"])
    std = options.get("std", "bessel" if rule == "qae_linear" else "population")
    scale = (
        sqrt(squared_scale(Fraction(m), Fraction(size), std)) + options.get("eps", 1e-6)
        if rule in STANDARDISED
        else 1.0
    )
    return float(correct) / scale, float(wrong) / scale


@cache
def binomial_law(p: Fraction, trials: int) -> tuple[float, ...]:
    """Binomial probabilities, exact and then rounded once."""
    return tuple(float(comb(trials, j) * p**j * (1 - p) ** (trials - j)) for j in range(trials + 1))


def _mixed_probability(*, wrong_power: int) -> Finding:
    p = np.array((*PROBABILITIES, 0.5, 1e-300))
    cases = []
    for size in (2, 3, 4, 16, 64):
        wanted = [1 - Fraction(x) ** size - (1 - Fraction(x)) ** (size - wrong_power) for x in p.tolist()]
        floats = mixed_probability(p, size).tolist()
        exactly = mixed_probability(exact(p), size).tolist()
        cases += [
            (f"G={size}, p={x!r}", y == z and abs(f - float(z)) <= RELATIVE * float(z))
            for x, f, y, z in zip(p.tolist(), floats, exactly, wanted, strict=True)
        ]
    return for_all(cases, "G in 2, 3, 4, 16, 64, nine p")
