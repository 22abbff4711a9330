"""What has gone wrong in the field with such logs: each ends right, or is refused with the reason and the sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited, found, report_of, unchecked
from tests.llm_validation.audit.worlds import lines

FIXTURES = Path(__file__).parent / "fixtures"


def verl_row(text: str, score: float, step: int = 1, **more: Any) -> dict[str, Any]:
    return {"input": text, "output": "x", "gts": "1", "score": score, "step": step, **more}


def metrics(path: Path, rows: list[dict[str, Any]]) -> Path:
    return lines(path, rows)


# Identity of groups


def test_prompts_that_are_all_equal_are_refused_with_the_size_found(tmp_path: Path) -> None:
    lines(tmp_path / "1.jsonl", [verl_row("same", float(i % 3 == 0)) for i in range(32)])
    report = report_of(tmp_path)
    (refusal,) = report.log.refusals
    assert "same text" in refusal.reason
    assert refusal.sizes == {"32": 1}
    assert report.status("critical") == 2


def test_a_known_group_size_does_not_make_equal_prompts_certain(tmp_path: Path) -> None:
    lines(tmp_path / "1.jsonl", [verl_row("same", float(i % 3 == 0)) for i in range(32)])
    assert audited(tmp_path, group_size=4)["refused"][0]["sizes"] == {"32": 1}
    assert audited(tmp_path, group_size=32)["groups"]["count"] == 1


def test_a_question_twice_in_a_batch_is_refused_and_the_other_steps_are_read(tmp_path: Path) -> None:
    for step in range(1, 6):
        names = ["a", "b", "c", "c"] if step == 3 else ["a", "b", "c", "d"]
        rows = [verl_row(f"{name}{step}", float((i + len(name)) % 2), step) for name in names for i in range(4)]
        lines(tmp_path / f"{step}.jsonl", rows)
    content = audited(tmp_path)
    (refused,) = content["refused"]
    assert refused["path"].endswith("3.jsonl")
    assert refused["sizes"] == {"4": 18, "8": 1}
    assert content["groups"]["count"] == 16
    assert content["steps"] == {"first": 1, "last": 5, "count": 4}
    assert [one["used"] for one in content["sources"]] == [16, 16, 0, 16, 16]


def test_one_file_with_uneven_groups_is_refused_whole(tmp_path: Path) -> None:
    rows = [verl_row(name, float(i % 2)) for name, n in (("a", 4), ("b", 4), ("c", 8)) for i in range(n)]
    lines(tmp_path / "1.jsonl", rows)
    content = audited(tmp_path)
    assert content["refused"][0]["sizes"] == {"4": 2, "8": 1}
    assert content["groups"] is None or content["groups"]["count"] == 0


def test_steps_of_two_sizes_are_not_taken_for_certain(tmp_path: Path) -> None:
    """Eight responses to each question may be four to each question twice."""
    lines(tmp_path / "1.jsonl", [verl_row(f"q{q}", float(i % 2), 1) for q in range(4) for i in range(4)])
    lines(tmp_path / "2.jsonl", [verl_row(f"r{q}", float(i % 2), 2) for q in range(2) for i in range(8)])
    content = audited(tmp_path)
    assert {one["path"].rsplit("/", 1)[1] for one in content["refused"]} == {"1.jsonl", "2.jsonl"}


def trl_file(folder: Path, step: int, prompts: list[str], size: int, **columns: Any) -> None:
    rows = [(name, i) for name in prompts for i in range(size)]
    rng = np.random.default_rng(step)
    table: dict[str, Any] = {
        "step": [step] * len(rows),
        "prompt": [name for name, _ in rows],
        "completion": [f"c{i}" for _, i in rows],
        "accuracy": rng.integers(0, 2, len(rows)).astype(float),
        **columns,
    }
    (folder / "completions").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / "completions" / f"completions_{step:05d}.parquet")


def test_a_question_twice_in_a_row_is_cut_into_blocks(tmp_path: Path) -> None:
    trl_file(tmp_path, 1, ["a", "b", "b", "c"], 4)
    content = audited(tmp_path)
    assert (content["groups"]["count"], content["groups"]["size"]) == (4, 4)
    assert any("twice in a row" in note for note in content["notes"])


def test_blocks_of_equal_prompts_are_refused_without_a_size(tmp_path: Path) -> None:
    trl_file(tmp_path, 1, ["a", "a", "a"], 4)
    content = audited(tmp_path)
    assert content["refused"][0]["sizes"] == {"12": 1}
    assert audited(tmp_path, group_size=4)["groups"]["count"] == 3


def test_blocks_that_do_not_fit_the_size_are_refused(tmp_path: Path) -> None:
    trl_file(tmp_path, 1, ["a", "b", "c"], 4)
    content = audited(tmp_path, group_size=8)
    assert content["refused"][0]["sizes"] == {"4": 3}
    assert "blocks of 8" in content["refused"][0]["reason"]


def test_nemo_rl_without_prompts_needs_the_size(tmp_path: Path) -> None:
    rows = [{"rewards": [float(i % 2)], "input_lengths": [9], "idx": i} for i in range(8)]
    lines(tmp_path / "train_data_step1.jsonl", rows)
    assert "--group-size" in audited(tmp_path)["refused"][0]["reason"]
    assert audited(tmp_path, group_size=4)["groups"]["count"] == 2


def test_groups_of_one_are_told(tmp_path: Path) -> None:
    rows = [verl_row("q", float(i % 2), 1, uid=f"u{i}_0_0") for i in range(16)]
    lines(tmp_path / "1.jsonl", rows)
    content = audited(tmp_path)
    assert "groups-of-one" in found(content)
    assert content["groups"]["size"] == 1


def test_a_rollout_of_several_outputs_has_one_vote(tmp_path: Path) -> None:
    """verl 6228: one rollout is right with 7 outputs, four are wrong with one each."""
    rows = [verl_row("q", 1.0, 1, uid=f"p_0_{turn}") for turn in range(7)]
    rows += [verl_row("q", 0.0, 1, uid=f"p_{i}_0") for i in range(1, 5)]
    lines(tmp_path / "1.jsonl", rows)
    content = audited(tmp_path, estimator="qae", k="0.4")
    assert (content["groups"]["count"], content["groups"]["size"], content["groups"]["mixed"]) == (1, 5, 1)
    assert content["zero_advantage_share"] == pytest.approx(0.8)


def test_outputs_of_a_probe_dump_are_added_up(tmp_path: Path) -> None:
    rows = [
        {
            "step": 1, "uid": "g", "key": f"g_{rollout}_{turn}",
            "reward": float(rollout), "advantage": 2.0 * rollout - 1, "tokens": 10 + turn,
            "entropy_before": 5.0, "entropy_after": 4.0, "entropy_change_predicted": -1.0,
            "clipped_high": 1, "clipped_low": 0,
        }
        for rollout in range(2)
        for turn in range(3)
    ]  # fmt: skip
    lines(tmp_path / "1.jsonl", rows)
    report = report_of(tmp_path)
    table = report.log.main
    assert table is not None
    assert table.column("tokens").tolist() == [33, 33]
    assert table.column("entropy_before").tolist() == [15, 15]
    assert table.column("advantage").tolist() == [-1, 1]
    assert not report.log.refusals


def test_one_text_in_two_slots_is_two_questions_where_uids_differ(tmp_path: Path) -> None:
    rows = [
        verl_row(text, float(i < 2), 0, uid=f"{uid}_{i}_0", reward=float(i < 2), acc=i < 2)
        for uid, text in (("a", "same"), ("b", "same"), ("c", "other"))
        for i in range(4)
    ]
    lines(tmp_path / "0.jsonl", rows)
    content = audited(tmp_path)
    assert content["groups"]["count"] == 3
    assert content["sources"][0]["used"] == 12
    assert content["sources"][0]["format"] == "verl-validation"


# Rewards


def test_an_overlong_penalty_makes_no_success(tmp_path: Path) -> None:
    """verl-recipe 125: one right of 16 in both steps; in the second a wrong answer has -0.5."""
    for step in (1, 2):
        scores = [1.0, *[0.0] * 15]
        if step == 2:
            scores[5] = -0.5
        rows = [verl_row(f"q{step}", score, step, acc=score > 0.5) for score in scores]
        lines(tmp_path / f"{step}.jsonl", rows)
    content = audited(tmp_path)
    assert content["groups"]["mixed"] == 2
    table = report_of(tmp_path).log.main
    assert table is not None
    assert table.column("correct").mean() == 1 / 16


def test_without_a_column_three_levels_say_nothing(tmp_path: Path) -> None:
    for step in (1, 2):
        scores = [1.0, *[0.0] * 14, -0.5 if step == 2 else 0.0]
        lines(tmp_path / f"{step}.jsonl", [verl_row(f"q{step}", score, step) for score in scores])
    content = audited(tmp_path)
    assert [content["groups"][name] for name in ("all_wrong", "all_right", "mixed")] == [None, None, None]
    assert "uniform-groups" in unchecked(content)
    assert audited(tmp_path, correct_above=0.5)["groups"]["mixed"] == 2


def test_signed_rewards_are_two_levels(tmp_path: Path) -> None:
    rows = [verl_row(f"q{q}", 1.0 if i < q else -1.0) for q in range(5) for i in range(4)]
    lines(tmp_path / "1.jsonl", rows)
    content = audited(tmp_path)
    assert (content["groups"]["all_wrong"], content["groups"]["all_right"], content["groups"]["mixed"]) == (1, 1, 3)


def test_nan_scores_stay_out(tmp_path: Path) -> None:
    rows = [verl_row(f"q{q}", float("nan") if i == 0 else float(i == 1)) for q in range(4) for i in range(4)]
    lines(tmp_path / "1.jsonl", rows)
    assert "NaN" in (tmp_path / "1.jsonl").read_text()
    content = audited(tmp_path)
    assert content["groups"]["mixed"] == 4
    assert content["sources"][0]["used"] == 16
    assert "4 without a reward" in content["sources"][0]["note"]


def test_correctness_that_an_older_writer_put_into_text_is_read(tmp_path: Path) -> None:
    rows = [verl_row(f"q{q}", -0.1 * i, acc=str(bool(i == q))) for q in range(4) for i in range(4)]
    lines(tmp_path / "1.jsonl", rows)
    assert audited(tmp_path)["groups"]["mixed"] == 4


def test_a_column_that_is_no_score_is_left_out_of_the_reward(tmp_path: Path) -> None:
    world = worlds.made(1)
    steps, groups, size = world.shape
    for step in range(steps):
        trl_file(
            tmp_path, step + 1, [f"{step}{g}" for g in range(groups)], size,
            accuracy=world.reward[step].ravel(),
            advantage=world.advantage[step].ravel(),
            tool_calls=np.arange(groups * size, dtype=float),
        )  # fmt: skip
    content = audited(tmp_path)
    assert content["groups"]["mixed"] == world.counts()["mixed"]
    assert any("tool_calls" in note for note in content["notes"])


# Steps


def test_wandbs_counter_is_not_the_step_of_a_trl_run(tmp_path: Path) -> None:
    """trl 4004: six calls of wandb.log for three steps."""
    rows = [{"_step": i, "_timestamp": 1.0, "train/global_step": i // 2 + 1, "train/entropy": 1.0} for i in range(6)]
    assert audited(metrics(tmp_path / "h.jsonl", rows))["steps"] == {"first": 1, "last": 3, "count": 3}


def test_a_resume_supersedes_what_it_repeats(tmp_path: Path) -> None:
    rows = [
        {"_step": i, "train/global_step": step, "train/entropy": float(i)} for i, step in enumerate((1, 2, 3, 2, 3, 4))
    ]
    log = report_of(metrics(tmp_path / "h.jsonl", rows)).log
    assert log.steps.step.tolist() == [1, 2, 3, 4]
    assert log.steps.metrics["train/entropy"].tolist() == [0, 3, 4, 5]
    assert any("superseded" in note for note in log.notes)


def test_updates_and_rollouts_are_not_counted_as_one(tmp_path: Path) -> None:
    """slime counts rollouts in one column and, with four updates on each, updates in another."""
    rollouts = [{"_step": 5 * i, "rollout/step": i, "rollout/reward": 0.5} for i in range(4)]
    for per_rollout, steps, said in ((4, [0, 1, 2, 3], True), (1, [0, 1, 2, 3], False)):
        updates = [{"_step": i + 1, "train/step": i, "train/entropy_loss": float(i)} for i in range(4 * per_rollout)]
        log = report_of(metrics(tmp_path / f"{per_rollout}.jsonl", [*rollouts, *updates])).log
        assert log.steps.step.tolist() == steps
        assert (log.steps.series("entropy") is None) == said
        assert ("train/step, which is not the same" in str(log.sources[0].note)) == said


def test_wandbs_counter_is_the_step_of_a_verl_run(tmp_path: Path) -> None:
    rows = [{"_step": i, "_runtime": 1.0, "actor/entropy": 1.0} for i in range(1, 4)]
    assert audited(metrics(tmp_path / "h.jsonl", rows))["steps"]["last"] == 3


def test_a_step_that_goes_back_leaves_the_branch_it_came_from(tmp_path: Path) -> None:
    """PaddleFormers 4744: steps 1 to 5, then 3 and 4: step 5 belongs to no run that went on."""
    rows = [{"step": step, "data": {"actor/entropy": float(i)}} for i, step in enumerate((1, 2, 3, 4, 5, 3, 4))]
    log = report_of(metrics(tmp_path / "log.jsonl", rows)).log
    assert log.steps.step.tolist() == [1, 2, 3, 4]
    assert log.steps.metrics["actor/entropy"].tolist() == [0, 1, 5, 6]


def test_responses_of_a_resumed_file_count_once(tmp_path: Path) -> None:
    def row(step: int, i: int, attempt: int) -> dict[str, Any]:
        return {
            "step": step, "group": i // 4, "prompt": "p", "completion": "c", "tokens": 3,
            "correct": 1.0, "reward": float((i + attempt) % 2), "advantage": 0.0,
        }  # fmt: skip

    first = [row(step, i, 0) for step in (0, 1, 2, 3) for i in range(8)]
    again = [row(step, i, 1) for step in (2, 3) for i in range(8)]
    lines(tmp_path / "rollouts.jsonl", [*first, *again])
    content = audited(tmp_path)
    assert content["groups"]["count"] == 8
    assert content["sources"][0]["used"] == 32
    table = report_of(tmp_path).log.main
    assert table is not None
    assert table.reward[table.step == 2].tolist() == [1, 0, 1, 0, 1, 0, 1, 0]


def test_writers_in_several_threads_are_no_resume(tmp_path: Path) -> None:
    order = [(1, 0), (2, 0), (1, 1), (2, 1)]
    rows = [
        {
            "step": step, "prompt_idx": group, "sample_idx": group * 4 + i, "reward": float(i % 2), "advantage": 0.0,
            "finish_reason": "stop",
        }
        for step, group in order
        for i in range(4)
    ]  # fmt: skip
    lines(tmp_path / "r.jsonl", rows)
    assert audited(tmp_path)["groups"]["count"] == 4


def test_launches_that_lie_side_by_side_are_refused_with_their_steps() -> None:
    content = audited(FIXTURES / "trl", FIXTURES / "trl-twice")
    assert any("launches" in one["reason"] or "two runs" in one["reason"] for one in content["refused"])


def test_a_single_launch_is_read() -> None:
    content = audited(FIXTURES / "trl" / "runs")
    assert content["steps"] == {"first": 1, "last": 4, "count": 4}
    assert content["series"]["entropy"] == "train/entropy"


@pytest.mark.train
def test_a_launch_that_goes_on_continues_the_one_before(tmp_path: Path) -> None:
    from tests.llm_validation.audit.events import event_file

    event_file(tmp_path / "a" / "events.out.tfevents.100.host.1.0", {s: {"train/entropy": 1.0} for s in (1, 2, 3, 4)})
    event_file(tmp_path / "b" / "events.out.tfevents.200.host.2.0", {s: {"train/entropy": 2.0} for s in (3, 4, 5)})
    log = report_of(tmp_path).log
    assert log.steps.metrics["train/entropy"].tolist() == [1, 1, 2, 2, 2]
    event_file(tmp_path / "c" / "events.out.tfevents.300.host.3.0", {s: {"train/entropy": 3.0} for s in (1, 2)})
    refused = audited(tmp_path)["refused"]
    assert len(refused) == 1
    assert sorted(refused[0]["sizes"].values()) == [2, 3, 4]


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    world = worlds.made(0)
    for name in ("run-a", "run-b"):
        worlds.verl_v1(tmp_path / name / "rollouts", world)
    content = audited(tmp_path)
    assert "two runs" in content["refused"][0]["reason"]
    assert sorted(content["refused"][0]["sizes"].values()) == [4, 4]


# Metrics


def test_the_dual_clip_is_not_the_low_side(tmp_path: Path) -> None:
    data = {"actor/pg_clipfrac": 0.02, "actor/pg_clipfrac_lower": 0.5}
    content = audited(metrics(tmp_path / "l.jsonl", [{"step": s, "data": data} for s in (1, 2)]))
    assert content["series"] == {"clip_together": "actor/pg_clipfrac", "clip_dual": "actor/pg_clipfrac_lower"}


def test_console_numbers_prefixes_and_cut_lines(tmp_path: Path) -> None:
    long = " - ".join(f"pad/{i:04d}:0.125" for i in range(400))
    whole = f"step:1 - actor/entropy:np.float64(1.5) - a:nan - b:-1e-05 - {long}"
    cut = whole.replace("step:1", "step:2")[:4096]
    path = tmp_path / "output.log"
    path.write_text(
        f"Loading model\n\x1b[36m(TaskRunner pid=9)\x1b[0m {whole}\n{cut}\nstep:3 - actor/entropy:0.5 - grad:1."
    )
    log = report_of(path).log
    assert log.sources[0].format == "verl-console"
    assert log.steps.metrics["actor/entropy"].tolist() == [1.5, 1.5, 0.5]
    assert np.isnan(log.steps.metrics["a"]).all()
    *_, before, last = cut.split(" - ")
    assert log.steps.metrics[before.split(":")[0]][1] == 0.125
    known = log.steps.metrics.get(last.split(":")[0])
    assert known is None or np.isnan(known[1])
    assert "grad" not in log.steps.metrics


def test_an_entropy_whose_average_is_unknown_gets_no_verdict(tmp_path: Path) -> None:
    """verl 3986: logged .55 and recomputed .19 may be two means of the same tokens."""
    worlds.probe(tmp_path, worlds.made(0))
    lines(tmp_path / "logs" / "a.jsonl", [{"step": s, "data": {"actor/entropy": 9.0}} for s in range(1, 5)])
    content = audited(tmp_path)
    assert "entropy-metric" not in found(content)
    assert "entropy-metric" in unchecked(content)
    assert "entropy-metric" in found(audited(tmp_path, aggregation="token-mean"))


def test_metrics_that_nobody_knows_are_nothing_to_check(tmp_path: Path) -> None:
    rows = [{"step": s, "data": {"val-core/aime/reward/mean@1": 0.1}} for s in range(1, 4)]
    report = report_of(metrics(tmp_path / "l.jsonl", rows))
    assert report.status("critical") == 3
    assert report.log.level == "steps"


def test_trl_batches_that_are_logged_again_count_once() -> None:
    content = audited(FIXTURES / "trl-twice")
    assert content["groups"]["count"] == 8
    used = {
        one["path"].rsplit("/", 1)[1]: one["used"] for one in content["sources"] if one["format"] == "trl-completions"
    }
    assert used == {
        "completions_00001.parquet": 16, "completions_00002.parquet": 0,
        "completions_00003.parquet": 16, "completions_00004.parquet": 0,
    }  # fmt: skip


def test_the_history_of_each_checkpoint_is_the_same_history() -> None:
    content = audited(*sorted((FIXTURES / "trl").glob("checkpoint-*")))
    assert content["refused"] == []
    assert content["steps"] == {"first": 1, "last": 4, "count": 4}


def test_lines_cut_off_and_marks_of_another_system(tmp_path: Path) -> None:
    rows = [verl_row(f"q{q}", float(i % 2), uid=f"q{q}_{i}_0") for q in range(3) for i in range(4)]
    text = "".join(json.dumps(row) + "\r\n" for row in rows)
    (tmp_path / "1.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode()[:-20])
    content = audited(tmp_path)
    assert content["sources"][0]["used"] == 11
    assert "cut off" in content["sources"][0]["note"]
    assert content["groups"]["size"] is None
