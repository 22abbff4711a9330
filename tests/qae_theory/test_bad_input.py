"""Every public function refuses bad input by a ValueError that names the argument, its value and what is allowed.

A table lists every public function with one good call and, for each argument, what kind of thing it is; each kind has
its bad values. A function or an argument that is missing from the table fails a test.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction as F
from types import ModuleType
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import qae_theory
from tests.assertions import refuses
from tests.qae_theory import shipped

MODULES = tuple(
    map(
        shipped,
        ("baselines", "advantages", "softmax", "updates", "entropy_change", "group_expectation", "objective"),
    )
)
NAN, INF = math.nan, math.inf

# Kernels take what the public functions have checked already, in the inner loop of proofs and enumerations.
KERNELS = {
    "baselines": {
        "quantile_rank", "is_hard_group", "quantile", "interpolated_quantile", "group_mean", "leave_one_out_mean",
        "constant_baseline", "group_variance", "group_sizes", "in_order", "order_statistic", "ordered_quantile",
        "ordered_interpolation",
    },
    "advantages": {"weighted_advantages"},
    "softmax": set(),
    "updates": {"uncentred", "policy_gradient", "natural_gradient", "counted_group"},
    "entropy_change": {"curvature_brackets"},
    "group_expectation": {
        "gain", "mixed_probability", "binomial_mean", "moments", "finite_step_mean", "count_vectors",
        "multinomial_weights", "exact_counts",
    },
    "objective": {"clipped_terms", "masked_mean"},
}  # fmt: skip

# Numbers that are none: not finite, or not a number at all.
NOT_FINITE = [NAN, INF, -INF, np.float64("nan"), np.float32("inf"), Decimal("NaN"), Decimal("Infinity")]
NOT_A_NUMBER: list[Any] = [
    None, "1", b"1", 1j, {}, object(), [[1], [1, 2]], ["a"], [None], [1j], np.ones(3, dtype=complex), timedelta(1),
    [timedelta(1)] * 3, np.ones(3, dtype="datetime64[s]"), np.ones(3, dtype="f8,f8"), {1, 2}, [{1}, {2}, {3}],
]  # fmt: skip


def spoilt(good: list[Any]) -> st.SearchStrategy[Any]:
    """The good list with one entry replaced by what is no finite number, as a list, an array or a batch."""
    entry = st.sampled_from([NAN, INF, -INF, None, "x", 1j, Decimal("NaN"), Decimal("-Infinity"), [1.0]])
    place = st.integers(0, len(good) - 1)
    lists = st.tuples(place, entry).map(lambda x: [*good[: x[0]], x[1], *good[x[0] + 1 :]])
    numbers = st.tuples(place, st.sampled_from([NAN, INF, -INF])).map(
        lambda x: np.array([*good[: x[0]], x[1], *good[x[0] + 1 :]], dtype=np.float64)
    )
    return st.one_of(lists, numbers, numbers.map(lambda x: np.stack([x] * 6)))


def vectors(length: int, *, exact_length: bool = True) -> st.SearchStrategy[Any]:
    """What is no array [..., n] of finite numbers; of another length, too, where another argument sets the length."""
    shapes: list[Any] = [[], 1.0, np.float64(2), np.empty((3, 0)), [[], []]]
    if exact_length:
        shapes += [[0.5] * (length + 1), [[0.5]] * length, np.zeros((2, length + 2))]
    return st.one_of(spoilt([0.5] * length), st.sampled_from([*shapes, *NOT_A_NUMBER]))


def outside_unit_interval() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.floats(max_value=0, allow_nan=False),
        st.floats(min_value=1, allow_nan=False),
        st.fractions(max_value=0),
        st.fractions(min_value=1),
        st.integers(),
    )


def bad_levels() -> st.SearchStrategy[Any]:
    strings = ["0", "1", "1.0", "-0.4", "3/2", "abc", "", "nan", "inf", "1/0", "0.4.1", "40%"]
    return st.one_of(
        outside_unit_interval(),
        outside_unit_interval().map(str),
        st.sampled_from(
            [*NOT_FINITE, *strings, True, False, np.True_, None, [0.4], (2, 5), 0.4j, Decimal(1), np.array(0.4)]
        ),
    )


def negative_or_no_number() -> st.SearchStrategy[Any]:
    finite = st.floats(max_value=-1e-300, allow_infinity=False)
    others = [
        NAN,
        np.float32("nan"),
        -INF,
        Decimal("NaN"),
        Decimal("sNaN"),
        -1,
        F(-1, 3),
        "0",
        "1e-6",
        None,
        True,
        False,
        [1e-6],
        1j,
    ]
    return st.one_of(finite, st.sampled_from(others))


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "rewards": st.one_of(
        spoilt([1.0, 0.0, 1.0, 0.0]),
        st.sampled_from([[], 1.0, np.empty((3, 0)), [[], []], [2.0**1000, 0], [0, -1e308], *NOT_A_NUMBER]),
    ),
    "binary rewards": st.sampled_from([[1, 0.5, 0, 0], [2, 0, 0, 0], [-1, 1, 0, 0], [F(1, 2), 0, 1, 0]]),
    "mask": st.sampled_from(
        [
            [1, 0, 1, 0],
            [True],
            [True] * 5,
            [[True] * 4] * 2,
            True,
            "yes",
            [None] * 4,
            np.ones(4),
            [[True], [True, False]],
        ]
    ),
    "level": bad_levels(),
    "method": st.sampled_from(["lower", "LINEAR", "", None, 3, True, ["linear"]]),
    "bounds method": st.sampled_from(["Best", "exact", "", None, 3, ["best"]]),
    "estimator": st.sampled_from(["ppo", "QAE", "", None, 3, ["qae"]]),
    "std": st.sampled_from(["sample", "Population", "", None, 0, True, ["bessel"]]),
    "eps": st.one_of(negative_or_no_number(), st.sampled_from([INF, Decimal("Infinity"), 10**400])),
    "unknown option": st.one_of(st.integers(), st.text(max_size=3), st.none()),
    "logits": vectors(3, exact_length=False),
    "vector of 3": vectors(3),
    "vector of 2": vectors(2),
    "rule": st.sampled_from(["ppo", "Uncentred", "", None, 3, ["uncentred"]]),
    "objective rule": st.sampled_from(["ppo", "dr_grpo", "QAE", "", None, 3, ["qae"]]),
    "number": st.sampled_from([*NOT_FINITE, *NOT_A_NUMBER]),
    "scalar": st.sampled_from([*NOT_FINITE, *NOT_A_NUMBER, [0.1, 0.2], np.zeros((1, 1))]),
    "batch of 4": st.sampled_from([*NOT_FINITE, *NOT_A_NUMBER, [0.1, 0.2], np.zeros((3, 2))]),
    "low": st.sampled_from([*NOT_FINITE, *NOT_A_NUMBER, -0.1, -1, [0.0, -1e-9]]),
    "high": st.sampled_from([*NOT_FINITE, *NOT_A_NUMBER, 0.0, -1.0, 0.25, 1.01, 2, [1.0, 0.1]]),
    "responses": st.one_of(
        st.lists(
            st.one_of(st.integers(min_value=3, max_value=2**62), st.integers(-(2**62), -1)), min_size=2, max_size=2
        ),
        st.sampled_from([[], 0, np.empty((3, 0)), [0.0, 1.0], [True, False], ["0"], [NAN, 0], [[0], [0, 1]], "01", {}]),
    ),
    "group size": st.one_of(
        st.integers(max_value=0),
        st.sampled_from([2.0, 2.5, NAN, INF, "2", None, True, False, [2], np.float64(4), np.array(4), F(4), 1j]),
    ),
    "pair size": st.sampled_from([1, 0, -2, 2.0, "2", None, True, [2]]),
    "probability": st.one_of(
        outside_unit_interval(),
        st.sampled_from(
            [*NOT_FINITE, *NOT_A_NUMBER[:1], *NOT_A_NUMBER[2:], [0.5, 0.0], [0.5, 1.0], "abc", "1/0", "2", "nan", ""]
        ),
    ),
    "mixed rewards": st.sampled_from([[1, 1, 1], [0, 0, 0], [[1, 0, 0], [1, 1, 1]], [1, 0.5, 0], [2, 0, 1]]),
    "query rewards": st.sampled_from([[1, 0.5, 0], [2, 0, 1], [-1, 1, 0]]),
    "rank one": st.sampled_from([[[0.0, 1.0, 2.0]], np.zeros((2, 3))]),
    "ratios": st.one_of(
        spoilt([1.0, 1.0]),
        st.sampled_from([[1.0, 0.0], [-1.0, 1.0], 0.0, [F(0), F(1)], *NOT_A_NUMBER]),
        st.floats(max_value=0),
    ),
    "group of ratios": st.sampled_from([1.0, np.empty((2, 0)), [1.0, 0.0], [NAN, 1.0], [1.0, -INF]]),
    "clip low": st.one_of(negative_or_no_number(), st.sampled_from([1.0, 1, 2, INF, F(1), 10**400])),
    "clip high": st.one_of(negative_or_no_number(), st.sampled_from([Decimal("-1"), -(10**400)])),
    "other shape": st.sampled_from([[1.0, 1.0, 1.0], np.ones((2, 3))]),
    "taken name": st.sampled_from(["qae", "grpo", "neg_mask"]),
    "no text": st.sampled_from(["", "  ", 5, None, b"qae", ["qae"], True]),
    "no function": st.sampled_from([5, None, "qae", [max], {}]),
    "no defaults": st.sampled_from(
        [
            {"k": 7},
            {"k": "1"},
            {"std": "sample"},
            {"std": "batch"},
            {"eps": -1},
            {7: "0.4"},
            {"a b": 1},
            [("k", 1)],
            None,
        ]
    ),
    "no flag": st.sampled_from(["no", "", 0, 1, None, [], [True], np.ones(1, dtype=bool), 1.0]),
    "unchecked": st.nothing(),  # a flag, or what the caller answers for
}

Z, GROUP = [0.0, 1.0, 2.0], [1, 0, 1, 0]
NO_OPTIONS: dict[str, Any] = {}
QAE_OPTIONS = {"k": ["level"], "std": ["std"], "eps": ["eps"]}
ESTIMATOR_SETTING = {"estimator": ["estimator"], **QAE_OPTIONS, "temperature": ["unknown option"]}

# function: (a good call, the kinds of bad values of every argument)
TABLE: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "quantile_baseline": (
        {"rewards": GROUP, "k": "0.4", "method": "linear"},
        {"rewards": ["rewards"], "k": ["level"], "method": ["method"]},
    ),
    "advantages": (
        {"rewards": GROUP, "estimator": "qae", "mask": None},
        {"rewards": ["rewards"], "mask": ["mask"], **ESTIMATOR_SETTING},
    ),
    "advantages:psr": (
        {"rewards": GROUP, "estimator": "psr", "mask": [True] * 4},
        {
            "rewards": ["binary rewards"],
            "estimator": ["estimator"],
            "mask": ["mask"],
            "k": ["unknown option"],
            "std": ["std"],
            "eps": ["eps"],
        },
    ),
    "register_estimator": (
        {"name": "new", "kernel": max, "source": "this test", "defaults": {}, "binary_only": False, "least_group": 1},
        {
            "name": ["taken name", "no text"],
            "kernel": ["no function"],
            "source": ["no text"],
            "defaults": ["no defaults"],
            "binary_only": ["no flag"],
            "least_group": ["group size"],
        },
    ),
    "estimator_names": ({}, {}),
    "get_estimator": ({"name": "qae"}, {"name": ["estimator"]}),
    "resolve_options": (
        {"rule": shipped("advantages").get_estimator("qae"), "options": {}, "whole_batch": True},
        {"rule": ["unchecked"], "options": ["unchecked"], "whole_batch": ["unchecked"]},
    ),
    "probabilities": ({"logits": Z}, {"logits": ["logits"]}),
    "entropy": ({"logits": Z}, {"logits": ["logits"]}),
    "self_covariance": ({"logits": Z}, {"logits": ["logits"]}),
    "entropy_gradient": ({"logits": Z}, {"logits": ["logits"]}),
    "update_direction": (
        {"logits": [Z] * 4, "arm_rewards": [1, 0, 0], "rule": "uncentred", "baseline": 0.5},
        {
            "logits": ["logits"],
            "arm_rewards": ["vector of 3"],
            "rule": ["rule"],
            "baseline": ["batch of 4"],
            "responses": ["unknown option"],
            "advantages": ["unknown option"],
        },
    ),
    "update_direction:sampled_group": (
        {
            "logits": Z,
            "arm_rewards": [1, 0, 0],
            "rule": "sampled_group",
            "responses": [0, 1],
            "advantages": [1.0, -1.0],
            "baseline": 0.0,
        },
        {
            "logits": ["logits"],
            "arm_rewards": ["vector of 3"],
            "rule": ["rule"],
            "baseline": ["number"],
            "responses": ["responses"],
            "advantages": ["vector of 2"],
        },
    ),
    "entropy_change": (
        {"logits": [Z] * 4, "direction": [1.0, 0.0, 0.0], "step_size": 0.1},
        {"logits": ["logits"], "direction": ["vector of 3"], "step_size": ["batch of 4"]},
    ),
    "first_order_entropy_change": (
        {"logits": [Z] * 4, "direction": [1.0, 0.0, 0.0]},
        {"logits": ["logits"], "direction": ["vector of 3"]},
    ),
    "second_order_entropy_change": (
        {"logits": [Z] * 4, "direction": [1.0, 0.0, 0.0]},
        {"logits": ["logits"], "direction": ["vector of 3"]},
    ),
    "response_curvatures": ({"logits": Z}, {"logits": ["logits"]}),
    "entropy_change_bounds": (
        {"logits": [Z] * 4, "direction": [1.0, 0.0, 0.0], "step_size": 0.1, "method": "third-order"},
        {
            "logits": ["logits"],
            "direction": ["vector of 3"],
            "step_size": ["batch of 4"],
            "method": ["bounds method"],
        },
    ),
    "entropy_change_enclosure": (
        {"logits": [Z] * 4, "direction": [1.0, 0.0, 0.0], "step_size": 0.1},
        {"logits": ["logits"], "direction": ["vector of 3"], "step_size": ["batch of 4"]},
    ),
    "safe_step_size": (
        {"logits": Z, "arm_rewards": [1, 0, 0], "low": 0.25, "high": 0.75},
        {"logits": ["logits"], "arm_rewards": ["vector of 3", "query rewards"], "low": ["low"], "high": ["high"]},
    ),
    "expected_gain": (
        {"success_prob": 0.5, "group_size": 4, "estimator": "qae", "mixed_only": True},
        {
            "success_prob": ["probability"],
            "group_size": ["group size", "pair size"],
            "mixed_only": ["no flag"],
            **ESTIMATOR_SETTING,
        },
    ),
    "outcome_advantages": (
        {"group_size": 4, "estimator": "qae", "exact": False},
        {"group_size": ["group size"], "exact": ["no flag"], **ESTIMATOR_SETTING},
    ),
    "advantage_moments": (
        {"success_prob": 0.5, "group_size": 4, "estimator": "qae"},
        {"success_prob": ["probability"], "group_size": ["group size", "pair size"], **ESTIMATOR_SETTING},
    ),
    "expected_first_order_change": (
        {"logits": Z, "arm_rewards": [1, 0, 0], "group_size": 4, "estimator": "qae"},
        {
            "logits": ["logits"],
            "arm_rewards": ["vector of 3", "mixed rewards"],
            "group_size": ["group size"],
            **ESTIMATOR_SETTING,
        },
    ),
    "expected_second_order_change": (
        {"logits": Z, "arm_rewards": [1, 0, 0], "group_size": 4, "estimator": "qae"},
        {
            "logits": ["logits"],
            "arm_rewards": ["vector of 3", "mixed rewards"],
            "group_size": ["group size", "pair size"],
            **ESTIMATOR_SETTING,
        },
    ),
    "expected_entropy_change": (
        {"logits": Z, "arm_rewards": [1, 0, 0], "group_size": 2, "estimator": "qae", "step_size": 0.1},
        {
            "logits": ["logits", "rank one"],
            "arm_rewards": ["vector of 3", "rank one"],
            "group_size": ["group size"],
            "step_size": ["scalar"],
            **ESTIMATOR_SETTING,
        },
    ),
    "clipped_surrogate": (
        {"ratios": [1.0, 1.0], "advantages": [1.0, -1.0], "clip_low": 0.2, "clip_high": 0.28},
        {
            "ratios": ["ratios"],
            "advantages": ["number", "other shape"],
            "clip_low": ["clip low"],
            "clip_high": ["clip high"],
        },
    ),
    "group_objective": (
        {"ratios": [1.0, 1.0], "advantages": 1.0, "clip_low": 0.2, "clip_high": 0.28},
        {
            "ratios": ["ratios", "group of ratios"],
            "advantages": ["number"],
            "clip_low": ["clip low"],
            "clip_high": ["clip high"],
        },
    ),
    "query_weights": (
        {"rewards": GROUP, "rule": "qae", "k": "0.4"},
        {"rewards": ["rewards", "binary rewards"], "rule": ["objective rule"], "k": ["level"]},
    ),
    "masked_objective": (
        {"ratios": [1.0] * 4, "rewards": GROUP, "rule": "qae", "k": "0.4", "clip_low": 0.2, "clip_high": 0.28},
        {
            "ratios": ["ratios"],
            "rewards": ["rewards", "binary rewards"],
            "rule": ["objective rule"],
            "k": ["level"],
            "clip_low": ["clip low"],
            "clip_high": ["clip high"],
        },
    ),
}


def functions_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The public functions that a module defines."""
    members = inspect.getmembers(module, inspect.isfunction)
    own = {name: f for name, f in members if not name.startswith("_") and f.__module__ == module.__name__}
    return {name: f for name, f in own.items() if "__mutmut_" not in name}  # mutation testing keeps copies beside


