"""Logs and dumps as practitioners have them, each with what is right of it; the bug report is in brackets.

Each of these was read wrongly with exit status 0 before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.cluster.collect.collection import Collection
from llm_validation.cluster.collect.gather import gather
from llm_validation.cluster.collect.sources import find
from qae_theory.runs.files import to_json
from tests.llm_validation.audit.events import event_file
from tests.llm_validation.cluster.jobs.fake_jobs import lines, log_line, write_job


def gathered(*sources: Path, **options: Any) -> Collection:
    return gather(find(sources), **options)


def bare_job(folder: Path, steps: int) -> Path:
    """A job without settings, to which rollouts or validations are added."""
    lines(folder / "logs" / "attempt-001.jsonl", [log_line(step) for step in range(1, steps + 1)])
    return folder


def rollouts(folder: Path, step: int, records: list[dict[str, Any]]) -> None:
    whole = [{"input": "q", "output": "4", "gts": "4", "step": step, **record} for record in records]
    lines(folder / "rollouts" / f"{step}.jsonl", whole)


def measures(found: Collection, step: int) -> dict[str, float]:
    return found.dumped["rollouts"][step].measures


# Correctness [verl-recipe 125]


def penalised(step: int, *, acc: bool) -> list[dict[str, Any]]:
    """One right of 16 at rewards 0 and 1; in step 2 a wrong answer lost .5 for its length."""
    records = []
    for row in range(16):
        score = 1.0 if row == 0 else -0.5 if (row, step) == (1, 2) else 0.0
        stated = {"acc": row == 0} if acc else {}
        records.append({"uid": f"{step}-0_{row}_0", "score": score, **stated})
    return records


def test_what_the_scorer_states_comes_before_any_threshold(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 2)
    for step in (1, 2):
        rollouts(job, step, penalised(step, acc=True))
    found = gathered(job)
    assert [measures(found, step)["rollouts/success_rate"] for step in (1, 2)] == [0.0625, 0.0625]


def test_more_than_two_levels_without_a_verdict_are_not_known(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 2)
    for step in (1, 2):
        rollouts(job, step, penalised(step, acc=False))
    found = gathered(job)
    for step in (1, 2):  # step 1 alone has two levels; there is one threshold a run
        assert "rollouts/success_rate" not in measures(found, step)
        assert measures(found, step)["rollouts/mean_reward"] == (0.0625 if step == 1 else 0.03125)
    assert any("more than two levels of reward" in note for note in found.notes)


def test_two_levels_in_all_steps_have_one_threshold(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 2)
    rollouts(job, 1, [{"uid": f"1-0_{row}_0", "score": 0.0} for row in range(4)])  # this step alone has one level
    rollouts(job, 2, [{"uid": f"2-0_{row}_0", "score": float(row == 0)} for row in range(4)])
    found = gathered(job)
    assert [measures(found, step)["rollouts/success_rate"] for step in (1, 2)] == [0, 0.25]


def test_levels_that_are_not_right_and_wrong_are_named(tmp_path: Path) -> None:
    """Two lengths of a wrong answer: without the reason a reader would look for a success rate in vain."""
    job = bare_job(tmp_path / "job", 1)
    rollouts(job, 1, [{"uid": f"1-0_{row}_0", "score": -0.5 * (row % 2)} for row in range(4)])
    found = gathered(job)
    assert "rollouts/success_rate" not in measures(found, 1)
    assert any("levels of reward that are not right and wrong" in note for note in found.notes)


# Steps by name [trl 4004], resumes inside a file [PaddleFormers 4744], several launches


def history(steps: list[int], **extra: Any) -> list[dict[str, Any]]:
    """What W&B gives of a run of TRL: two rows a step, counted from 0, the trainer's own step beside."""
    rows = []
    for count, step in enumerate(steps):
        rows.append({"_step": count, "_runtime": 1.0, "train/global_step": step, "train/entropy": 1.0 / step, **extra})
    return rows


@pytest.mark.parametrize("form", ["lines", "list", "csv"])
def test_a_trainers_own_step_counts_before_wandbs(form: str, tmp_path: Path) -> None:
    rows = history([1, 1, 2, 2, 3, 3])
    if form == "csv":
        path = tmp_path / "history.csv"
        names = list(rows[0])
        table = [",".join(names), *(",".join(f'"{row[name]}"' for name in names) for row in rows)]
        path.write_text("\n".join(table) + "\n")
    else:
        path = tmp_path / "history.json"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) if form == "lines" else to_json(rows))
    found = gathered(path)
    assert [record.step for record in found.merged.steps] == [1, 2, 3]
    assert found.merged.steps[2].metrics == {"train/entropy": pytest.approx(1 / 3)}


