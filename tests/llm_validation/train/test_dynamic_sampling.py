from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.train.dynamic_sampling import Batch, Group, other_questions, resampled
from tests.llm_validation.train import tiny_runs
from tests.llm_validation.train.tiny_runs import EXAMPLES, prepared, rows, score, settings, train

ANSWERS = {example.prompt: example.answer for example in EXAMPLES}
RIGHT, WRONG, MIXED = [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]


# The bookkeeping


def group(name: Any) -> Group:
    return Group([{"prompt": name}] * 2, [0], [[0]] * 2, [None] * 2, {})


def batch(scores: Sequence[Sequence[Sequence[float]]], names: Sequence[Any]) -> Batch:
    correct = np.array(scores)
    return Batch([group(name) for name in names], correct + 10, correct)


def names(batch: Batch) -> list[Any]:
    return [group.inputs[0]["prompt"] for group in batch.groups]


def script(*rounds: Sequence[Sequence[Sequence[float]]]) -> tuple[Callable[[list[int]], Batch], list[list[int]]]:
    """Samples with scores written down, and what was asked for."""
    waiting, asked = iter(rounds), []

    def sample(drawn: list[int]) -> Batch:
        asked.append(drawn)
        return batch(next(waiting), drawn)

    return sample, asked


def test_a_mixed_batch_is_left_alone() -> None:
    start = batch([[MIXED, MIXED]], "ab")
    sample, asked = script()
    assert resampled(start, sample, itertools.count(), index=0, limit=3) == (start, 0)
    assert asked == []


def test_groups_that_are_not_mixed_are_replaced_until_none_is_left() -> None:
    sample, asked = script([[WRONG, MIXED]], [[MIXED]])
    found, rounds = resampled(batch([[RIGHT, MIXED, WRONG]], "abc"), sample, itertools.count(), index=0, limit=9)
    assert (names(found), rounds) == ([1, "b", 2], 2)
    assert asked == [[0, 1], [2]]
    assert found.correct.tolist() == [[MIXED, MIXED, MIXED]]
    assert (found.rewards == found.correct + 10).all()


def test_after_the_limit_what_there_is_stays() -> None:
    sample, asked = script([[WRONG, MIXED]], [[RIGHT]])
    found, rounds = resampled(batch([[RIGHT, MIXED, WRONG]], "abc"), sample, itertools.count(), index=0, limit=2)
    assert (names(found), rounds) == ([1, "b", "c"], 2)
    assert asked == [[0, 1], [2]]
    assert found.mixed.tolist() == [[True, True, False]]


def test_processes_sample_in_step_and_agree() -> None:
    """The first process lacks two groups, the second one: both sample two, and the second drops what it has left."""
    start = [[RIGHT, WRONG], [MIXED, RIGHT]]
    other = [[MIXED, WRONG], [MIXED, MIXED]]
    found = []
    for index in (0, 1):
        sample, asked = script(other, [[MIXED], [WRONG]])
        result, rounds = resampled(batch(start, "ab"), sample, itertools.count(), index=index, limit=9)
        assert asked == ([[0, 1], [4]] if index == 0 else [[2, 3], [5]])
        assert rounds == 2
        found.append(result)
    assert [names(result) for result in found] == [[0, 4], ["a", 2]]
    assert (found[0].correct == found[1].correct).all()
    assert found[0].mixed.all()


def test_nothing_of_the_first_batch_is_changed() -> None:
    start = batch([[RIGHT, MIXED]], "ab")
    sample, _ = script([[MIXED]])
    resampled(start, sample, itertools.count(), index=0, limit=9)
    assert (names(start), start.correct.tolist()) == (["a", "b"], [[RIGHT, MIXED]])


def test_other_questions_come_first_and_then_all() -> None:
    prompts, used = list("abcdef"), {"b", "e"}
    drawn = list(itertools.islice(other_questions(prompts, used, np.random.default_rng(3)), 16))
    assert sorted(drawn[:4]) == [0, 2, 3, 5]
    assert sorted(drawn[4:10]) == sorted(drawn[10:]) == list(range(6))
    assert drawn == list(itertools.islice(other_questions(prompts, used, np.random.default_rng(3)), 16))
    assert drawn != list(itertools.islice(other_questions(prompts, used, np.random.default_rng(4)), 16))


# In the trainer


