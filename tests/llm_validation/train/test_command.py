"""``qae train``: what it prints, with which status it ends, and what bad input costs: one line, no checkpoint."""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from llm_validation.train import command
from llm_validation.train.logs import Logs
from llm_validation.train.run import Progress
from tests.llm_validation.train.runs import SETTINGS, everything, flip_a_byte, lines, results, unfinished

pytestmark = pytest.mark.train


def qae_train(*arguments: Any) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the warmed-up model, a settings file beside it, and a finished run."""
    import torch
    import trl  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()  # each start of a trainer looks for garbage: longer than a step, with all that is loaded here
    out = tmp_path_factory.mktemp("results")
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in SETTINGS.items() if key != "warmup")
    (out / "run.toml").write_text(f"{table}\n[warmup]\nsuccess = {SETTINGS['warmup']['success']}\n")
    done = qae_train("--config", out / "run.toml", "--out", out)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def whole(base: Path) -> Path:
    (folder,) = (base / "train").iterdir()
    return folder


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    """A results folder of the test's own, with the warmed-up model and the settings file."""
    shutil.copytree(base / "warm-up", tmp_path / "warm-up")
    shutil.copy(base / "run.toml", tmp_path)
    return tmp_path


def begun(out: Path) -> dict[str, bytes]:
    """Begin a run and stop it with Ctrl-C in its third step; its checkpoints."""
    write = Logs.step

    def interrupts(self: Logs, number: int, *args: Any) -> None:
        write(self, number, *args)
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Logs, "step", interrupts)
        stopped = qae_train("--config", out / "run.toml", "--out", out)
    assert stopped.exit_code == 130, stopped.output
    assert "qae train: stopped after step 3 of 4, saved in" in stopped.stderr
    assert "start again to go on" in stopped.stderr
    return everything(unfinished(out) / "checkpoints")


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk that is full: a write beyond it fails (Python ignores the signal that comes with it)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def says_in_one_line(done: Result, status: int) -> str:
    assert done.exit_code == status, (done.output, done.exception)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("qae train: ")
    return done.stderr.strip()


def test_a_run_prints_plain_lines_and_its_folder(out, whole):
    done = qae_train("--config", out / "run.toml", "--out", out)
    assert done.exit_code == 0
    printed = done.stdout.splitlines()
    steps = [line for line in printed if line.startswith("train: step ")]
    assert [line.split(":")[1].strip() for line in steps] == [f"step {step} of 4" for step in (1, 2, 3, 4)]
    assert "success 0." in steps[0]
    phases = [line for line in printed[:-1] if line not in steps]
    assert [re.sub(r"[\d.]+ s$", "S", line) for line in phases] == [
        "train: preparing task and model",
        "train: preparing task and model: S",
        "train: training",
        "train: training: S",
    ]
    assert printed[-1] == f"train: wrote {out}/train/{whole.name}"
    assert done.stderr == ""
    assert results(out / "train" / whole.name) == results(whole)


def test_a_finished_run_is_only_named(base, whole):
    done = qae_train("--config", base / "run.toml", "--out", base)
    assert (done.exit_code, done.stdout) == (0, f"train: already there, {whole}\n")


def test_file_then_set_then_shortcuts(tmp_path):
    (tmp_path / "run.toml").write_text('[common]\nseed = 1\nsteps = 1\n[quick]\ngroup_size = 4\ntask = "addition"\n')
    config = command._configured(
        tmp_path / "run.toml", ["steps=2", "seed=2", "prompts_per_step=16"], {"seed": 3}, quick=True
    )
    assert (config.seed, config.steps, config.group_size, config.task) == (3, 2, 4, "addition")
    assert (config.prompts_per_step, config.train_examples) == (16, command.QUICK["train_examples"])
    assert command._configured(None, [], {"options": {"k": "2/5"}}, quick=False).options == {"k": "2/5"}