def test_rows_with_no_counter_of_wandbs_have_the_trainers_step(tmp_path: Path) -> None:
    rows = [{"train/global_step": step, "_timestamp": 1.0, "train/loss": 0.1} for step in (5, 10)]
    assert [record.step for record in gathered(lines(tmp_path / "x.jsonl", rows)).merged.steps] == [5, 10]


def test_updates_and_rollouts_are_not_counted_as_one(tmp_path: Path) -> None:
    """slime counts rollouts in one column and, with four updates on each, updates in another."""
    counted = [{"_step": 5 * i, "rollout/step": i, "rollout/reward": 0.5} for i in range(4)]
    for per_rollout in (4, 1):
        updates = [{"_step": i + 1, "train/step": i, "train/entropy_loss": float(i)} for i in range(4 * per_rollout)]
        found = gathered(lines(tmp_path / f"{per_rollout}.jsonl", [*counted, *updates]))
        steps = {record.step: record.metrics for record in found.merged.steps}
        assert sorted(steps) == [0, 1, 2, 3]
        assert ("train/entropy_loss" in steps[3]) == (per_rollout == 1)
        (account,) = found.accounts
        assert account.read - account.kept == (0 if per_rollout == 1 else len(updates))


def test_a_resumed_run_supersedes_the_steps_that_it_repeats(tmp_path: Path) -> None:
    rows = history([1, 2, 3, 2, 3, 4])
    for count, row in enumerate(rows):
        row["train/loss"] = float(count)
    found = gathered(lines(tmp_path / "history.jsonl", rows))
    assert [(one.step, one.metrics["train/loss"]) for one in found.merged.steps] == [(1, 0), (2, 3), (3, 4), (4, 5)]
    assert found.merged.conflicts == [2, 3]
    assert not any(record.abandoned for record in found.merged.steps)


def test_a_step_that_goes_back_abandons_what_is_beyond(tmp_path: Path) -> None:
    logged = [log_line(step, x=float(count)) for count, step in enumerate([1, 2, 3, 4, 5, 3, 4])]
    found = gathered(lines(tmp_path / "log.jsonl", logged))
    assert found.summary["abandoned"] == "5"
    assert [record.metrics["x"] for record in found.merged.steps] == [0, 1, 5, 6, 4]


@pytest.mark.train
def test_launches_side_by_side_are_refused_with_their_steps(tmp_path: Path) -> None:
    for launch in range(4):
        steps = range(1, 4 + launch)
        event_file(tmp_path / f"events.out.tfevents.{launch}.host", {s: {"train/entropy": 1.0 / s} for s in steps})
    with pytest.raises(ValueError, match="4 launches, each from step 1") as refused:
        gathered(tmp_path)
    assert "events.out.tfevents.3.host has the steps 1-6" in str(refused.value)
    named = gathered(*sorted(tmp_path.iterdir())[:2])  # named one by one they are attempts of one run
    assert [record.step for record in named.merged.steps] == [1, 2, 3, 4]


@pytest.mark.train
def test_event_files_that_go_on_from_one_another_are_one_run(tmp_path: Path) -> None:
    for launch, steps in enumerate([range(1, 6), range(4, 9)]):
        event_file(tmp_path / f"events.out.tfevents.{launch}.host", {s: {"train/entropy": 1.0 / s} for s in steps})
    assert [record.step for record in gathered(tmp_path).merged.steps] == list(range(1, 9))


# Validations


def test_one_text_in_two_slots_is_two_questions(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 1)
    records = []
    for slot, (text, right) in enumerate([("a", 4), ("a", 0), ("b", 2)]):
        for sample in range(4):
            uid, score = f"slot{slot}_{sample}_0", float(sample < right)
            records.append({"input": text, "output": "", "gts": "4", "score": score, "step": 1, "uid": uid})
    lines(job / "validation" / "1.jsonl", records)
    found = gathered(job)
    (evaluation,) = found.evaluations
    assert (evaluation.questions, evaluation.pass_at_k["1"]["estimate"]) == (3, 0.5)
    account = next(one for one in found.accounts if "validation" in one.name)
    assert (account.kept, account.read) == (12, 12)


