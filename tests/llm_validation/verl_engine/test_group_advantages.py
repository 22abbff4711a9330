"""Advantages of ragged groups in torch against Fractions and against ``qae_theory``, and the gate on correctness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction as F
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from llm_validation.verl_engine.group_advantages import (
    BINARY_SCALES,
    ESTIMATORS,
    STD_KINDS,
    group_advantages,
    group_numbers,
)
from qae_theory import advantages
from tests import oracles, strategies
from tests.assertions import refuses
from tests.llm_validation.probe import batches
from tests.llm_validation.probe.batches import BINARY, Batch, differing, exact

pytestmark = pytest.mark.torch

# Float64 alone: two dozen operations without cancellation in a group of twenty.
DOUBLE = 1e-13
DOUBLES = {"float32": batches.ONE_ROUNDING, "float64": DOUBLE}
# Four right, ten wrong, two wrong and long: theory.md `gate-nonbinary`.
WITNESS = [1.0] * 4 + [-1.0] * 10 + [-1.5, -2.0]


def tensor(values: Any, dtype: str = "float32") -> Any:
    import torch

    return torch.tensor([float(x) for x in values], dtype=getattr(torch, dtype))


def ours(scores: Sequence[Any], index: Any = None, dtype: str = "float32", **options: Any) -> list[float]:
    """One group unless an index is given."""
    return group_advantages(tensor(scores, dtype), ["q"] * len(scores) if index is None else index, **options).tolist()


def of_batch(batch: Batch, **options: Any) -> list[float]:
    return ours(batch.scores, batch.ids(), **options)


# Parity


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(data=st.data())
def test_each_row_is_the_exact_advantage_rounded_once(estimator: str, data: st.DataObject) -> None:
    groups = strategies.binary_groups() if estimator in BINARY else strategies.groups()
    batch = data.draw(batches.batches(groups))
    k, std = data.draw(strategies.levels()), data.draw(st.sampled_from(STD_KINDS))
    eps = data.draw(st.sampled_from([F(0), F(1, 10**6), F(1, 4)]))
    dtype = data.draw(st.sampled_from(sorted(DOUBLES)))
    expected = batch.map_groups(lambda group: exact(group, estimator, k=k, std=std, eps=eps))
    form = data.draw(st.sampled_from(strategies.level_forms(k)))
    got = of_batch(batch, estimator=estimator, k=form, std=std, eps=float(eps), dtype=dtype)
    assert differing(got, expected, DOUBLES[dtype]) == []


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_defaults_are_those_of_the_theory(estimator: str) -> None:
    group = [1, 0, 0, 1, 0, 1, 1, 1]
    assert differing(ours(group, estimator=estimator, dtype="float64"), advantages(group, estimator), DOUBLE) == []


def test_the_linear_estimator_is_bessels_by_default_as_released() -> None:
    group = [1, 0, 0, 1, 0, 1, 1, 1]
    assert ours(group, estimator="qae_linear") == ours(group, estimator="qae_linear", std="bessel")
    assert ours(group, estimator="qae_linear") != ours(group, estimator="qae_linear", std="population")


@given(groups=st.lists(strategies.masked_groups(), min_size=1, max_size=4), data=st.data())
def test_rows_without_a_score_are_zero_and_left_out(groups: list[Any], data: st.DataObject) -> None:
    rows = [(x, keep, i) for i, group in enumerate(groups) for x, keep in zip(group.rewards, group.mask, strict=True)]
    rows = data.draw(st.permutations(rows))
    k = data.draw(strategies.levels())
    scores, mask, index = ([row[i] for row in rows] for i in range(3))
    expected: list[Any] = [None] * len(rows)
    for i in range(len(groups)):
        places = [place for place, row in enumerate(rows) if row[2] == i]
        kept = [mask[place] for place in places]
        values = [F(scores[place]) if mask[place] else F(0) for place in places]
        for place, value in zip(places, oracles.masked_advantages(values, kept, "qae", k=k), strict=True):
            expected[place] = value
    got = ours(scores, index, estimator="qae", k=k, mask=np.array(mask, dtype=bool))
    assert differing(got, expected) == []
    blanked = [x if keep else math.nan for x, keep in zip(scores, mask, strict=True)]
    assert ours(blanked, index, estimator="qae", k=k) == got


@pytest.mark.parametrize("kept", [0, 1])
def test_fewer_than_two_scores_are_no_group(kept: int) -> None:
    scores = [1.0] * kept + [math.nan] * (3 - kept)
    for estimator in ESTIMATORS:
        assert ours([*scores, 1.0, 0.0], [0, 0, 0, 1, 1], estimator=estimator)[:3] == [0.0] * 3


@given(batch=batches.batches(), data=st.data())
def test_order_and_names_of_the_groups_change_no_bit(batch: Batch, data: st.DataObject) -> None:
    estimator = data.draw(st.sampled_from(["grpo", "qae", "qae_linear"]))
    order = data.draw(st.permutations(range(len(batch.scores))))
    before = of_batch(batch, estimator=estimator, dtype="float64")
    names = {name: i for i, name in enumerate(reversed(list(dict.fromkeys(batch.index))))}
    renamed = np.array([names[batch.index[i]] for i in order])
    after = ours([batch.scores[i] for i in order], renamed, estimator=estimator, dtype="float64")
    assert after == [before[i] for i in order]


@pytest.mark.parametrize(("k", "size", "right"), [("0.9", 10, 1), ("0.55", 100, 45), ("0.4", 5, 3), ("1/3", 9, 6)])
def test_on_the_threshold_the_group_is_hard(k: str, size: int, right: int) -> None:
    """m/G = 1 - K: in binary floating point K G or 1 - K rounds to the wrong side for some."""
    got = ours([1] * right + [0] * (size - right), estimator="qae", k=float(F(k)) if "/" not in k else k)
    assert min(got[:right]) > 0
    assert got[right:] == [0.0] * (size - right)
    got = ours([1] * (right + 1) + [0] * (size - right - 1), estimator="qae", k=k)
    assert got[: right + 1] == [0.0] * (right + 1)
    assert max(got[right + 1 :]) < 0


def test_a_level_of_many_digits_does_not_overflow() -> None:
    k = F(4 * 10**40 + 1, 10**41)  # just above .4
    assert ours([1, 1, 1, 0, 0], estimator="qae", k=F(2, 5))[3:] == [0.0, 0.0]
    assert max(ours([1, 1, 1, 0, 0], estimator="qae", k=k)[3:]) < 0


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e200, 1e300])
def test_scores_of_any_size(scale: float) -> None:
    group = [3 * scale, scale, -scale, 2 * scale, 2 * scale]
    got = ours(group, estimator="qae", eps=0, dtype="float64")
    assert differing(got, advantages(group, "qae", eps=0), DOUBLE) == []


def test_a_small_spread_on_a_large_score_is_no_degenerate_group() -> None:
    group = [1000.0, 1000.0 + 2.0**-13, 1000.0, 1000.0]
    got = ours(group, estimator="qae", eps=0)
    assert differing(got, exact([F(x) for x in group], "qae", eps=F(0))) == []
    assert got[1] > 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_type_and_shape_are_those_of_the_scores(dtype: str) -> None:
    scores = tensor([1, 0, 0, 1], dtype).requires_grad_()
    got = group_advantages(scores, [0, 0, 0, 0], estimator="qae")
    assert got.dtype == scores.dtype
    assert got.shape == scores.shape
    assert not got.requires_grad


def test_an_empty_batch() -> None:
    assert ours([], [], estimator="qae") == []


# Negative controls of the comparison


CONTROL = Batch([F(x) for x in (1, 0, 0, 1, 0.5, 0.25, 1, 1)], list("aababaab"))


@pytest.mark.parametrize(
    "planted",
    [{"k": "0.6"}, {"std": "bessel"}, {"eps": 2e-6}, {"estimator": "qae_linear"}, {"index": list("aababaaa")}],
)
def test_the_comparison_sees_what_is_planted(planted: dict[str, Any]) -> None:
    expected = CONTROL.map_groups(lambda group: exact(group, "qae"))
    assert differing(ours(CONTROL.scores, CONTROL.index, estimator="qae"), expected) == []
    options = {"index": CONTROL.index, "estimator": "qae", **planted}
    assert differing(ours(CONTROL.scores, **options), expected)


def test_the_comparison_sees_one_perturbed_score() -> None:
    expected = CONTROL.map_groups(lambda group: exact(group, "qae"))
    for i in range(len(CONTROL.scores)):
        scores = [x + (j == i) * F(1, 2**10) for j, x in enumerate(CONTROL.scores)]
        places = CONTROL.rows()[CONTROL.index[i]]
        assert set(differing(ours(scores, CONTROL.index, estimator="qae"), expected)) & set(places)


# The gate on correctness


def dapo_scores(group: Sequence[tuple[int, F]]) -> list[F]:
    return [2 * right - 1 + penalty for right, penalty in group]


def gate_faults(group: Sequence[tuple[int, F]], got: Sequence[float], k: F) -> list[int]:
    """Responses whose advantage has not the sign that Eq. 4's two regimes give its correctness."""
    bits = [right for right, _ in group]
    if len(set(bits)) < 2:
        return [i for i, value in enumerate(got) if value != 0]
    hard = F(sum(bits), len(bits)) <= 1 - k
    signs = [(right if hard else right - 1) for right in bits]
    return [i for i, (value, sign) in enumerate(zip(got, signs, strict=True)) if np.sign(value) != sign]


