"""Collecting a run: what is kept of damaged sources, what is said of the rest, and the folder that comes of it."""

from __future__ import annotations

import gzip
import json
import math
import random
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_validation.cluster.collect import collect as module
from llm_validation.cluster.collect.collect import collect
from llm_validation.cluster.collect.collection import Collection, NothingFoundError
from llm_validation.cluster.collect.dumps.batches import NOT_A_RESPONSE
from llm_validation.cluster.collect.gather import gather
from llm_validation.cluster.collect.logs.lines import ranges
from llm_validation.cluster.collect.logs.merge import AGAIN, REDONE
from llm_validation.cluster.collect.reasons import NO_LINE, NOT_ASKED_FOR
from llm_validation.cluster.collect.sources import find
from qae_theory.runs.files import changed_files
from tests.llm_validation.cluster.jobs import fake_jobs
from tests.llm_validation.cluster.jobs.fake_jobs import lines, log_line, write_job


def read(path: Path, name: str) -> Any:
    if name.endswith("l"):
        return [json.loads(line) for line in (path / name).read_text(encoding="utf-8").splitlines()]
    return json.loads((path / name).read_text(encoding="utf-8"))


def steps_of(found: Collection) -> list[int]:
    return [record.step for record in found.merged.steps if record.trained]


def gathered(*sources: Path, **options: Any) -> Collection:
    return gather(find(sources), **options)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return write_job(tmp_path / "smoke-qae-0123456789ab")


# A whole run


def test_a_whole_job_gives_every_step_and_agrees_with_what_it_logged(job: Path, tmp_path: Path) -> None:
    folder = collect(job, tmp_path / "results")
    assert folder.parent == tmp_path / "results" / "cluster"
    names = {"config", "evaluations", "findings", "dropped", "tables", "provenance"}
    assert {path.name for path in folder.iterdir()} == {f"{n}.json" for n in names} | {"metrics.jsonl", "tables.md"}
    assert changed_files(folder) == []
    metrics = read(folder, "metrics.jsonl")
    assert [line["step"] for line in metrics] == [0, 1, 2, 3, 4]
    for line in metrics[1:]:
        assert line["recomputed/probe/entropy/before/all"] == pytest.approx(line["actor/entropy"])
        assert line["recomputed/rollouts/mean_reward"] == pytest.approx(line["critic/score/mean"])
        assert line["recomputed/rollouts/zero_share"] == line["probe/advantage/zero_share"]
        assert line["recomputed/rollouts/anthropomorphic_words"] == 1
        assert line["recomputed/rollouts/responses"] == 16
    assert read(folder, "findings.json") == {"findings": []}
    dropped = read(folder, "dropped.json")
    assert (dropped["steps"]["kept"], dropped["steps"]["validation_only"]) == ("1-4", "0")
    assert all(one["dropped"] == 0 for one in dropped["files"])
    assert len(dropped["files"]) == 1 + 4 + 4 + 2
    config = read(folder, "config.json")
    assert (config["name"], config["row"], config["engine"], config["named_by"]) == (
        "smoke-qae",
        None,
        "verl",
        "job.json",
    )
    evaluations = read(folder, "evaluations.json")["evaluations"]
    assert [(one["step"], one["benchmark"]) for one in evaluations] == [
        (0, "AIME24"),
        (0, "AIME25"),
        (4, "AIME24"),
        (4, "AIME25"),
    ]
    assert {one["source"] for one in evaluations} == {"validation dump"}