def test_a_translation_is_a_benchmark_of_its_own(tmp_path: Path) -> None:
    metrics = {"val-core/aime2024/acc/mean@4": 0.5, "val-core/aime2024_zh/acc/mean@4": 0.25}
    found = gathered(lines(tmp_path / "log.jsonl", [log_line(1, **metrics)]))
    assert {one.benchmark: one.pass_at_k["1"]["estimate"] for one in found.evaluations} == {
        "AIME24": 0.5,
        "aime2024_zh": 0.25,
    }


def test_a_log_with_nothing_but_mean_rewards_is_read(tmp_path: Path) -> None:
    """[verl 926, 1374]"""
    found = gathered(lines(tmp_path / "log.jsonl", [{"step": 2, "data": {"val-core/gsm8k/reward/mean@1": 0.25}}]))
    (evaluation,) = found.evaluations
    assert (evaluation.pass_at_k, evaluation.others) == ({}, {"reward/mean@1": 0.25})


# An aggregation that is not known [verl 3986]


@pytest.mark.parametrize(("aggregation", "finds"), [(None, 0), ("seq-mean-token-mean", 0), ("token-mean", 4)], ids=str)
def test_entropy_has_a_verdict_for_a_known_aggregation_only(
    aggregation: str | None, finds: int, tmp_path: Path
) -> None:
    job = write_job(tmp_path / "job")
    resolved = (job / "resolved.yaml").read_text()
    stated = "" if aggregation is None else f"    loss_agg_mode: {aggregation}\n"
    (job / "resolved.yaml").write_text(resolved.replace("    loss_agg_mode: token-mean\n", stated))
    log = job / "logs" / "attempt-001.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    for record in records[1:]:
        record["data"]["actor/entropy"] += 0.36
    found = gathered(lines(log, records).parent.parent)
    assert [one.metric for one in found.findings] == ["actor/entropy"] * finds


# What is no log of metrics, and dumps whose groups are not known


def rollout_dump(path: Path) -> Path:
    score = [{"input": "q", "output": "4", "gts": "4", "score": 1.0, "step": 1, "uid": f"a_{n}_0"} for n in range(4)]
    return lines(path, score)


def test_a_dump_is_no_log_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^1\.jsonl is a dump of responses \(verl.*rollouts/<step>\.jsonl") as refused:
        gathered(rollout_dump(tmp_path / "1.jsonl"))
    assert "read are verl's file log and console log" in str(refused.value)


def test_formats_that_are_read_besides(tmp_path: Path) -> None:
    state = tmp_path / "trainer_state.json"
    history = [{"step": 1, "epoch": 0.1, "entropy": 1.5, "loss": 0.0}, {"step": 2, "epoch": 0.2, "entropy": 1.25}]
    state.write_text(to_json({"global_step": 2, "log_history": history}))
    console = tmp_path / "output.log"
    first = "(TaskRunner pid=7) step:1 - actor/entropy:np.float64(1.5) - x:1"
    console.write_text(f"loading\n{first}\nstep:2 - actor/entropy:1.25\n")
    for path, name in ((state, "entropy"), (console, "actor/entropy")):
        found = gathered(path)
        assert [(one.step, one.metrics[name]) for one in found.merged.steps] == [(1, 1.5), (2, 1.25)]


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    completions = tmp_path / "completions_00001.parquet"
    pq.write_table(pa.table({"step": [1], "prompt": ["q"], "completion": ["4"], "advantage": [0.0]}), completions)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"loss": [1.0]}), other)
    with pytest.raises(ValueError, match=r"completions_00001\.parquet is a dump of responses \(trl"):
        gathered(completions)
    with pytest.raises(ValueError, match=r"other\.parquet is a parquet table of other columns .*; read are"):
        gathered(other)


def test_prompts_of_one_text_without_ids_do_not_make_groups(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 1)
    rollouts(job, 1, [{"score": float(row % 2)} for row in range(8)])
    found = gathered(job)
    assert measures(found, 1) == {
        "rollouts/responses": 8,
        "rollouts/mean_reward": 0.5,
        "rollouts/success_rate": 0.5,
        "rollouts/anthropomorphic_words": 0,
    }
    assert any("all prompts have the same text" in note and "1 of 8 responses" in note for note in found.notes)


