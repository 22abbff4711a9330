"""Records and metrics of one update, by hand, by enumeration and against the theory's own functions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from llm_validation.verl_engine.update_probe import (
    COUNTERFACTUAL,
    UNCENTRED,
    Response,
    gate_leaks,
    metrics_of,
    records_from_tokens,
    success_rate,
)
from qae_theory import advantages, entropy, first_order_entropy_change

TOLERANCE = 1e-12  # a dozen float64 operations on numbers of order one


def response(**changes: Any) -> Response:
    """Three tokens, of which the last does not count."""
    fields: dict[str, Any] = {
        "uid": "a",
        "key": "a_0_0",
        "reward": 1.0,
        "mask": np.array([1, 1, 0]),
        "advantages": np.array([2.0, 2.0, 0.0]),
        "log_probs_before": np.log([0.5, 0.25, 1.0]),
        "log_probs_after": np.log([0.75, 0.25, 0.1]),
        "entropies_before": np.array([0.6, 0.5, 9.0]),
        "entropies_after": np.array([0.4, 0.55, 9.0]),
    }
    return Response(**(fields | changes))


def record_of(**changes: Any) -> dict[str, Any]:
    (record,) = records_from_tokens([response(**changes)], step=3, clip_low=0.2, clip_high=0.28)
    return record


# Records


def test_a_record_by_hand() -> None:
    record = record_of()
    predicted = -2 * (math.log(0.5) + 0.6) - 2 * (math.log(0.25) + 0.5)
    uncentred = -2 * 0.5 * (math.log(0.5) + 0.6) - 2 * 0.25 * (math.log(0.25) + 0.5)
    expected = {
        "entropy_before": 1.1,
        "entropy_after": 0.95,
        "entropy_change_predicted": predicted,
        UNCENTRED: uncentred,
        "log_prob_before": math.log(0.125),
        "log_prob_after": math.log(0.1875),
    }
    assert {name: record[name] for name in expected} == pytest.approx(expected, abs=TOLERANCE)
    exact = {"step": 3, "uid": "a", "key": "a_0_0", "reward": 1.0, "advantage": 2.0, "tokens": 2}
    assert {name: record[name] for name in exact} == exact
    assert (record["clipped_high"], record["clipped_low"]) == (1, 0)  # the ratio 1.5 is above 1.28
    assert COUNTERFACTUAL not in record
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(
    ("advantage", "ratios", "high", "low"),
    [
        (2.0, (1.5, 1.3, 0.1), 2, 0),  # above 1.28; what is below is not clipped while A > 0
        (2.0, (1.27, 1.0, 0.1), 0, 0),
        (-2.0, (0.75, 0.6, 0.85), 0, 2),  # below 0.8, not 1 - 0.28
        (-2.0, (0.81, 1.0, 1.5), 0, 0),
        (0.0, (1.5, 0.1, 1.0), 0, 0),
    ],
)
def test_clipped_tokens_are_on_the_side_of_the_advantage(
    advantage: float, ratios: tuple[float, ...], high: int, low: int
) -> None:
    ones = np.ones(3)
    before = np.full(3, -3.0)
    record = record_of(
        mask=ones, advantages=advantage * ones, log_probs_before=before, log_probs_after=before + np.log(ratios)
    )
    assert (record["clipped_high"], record["clipped_low"]) == (high, low)


def test_a_ratio_on_the_edge_is_not_clipped() -> None:
    on_edge = np.zeros(3) + np.log(1.25)
    (record,) = records_from_tokens(
        [response(log_probs_before=np.zeros(3), log_probs_after=on_edge)], step=1, clip_low=0.2, clip_high=0.25
    )
    # exp(log(1.25)) is 1.25 in float64; the next float above is clipped.
    assert record["clipped_high"] == 0
    (beyond,) = records_from_tokens(
        [response(log_probs_before=np.zeros(3), log_probs_after=on_edge * (1 + 1e-12))],
        step=1,
        clip_low=0.2,
        clip_high=0.25,
    )
    assert beyond["clipped_high"] == 2


def test_the_ratio_of_a_whole_response() -> None:
    """GSPO: the geometric mean of 1.5 and 1 is 1.22, and of 1.5 and 1.2 1.34; then both tokens are clipped."""
    for last, expected in ((0.25, 0), (0.3, 2)):
        changed = response(log_probs_after=np.log([0.75, last, 0.1]))
        (record,) = records_from_tokens([changed], step=1, clip_low=0.2, clip_high=0.28, sequence_ratio=True)
        assert (record["clipped_high"], record["clipped_low"]) == (expected, 0)
    (empty,) = records_from_tokens(
        [response(mask=np.zeros(3))], step=1, clip_low=0.2, clip_high=0.28, sequence_ratio=True
    )
    assert empty["clipped_high"] == 0


def test_what_does_not_count_may_be_anything() -> None:
    noise = {
        name: np.append(getattr(response(), name)[:2], np.nan)
        for name in ("advantages", "log_probs_before", "log_probs_after", "entropies_before", "entropies_after")
    }
    assert record_of(**noise) == record_of()


def test_no_advantage_is_minus_zero() -> None:
    assert math.copysign(1, record_of(advantages=np.array([-0.0, -0.0, 0.0]))["advantage"]) == 1


def test_a_response_without_tokens() -> None:
    record = record_of(mask=np.zeros(3))
    assert (record["tokens"], record["advantage"], record["entropy_before"]) == (0, 0.0, 0.0)


def test_half_precision_is_summed_in_float64() -> None:
    many = np.full(3001, 1.0, dtype=np.float16)
    assert float(many.sum()) == 3000.0  # halves count by twos there
    assert record_of(**dict.fromkeys(Response._fields[3:9], many))["entropy_before"] == 3001.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"advantages": np.array([2.0, 1.0, 0.0])}, r"advantages of a_0_0 must be the same at each of its tokens"),
        ({"log_probs_after": np.zeros(2)}, r"log_probs_after of a_0_0 must be of the shape of its mask, \(3,\)"),
        ({"log_probs_before": np.array([0.0, -np.inf, 0.0])}, r"log_probs_before of a_0_0 must be finite; got -inf"),
        ({"entropies_after": np.array([np.nan, 0.0, 0.0])}, r"entropies_after of a_0_0 must be finite; got nan"),
        ({"reward": math.inf}, r"reward of a_0_0 must be finite; got inf"),
        (dict.fromkeys(Response._fields[3:9], np.ones((3, 1))), r"and of rank 1; got \(3, 1\)"),
        ({"entropies_after_by_arm": {"grpo": np.zeros(4)}}, r"grpo of a_0_0 must be of the shape"),
    ],
)
def test_a_response_that_cannot_be_recorded(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        record_of(**changes)


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        ({"clip_low": 1.0}, "clip_low must be"),
        ({"clip_high": -0.1}, "clip_high must be"),
        ({"clip_high": math.nan}, "clip_high must be"),
    ],
)
def test_clip_ranges_are_checked(clip: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        records_from_tokens([response()], step=1, **({"clip_low": 0.2, "clip_high": 0.28} | clip))


def test_a_clip_range_may_be_nothing() -> None:
    """Every token that moved against its advantage is then clipped, and one that did not move is not."""
    (record,) = records_from_tokens([response(advantages=np.array([-2.0, -2.0, 0.0]))], step=1, clip_low=0, clip_high=0)
    (down,) = records_from_tokens(
        [response(advantages=np.array([-2.0, -2.0, 0.0]), log_probs_after=np.log([0.25, 0.25, 0.1]))],
        step=1,
        clip_low=0,
        clip_high=0,
    )
    assert (record["clipped_low"], record["clipped_high"], down["clipped_low"]) == (0, 0, 1)


# The predicted change


@given(
    logits=st.lists(st.floats(-3, 3), min_size=2, max_size=6),
    arms=st.lists(st.floats(-2, 2), min_size=6, max_size=6),
)
def test_the_prediction_estimates_the_covariance_without_bias(logits: list[float], arms: list[float]) -> None:
    """The mean over the sampled token is the first-order change along A, and along pi A for the uncentred one."""
    z, a = np.array(logits), np.array(arms[: len(logits)])
    probs = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    expected = {"entropy_change_predicted": 0.0, UNCENTRED: 0.0}
    for p, advantage in zip(probs, a, strict=True):
        record = one_token(math.log(p), float(entropy(z)), advantage)
        for name in expected:
            expected[name] += p * record[name]
    # Terms up to |A| (|log p| + H) < 2 (8 + 2); a few roundings of each.
    assert expected["entropy_change_predicted"] == pytest.approx(float(first_order_entropy_change(z, a)), abs=1e-13)
    assert expected[UNCENTRED] == pytest.approx(float(first_order_entropy_change(z, probs * a)), abs=1e-13)


def test_the_negative_control_of_the_prediction() -> None:
    """Without the entropy in it, an advantage that is not centred would bias it."""
    z, a = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    probs = np.exp(z) / np.exp(z).sum()
    biased = sum(-p * advantage * math.log(p) for p, advantage in zip(probs, a, strict=True))
    assert abs(biased - float(first_order_entropy_change(z, a))) > 0.5


def one_token(log_prob: float, context_entropy: float, advantage: float) -> dict[str, Any]:
    one = np.ones(1)
    (record,) = records_from_tokens(
        [Response("a", "a", 1.0, one, advantage * one, log_prob * one, log_prob * one, context_entropy * one, one)],
        step=1,
        clip_low=0.2,
        clip_high=0.28,
    )
    return record


# Metrics


def plain(
    uid: str, reward: float, advantage: float, tokens: int, before: float, after: float, **more: Any
) -> dict[str, Any]:
    """A record with sums given a token."""
    fields = {
        "step": 1,
        "uid": uid,
        "key": f"{uid} with {reward} and {tokens}",
        "reward": reward,
        "advantage": advantage,
        "tokens": tokens,
        "entropy_before": before * tokens,
        "entropy_after": after * tokens,
        "entropy_change_predicted": 0.0,
        "clipped_high": 0,
        "clipped_low": 0,
        "log_prob_before": 0.0,
        "log_prob_after": 0.0,
    }
    return fields | more


HARD = [plain("h", 1, 2.0, 10, 0.5, 0.3), *(plain("h", 0, 0.0, n, 1.0, 1.1) for n in (20, 30, 40))]
EASY = [plain("e", 0, -2.0, 5, 2.0, 2.5), *(plain("e", 1, 0.0, n, 0.1, 0.1) for n in (1, 2, 2))]


def test_metrics_by_hand() -> None:
    records = [
        HARD[0] | {"clipped_high": 3, "entropy_change_predicted": -4.0, UNCENTRED: -1.0, COUNTERFACTUAL: {"grpo": 6.0}},
        *(record | {UNCENTRED: 0.0, COUNTERFACTUAL: {"grpo": record["entropy_before"]}} for record in HARD[1:]),
        EASY[0] | {"clipped_low": 2, "entropy_change_predicted": 1.0, UNCENTRED: 0.5, COUNTERFACTUAL: {"grpo": 11.0}},
        *(record | {UNCENTRED: 0.0, COUNTERFACTUAL: {"grpo": record["entropy_before"]}} for record in EASY[1:]),
    ]
    tokens = 110
    before = 10 * 0.5 + 90 * 1.0 + 5 * 2.0 + 5 * 0.1
    after = 10 * 0.3 + 90 * 1.1 + 5 * 2.5 + 5 * 0.1
    assert metrics_of(records, quantile_k="0.4") == pytest.approx(
        {
            "probe/entropy/before/all": before / tokens,
            "probe/entropy/after/all": after / tokens,
            "probe/entropy/change/all": (after - before) / tokens,
            "probe/entropy/before/positive": 0.5,
            "probe/entropy/after/positive": 0.3,
            "probe/entropy/change/positive": -0.2,
            "probe/entropy/before/negative": 2.0,
            "probe/entropy/after/negative": 2.5,
            "probe/entropy/change/negative": 0.5,
            "probe/entropy/before/zero": (90 + 0.5) / 95,
            "probe/entropy/after/zero": (99 + 0.5) / 95,
            "probe/entropy/change/zero": 9 / 95,
            "probe/entropy/change/hard": (-2 + 9) / 100,
            "probe/entropy/change/easy": 2.5 / 10,
            "probe/advantage/zero_share": 6 / 8,
            "probe/advantage/positive_share": 1 / 8,
            "probe/advantage/negative_share": 1 / 8,
            "probe/clip/high_share": 3 / tokens,
            "probe/clip/low_share": 2 / tokens,
            "probe/gate/mixed_share": 1.0,
            # (G - 1) K = 1.2: the fifth of the way from the second to the third reward; both groups have them equal.
            "probe/gate/leak_share_linear": 0.0,
            "probe/predicted/change": -3 / tokens,
            "probe/predicted/change_uncentred": -0.5 / tokens,
            "probe/counterfactual/grpo/entropy_change": (6 - 5 + 11 - 10) / tokens,
        },
        abs=TOLERANCE,
    )


def test_what_is_not_defined_is_left_out() -> None:
    metrics = metrics_of(HARD, quantile_k="0.4")
    assert not {"probe/entropy/change/negative", "probe/entropy/change/easy", "probe/predicted/change_uncentred"} & set(
        metrics
    )
    assert not any(name.startswith("probe/counterfactual") for name in metrics)
    assert metrics["probe/advantage/negative_share"] == 0
    empty = metrics_of([record | {"tokens": 0} for record in HARD], quantile_k="0.4")
    assert {name.split("/")[1] for name in empty} == {"advantage", "gate"}
    assert all(math.isfinite(value) for value in [*metrics.values(), *empty.values()])


def test_regimes_are_compared_as_rationals() -> None:
    """K = .9, one success in ten: p = 1 - K is hard, and .1 <= 1 - .9 is false in floats."""
    group = [plain("x", 1, 0.0, 1, 1.0, 2.0), *(plain("x", 0, 0.0, 1, 1.0, 2.0) for _ in range(9))]
    assert not 1 / 10 <= 1 - 0.9
    metrics = metrics_of(group, quantile_k="0.9")
    assert metrics["probe/entropy/change/hard"] == 1.0
    assert "probe/entropy/change/easy" not in metrics
    assert "probe/entropy/change/easy" in metrics_of(group, quantile_k="0.91")


def test_the_threshold_of_a_correct_response() -> None:
    shaped = [1.0, 0.0, -1.0, -2.0]  # DAPO's: the second is right and as long as can be
    assert success_rate(shaped, correct_above=-0.5) == Fraction(1, 2)
    assert success_rate(shaped) == Fraction(1, 4)
    group = [plain("x", reward, 0.0, 1, 1.0, 2.0) for reward in shaped]
    assert "probe/entropy/change/hard" in metrics_of(group, quantile_k="0.5", correct_above=-0.5)
    assert "probe/entropy/change/easy" in metrics_of(group, quantile_k="0.6", correct_above=-0.5)
    assert "probe/entropy/change/hard" in metrics_of(group, quantile_k="0.6")


def test_groups_may_differ_in_size_and_lie_scattered() -> None:
    records = [*HARD, *EASY, plain("s", 1, 0.0, 3, 1.0, 1.0), *(plain("f", 0, 0.0, n, 1.0, 2.0) for n in (1, 2))]
    assert metrics_of(records, quantile_k="0.4")["probe/gate/mixed_share"] == pytest.approx(2 / 4)
    order = np.random.default_rng(0).permutation(len(records))
    assert metrics_of([records[i] for i in order], quantile_k="0.4") == pytest.approx(
        metrics_of(records, quantile_k="0.4"), abs=TOLERANCE
    )


@given(
    groups=st.lists(
        st.lists(
            st.tuples(st.integers(0, 1), st.integers(0, 5), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=6
        ),
        min_size=1,
        max_size=4,
    ),
    k=st.sampled_from(["0.2", "0.4", "0.6", "0.8"]),
)
def test_parts_add_up_to_the_whole(groups: list[list[tuple[int, int, float, float]]], k: str) -> None:
    records = [
        plain(str(number), reward, advantage, tokens, before, after)
        for number, group in enumerate(groups)
        for (reward, tokens, before, after), advantage in zip(
            group, advantages([row[0] for row in group], "qae", k=k).tolist(), strict=True
        )
    ]
    metrics = metrics_of(records, quantile_k=k)
    tokens = sum(record["tokens"] for record in records)
    assert sum(metrics[f"probe/advantage/{sign}_share"] for sign in ("zero", "positive", "negative")) == pytest.approx(
        1
    )
    if not tokens:
        return
    by_sign = sum(
        metrics.get(f"probe/entropy/change/{name}", 0.0)
        * sum(r["tokens"] for r in records if np.sign(r["advantage"]) == sign)
        for name, sign in (("zero", 0), ("positive", 1), ("negative", -1))
    )
    assert by_sign == pytest.approx(metrics["probe/entropy/change/all"] * tokens, abs=1e-10)


@pytest.mark.parametrize(
    ("records", "k", "says"),
    [
        ([], "0.4", "records must be at least one response"),
        ([{"uid": "a"}], "0.4", "records must be with the fields"),
        (HARD, "1.0", "k must be"),
    ],
)
def test_metrics_refuse(records: Sequence[Any], k: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        metrics_of(records, quantile_k=k)


# The gate


@pytest.mark.parametrize(
    ("size", "k", "leaky"), [(16, "0.4", []), (16, "0.2", []), (8, "0.4", [5]), (32, "0.4", [19]), (1, "0.4", [])]
)
def test_leaks_of_binary_groups(size: int, k: str, leaky: list[int]) -> None:
    """None where (G - 1) K is an integer, exactly one number of successes elsewhere (theory.md, eq4-released-code)."""
    groups = [[0.0] * (size - m) + [1.0] * m for m in range(size + 1)]
    found = [m for m, group in enumerate(groups) if gate_leaks(group, k)]
    assert found == leaky
    records = [plain(str(m), reward, 0.0, 1, 1.0, 1.0) for m, group in enumerate(groups) for reward in group]
    share = metrics_of(records, quantile_k=k)["probe/gate/leak_share_linear"]
    assert share == pytest.approx(len(leaky) / (size + 1), abs=TOLERANCE)


@given(
    size=st.integers(2, 24),
    level=st.integers(2, 20).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q))),
)
def test_leaks_follow_the_condition(size: int, level: Fraction) -> None:
    leaks = sum(bool(gate_leaks([0.0] * (size - m) + [1.0] * m, level)) for m in range(size + 1))
    assert leaks == (0 if ((size - 1) * level).denominator == 1 else 1)


def test_leaks_of_more_than_two_levels() -> None:
    group, k = [-2.0, -1.0, 1.0, 1.0], "0.5"  # the second of four, or half-way from it to the third
    exact, linear = (advantages(group, name, k=k) for name in ("qae", "qae_linear"))
    assert (exact == 0).tolist() == [False, True, False, False]
    assert (linear == 0).tolist() == [False, False, False, False]
    assert gate_leaks(group, k)
    assert not gate_leaks([-2.0, -1.0, 1.0], k)  # (G - 1) K = 1: the same order statistic