DYNAMIC: dict[str, Any] = {"dynamic_sampling": True, "max_resamples": 40, "seed": 1}


def shares(run: tiny_runs.Run) -> list[float]:
    return [line["degenerate_share"] for line in run.history if "degenerate_share" in line]


@pytest.mark.train
def test_every_group_becomes_mixed(tmp_path: Path) -> None:
    plain, run = (train(settings(**other), tmp_path, examples=EXAMPLES) for other in ({"seed": 1}, DYNAMIC))
    assert min(shares(plain)) > 0
    assert shares(run) == [0] * 4
    for records in run.records:
        assert [record["group"] for record in records] == [i // 6 for i in range(24)]
        for start in range(0, 24, 6):
            own = records[start : start + 6]
            assert len({record["prompt"] for record in own}) == 1
            assert {0.0, 1.0} <= {record["correct"] for record in own}
    first = run.history[0]
    assert first["resamples"] >= 1
    # The model is no better than a coin; only mixed groups are kept, so the rate before tells more.
    assert first["success_rate_before_resampling"] != first["success_rate"]


@pytest.mark.train
@pytest.mark.parametrize("inner_updates", [1, 2])
def test_answers_tokens_and_scores_go_with_their_prompts(inner_updates: int, tmp_path: Path) -> None:
    run = train(settings(**DYNAMIC, inner_updates=inner_updates), tmp_path, examples=EXAMPLES)
    prompts = set()
    for records, output in zip(run.records, run.outputs, strict=True):
        assert rows(run, output) == [(row["prompt"], row["completion"], row["advantage"]) for row in records]
        assert [row["tokens"] for row in records] == output["completion_mask"].sum(1).tolist()
        assert int(output["num_items_in_batch"]) == sum(row["tokens"] for row in records)
        for record in records:
            assert record["correct"] == record["reward"] == score(record["completion"], ANSWERS[record["prompt"]])
        prompts |= {record["prompt"] for record in records}
        assert ("old_per_token_logps" in output) == (inner_updates > 1)
    assert len(prompts) > 1


@pytest.mark.train
def test_a_prompt_is_tokenised_once_for_each_time_it_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import GRPOTrainer

    read, plain = [], GRPOTrainer._tokenize_prompts
    monkeypatch.setattr(
        GRPOTrainer, "_tokenize_prompts", lambda self, prompts: read.append(len(prompts)) or plain(self, prompts)
    )
    run = train(settings(**DYNAMIC), tmp_path, examples=EXAMPLES)
    rounds = [int(line["resamples"]) for line in run.history if "resamples" in line]
    assert len(read) == sum(1 + number for number in rounds)
    assert read[0] == 4  # questions, not responses


@pytest.mark.train
def test_the_number_of_batches_is_bounded(tmp_path: Path) -> None:
    calls = []

    def never(completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        calls.append(len(completions))
        return [0.0] * len(completions)

    run = train(settings(**{**DYNAMIC, "steps": 2, "max_resamples": 3}), tmp_path, verifier=never)
    assert calls == [24] * 2 * (1 + 3)
    assert shares(run) == [1, 1]
    assert [line["resamples"] for line in run.history[:-1]] == [3, 3]
    assert [len(records) for records in run.records] == [24, 24]


@pytest.mark.train
def test_a_mixed_group_is_one_of_scores_not_of_shaped_rewards(tmp_path: Path) -> None:
    """All wrong, but of different lengths: rewards differ, and the group is sampled again all the same."""
    overlong = {"max_length": 3, "cache": 3}
    config = settings(**{**DYNAMIC, "steps": 1, "max_resamples": 2}, overlong=overlong)
    run = train(config, tmp_path, verifier=lambda completions, answers: [0.0] * len(completions))
    assert run.history[0]["resamples"] == 2
    assert shares(run) == [0]


@pytest.mark.train
def test_a_resumed_run_draws_the_same(tmp_path: Path) -> None:
    config = settings(**DYNAMIC, save_every=2, inner_updates=2)
    whole = train(config, tmp_path, examples=EXAMPLES)
    resumed = prepared(config, tmp_path, examples=EXAMPLES)
    resumed.trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert resumed.steps == [2, 3]
    assert resumed.records == whole.records[2:]
    other = train(settings(**{**DYNAMIC, "seed": 2}), tmp_path / "other", examples=EXAMPLES)
    assert other.records[2:] != whole.records[2:]