PUBLIC = {
    name: f
    for module in MODULES
    for name, f in functions_of(module).items()
    if name not in KERNELS[module.__name__.rsplit(".", 1)[1]]
}


def named(case: str) -> Callable[..., Any]:
    return PUBLIC[case.split(":")[0]]


def message_name(case: str, argument: str) -> str:
    """The name that a message gives an argument: its own, but for an estimator asked for by ``name``."""
    return "estimator" if (case, argument) == ("get_estimator", "name") else argument


# The table is complete


def test_every_public_function_is_in_the_table() -> None:
    assert {case.split(":")[0] for case in TABLE} == set(PUBLIC)


def test_everything_that_the_package_exports_is_in_the_table() -> None:
    assert set(qae_theory.__all__) <= set(PUBLIC)
    assert all(getattr(qae_theory, name) is PUBLIC[name] for name in qae_theory.__all__)
    assert sorted(qae_theory.__all__) == list(qae_theory.__all__)


def test_kernels_exist_and_promise_no_check() -> None:
    for module in MODULES:
        functions = functions_of(module)
        for name in KERNELS[module.__name__.rsplit(".", 1)[1]]:
            assert name in functions
            assert "Raises:" not in (functions[name].__doc__ or "")
            assert name not in qae_theory.__all__


@pytest.mark.parametrize("case", TABLE)
def test_every_argument_is_in_the_table(case: str) -> None:
    arguments = {
        name: p for name, p in inspect.signature(named(case)).parameters.items() if p.kind is not p.VAR_KEYWORD
    }
    assert set(arguments) <= set(TABLE[case][1])
    assert {kind for kinds in TABLE[case][1].values() for kind in kinds} <= set(KINDS)