@given(group=batches.overlong_groups(), k=strategies.levels())
def test_on_correctness_the_two_regime_gate_holds_for_any_overlong_penalty(group: Any, k: F) -> None:
    scores = dapo_scores(group)
    got = ours(scores, estimator="qae", k=k, gate="correctness", correct_above=-0.5)
    assert gate_faults(group, got, k) == []
    bits = [F(right) for right, _ in group]
    assert differing(got, exact(bits, "qae", k=k)) == []


@given(group=batches.overlong_groups(), k=strategies.levels(), estimator=st.sampled_from(ESTIMATORS))
def test_on_correctness_the_penalty_is_nowhere(group: Any, k: F, estimator: str) -> None:
    options: dict[str, Any] = {"estimator": estimator, "k": k, "gate": "correctness", "correct_above": -0.5}
    without = [(right, F(0)) for right, _ in group]
    assert ours(dapo_scores(group), **options) == ours(dapo_scores(without), **options)


def test_on_rewards_the_gate_fails_and_the_witness_shows_it() -> None:
    group = [(int(x > 0), F(x) - (1 if x > 0 else -1)) for x in WITNESS]
    assert dapo_scores(group) == WITNESS
    got = ours(WITNESS, estimator="qae")
    assert gate_faults(group, got, F(2, 5)) == [14, 15]  # wrong answers of a hard group, pushed down
    assert max(got[14:]) < 0
    right = ours(WITNESS, estimator="qae", gate="correctness", correct_above=-0.5)
    assert gate_faults(group, right, F(2, 5)) == []


