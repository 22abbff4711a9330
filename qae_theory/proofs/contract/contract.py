"""Check the contract of the shipped functions: what they refuse, in which words, and which defaults they take.

A ledger that trusts its functions must know that they do not silently accept nonsense. Every bad call of the table here
must raise a ``ValueError`` with exactly the message beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import sympy

import qae_theory as q
from qae_theory.advantages import (
    _REGISTRY,
    Estimator,
    advantages,
    estimator_names,
    get_estimator,
    register_estimator,
    resolve_options,
)
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Kind, Role, Step
from qae_theory.entropy_change import response_curvatures
from qae_theory.group_expectation import (
    advantage_moments,
    expected_first_order_change,
    expected_second_order_change,
    outcome_advantages,
)
from qae_theory.objective import clipped_surrogate, group_objective, masked_objective, query_weights
from qae_theory.proofs.tools.checking import all_equal
from qae_theory.softmax import entropy_gradient

Refusal = tuple[Callable[[], Any], str]

_NAN, _INF = float("nan"), float("inf")
_MIXED = [1, 0, 0, 1]
# Written once here, and compared as whole messages: a changed word shows.
_K_ALLOWED = "a rational number strictly between 0 and 1 (Fraction, decimal string such as '0.4' or '2/5', or float)"
_REWARDS_ALLOWED = "an array [..., G], G >= 1, of finite rewards smaller than 2**1000 in size"


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "shipped-contract",
            "refusals-and-defaults",
            Kind.CERTIFICATE,
            Role.FOR,
            (
                Step(
                    says="Each bad call of the table raises a `ValueError` with exactly the words of the table.",
                    check=partial(_refusals, rename=lambda text: text),
                    planted="the first argument name misspelt",
                    control=partial(_refusals, rename=lambda text: text.replace("rewards", "reward", 1)),
                    tie=True,
                ),
                Step(
                    says="Leaving an option out is the same as giving its default: $K = 0.4$, population std (Bessel "
                    "for the linear quantile), $\\varepsilon = 10^{-6}$.",
                    check=partial(_defaults, k="0.4"),
                    planted="K = 0.6 as the default",
                    control=partial(_defaults, k="0.6"),
                    tie=True,
                ),
                Step(
                    says="An estimator that is registered under a new name is kept as it was given and gets its "
                    "options; by default it has none, takes any rewards, and groups of one or more.",
                    check=partial(_registration, scale=3),
                    planted="another default than the registered one",
                    control=partial(_registration, scale=4),
                    tie=True,
                ),
            ),
        )
    )


def refusals() -> Iterator[Refusal]:
    """Yield bad calls, each with the whole message that it must raise."""
    yield from _bad_groups()
    yield from _bad_options()
    yield from _bad_registrations()
    yield from _foreign_numbers()
    yield from _bad_logits()
    yield from _bad_updates()
    yield from _bad_vectors()
    yield from _exact_numbers()
    yield from _bad_baselines()
    yield from _bad_expectations()
    yield from _bad_objectives()


def _bad_groups() -> Iterator[Refusal]:
    """Yield calls whose rewards or mask are no group."""
    bad: Any
    call: Any
    for bad in ([], 1.0, [1.0, _NAN], [1.0, _INF], [[1.0], [1.0, 2.0]], ["a", "b"], [1.0, 2.0**1000]):
        # Every function that takes rewards must refuse them in the same words.
        for call in (q.advantages, partial(q.quantile_baseline, k="0.4"), query_weights_of("qae")):
            yield partial(call, bad), f"rewards must be {_REWARDS_ALLOWED}; got {bad!r}"
    for mask in ([True, False], [1, 1, 1, 1]):
        yield (
            partial(q.advantages, _MIXED, mask=mask),
            f"mask must be a boolean array of the shape of rewards, (4,); got {mask!r}",
        )
    # The rules whose formulas speak of right and wrong only.
    for name in ("psr", "nsr", "pos_mask", "neg_mask"):
        shown = repr(np.array([1.0, 2.0]))
        yield (
            partial(q.advantages, [1, 2], name),
            f"rewards must be 0 or 1 in every entry for this estimator; got {shown}",
        )
    yield partial(q.advantages, [1], "rloo"), "rewards must be groups of at least 2 responses for 'rloo'; got [1]"


def _bad_options() -> Iterator[Refusal]:
    """Yield calls with an estimator, a level, an eps or a std that there is not."""
    bad: Any
    call: Any
    names = ", ".join(estimator_names())
    for bad in ("nope", None):
        yield partial(q.advantages, _MIXED, bad), f"estimator must be one of {names}; got {bad!r}"
    yield (
        partial(register_estimator, "qae", get_estimator("qae").kernel, source="none"),
        f"name 'qae' is taken; registered estimators: {names}",
    )
    for name in ("rloo", "grpo"):
        message = f"k must be left out: {name!r} has the options ['std', 'eps']; got '0.4'"
        yield partial(q.advantages, _MIXED, name, k="0.4"), message
    # The ends of the interval, what is outside it, and what is no number at all.
    for bad in (0, 1, "1.5", -0.1, _NAN, "x", None, True, "1/0"):
        for call in (q.quantile_baseline, query_weights_with_k):
            yield partial(call, _MIXED, k=bad), f"k must be {_K_ALLOWED}; got {bad!r}"
        yield partial(q.advantages, _MIXED, k=bad), f"k must be {_K_ALLOWED}; got {bad!r}"
    for bad in (-1e-9, _NAN, _INF, "0", None, True):
        yield partial(q.advantages, _MIXED, eps=bad), f"eps must be a finite number >= 0; got {bad!r}"
    # 'batch' is a standard deviation over a whole batch, which a group alone does not have.
    kinds = "'population', 'bessel' or 'none'"
    for bad in ("sample", None, 1):
        message = f"std must be {kinds} ('batch' where a whole batch is given); got {bad!r}"
        yield partial(q.advantages, _MIXED, std=bad), message
        yield partial(q.expected_gain, 0.5, 4, "qae", std=bad), message
    lone = f"std must be {kinds} for a group alone; 'batch' needs a batch; got 'batch'"
    yield partial(q.advantages, _MIXED, std="batch"), lone
    message = f"std must be {kinds} ('batch' where a whole batch is given); got 'batch'"
    yield partial(q.expected_gain, 0.5, 4, "qae", std="batch"), message
    yield (
        partial(q.quantile_baseline, _MIXED, "0.4", method="nearest"),
        "method must be 'inverted_cdf' (Eq. 3) or 'linear' (as released); got 'nearest'",
    )


def _bad_registrations() -> Iterator[Refusal]:
    """Yield registrations whose fields are of the wrong kind."""
    kernel = get_estimator("qae").kernel
    text, number = "a text that is not empty", "an integer >= 1"
    yes_or_no, mapping = "True or False", "a mapping from names of options to allowed values"
    for argument, bad, allowed in (
        ("name", 5, text),
        ("name", "", text),
        ("kernel", 5, "a function (rewards, counts, **options) -> advantages"),
        ("source", None, text),
        ("defaults", [("k", "0.4")], mapping),
        ("defaults", {7: "0.4"}, mapping),
        ("defaults", {"k": 7}, f"{mapping} (k must be {_K_ALLOWED}; got 7)"),
        ("binary_only", "no", yes_or_no),
        ("least_group", 0, number),
        ("least_group", 2.5, number),
    ):
        good: dict[str, Any] = {"name": "new", "kernel": kernel, "source": "here"}
        yield partial(register_estimator, **{**good, argument: bad}), f"{argument} must be {allowed}; got {bad!r}"


def _foreign_numbers() -> Iterator[Refusal]:
    """Yield calls with what only looks like numbers, and with what float64 would round."""
    bad: Any
    finite = "an array [..., n] of finite numbers"
    held = f"{finite}, all of them exactly held by float64, which has 53 bits"
    # NumPy and SymPy would calculate with complex numbers, and give an entropy that is none.
    for bad in ([sympy.I, 0], [1 + sympy.I, sympy.S.One], [1j, 0]):
        yield partial(q.advantages, bad), f"rewards must be {_REWARDS_ALLOWED}; got {bad!r}"
        yield partial(q.entropy, bad), f"logits must be {finite}; got {bad!r}"
    # A masked array loses its mask when it is converted, and with it what its owner meant to leave out.
    masked = np.ma.array([1.0, 0.0], mask=[False, True])
    unmasked = "none of them masked (`advantages` takes a mask= of its own); got a masked array of shape (2,)"
    yield partial(q.advantages, masked), f"rewards must be {_REWARDS_ALLOWED}, {unmasked}"
    yield partial(q.entropy, masked), f"logits must be {finite}, {unmasked}"
    # Two integers that float64 holds as one: logits that differ would become equal.
    for bad in ([2**53, 2**53 + 1], [2**53 + 1, 0.5], [2**64 + 1, 0.5]):
        yield partial(q.entropy, bad), f"logits must be {held}; got {bad!r}"
    for bad in ("no", 1, None):
        yield partial(q.expected_gain, 0.5, 4, "qae", mixed_only=bad), f"mixed_only must be True or False; got {bad!r}"


def _bad_logits() -> Iterator[Refusal]:
    """Yield calls of every function of logits with logits that are none."""
    bad: Any
    call: Any
    for bad in ([], 0.0, [0.0, _NAN], [0.0, -_INF], [None]):
        for call in (
            *(q.entropy, q.probabilities, q.self_covariance, entropy_gradient, response_curvatures),
            *(lambda z: q.update_direction(z, [1, 0], "uncentred"), lambda z: q.entropy_change(z, [1, 0], 0.1)),
            *(lambda z: q.first_order_entropy_change(z, [1, 0]), lambda z: q.second_order_entropy_change(z, [1, 0])),
            *(lambda z: q.entropy_change_bounds(z, [1, 0], 1), lambda z: q.safe_step_size(z, [1, 0], 0, 1)),
            *(lambda z: expected_first_order_change(z, [1, 0], 4, "qae"),),
        ):
            yield partial(call, bad), f"logits must be an array [..., n] of finite numbers; got {bad!r}"


def _bad_updates() -> Iterator[Refusal]:
    """Yield updates by a rule that there is not, or with what their rule does not take."""
    bad: Any
    zeros = [0.0, 1.0]
    for bad in ("gradient", None):
        names = "uncentred, policy_gradient, natural_gradient, sampled_group"
        yield partial(q.update_direction, zeros, [1, 0], bad), f"rule must be one of {names}; got {bad!r}"
    # A sampled group needs both; the exact updates take neither.
    group = {"responses": [0, 1], "advantages": [1, -1]}
    for name, value in group.items():
        yield (
            partial(q.update_direction, zeros, [1, 0], "uncentred", **{name: value}),
            f"{name} must be given for 'sampled_group' only; got {value!r}",
        )
        rest = {other: content for other, content in group.items() if other != name}
        yield (
            partial(q.update_direction, zeros, [1, 0], "sampled_group", **rest),
            f"{name} must be given for 'sampled_group'; got None",
        )
    yield (
        partial(q.update_direction, zeros, [1, 0], "sampled_group", baseline=0.5, **group),
        "baseline must be left out for 'sampled_group', whose advantages contain it; got 0.5",
    )


def _bad_vectors() -> Iterator[Refusal]:
    """Yield calls whose rewards, direction or step size is not finite or does not fit the logits."""
    bad: Any
    call: Any
    zeros = [0.0, 1.0]
    two = "an array [..., 2] of finite numbers"
    for bad in ([1, 0, 0], [1, _NAN]):
        for call in (q.update_direction, partial(q.safe_step_size, low=0, high=1)):
            arguments = (zeros, bad, "uncentred") if call is q.update_direction else (zeros, bad)
            yield partial(call, *arguments), f"arm_rewards must be {two}; got {bad!r}"
        for call in (q.entropy_change, q.entropy_change_bounds):
            yield partial(call, zeros, bad, 0.1), f"direction must be {two}; got {bad!r}"
        for call in (q.first_order_entropy_change, q.second_order_entropy_change):
            yield partial(call, zeros, bad), f"direction must be {two}; got {bad!r}"
    for call in (q.entropy_change, q.entropy_change_bounds):
        number = "a finite number or an array of finite numbers"
        yield partial(call, zeros, [1, 0], _NAN), f"step_size must be {number}; got nan"


def _exact_numbers() -> Iterator[Refusal]:
    """Yield calls with exact numbers of functions that round outward, which is for floats only."""
    call: Any
    zeros = [0.0, 1.0]
    exact = np.array([0, 1], dtype=object)
    refused = f"must be a float array here, not exact numbers; got {_as_fractions()}"
    yield partial(q.entropy_change_bounds, exact, [1, 0], 0.1), f"logits {refused}"
    yield partial(q.safe_step_size, exact, [1, 0], 0, 1), f"logits {refused}"
    symbol = sympy.Symbol("x")
    for name, call in (
        ("direction", partial(q.entropy_change_bounds, zeros, [symbol, 1], 0.1)),
        ("step_size", partial(q.entropy_change_bounds, zeros, [1, 0], symbol)),
        ("arm_rewards", partial(q.safe_step_size, zeros, [sympy.S.One, sympy.S.Zero], 0, 1)),
    ):
        shown = {"direction": "array([x, Fraction(1, 1)], dtype=object)", "step_size": "array(x, dtype=object)"}
        given = shown.get(name, "array([1, 0], dtype=object)")
        yield call, f"{name} must be a float array here, not exact numbers; got {given}"
    half = sympy.sqrt(2) / 2
    for name, low, high in (("low", half, 1), ("high", 0, half)):
        given = "array(sqrt(2)/2, dtype=object)"
        yield (
            partial(q.safe_step_size, zeros, [1, 0], low, high),
            f"{name} must be a float array here, not exact numbers; got {given}",
        )


def _bad_baselines() -> Iterator[Refusal]:
    """Yield calls of the safe step with rewards or baselines that its claim is not about."""
    zeros = [0.0, 1.0]
    # The claim behind it is about rewards of 0 and 1, and baselines between them.
    yield partial(q.safe_step_size, zeros, [1, 2], 0, 1), "arm_rewards must be 0 or 1 in every entry; got [1, 2]"
    yield partial(q.safe_step_size, zeros, [1, 0], -0.1, 1), "low must be a baseline in [0, 1); got -0.1"
    for low, high in ((0.5, 0.5), (0.5, 1.1)):
        message = f"high must be a baseline in (low, 1], where low = {low}; got {high}"
        yield partial(q.safe_step_size, zeros, [1, 0], low, high), message


def _bad_expectations() -> Iterator[Refusal]:
    """Yield calls whose success probability, group size or query is not allowed."""
    bad: Any
    call: Any
    zeros = [0.0, 1.0]
    for bad in (0, 1, -0.5, 2.0):
        for call in (q.expected_gain, advantage_moments):
            yield partial(call, bad, 4, "qae"), f"success_prob must be strictly between 0 and 1; got {bad!r}"
    for bad in (0, 2.5, True, "4"):
        at_least_1 = f"group_size must be an integer >= 1; got {bad!r}"
        yield partial(q.expected_gain, 0.5, bad, "qae"), at_least_1
        yield partial(q.expected_entropy_change, zeros, [1, 0], bad, "qae", 0.1), at_least_1
        yield partial(outcome_advantages, bad, "qae"), at_least_1
        yield partial(expected_first_order_change, zeros, [1, 0], bad, "qae"), at_least_1
    at_least_2 = "group_size must be an integer >= 2; got 1"
    # No group of one is mixed, so the expectation given a mixed group is over nothing.
    yield partial(q.expected_gain, 0.5, 1, "qae", mixed_only=True), at_least_2
    yield partial(q.expected_gain, 0.5, 1, "rloo"), at_least_2
    yield partial(advantage_moments, 0.5, 1, "qae"), at_least_2
    yield partial(expected_second_order_change, zeros, [1, 0], 1, "qae"), at_least_2
    yield partial(q.expected_entropy_change, zeros, [1, 0], 1, "rloo", 0.1), at_least_2
    yield (
        partial(q.expected_entropy_change, np.zeros(12), [1, 0] * 6, 64, "qae", 0.1),
        f"group_size must be small enough for 2000000 count vectors, not {_compositions(12, 64)}; got 64",
    )
    for rewards in ([1, 1], [0, 0]):
        for call in (expected_first_order_change, expected_second_order_change):
            message = f"arm_rewards must be 0 for some response and 1 for another; got {rewards!r}"
            yield partial(call, zeros, rewards, 4, "qae"), message
    rank = "of rank 1, [n]: one query at a time"
    batch = [[0.0, 1.0]]
    yield partial(q.expected_entropy_change, batch, [1, 0], 4, "qae", 0.1), f"logits must be {rank}; got {batch!r}"
    yield (
        partial(q.expected_entropy_change, zeros, [1, 0], 4, "qae", [0.1]),
        "step_size must be a scalar; got [0.1]",
    )


def _bad_objectives() -> Iterator[Refusal]:
    """Yield calls whose ratios, clip ranges or rules are not allowed."""
    bad: Any
    call: Any
    ones = [1.0, 1.0]
    for bad in ([1.0, 0.0], [1.0, -1.0]):
        for call in (clipped_surrogate, group_objective, partial(masked_objective, rule="qae")):
            yield partial(call, bad, [1, 0]), f"ratios must be positive; got {bad!r}"
    bad, number = [1.0, _NAN], "a finite number or an array of finite numbers"
    for call in (clipped_surrogate, group_objective):
        yield partial(call, bad, [1, 0]), f"ratios must be {number}; got {bad!r}"
        yield partial(call, ones, bad), f"advantages must be {number}; got {bad!r}"
    yield partial(masked_objective, bad, [1, 0], "qae"), f"ratios must be {number}; got {bad!r}"
    # 1 would leave no lower bound; infinity is how no upper bound is asked for.
    for name, bads, allowed in (
        ("clip_low", (1, -0.1, _NAN), "a number in [0, 1)"),
        ("clip_high", (-0.1, _NAN, None), "a number >= 0, or inf"),
    ):
        for bad in bads:
            for call in (clipped_surrogate, group_objective, partial(masked_objective, rule="qae")):
                yield partial(call, ones, [1, 0], **{name: bad}), f"{name} must be {allowed}; got {bad!r}"
    yield partial(group_objective, 1.0, 1.0), "ratios must be an array [..., G], G >= 1; got 1.0"
    for bad in ("rloo", None):
        message = f"rule must be one of grpo, qae, pos_mask, neg_mask; got {bad!r}"
        yield partial(query_weights, [1, 0], bad), message
        yield partial(masked_objective, ones, [1, 0], bad), message
    shape_rule = "broadcasts with ratios, (2,); got array([1., 0., 0.])"
    yield partial(masked_objective, ones, [1, 0, 0], "qae"), f"rewards must be of a shape that {shape_rule}"
    shape_rule = "broadcasts with ratios, (2,); got array([1., 2., 3.])"
    yield partial(clipped_surrogate, ones, [1.0, 2.0, 3.0]), f"advantages must be of a shape that {shape_rule}"
    shown = repr(np.array([1.0, 2.0]))
    yield (
        partial(query_weights, [1, 2], "qae"),
        f"rewards must be 0 or 1 in every entry for this estimator; got {shown}",
    )


def query_weights_of(rule: str) -> Callable[[Any], Any]:
    """Return ``query_weights`` of one rule, as a function of the rewards."""
    return lambda rewards: query_weights(rewards, rule)


def query_weights_with_k(rewards: Any, k: Any) -> Any:
    """Return ``query_weights`` of QAE, as a function of rewards and K."""
    return query_weights(rewards, "qae", k=k)


def _compositions(arms: int, group_size: int) -> int:
    """Return the number of ways to write ``group_size`` as a sum over arms, binomial(G + n - 1, n - 1)."""
    count = 1
    for i in range(1, arms):
        count = count * (group_size + i) // i
    return count


def _as_fractions() -> str:
    return "array([Fraction(0, 1), Fraction(1, 1)], dtype=object)"


def _refusals(*, rename: Callable[[str], str]) -> Finding:
    """Find whether every bad call raises its message; ``rename`` changes what is expected, for the control."""
    # The whole message is compared, so that an argument's name, its value and what is allowed are all held.
    cases = ((text, _message(call), rename(text)) for call, text in refusals())
    return all_equal(cases, "bad calls, each with the words of its refusal")


def _message(call: Callable[[], Any]) -> str:
    """Return what a call says when it refuses, or that it accepted."""
    try:
        call()
    except ValueError as refusal:
        return str(refusal)
    except Exception as other:
        return f"{type(other).__name__}: {other}"
    return "accepted"


def _defaults(*, k: str) -> Finding:
    """Find whether each function without options gives what it gives with its defaults written out."""
    # The second group is hard at K = .4 and easy at K = .6, so that the default level matters.
    rewards = np.array([[1.0, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    eps = 1e-6
    explicit: dict[str, dict[str, Any]] = {
        "grpo": {"std": "population", "eps": eps},
        "dr_grpo": {"std": "none", "eps": eps},
        "rloo": {"std": "none", "eps": eps},
        "psr": {"std": "none", "eps": eps},
        "nsr": {"std": "none", "eps": eps},
        "qae": {"k": k, "std": "population", "eps": eps},
        "qae_linear": {"k": k, "std": "bessel", "eps": eps},
        "pos_mask": {"k": k, "std": "population", "eps": eps},
        "neg_mask": {"k": k, "std": "population", "eps": eps},
    }
    cases = [
        (name, q.advantages(rewards, name).tolist(), q.advantages(rewards, name, **options).tolist())
        for name, options in explicit.items()
    ]
    cases.append(("estimator", q.advantages(rewards).tolist(), q.advantages(rewards, "qae", k=k).tolist()))
    # Ratios on both sides of both bounds, so that each default of the clip range matters.
    ratios = [[1.4, 1.3, 0.7, 0.9, 1.0]] * 3
    clips = {"clip_low": 0.2, "clip_high": 0.28}
    signs = [[1.0, -1.0, -1.0, 1.0, -1.0]] * 3
    functions: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
        ("query_weights", partial(query_weights, rewards, "qae"), {"k": k}),
        ("clipped_surrogate", partial(clipped_surrogate, ratios, signs), clips),
        ("group_objective", partial(group_objective, ratios, signs), clips),
        ("masked_objective", partial(masked_objective, ratios, rewards, "qae"), {"k": k, **clips}),
        ("update_direction", partial(q.update_direction, [0, 1], [1, 0], "uncentred"), {"baseline": 0}),
    ]
    cases += [(name, _nested(call()), _nested(call(**given))) for name, call, given in functions]
    return all_equal(cases, "defaults left out and given")


def _registration(*, scale: int) -> Finding:
    """Find whether a registered estimator is kept as it was given, with its defaults, and read back so."""

    def scaled(rewards: Any, counts: Any, scale: Any = 1) -> Any:
        return scale * rewards

    # The registry is global: it is put back after the two entries of this check.
    with mock.patch.dict(_REGISTRY):
        register_estimator("plain", scaled, source="here")
        register_estimator("scaled", scaled, source="there", defaults={"scale": 3}, binary_only=True, least_group=2)
        plain, full = get_estimator("plain"), get_estimator("scaled")
        cases: list[tuple[str, Any, Any]] = [
            ("plain", _fields(plain), ("plain", scaled, {}, False, 1, "here")),
            ("scaled", _fields(full), ("scaled", scaled, {"scale": 3}, True, 2, "there")),
            ("names", estimator_names()[-2:], ("plain", "scaled")),
            ("default", advantages([1, 0, 1], "scaled").tolist(), [scale, 0, scale]),
            ("option", advantages([1, 0, 1], "scaled", scale=5).tolist(), [5, 0, 5]),
            ("any rewards", advantages([2, 0.5], "plain").tolist(), [2, 0.5]),
            # An option of an estimator's own is passed on unchecked: only its kernel knows what is allowed.
            ("own option", resolve_options(full, {"scale": "as it is"}), {"scale": "as it is"}),
        ]
        return all_equal(cases, "registered and read back")


def _fields(rule: Estimator) -> tuple[Any, ...]:
    return rule.name, rule.kernel, dict(rule.defaults), rule.binary_only, rule.least_group, rule.source


def _nested(result: Any) -> list[Any]:
    """Return an array, or a tuple of arrays, as lists."""
    return [np.asarray(part).tolist() for part in result]