@pytest.mark.parametrize("case", [case for case in TABLE if case != "register_estimator"])
def test_the_good_call_is_good(case: str) -> None:
    result = named(case)(**TABLE[case][0])
    numbers = result if isinstance(result, tuple) and not isinstance(result[0], str) else [result]
    assert all(np.isfinite(x).all() for x in numbers if isinstance(x, (np.ndarray, float)))


# Every argument refuses what it must


@pytest.mark.parametrize(
    ("case", "argument", "kind"),
    [
        (case, argument, kind)
        for case, (_, arguments) in TABLE.items()
        for argument, kinds in arguments.items()
        for kind in kinds
        if kind != "unchecked"
    ],
)
@settings(max_examples=40)
@given(data=st.data())
def test_bad_values_are_refused_by_name(case: str, argument: str, kind: str, data: st.DataObject) -> None:
    value = data.draw(KINDS[kind], label=argument)
    if case == "update_direction" and kind == "unknown option" and value is None:
        return  # the default
    message = refuses(lambda: named(case)(**{**TABLE[case][0], argument: value}), message_name(case, argument), value)
    assert "; got " in message or "is taken" in message


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unchecked"])
def test_every_kind_is_used(kind: str) -> None:
    assert any(kind in kinds for _, arguments in TABLE.values() for kinds in arguments.values())