@given(group=strategies.binary_groups(), k=strategies.levels(), estimator=st.sampled_from(["qae", "qae_linear"]))
def test_on_two_levels_both_gates_differ_by_eps_alone(group: list[F], k: F, estimator: str) -> None:
    scores = [2 * x - 1 for x in group]
    both = [ours(scores, estimator=estimator, k=k, eps=0, gate=g, dtype="float64") for g in ("reward", "correctness")]
    assert differing(both[0], both[1], DOUBLE) == []


# What counts as right


@pytest.mark.parametrize("estimator", [*BINARY, "qae"])
@pytest.mark.parametrize(("low", "high"), BINARY_SCALES)
@given(batch=batches.batches(strategies.binary_groups()), k=strategies.levels())
def test_two_known_levels_need_no_threshold(estimator: str, low: float, high: float, batch: Batch, k: F) -> None:
    scores = [high if x else low for x in batch.scores]
    expected = batch.map_groups(lambda group: exact(group, estimator, k=k))
    got = ours(scores, batch.ids(), estimator=estimator, k=k, gate="correctness")
    assert differing(got, expected) == []


@pytest.mark.parametrize("estimator", BINARY)
@given(group=batches.overlong_groups(), k=strategies.levels())
def test_masks_take_any_scores_with_a_threshold(estimator: str, group: Any, k: F) -> None:
    bits = [F(right) for right, _ in group]
    got = ours(dapo_scores(group), estimator=estimator, k=k, correct_above=-0.5)
    assert differing(got, exact(bits, estimator, k=k)) == []