def test_an_interrupted_run_goes_on(out, whole):
    begun(out)
    done = qae_train("--config", out / "run.toml", "--out", out)
    assert done.exit_code == 0
    assert "train: goes on from step 3 of 4" in done.stdout.splitlines()
    assert results(out / "train" / whole.name) == results(whole)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "no/such/model"], "model must be a preset"),
        (["--task", "nonsense"], "source must be a task"),
        (["--task", "no/such/file.jsonl"], "no/such/file.jsonl"),
        (["--task", "{out}/empty.jsonl"], "empty.jsonl"),
        (["--task", "{out}/without.jsonl"], "answer"),
        (["--task", "{out}/broken.jsonl"], "broken.jsonl"),
        (["--set", "group_size=1"], "group_size"),
        (["--set", "train_examples=0"], "train_examples"),
        (["--steps", "0"], "steps"),
        (["--set", "nonsense=1"], "nonsense"),
        (["--set", "nonsense"], "--set must be KEY=VALUE"),
        (["--estimator", "best"], "best"),
        (["--k", "1.5"], "k must be a rational number strictly between 0 and 1"),
        (["--estimator", "grpo", "--k", "0.4"], "k"),
        (["--config", "{out}/none.toml"], "cannot be read: No such file or directory"),
        (["--resume-from", "somewhere"], "--resume-from must be newest, previous or start"),
        (["--out", "{out}/run.toml"], "--out must be a folder"),
        (["--set", "learning_rate=nan"], "learning_rate must be a number"),
        (["--set", 'report_to=["wandb"]'], "report_to must be a package that is installed"),
    ],
)
def test_wrong_usage_is_one_line_and_touches_nothing(out, monkeypatch, arguments, says):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("llm_validation.train.run.find_spec", lambda name: None)
    (out / "empty.jsonl").write_text("")
    (out / "without.jsonl").write_text('{"prompt": "1+1="}\n')
    (out / "broken.jsonl").write_text('{"prompt": "1+1=", "answer"')
    before = everything(out)
    given = [argument.format(out=out) for argument in arguments]
    done = qae_train("--config", out / "run.toml", "--out", out, *given)
    assert says in says_in_one_line(done, 2)
    assert everything(out) == before


def test_a_loss_that_is_not_finite(out):
    done = qae_train("--config", out / "run.toml", "--out", out, "--set", "learning_rate=1e30")
    assert "step 2: " in (line := says_in_one_line(done, 1))
    assert "earlier checkpoints are kept" in line
    assert (unfinished(out) / "checkpoints/checkpoint-1/manifest.json").exists()


@pytest.mark.parametrize("room", ["none for the optimiser", "none for the rollouts"])
def test_a_full_disk(out, whole, room):
    before = begun(out)
    if room == "none for the optimiser":
        limit = (unfinished(out) / "checkpoints/checkpoint-3/optimizer.pt").stat().st_size - 1
    else:
        limit = (unfinished(out) / "rollouts.jsonl").stat().st_size + 1
    with no_file_longer_than(limit):
        done = qae_train("--config", out / "run.toml", "--out", out)
    says = "cannot be saved" if room == "none for the optimiser" else "cannot be written"
    assert says in says_in_one_line(done, 1)
    assert everything(unfinished(out) / "checkpoints") == before
    assert qae_train("--config", out / "run.toml", "--out", out).exit_code == 0
    assert results(out / "train" / whole.name) == results(whole)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt", "trainer_state.json", "rng_state.pth"])
def test_a_corrupt_checkpoint(out, whole, file):
    begun(out)
    damaged = unfinished(out) / "checkpoints/checkpoint-3" / file
    if file == "model.safetensors":
        damaged.write_bytes(damaged.read_bytes()[:-100])
    else:
        flip_a_byte(damaged)
    before = everything(unfinished(out) / "checkpoints")
    done = qae_train("--config", out / "run.toml", "--out", out)
    line = says_in_one_line(done, 1)
    assert f"{damaged.parent} is damaged: {file} has" in line
    assert "the newest good one is checkpoint-2: --resume-from previous goes on from there" in line
    assert everything(unfinished(out) / "checkpoints") == before
    done = qae_train("--config", out / "run.toml", "--out", out, "--resume-from", "previous")
    assert done.exit_code == 0
    assert results(out / "train" / whole.name) == results(whole)


def test_a_bar_on_a_terminal_and_plain_lines_elsewhere():
    from rich.console import Console

    def run(told: Any) -> Path:
        for step in range(1, 41):
            told(Progress(step, 40, {"success_rate": step / 40}))
        told(Progress(40, 40, {}, "a message [with brackets]"))
        return Path("there")

    for terminal in (False, True):
        with open(os.devnull, "w") as nowhere:
            console = Console(file=nowhere, force_terminal=terminal, width=100, record=True)
            assert command._with_progress(console, 40, run) == Path("there")
        text = console.export_text()
        assert "a message [with brackets]" in text
        assert text.count("train: step ") == (0 if terminal else 10)
        assert ("40/40" in text) == terminal


def test_help_loads_no_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nimport typer\n"
        "from llm_validation.train.command import register\n"
        "app = typer.Typer(); app.callback()(lambda: None); register(app)\n"
        "done = CliRunner().invoke(app, ['train', '--help']); assert done.exit_code == 0, done.output\n"
        "assert 'Examples' in done.output\n"
        "print(sorted({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_metrics_and_rollouts_agree_on_the_success_rate(whole):
    rollouts = lines(whole / "rollouts.jsonl")
    for line in lines(whole / "metrics.jsonl"):
        scores = [one["correct"] for one in rollouts if one["step"] == line["step"]]
        assert sum(scores) / len(scores) == line["success_rate"]
