"""Lines of every kind of dump: what is kept of one, and which are none."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.cluster.collect.dumps.batches import (
    AGAIN,
    NOT_A_RESPONSE,
    Batch,
    Parse,
    dump_files,
    own_rollout,
    probe,
    read_dump,
    rollout,
    validation,
)
from llm_validation.cluster.collect.logs.lines import Account
from tests.llm_validation.cluster.jobs import fake_jobs

ROLLOUT = {"input": "q", "output": "Wait", "gts": "4", "score": 1.0, "step": 1, "uid": "a-b_0_0"}
PROBE = fake_jobs.responses(np.random.default_rng(0), 1)[0]


def read(path: Path, records: Sequence[Any], parse: Parse, step: int | None = 1) -> tuple[dict[int, Batch], Account]:
    batches: dict[int, Batch] = {}
    account = Account("dump")
    read_dump(fake_jobs.lines(path, records), account, parse, batches, step=step)
    return batches, account


@pytest.mark.parametrize(
    ("parse", "good", "changes"),
    [
        (
            rollout,
            ROLLOUT,
            [{"score": None}, {"score": "1"}, {"score": True}, {"score": math.nan}, {"score": 1e308}, {"output": 4}],
        ),
        (rollout, ROLLOUT, [{"step": None}, {"step": -1}, {"step": 1.5}]),
        (validation, ROLLOUT, [{"input": None}, {"score": None}]),
        (probe, PROBE, [{"tokens": None}, {"uid": 3}, {"entropy_after": math.inf}]),
        (own_rollout, {"step": 1, "group": 0, "completion": "4"}, [{"completion": None}, {"reward": "x"}]),
    ],
)
def test_what_is_no_response_is_dropped(
    parse: Parse, good: dict[str, Any], changes: list[dict[str, Any]], tmp_path: Path
) -> None:
    records = [good, *({**good, **change} for change in changes), [1], "text"]
    batches, account = read(tmp_path / "1.jsonl", records, parse)
    assert len(batches[1].kept) == account.kept == 1
    assert {account.reason(number) for number in range(1, len(records))} == {NOT_A_RESPONSE}


def test_groups_responses_and_turns_by_verls_key(tmp_path: Path) -> None:
    turns = [{**ROLLOUT, "uid": f"g_h_{session}_{turn}", "score": float(turn)} for session in (0, 1) for turn in (1, 0)]
    batches, account = read(tmp_path / "1.jsonl", turns, rollout)
    responses = batches[1].responses()
    assert [(one["group"], one["reward"], one["words"]) for one in responses] == [("g_h", 1.0, 1)] * 2
    assert account.kept == 4


def test_without_keys_the_prompt_is_the_group_and_nothing_is_a_repetition(tmp_path: Path) -> None:
    """The dumps of verl before its V1 trainer."""
    without = [{name: value for name, value in ROLLOUT.items() if name != "uid"}] * 3
    without += [{**ROLLOUT, "uid": "", "input": "r"}, {**ROLLOUT, "uid": "", "input": "s"}]
    batches, account = read(tmp_path / "1.jsonl", without, rollout)
    groups = [one["group"] for one in batches[1].responses()]
    assert (len(set(groups[:3])), len(set(groups)), account.kept) == (1, 3, 5)


def test_probe_records_without_keys_are_not_repetitions(tmp_path: Path) -> None:
    keyed, account = read(tmp_path / "1.jsonl", [PROBE, PROBE], probe)
    assert (len(keyed[1].kept), account.kept) == (1, 1)
    without = [{name: value for name, value in PROBE.items() if name != "key"}] * 2
    unkeyed, account = read(tmp_path / "1.jsonl", without, probe)
    assert (len(unkeyed[1].kept), account.kept) == (2, 2)


def test_validation_lines_say_benchmark_and_correctness(tmp_path: Path) -> None:
    said = {**ROLLOUT, "acc": True, "benchmark": "aime2024"}
    others = [{**said, "acc": 0.0}, {**said, "acc": None, "benchmark": None, "data_source": "x"}, {**said, "gts": "5"}]
    records = [{**one, "uid": f"a_{i}_0"} for i, one in enumerate([said, *others])]
    batches, _ = read(tmp_path / "1.jsonl", records, validation)
    found = batches[1].responses()
    assert [one["correct"] for one in found] == [True, False, None, True]
    assert [one["benchmark"] for one in found] == ["aime2024", "aime2024", None, "aime2024"]
    assert len({one["question"] for one in found[:3]}) == 1
    assert found[3]["question"] != found[0]["question"]  # the same words with another answer


def test_own_rollouts_of_several_steps_with_unscorable_ones(tmp_path: Path) -> None:
    line = {"group": 0, "completion": "4", "correct": None, "reward": None, "advantage": 0.0}
    batches, _ = read(tmp_path / "x.jsonl", [{"step": 1, **line}, {"step": 2, **line}], own_rollout, step=None)
    assert sorted(batches) == [1, 2]
    assert math.isnan(batches[1].responses()[0]["reward"])


def test_files_of_a_step_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("2.jsonl", "10.jsonl", "2.jsonl.gz", "x.jsonl", "3.json"):
        (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    found = {step: [path.name for path in paths] for step, paths in dump_files(tmp_path).items()}
    assert found == {2: ["2.jsonl.gz", "2.jsonl"], 10: ["10.jsonl"]}
    assert dump_files(tmp_path / "nothing") == {}


def test_a_dump_beside_its_compressed_copy_counts_once(tmp_path: Path) -> None:
    job = fake_jobs.write_job(tmp_path / "job", steps=1)
    plain = job / "rollouts" / "1.jsonl"
    (job / "rollouts" / "1.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    from llm_validation.cluster.collect.gather import gather
    from llm_validation.cluster.collect.sources import find

    found = gather(find([job]))
    assert found.dumped["rollouts"][1].responses == 16
    plain_account = next(one for one in found.accounts if one.name.endswith("rollouts/1.jsonl"))
    assert plain_account.record()["reasons"] == [{"reason": AGAIN, "count": 16, "which": "1-16"}]
    assert json.loads(plain.read_text().splitlines()[0])["step"] == 1