def test_rows_that_pad_a_batch_are_no_third_level() -> None:
    scores, index = [1, -1, -1, 0, 0, 0], ["a", "a", "a", "pad", "pad", "pad"]
    got = ours(scores, index, estimator="pos_mask")
    assert got == [*ours(scores[:3], estimator="pos_mask"), 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([1, -1, -1.5], "-1.5, -1, 1"),
        ([-2, -1, -1], "-2, -1"),  # two levels, and both wrong: the longest answers and the others
        ([0, 0.5, 1, 2, 3], "0, 0.5, 1, 2, ..."),
    ],
)
@pytest.mark.parametrize("options", [{"estimator": "pos_mask"}, {"estimator": "qae", "gate": "correctness"}])
def test_other_levels_are_refused_without_a_threshold(scores: Any, shown: str, options: dict[str, Any]) -> None:
    message = refuses(lambda: ours(scores, **options), "correct_above", None, says=f"but {shown};")
    assert "\n" not in message


def test_a_score_on_the_threshold_is_wrong() -> None:
    got = ours([1, 0, 0, 2], estimator="qae", gate="correctness", correct_above=1)
    assert [value > 0 for value in got] == [False, False, False, True]


# Bad input


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"estimator": "rloo"}, "estimator", "rloo"),
        ({"k": "1"}, "k", "1"),
        ({"k": 0.0}, "k", 0.0),
        ({"k": True}, "k", True),
        ({"std": "sample"}, "std", "sample"),
        ({"std": ""}, "std", ""),
        ({"eps": -1e-6}, "eps", -1e-6),
        ({"eps": math.nan}, "eps", math.nan),
        ({"gate": "score"}, "gate", "score"),
        ({"gate": "correctness", "correct_above": math.inf}, "correct_above", math.inf),
        ({"gate": "correctness", "correct_above": "0"}, "correct_above", "0"),
        ({"gate": "correctness", "correct_above": True}, "correct_above", True),
    ],
)
def test_a_bad_option_is_refused_by_name(options: dict[str, Any], name: str, value: Any) -> None:
    assert "\n" not in refuses(lambda: ours([1, 0], **{"estimator": "qae", **options}), name, value)


@pytest.mark.parametrize("score", [math.inf, -math.inf, 2.0**1000])
def test_an_infinite_score_is_refused_where_it_counts(score: float) -> None:
    refuses(lambda: ours([1, 0, score], estimator="qae", dtype="float64"), "scores", score)
    mask = np.array([True, True, False])
    assert ours([1, 0, score], estimator="qae", dtype="float64", mask=mask)[2] == 0


@pytest.mark.parametrize("index", [[0, 0], [0, 0, 0, 0], "ab", 7, None, [[0], [0], [0]], np.zeros((3, 1))])
def test_a_bad_index_is_refused(index: Any) -> None:
    with pytest.raises(ValueError, match=r"^index must be 3 hashable group ids"):
        group_advantages(tensor([1, 0, 0]), index, estimator="qae")


def test_an_index_may_be_a_tensor_an_array_or_a_list() -> None:
    import torch

    want = [0, 1, 0, 2]
    for index in ([5, 3, 5, 4], np.array([5, 3, 5, 4]), torch.tensor([5, 3, 5, 4]), "5354", np.array(list("baca"[:4]))):
        ids = group_numbers(index, 4).tolist()
        assert ids == (want if "".join(map(str, index)) != "baca" else [0, 1, 2, 1])


@pytest.mark.parametrize("mask", [[1, 1, 0], [True, False], [[True], [True], [True]]])
def test_a_bad_mask_is_refused(mask: Any) -> None:
    with pytest.raises(ValueError, match=r"^mask must be a boolean array of the shape \[3\]; got"):
        ours([1, 0, 0], estimator="qae", mask=mask)


def test_scores_of_another_kind_are_refused() -> None:
    import torch

    for scores in ([1.0, 0.0], torch.tensor([1, 0]), torch.ones(2, 1)):
        with pytest.raises(ValueError, match=r"^scores must be a floating-point tensor \[B\]; got"):
            group_advantages(scores, [0, 0], estimator="qae")
