"""Groups, correctness, resumes and reward columns, each against plain loops or on the smallest cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.correctness import correctness, two_levels
from llm_validation.audit.model.entries import Entry, settled, united
from llm_validation.audit.model.identity import by_block, by_prompt, codes
from llm_validation.audit.model.resumes import last_of_each, still_counts
from llm_validation.audit.model.reward_columns import reward_of
from llm_validation.audit.model.settings import AuditSettings, estimator_of
from llm_validation.audit.model.table import make_table

HERE = Path("log")


def table(step: list[int], key: list[int], reward: list[float], **more: Any) -> Any:
    chunk = Chunk(HERE, "id", np.array(step), np.array(reward), key=np.array(key, dtype=np.uint64), **more)
    return make_table("made", [chunk], AuditSettings()).responses


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([0.0, 1.0, np.nan])), min_size=1))
def test_groups_are_those_of_a_plain_loop(rows: list[tuple[int, int, float]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    made = table([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    expected: dict[tuple[int, int], list[float]] = {}
    for step, key, reward in rows:
        expected.setdefault((step, key), []).append(reward)
    groups = made.groups
    sizes = sorted((len(v), sum(x == 1 for x in v), sum(x == x for x in v)) for v in expected.values())
    if np.isfinite(made.reward).any():
        found = zip(groups.size.tolist(), groups.right.tolist(), groups.scored.tolist(), strict=True)
        assert sorted((size, max(right, 0), scored) for size, right, scored in found) == sizes
    assert (np.diff(groups.step) >= 0).all()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3))))
def test_codes_number_distinct_rows_in_order_of_appearance(rows: list[tuple[int, int]]) -> None:
    seen: dict[tuple[int, int], int] = {}
    expected = [seen.setdefault(row, len(seen)) for row in rows]
    columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in range(2)]
    assert codes(*columns).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_of_equal_names_the_last_counts(rows: list[tuple[int, int]]) -> None:
    columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in range(2)]
    expected = [row not in rows[number + 1 :] for number, row in enumerate(rows)]
    assert last_of_each(*columns).tolist() == expected


def test_a_file_that_goes_back_twice() -> None:
    assert still_counts(np.array([1, 2, 3, 2, 3, 4, 1])).tolist() == [False] * 6 + [True]


def test_a_step_that_was_never_there_is_only_late() -> None:
    assert still_counts(np.array([1, 3, 2, 4])).all()


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0, 1, 0], [0, 1, 0]),
        ([-1, 1, np.nan], [0, 1, np.nan]),
        ([0.1, 1.1], [0, 1]),
        ([1, 1], [1, 1]),
        ([0, 0], [0, 0]),
        ([-1, -1], [0, 0]),
        ([0.5, 0.5], None),
        ([0, 0.5, 1], None),
        ([np.nan], None),
    ],
)
def test_two_levels(values: list[float], levels: list[float] | None) -> None:
    found = two_levels(np.array(values, dtype=np.float64))
    assert (found is None) == (levels is None)
    if levels is not None:
        np.testing.assert_array_equal(found, levels)


def test_a_flag_comes_before_the_column_and_the_column_before_the_levels() -> None:
    reward, column = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    assert correctness(reward, column, {}, AuditSettings()).correct.tolist() == [1, 0]
    assert correctness(reward, None, {}, AuditSettings()).correct.tolist() == [0, 1]
    assert correctness(reward, column, {}, AuditSettings(correct_above=-1)).correct.tolist() == [1, 1]
    partial = correctness(np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.3, 1.0]), {}, AuditSettings())
    assert partial.source is None


def test_prompt_groups_need_one_size() -> None:
    step = np.repeat([1, 2, 3], 8)
    key = np.array([*[1] * 4, *[2] * 4, *[3] * 4, *[4] * 4, *[5] * 6, *[6] * 2], dtype=np.uint64)
    found = by_prompt(step, key, None)
    assert (found.group[:16] >= 0).all()
    assert (found.group[16:] == -1).all()
    assert found.sizes.tolist() == [4, 4, 4, 4, 6, 2]
    assert (by_prompt(step, key, 8).group == -1).all()


def test_blocks_are_cut_only_where_prompts_change_with_them() -> None:
    key = np.array([1, 1, 2, 2, 2, 2, 3, 3], dtype=np.uint64)
    batch = np.zeros(8, dtype=np.int64)
    assert by_block(batch, key, None).group.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert by_block(batch, key, 4).reason is not None
    assert by_block(batch, np.array([1, 1, 1, 2, 2, 2, 2, 2], dtype=np.uint64), None).reason is not None


def test_the_reward_is_the_sum_that_the_advantages_follow() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 4)
    score, bonus, noise = rng.integers(0, 2, 80).astype(float), rng.random(80), rng.random(80)
    total = (score + bonus).reshape(20, 4)
    advantage = (total - total.mean(axis=1, keepdims=True)).ravel()
    made = reward_of({"score": score, "bonus": bonus, "time": noise}, advantage, group, None)
    assert set(made.components) == {"score", "bonus"}
    np.testing.assert_allclose(made.reward, score + bonus)
    weighted = reward_of({"score": score, "bonus": bonus}, None, group, {"score": 2.0, "bonus": 0.5})
    np.testing.assert_allclose(weighted.reward, 2 * score + 0.5 * bonus)
    with pytest.raises(ValueError, match="reward_weights must name"):
        reward_of({"score": score}, None, group, {"other": 1.0})


def test_rewards_with_other_weights_are_noted() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 4)
    score, bonus = rng.integers(0, 2, 80).astype(float), rng.random(80)
    total = (score + 5 * bonus).reshape(20, 4)
    made = reward_of({"score": score, "bonus": bonus}, (total - total.mean(axis=1, keepdims=True)).ravel(), group, None)
    assert made.note is not None
    assert "--reward-weights" in made.note or "reward_weights" in made.note


def test_records_that_complete_one_another_are_no_resume() -> None:
    entries = [Entry(1, {"a": 1.0}), Entry(2, {"a": 2.0}), Entry(1, {"b": 5.0})]
    assert settled(entries).records == {1: {"a": 1.0, "b": 5.0}, 2: {"a": 2.0}}
    assert united([{1: {"a": 1.0}}, {1: {"a": 9.0, "b": 2.0}}]) == {1: {"a": 1.0, "b": 2.0}}


def test_settings_refuse_what_is_not_allowed_and_keep_what_the_user_says() -> None:
    assert estimator_of("grpo_vectorized") == "grpo"
    assert estimator_of("reinforce_plus_plus") is None
    flags, own = AuditSettings(k="0.3"), AuditSettings(k="0.4", estimator="qae")
    assert flags.over(own).known() == {"k": "0.3", "estimator": "qae"}
    for wrong in ({"k": "1.2"}, {"estimator": "ppo"}, {"group_size": 0}, {"top_p": 0.0}, {"temperature": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AuditSettings.model_validate(wrong)