def test_the_same_is_found_again_and_more_steps_are_another_folder(job: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    first = collect(job, out)
    written = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    assert collect(job, out) == first
    assert {path.name: path.stat().st_mtime_ns for path in first.iterdir()} == written
    of_step = fake_jobs.responses(np.random.default_rng(9), 5)
    with (job / "logs" / "attempt-001.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(log_line(5, of_step)) + "\n")
    lines(job / "rollouts" / "5.jsonl", fake_jobs.rollout_lines(5, of_step))
    second = collect(job, out)
    assert second != first
    assert first.is_dir()
    assert read(second, "config.json")["run"] == read(first, "config.json")["run"]
    listed = json.loads((out / "cluster" / "tables.json").read_text())["other_runs"]["rows"]
    assert [row["runs"] for row in listed] == [[{"id": second.name, "last_step": 5, "planned": 4}]]


def test_an_interruption_leaves_nothing(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "markdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect(job, tmp_path / "results")
    assert list((tmp_path / "results" / "cluster").iterdir()) == []


def test_only_the_steps_asked_for(job: Path, tmp_path: Path) -> None:
    folder = collect(job, tmp_path / "results", steps=(2, 3))
    assert [line["step"] for line in read(folder, "metrics.jsonl")] == [2, 3]
    assert read(folder, "evaluations.json") == {"evaluations": []}
    (log, *dumps) = read(folder, "dropped.json")["files"]
    assert (log["kept"], log["reasons"][0]["reason"]) == (2, NOT_ASKED_FOR)
    assert [one["file"].rpartition("/")[2] for one in dumps] == ["2.jsonl", "3.jsonl"] * 2
    assert read(folder, "config.json")["run"] == read(collect(job, tmp_path / "results"), "config.json")["run"]


def test_a_log_and_an_export_of_the_same_run_are_one_run(job: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in (job / "logs" / "attempt-001.jsonl").read_text().splitlines()]
    rows = [{"_step": one["step"], **one["data"]} for one in records]
    rounded = [{name: float(np.float32(value)) for name, value in row.items()} for row in rows]
    rounded = [{**row, "_step": rows[i]["_step"]} for i, row in enumerate(rounded)]
    export = lines(tmp_path / "history.jsonl", rounded)
    out = tmp_path / "results"
    names = {
        read(collect(source, out, name=name), "config.json")["run"] for source, name in ((job, None), (export, "x"))
    }
    assert len(names) == 1
    other = write_job(tmp_path / "smoke-qae-other", seed=1)
    assert read(collect(other, out), "config.json")["run"] not in names


# Damage


def test_every_kind_of_damage_at_once_is_dropped_and_said(job: Path, tmp_path: Path) -> None:
    log = job / "logs" / "attempt-001.jsonl"
    whole = log.read_text(encoding="utf-8").splitlines()
    conflict = json.dumps({"step": 2, "data": {"actor/entropy": 7.0}})
    content = "\r\n".join([*whole[2:4], "garbage", whole[1], whole[1], "", conflict, whole[4], whole[0][:40]])
    log.write_bytes(b"\xef\xbb\xbf" + content.encode())
    folder = collect(job, tmp_path / "results")
    dropped = read(folder, "dropped.json")
    assert dropped["steps"] == {
        "kept": "1-4",
        "validation_only": "",
        "missing": "",
        "said_differently": "2",
        "abandoned": "3",  # the second line of step 2 comes after step 3: a resume
        "out_of_order": 1,
        "not_whole": {},
    }
    reasons = {one["reason"]: one["which"] for one in dropped["files"][0]["reasons"]}
    assert reasons == {
        "not JSON": "3",
        AGAIN: "5",
        "blank": "6",
        REDONE: "1",
        "cut off at the end of the file": "9",
    }
    metrics = {line["step"]: line for line in read(folder, "metrics.jsonl")}
    assert metrics[2]["actor/entropy"] == 7.0
    findings = [one["metric"] for one in read(folder, "findings.json")["findings"]]
    assert findings == ["actor/entropy"]  # the planted 7.0 is not what the probe's dump gives


def test_a_planted_mismatch_is_said_with_both_figures(job: Path, tmp_path: Path) -> None:
    log = job / "logs" / "attempt-001.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    records[3]["data"]["probe/advantage/zero_share"] += 0.11
    lines(log, records)
    (rolled, probed) = read(collect(job, tmp_path / "results"), "findings.json")["findings"]
    assert {rolled["source"], probed["source"]} == {"the rollouts", "the probe's dump"}
    assert rolled["says"].startswith("step 3: probe/advantage/zero_share: logged 0.")
    assert rolled["said"] - rolled["recomputed"] == pytest.approx(0.11)


def test_a_dump_that_is_cut_off_takes_its_step_along_but_not_its_validation(job: Path) -> None:
    path = job / "rollouts" / "4.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    found = gathered(job)
    assert steps_of(found) == [1, 2, 3]
    assert found.not_whole == {"4": "rollouts 15 of 16 responses"}
    accounts = {account.name.partition("/")[2]: account for account in found.accounts}
    assert accounts["rollouts/4.jsonl"].kept == accounts["probe/4.jsonl"].kept == 0
    assert accounts["logs/attempt-001.jsonl"].reason(4) is None  # its validation is used
    assert {one.step for one in found.evaluations} == {0, 4}


def test_steps_without_a_dump_are_kept_and_said(job: Path) -> None:
    (job / "rollouts" / "2.jsonl").unlink()
    found = gathered(job)
    assert steps_of(found) == [1, 2, 3, 4]
    assert found.notes == ["no rollouts were dumped of the steps 2: nothing was recomputed from them"]


def test_a_dump_without_a_line_in_the_log_is_dropped(job: Path) -> None:
    log = job / "logs" / "attempt-001.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    found = gathered(job)
    assert steps_of(found) == [1, 2, 3]
    (account,) = [one for one in found.accounts if one.name.endswith("rollouts/4.jsonl")]
    assert {one["reason"] for one in account.record()["reasons"]} == {NO_LINE}


def test_how_many_responses_are_whole_without_a_configuration(job: Path) -> None:
    (job / "resolved.yaml").unlink()
    path = job / "rollouts" / "2.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    found = gathered(job)
    assert steps_of(found) == [1, 3, 4]
    assert found.notes[0] == "a whole step is taken to have 16 responses, as the fullest dump has"
    assert steps_of(gathered(job, responses=15)) == [1, 2, 3, 4]
    assert steps_of(gathered(job, responses=17)) == []


def test_rows_that_pad_a_batch_and_repeated_responses(job: Path) -> None:
    path = job / "rollouts" / "1.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    padding = {**records[0], "uid": f"pad{'0' * 32}_0_0", "score": 0.0}
    earlier_turn = {**records[0], "uid": records[0]["uid"][:-1] + "1"}
    other = {**records[1], "score": -records[1]["score"]}
    wrong = {**records[1], "step": 2}
    lines(path, [other, *records, padding, records[2], wrong, earlier_turn])
    found = gathered(job)
    account = next(one for one in found.accounts if one.name.endswith("rollouts/1.jsonl"))
    assert [one["which"] for one in account.record()["reasons"]] == ["1", "18", "19", "20"]
    assert found.dumped["rollouts"][1].responses == 16
    # verl's mean counts outputs, and the log was written before there was a second output of a rollout.
    assert [(one.metric, one.step) for one in found.findings if one.step == 1] == [("critic/score/mean", 1)]


def test_attempts_of_a_job_and_where_they_went_on_from(job: Path) -> None:
    rng = np.random.default_rng(3)
    again = [log_line(step, fake_jobs.responses(rng, step)) for step in (3,)]
    lines(job / "logs" / "attempt-002.jsonl", [{"step": 2, "data": {"val-core/aime-2024/acc/mean@4": 0.5}}, *again])
    found = gathered(job)
    records = {record.step: record for record in found.merged.steps}
    assert [records[step].attempt for step in (1, 2, 3, 4)] == [1, 1, 2, 1]
    assert [step for step, record in records.items() if record.abandoned] == [4]
    facts = json.loads((job / "job.json").read_text())
    facts["attempts"] = [{"number": 1, "from_step": 0}, {"number": 2, "from_step": 1}]
    (job / "job.json").write_text(json.dumps(facts))
    assert [record.step for record in gathered(job).merged.steps if record.abandoned] == [2, 4]


def test_a_validation_that_is_cut_off_gives_way_to_the_logged_means(job: Path) -> None:
    path = job / "validation" / "4.jsonl"
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    found = gathered(job)
    last = {one.benchmark: one.source for one in found.evaluations if one.step == 4}
    assert last == {"AIME24": "validation dump", "AIME25": "logged means"}
    assert list(found.not_whole) == ["validation 4, AIME25"]
    account = next(one for one in found.accounts if one.name.endswith("validation/4.jsonl"))
    assert account.kept == 20


@pytest.mark.parametrize(("others", "named"), [((), "own"), (("aime-2025",), "unnamed")])
def test_a_dump_that_names_no_benchmark_is_of_the_logs_only_one(others: Sequence[str], named: str, job: Path) -> None:
    for step in (0, 4):
        records = [json.loads(line) for line in (job / "validation" / f"{step}.jsonl").read_text().splitlines()]
        for one in records:
            del one["benchmark"]
        lines(job / "validation" / f"{step}.jsonl", records)
    logged = [json.loads(line) for line in (job / "logs" / "attempt-001.jsonl").read_text().splitlines()]
    for one in logged:
        one["data"] = {name: value for name, value in one["data"].items() if not name.startswith("val-")}
    logged[4]["data"] |= {f"val-core/{name}/acc/mean@4": 0.5 for name in ("own", *others)}
    lines(job / "logs" / "attempt-001.jsonl", logged)
    found = gathered(job)
    assert {one.benchmark for one in found.evaluations if one.source == "validation dump"} == {named}


def test_nothing_complete_is_an_error_in_one_line(tmp_path: Path) -> None:
    for content in (b"", b"garbage\n", b'{"step": 1, "data": {'):
        (tmp_path / "log.jsonl").write_bytes(content)
        says = r"^no complete step and no evaluation in log\.jsonl; read are verl's file log"
        with pytest.raises(NothingFoundError, match=says):
            collect(tmp_path / "log.jsonl", tmp_path / "results")
    assert not (tmp_path / "results").exists()


# Properties


def log_lines(count: int) -> list[bytes]:
    return [json.dumps(log_line(step, é=step / 7)).encode() for step in range(1, count + 1)]


def truth_of(content: bytes, known: dict[bytes, int]) -> set[int]:
    """The steps whose whole line is there, found by comparing bytes."""
    return {known[piece.rstrip(b"\r")] for piece in content.split(b"\n") if piece.rstrip(b"\r") in known}


def pieces(content: bytes) -> int:
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


# Of archives, tables, pickles, W&B's and TensorBoard's binary logs, and packed files: a damaged line can be one.
MAGIC_NUMBERS = (
    *(b"PK\x03\x04", b"PAR1", b"\x80\x04", b"\x80\x02behind", b":W&B", b"brain.Event:", b"ustar"),
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("number", MAGIC_NUMBERS)
def test_a_first_line_that_is_a_magic_number_is_a_damaged_line(number: bytes, end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(line + end for line in (number, *log_lines(3))))
    found = gathered(path)
    assert steps_of(found) == [1, 2, 3]
    assert found.accounts[0].record()["dropped"] == 1


@settings(max_examples=150)
@given(
    count=st.integers(1, 8),
    doubled=st.lists(st.integers(0, 7), max_size=4),
    garbage=st.lists(
        st.binary(max_size=12).filter(lambda b: b"\n" not in b) | st.sampled_from(MAGIC_NUMBERS), max_size=3
    ),
    seed=st.integers(0, 2**16),
    share=st.floats(0, 1),
    end=st.sampled_from([b"\n", b"\r\n"]),
    packed=st.booleans(),
)
def test_collected_steps_are_the_complete_ones_and_every_line_is_accounted_for(
    count: int,
    doubled: list[int],
    garbage: list[bytes],
    seed: int,
    share: float,
    end: bytes,
    packed: bool,
    tmp_path_factory: Any,
) -> None:
    whole = log_lines(count)
    known = {line: step for step, line in enumerate(whole, start=1)}
    mixed = [*whole, *(whole[i % count] for i in doubled), *garbage]
    random.Random(seed).shuffle(mixed)
    content = b"".join(line + end for line in mixed)
    content = content[: math.ceil(share * len(content))]
    path = tmp_path_factory.mktemp("log") / ("log.jsonl.gz" if packed else "log.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    expected = truth_of(content, known)
    if not expected:
        # What ends with the magic number of an archive, or goes on behind that of a pickle, is refused as one.
        is_pickle = re.match(rb"\x80[\x02-\x05](?![\r\n])", content) is not None
        with pytest.raises(ValueError if content == b"PK\x03\x04" or is_pickle else NothingFoundError):
            gathered(path)
        return
    found = gathered(path)
    assert steps_of(found) == sorted(expected)
    for record in found.merged.steps:
        assert record.metrics == json.loads(whole[record.step - 1])["data"]
    (account,) = found.accounts
    record = account.record()
    assert record["read"] == record["kept"] + record["dropped"] == pieces(content)
    assert record["kept"] == len(expected)
    assert record["dropped"] == sum(reason["count"] for reason in record["reasons"])


@settings(max_examples=40)
@given(share=st.floats(0, 1), kind=st.sampled_from(["rollouts", "probe"]), packed=st.booleans(), data=st.data())
def test_a_step_is_complete_if_and_only_if_its_dump_has_every_response(
    share: float, kind: str, packed: bool, data: Any, tmp_path_factory: Any
) -> None:
    job = write_job(tmp_path_factory.mktemp("job") / "smoke-qae-1", steps=2)
    path = job / kind / "2.jsonl"
    content = path.read_bytes()
    whole = content.splitlines()
    known = {line: number for number, line in enumerate(whole)}
    path.unlink()
    if packed:
        squeezed = gzip.compress(content, mtime=0)
        squeezed = squeezed[: math.ceil(share * len(squeezed))]
        (job / kind / "2.jsonl.gz").write_bytes(squeezed)
        content = zlib.decompressobj(wbits=31).decompress(squeezed)
    else:
        order = data.draw(st.permutations(whole))
        content = b"".join(line + b"\n" for line in order)
        content = content[: math.ceil(share * len(content))]
        path.write_bytes(content)
    expected = len(truth_of(content, known)) == len(whole)
    found = gathered(job)
    assert (2 in steps_of(found)) == expected
    for account in found.accounts:
        record = account.record()
        assert record["read"] == record["kept"] + record["dropped"]
    lines_read = next(account for account in found.accounts if f"{kind}/2" in account.name)
    assert lines_read.read == pieces(content)
    assert lines_read.kept == (len(whole) if expected else 0)


def test_controls_of_the_properties() -> None:
    """The oracle tells a whole line from one that lacks a byte, and counts lines as an editor does."""
    known = {line: step for step, line in enumerate(log_lines(3), start=1)}
    content = b"\n".join(known)
    assert truth_of(content, known) == {1, 2, 3}
    assert truth_of(content[:-1], known) == {1, 2}
    assert [pieces(text) for text in (b"", b"a", b"a\n", b"a\nb", b"\n\n")] == [0, 1, 1, 2, 2]
    assert ranges([]) == ""


# Names and sources


def own_run(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    lines(folder / "metrics.jsonl", [{"step": 1, "entropy": 1.0, "success_rate": 0.5, "zero_advantage_share": 0.5}])
    rows = [
        {"step": 1, "group": 0, "completion": "4", "correct": float(i == 0), "reward": float(i == 0), "advantage": a}
        for i, a in enumerate((1.0, 0.0))
    ]
    lines(folder / "rollouts.jsonl", rows)
    return folder


OWN = {"model": "tiny", "task": "digits", "estimator": "qae", "options": {"k": "0.4"}, "group_size": 2}


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda p: p / "nothing", {}, "SOURCE must be a file or folder that is there"),
        (lambda p: (p / "empty").mkdir() or p / "empty", {}, "SOURCE must be a job folder"),
        (lambda p: write_job(p / "job"), {"name": "smoke-grpo"}, "--name must be left out or 'smoke-qae'"),
        (lambda p: own_run(p / "run", OWN), {"name": "qwen3-8b-clip-higher"}, "--name must not be a row of the paper"),
    ],
)
def test_sources_and_names_that_cannot_be(
    make: Callable[[Path], Path], options: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        collect(make(tmp_path), tmp_path / "results", **options)
    assert not (tmp_path / "results").exists()


def test_two_jobs_are_not_one_run(tmp_path: Path) -> None:
    jobs = [write_job(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(ValueError, match="SOURCE must be of one run; two is a second job folder"):
        collect(jobs, tmp_path / "results")


def test_a_row_by_its_configuration_and_a_look_alike(tmp_path: Path) -> None:
    out = tmp_path / "results"
    row = write_job(tmp_path / "a", experiment="qwen3-8b-clip-higher-qae")
    assert read(collect(row, out), "config.json")["row"] == "qwen3-8b-clip-higher-qae"
    fake_jobs.describe(row, "qwen3-8b-clip-higher-qae", steps=4, model="/models/tiny-qwen3")
    config = read(collect(row, out), "config.json")
    assert (config["row"], config["no_row_because"]) == (None, ["the model is tiny-qwen3, not Qwen3-8B-Base"])
    fake_jobs.describe(row, "qwen3-8b-clip-higher-qae", steps=4, overrides=["data.train_batch_size=4"])
    assert read(collect(row, out), "config.json")["row"] is None


def test_a_log_of_no_engine_of_the_paper_is_no_row(tmp_path: Path) -> None:
    foreign = lines(tmp_path / "history.jsonl", [{"_step": 1, "train/loss": 0.5}])
    config = read(collect(foreign, tmp_path / "results", name="qwen3-8b-clip-higher"), "config.json")
    assert (config["row"], config["no_row_because"]) == (None, ["its log is not verl's"])
    verls = lines(tmp_path / "verl.jsonl", [log_line(1)])
    config = read(collect(verls, tmp_path / "results", name="qwen3-8b-clip-higher"), "config.json")
    assert (config["row"], config["named_by"]) == ("qwen3-8b-clip-higher", "--name")


def test_a_run_of_our_own_is_recomputed_and_never_a_row(tmp_path: Path) -> None:
    folder = collect(own_run(tmp_path / "run", OWN | {"prompts_per_step": 1}), tmp_path / "results")
    config = read(folder, "config.json")
    assert (config["engine"], config["row"], config["name"]) == ("trl", None, "tiny on digits, qae K=0.4")
    (line,) = read(folder, "metrics.jsonl")
    assert line["recomputed/rollouts/success_rate"] == line["success_rate"] == 0.5
    (finding,) = read(folder, "findings.json")["findings"]  # qae would have given 2, and the run says 1
    assert finding["metric"] == "advantages of 1 of 2 responses"
    assert finding["said"] == 1.0
    assert finding["recomputed"] == pytest.approx(2.0, rel=1e-5)


def own_evaluation(folder: Path, estimate: float, *scores: list[float | None]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    summary = {"task": "digits", "pass_at_k": {"1": {"estimate": estimate}, "2": {"estimate": 1.0}}}
    (folder / "summary.json").write_text(json.dumps(summary))
    questions = [{"question": i, "prompt": f"{i}?", "answer": "4", "scores": one} for i, one in enumerate(scores)]
    return lines(folder / "metrics.jsonl", [*questions, {"question": 9}]).parent


def test_an_evaluation_of_our_own_is_counted_again(tmp_path: Path) -> None:
    scores: list[list[float | None]] = [[1.0, 0.0], [1.0, 1.0], [None, 1.0]]
    found = gathered(own_evaluation(tmp_path / "right", 0.75, *scores))
    (one,) = found.evaluations
    assert (one.step, one.benchmark, one.source, one.questions, one.samples) == (None, "digits", "qae evaluate", 2, 2)
    assert {k: figure["estimate"] for k, figure in one.pass_at_k.items()} == {"1": 0.75, "2": 1.0}
    assert found.findings == []
    reasons = {reason["reason"]: reason["which"] for reason in found.accounts[0].record()["reasons"]}
    assert reasons == {"its question could not be scored": "3", NOT_A_RESPONSE: "4"}
    (finding,) = gathered(own_evaluation(tmp_path / "wrong", 0.5, *scores)).findings
    assert finding.record()["says"] == "step 0: pass@1 on digits: logged 0.5, recomputed from the questions 0.75"
    with pytest.raises(NothingFoundError, match=r"none/metrics.jsonl has no question that could be scored"):
        gathered(own_evaluation(tmp_path / "none", 0.5, [None]))
    folder = collect(tmp_path / "right", tmp_path / "results")
    assert read(folder, "config.json")["no_row_because"] == ["its name is not that of a row", "its log is not verl's"]
    (tmp_path / "right" / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"right/metrics.jsonl: its summary.json cannot be read"):
        gathered(tmp_path / "right")


def test_a_damaged_collection_is_not_read_as_if_it_were_whole(job: Path, tmp_path: Path) -> None:
    folder = collect(job, tmp_path / "results")
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"not as the run wrote it: metrics.jsonl; remove the run and collect again"):
        module.write_tables(tmp_path / "results")