# One argument at a time is not all: pairs that contradict each other


@pytest.mark.parametrize(
    ("case", "change", "name"),
    [
        ("entropy_change", {"logits": np.zeros((4, 3)), "direction": np.zeros((2, 3))}, "direction"),
        ("entropy_change_bounds", {"logits": np.zeros((4, 3)), "step_size": np.zeros(3)}, "step_size"),
        ("first_order_entropy_change", {"logits": np.zeros((4, 3)), "direction": np.zeros((2, 3))}, "direction"),
        ("update_direction", {"logits": np.zeros((4, 3)), "arm_rewards": np.zeros((2, 3))}, "arm_rewards"),
        ("update_direction", {"logits": np.zeros((4, 3)), "baseline": np.zeros(3)}, "baseline"),
        ("safe_step_size", {"logits": np.zeros((4, 3)), "arm_rewards": np.zeros((2, 3))}, "arm_rewards"),
        ("safe_step_size", {"logits": np.zeros((4, 3)), "low": np.zeros(3)}, "low"),
        ("safe_step_size", {"logits": np.zeros((4, 3)), "high": np.ones(3)}, "high"),
        ("expected_first_order_change", {"logits": np.zeros((4, 3)), "arm_rewards": np.ones((2, 3))}, "arm_rewards"),
        ("masked_objective", {"ratios": np.ones((4, 4)), "rewards": np.ones((3, 4))}, "rewards"),
        ("clipped_surrogate", {"ratios": np.ones((4, 2)), "advantages": np.ones((3, 2))}, "advantages"),
        (
            "update_direction:sampled_group",
            {"logits": np.zeros((4, 3)), "responses": [[0, 1]] * 3, "advantages": [1.0, 0.0]},
            "responses",
        ),
        (
            "update_direction:sampled_group",
            {"logits": np.zeros((4, 3)), "responses": [[0, 1]] * 4, "advantages": [[1.0, 0.0]] * 3},
            "advantages",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(case: str, change: dict[str, Any], name: str) -> None:
    refuses(lambda: named(case)(**{**TABLE[case][0], **change}), name, change[name])


def test_sampled_group_refuses_a_baseline_of_its_own() -> None:
    good = TABLE["update_direction:sampled_group"][0]
    for b in (0.5, [0.5], -1):
        refuses(lambda b=b: qae_theory.update_direction(**{**good, "baseline": b}), "baseline", b)
    for name in ("responses", "advantages"):
        refuses(lambda name=name: qae_theory.update_direction(**{**good, name: None}), name, None)


@pytest.mark.parametrize("case", ["entropy_change_bounds", "entropy_change_enclosure", "safe_step_size"])
def test_guarantees_about_floats_refuse_exact_numbers(case: str) -> None:
    z = np.array([F(0), F(1), F(2)], dtype=object)
    with pytest.raises(ValueError, match=r"^logits must be a float array here, not exact numbers; got "):
        named(case)(**{**TABLE[case][0], "logits": z})


def test_the_safe_step_refuses_exact_rewards_and_baselines() -> None:
    sympy = pytest.importorskip("sympy")
    good = TABLE["safe_step_size"][0]
    exact = {
        "arm_rewards": [sympy.S(1), sympy.S(0), sympy.S(0)],
        "low": sympy.Rational(1, 4),
        "high": sympy.Rational(3, 4),
    }
    for name, value in exact.items():
        with pytest.raises(ValueError, match=rf"^{name} must be "):
            qae_theory.safe_step_size(**{**good, name: value})


def test_exact_infinities_are_refused() -> None:
    sympy = pytest.importorskip("sympy")
    flint = pytest.importorskip("flint")
    for infinite in (sympy.oo, -sympy.oo, sympy.nan, sympy.zoo, flint.arb("nan"), flint.arb("inf"), Decimal("NaN")):
        value = [infinite, F(1)]
        refuses(lambda value=value: qae_theory.advantages(value, "dr_grpo"), "rewards", value)
        refuses(lambda value=value: qae_theory.entropy(value), "logits", value)
        refuses(lambda value=value: qae_theory.first_order_entropy_change([0.0, 1.0], value), "direction", value)


@pytest.mark.parametrize("estimator", ["psr", "nsr", "pos_mask", "neg_mask"])
@given(rewards=st.lists(st.floats(-3, 3), min_size=2, max_size=6).filter(lambda r: any(x not in (0, 1) for x in r)))
def test_rules_for_binary_rewards_refuse_others(estimator: str, rewards: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^rewards must be 0 or 1 in every entry"):
        qae_theory.advantages(rewards, estimator)


def test_rewards_out_of_range_do_not_matter_where_the_mask_is_false() -> None:
    assert qae_theory.advantages([1, 0, 1e308], "qae", mask=[True, True, False])[2] == 0


@pytest.mark.parametrize("mixed_only", [False, True])
def test_leave_one_out_needs_two(mixed_only: bool) -> None:
    refuses(
        lambda: qae_theory.expected_gain(0.5, 1, "rloo", mixed_only=mixed_only), "group_size", 1, says="an integer >= 2"
    )
    refuses(lambda: qae_theory.advantages([1], "rloo"), "rewards", [1])


def test_large_arrays_are_shown_by_their_shape() -> None:
    array = np.full(9, NAN)
    message = refuses(lambda: qae_theory.entropy(array), "logits", array)
    assert message.endswith("got an array of shape (9,)")
    small = np.full(8, NAN)
    assert refuses(lambda: qae_theory.entropy(small), "logits", small).endswith(repr(small))


def test_messages_say_what_is_allowed() -> None:
    message = refuses(lambda: qae_theory.quantile_baseline([1, 0], 2), "k", 2)
    assert message.startswith("k must be a rational number strictly between 0 and 1")
    message = refuses(lambda: qae_theory.entropy_change([0, 1, 2], [0, 1], 1), "direction", [0, 1])
    assert message.startswith("direction must be an array [..., 3] of finite numbers")
    message = refuses(lambda: qae_theory.safe_step_size([0, 1], [1, 0], 0.5, 0.25), "high", 0.25)
    assert "low = 0.5" in message
    message = refuses(lambda: qae_theory.advantages([1, 0], mask=[1, 0]), "mask", [1, 0])
    assert "(2,)" in message
