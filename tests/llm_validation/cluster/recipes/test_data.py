"""Data files of verl: their rows, read back by this test and by verl's own dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from llm_validation.cluster.commands.data import register
from llm_validation.cluster.recipes.data import AFTER, BEFORE, Written, data_source_of, write_data
from llm_validation.tasks import load_examples, task_names
from llm_validation.verl_engine.scoring import compute_score, is_ours, score, source_of, verl_source


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def questions(path: Path, *pairs: tuple[str, str]) -> str:
    path.write_text("".join(json.dumps({"prompt": prompt, "answer": answer}) + "\n" for prompt, answer in pairs))
    return str(path)


def test_rows_of_a_task(tmp_path: Path) -> None:
    path = tmp_path / "new" / "digits.jsonl"
    written = write_data("digits", path, split="eval", count=200, seed=3)
    found = rows(path)
    drawn = load_examples("digits", split="eval", count=200, seed=3)
    assert written == Written(len(found), 200 - len(found), 0)
    assert written.repeats > 0  # a small family repeats prompts, so this test sees them left out
    assert [row["prompt"][0]["content"] for row in found] == list(dict.fromkeys(example.prompt for example in drawn))
    answers = {example.prompt: example.answer for example in drawn}
    for index, row in enumerate(found):
        prompt = row["prompt"][0]["content"]
        assert row == {
            "data_source": "qae/digits",
            "prompt": [{"role": "user", "content": prompt}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": answers[prompt]},
            "extra_info": {"index": index, "split": "eval"},
        }


def test_two_splits_share_no_question(tmp_path: Path) -> None:
    for split in ("train", "eval"):
        write_data("logic", tmp_path / f"{split}.jsonl", split=split, count=200)
    train, held_out = (
        {row["prompt"][0]["content"] for row in rows(tmp_path / f"{s}.jsonl")} for s in ("train", "eval")
    )
    assert train
    assert held_out
    assert not train & held_out


def test_a_file_of_questions_gets_the_instruction_once(tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", ("What is 1+1?", "2"), (f"{BEFORE}What is 2+2?{AFTER}", "4"))
    write_data(source, tmp_path / "out.jsonl", data_source="math_dapo")
    prompts = [row["prompt"][0]["content"] for row in rows(tmp_path / "out.jsonl")]
    assert prompts == [f"{BEFORE}What is {sum_}?{AFTER}" for sum_ in ("1+1", "2+2")]
    write_data(source, tmp_path / "plain.jsonl", data_source="math_dapo", instruct=False)
    assert rows(tmp_path / "plain.jsonl")[0]["prompt"][0]["content"] == "What is 1+1?"


def test_repetitions_and_contradictions(tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", ("a", "1"), ("b", "2"), ("a", "3"), ("a", "1"))
    written = write_data(source, tmp_path / "out.jsonl", data_source="math_dapo")
    # The reader of files has dropped the fourth, which is the first again; the third is left out here.
    assert written == Written(rows=2, repeats=1, contradictions=1)
    assert [row["reward_model"]["ground_truth"] for row in rows(tmp_path / "out.jsonl")] == ["1", "2"]


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("digits", "x.csv", r"--out must be a file that ends in .parquet or .jsonl; got .*x.csv"),
        ("nothing", "x.jsonl", "--data-source must be given for 'nothing'"),
        ("gym:chain_sum", "x.jsonl", "--data-source must be given"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, source: str, out: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        write_data(source, tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jsonl"
    write_data("digits", path, count=5)
    before = path.read_bytes()

    def broken(self: Path, *args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_data("digits", path, count=6)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_sources() -> None:
    assert [data_source_of(task) for task in task_names()] == [f"qae/{task}" for task in task_names()]
    assert [verl_source(data_source_of(name)) for name in ("DAPO-Math-17k", "AIME24", "AIME25", "AMC23")] == [
        "math_dapo",
        "aime2024",
        "aime2025",
        "math_dapo",
    ]


# Scores


@pytest.mark.parametrize(
    ("source", "response", "answer", "expected"),
    [
        ("qae/digits", "7", "7", 1.0),
        ("qae/digits", "07 \n", "7", 1.0),
        ("qae/digits", "8", "7", -1.0),
        ("qae/digits", "7+", "7", -1.0),
        ("qae/digits", "", "7", -1.0),
        ("qae/addition", "-12", "-12", 1.0),
        ("qae/logic", "T", "T", 1.0),
        ("qae/logic", "t", "T", -1.0),
    ],
)
def test_scores(source: str, response: str, answer: str, expected: float) -> None:
    assert score(source, response, answer) == expected
    record = compute_score(source, response, answer, extra_info={"index": 0}, anything=1)
    assert record == {"score": expected, "acc": expected == 1.0, "pred": response.strip()}


def test_a_long_response_is_shown_in_part() -> None:
    assert len(compute_score("qae/digits", "1" * 10_000, "1")["pred"]) == 100


@pytest.mark.parametrize("source", ["digits", "qae/unknown", "math_dapo"])
def test_an_unknown_source_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="data_source must be one of qae/addition, "):
        score(source, "1", "1")


def test_an_unreadable_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="ground_truth must be an answer of qae/digits; got 'seven'"):
        score("qae/digits", "7", "seven")


def test_every_task_has_a_source_and_scores_its_own_answers() -> None:
    for task in task_names():
        assert is_ours(source_of(task))
        for example in load_examples(task, count=20):
            assert score(source_of(task), example.answer, example.answer) == 1.0
            assert score(source_of(task), f"{example.answer}?", example.answer) == -1.0


# The commands


def app() -> typer.Typer:
    group = typer.Typer()
    register(group)
    return group


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    command = ["data", "digits", "--out", str(path), "--count", "50"]
    first = CliRunner().invoke(app(), command)
    assert first.exit_code == 0, first.output
    count = len(rows(path))
    assert f"data: wrote {count} questions to {path}" in first.output
    again = CliRunner().invoke(app(), command)
    assert again.exit_code == 2
    assert "--out must be new, or --force given" in again.stderr
    assert CliRunner().invoke(app(), [*command, "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data", "digits", "--out", "x.txt"], "--out must be a file that ends in"),
        (["data", "nowhere.jsonl", "--out", "x.jsonl", "--data-source", "math_dapo"], "nowhere.jsonl: no such file"),
        (["data", "digits", "--out", "x.jsonl", "--split", "dev"], "split must be"),
        (["smoke-model", "--out", ".", "--success", "0.5"], "--out must be a new folder"),
        (["smoke-model", "--out", "x", "--success", "1"], "--success must be between 0 and 1"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app(), arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


# With verl's own reader


@pytest.mark.verl
def test_verl_reads_the_file(tmp_path: Path) -> None:
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import create_rl_dataset

    from llm_validation.cluster.recipes.smoke_model import TEMPLATE
    from llm_validation.models.tokenizer import build_tokenizer

    path = tmp_path / "digits.parquet"
    written = write_data("digits", path, count=30)
    assert [name.name for name in tmp_path.iterdir()] == ["digits.parquet"]
    tokenizer = build_tokenizer()
    tokenizer.chat_template = TEMPLATE
    settings = OmegaConf.create(
        {"max_prompt_length": 32, "cache_dir": str(tmp_path / "cache"), "filter_overlong_prompts": True}
    )
    dataset = create_rl_dataset(str(path), settings, tokenizer, None, is_train=True)
    assert len(dataset) == written.rows
    examples = {example.prompt: example.answer for example in load_examples("digits", count=30)}
    for item in (dataset[i] for i in range(len(dataset))):
        (message,) = item["raw_prompt"]
        assert item["reward_model"]["ground_truth"] == examples[message["content"]]
        assert item["data_source"] == "qae/digits"
        assert tokenizer.apply_chat_template([message], tokenize=False) == message["content"]


def test_extraction_and_stop_strings_of_the_reward_are_those_of_training() -> None:
    response = "7\n2+2=4\n"
    assert compute_score("qae/digits", response, "7")["acc"] is False
    told = compute_score("qae/digits", response, "7", extraction="first-line", stop=["\n"])
    assert (told["score"], told["acc"]) == (1.0, True)
    with pytest.raises(ValueError, match="extraction must be one of auto, box"):
        compute_score("qae/digits", response, "7", extraction="firstline")
    with pytest.raises(ValueError, match="stop must be a list of strings"):
        compute_score("qae/digits", response, "7", stop="\n")
