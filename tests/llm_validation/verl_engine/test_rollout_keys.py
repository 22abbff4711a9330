"""Which rows are of one rollout, by verl's names."""

from __future__ import annotations

import random

import pytest

from llm_validation.verl_engine.rollout_keys import parts, rollouts_of
from llm_validation.verl_engine.update_probe import by_rollout, metrics_of


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("g_0_0", ("g", "g_0", 0)),
        ("a_b_12_3", ("a_b", "a_b_12", 3)),
        ("3f2a-77_1_10", ("3f2a-77", "3f2a-77_1", 10)),
        ("plain", ("plain", "plain", 0)),
        ("a_b_c", ("a_b_c", "a_b_c", 0)),
        ("a_1_x", ("a_1_x", "a_1_x", 0)),
    ],
)
def test_names_of_outputs(key: str, said: tuple[str, str, int]) -> None:
    assert tuple(parts(key)) == said


def test_the_last_output_is_the_greatest_number_wherever_it_stands() -> None:
    keys = [f"g_{rollout}_{output}" for rollout in range(3) for output in range(12)]
    random.Random(0).shuffle(keys)
    found = rollouts_of(keys)
    assert sorted(keys[row] for row in found.final) == ["g_0_11", "g_1_11", "g_2_11"]
    for row, number in enumerate(found.of_row):
        assert parts(keys[row]).rollout == parts(keys[found.final[number]]).rollout


def record(key: str, reward: float, advantage: float, tokens: int) -> dict[str, object]:
    sums = {"entropy_before": 2.0 * tokens, "entropy_after": 1.0 * tokens, "entropy_change_predicted": 0.5}
    counts = {"tokens": tokens, "clipped_high": tokens // 2, "clipped_low": 0}
    return {"uid": "g", "key": key, "reward": reward, "advantage": advantage, **counts, **sums}


def test_a_rollout_is_one_record_with_all_its_tokens() -> None:
    outputs = [record("g_0_0", 1.0, 2.5, 4), record("g_0_1", 1.0, 2.5, 6), record("g_1_0", 0.0, 0.0, 5)]
    first, second = by_rollout(outputs)
    assert (first["tokens"], first["entropy_before"], first["clipped_high"]) == (10, 20.0, 5)
    assert (first["reward"], first["advantage"], second) == (1.0, 2.5, outputs[2])
    shares = metrics_of(outputs, quantile_k="0.4", correct_above=0.5)
    assert shares["probe/advantage/positive_share"] == 0.5
    assert shares["probe/entropy/before/all"] == 2.0
    assert shares["probe/clip/high_share"] == 7 / 15


def test_an_output_without_tokens_does_not_speak_for_the_rollout() -> None:
    (one,) = by_rollout([record("g_0_0", 1.0, 2.5, 4), record("g_0_1", 1.0, 0.0, 0)])
    assert (one["advantage"], one["reward"], one["tokens"]) == (2.5, 1.0, 4)


def test_the_gate_counts_rollouts_not_outputs() -> None:
    """verl 6228: one of five is right, so the group is hard; of its eleven outputs seven are right."""
    outputs = [record(f"g_0_{output}", 1.0, 2.5, 3) for output in range(7)]
    outputs += [record(f"g_{rollout}_0", 0.0, 0.0, 3) for rollout in range(1, 5)]
    found = metrics_of(outputs, quantile_k="0.4", correct_above=0.5)
    assert "probe/entropy/change/hard" in found
    assert "probe/entropy/change/easy" not in found
    assert found["probe/advantage/positive_share"] == 0.2