def test_a_question_that_stands_twice_in_a_batch_is_not_one_group(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 1)
    twice = [{"input": text, "score": float(row % 2)} for text in ("a", "b", "a") for row in range(4)]
    rollouts(job, 1, twice)
    found = gathered(job)
    assert "rollouts/mixed_share" not in measures(found, 1)
    assert any("1 of 4, 1 of 8 responses" in note for note in found.notes)
    with_ids = [{**one, "uid": f"p{row // 4}_{row % 4}_0"} for row, one in enumerate(twice)]
    rollouts(job, 1, with_ids)
    assert measures(gathered(job), 1)["rollouts/groups"] == 3


def test_groups_of_one_are_said(tmp_path: Path) -> None:
    job = bare_job(tmp_path / "job", 1)
    rollouts(job, 1, [{"input": f"q{row}", "uid": f"p{row}_0_0", "score": float(row % 2)} for row in range(8)])
    found = gathered(job)
    assert "rollouts/hard_share" not in measures(found, 1)
    assert any("every group has one response" in note and "8 of 1 responses" in note for note in found.notes)


# Rollouts with several outputs [verl 6228]


def flipped(step: int = 1) -> list[dict[str, Any]]:
    """One rollout that is right, with 7 outputs, and four that are wrong, with one each; the score stands at each."""
    keys = [("p_0", output, 1.0) for output in range(7)] + [(f"p_{wrong}", 0, 0.0) for wrong in range(1, 5)]
    return [{"uid": f"{rollout}_{output}", "score": score, "step": step} for rollout, output, score in keys]


def test_a_rollout_has_one_vote_however_many_outputs_it_has(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", steps=1)
    (job / "rollouts" / "1.jsonl").unlink()
    (job / "probe" / "1.jsonl").unlink()
    resolved = (job / "resolved.yaml").read_text()
    (job / "resolved.yaml").write_text(resolved.replace("correct_above: -0.5", "correct_above: 0.5"))
    rollouts(job, 1, flipped())
    log = job / "logs" / "attempt-001.jsonl"
    lines(log, [{"step": 1, "data": {"critic/score/mean": float(np.float32(7 / 11))}}])  # verl's is over outputs
    found = gathered(job, responses=5)
    assert found.findings == []
    shares = measures(found, 1)
    assert shares["rollouts/mean_reward"] == 0.2
    assert {name: shares[f"rollouts/{name}"] for name in ("responses", "success_rate", "hard_share")} == {
        "responses": 5,
        "success_rate": 0.2,
        "hard_share": 1,
    }
    assert (shares["rollouts/positive_share"], shares["rollouts/negative_share"]) == (0.2, 0)


def test_a_probe_of_rollouts_with_several_outputs_finds_nothing_wrong(tmp_path: Path) -> None:
    from llm_validation.verl_engine.update_probe import metrics_of

    job = write_job(tmp_path / "job", steps=1)
    (job / "rollouts" / "1.jsonl").unlink()
    rng = np.random.default_rng(0)
    records = []
    for rollout, advantage in enumerate((2.0**0.5 / (1 + 1e-6 * 2.0**0.5), 0.0)):
        for output in range(3):
            before, after = rng.uniform(1, 2, size=2)
            records.append(
                {
                    "step": 1,
                    "uid": "p",
                    "key": f"p_{rollout}_{output}",
                    "reward": float(rollout == 0),
                    "advantage": advantage,
                    "tokens": int(rng.integers(1, 9)),
                    "entropy_before": before,
                    "entropy_after": after,
                    "entropy_change_predicted": float(rng.normal()),
                    "clipped_high": 1 - rollout,
                    "clipped_low": 0,
                }
            )
    lines(job / "probe" / "1.jsonl", records)
    logged = metrics_of(records, quantile_k="0.4", correct_above=-0.5)
    assert logged["probe/advantage/positive_share"] == 0.5  # one of two rollouts, not three of six outputs
    tokens = sum(record["tokens"] for record in records)
    entropy = sum(record["entropy_before"] for record in records) / tokens
    assert logged["probe/entropy/before/all"] == pytest.approx(entropy)
    data = {"actor/entropy": entropy, **logged}
    lines(job / "logs" / "attempt-001.jsonl", [{"step": 1, "data": data}])
    found = gathered(job, responses=2)
    assert found.dumped["probe"][1].responses == 2
    assert found.findings == []
