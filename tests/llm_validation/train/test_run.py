"""A training run from its settings to its folder: what it holds, when it stops, how it goes on."""

from __future__ import annotations

import fcntl
import gc
import os
import random
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.train import run as training
from llm_validation.train.checkpoints import CheckpointError, Resume, seal, sealed
from llm_validation.train.folder import identity, run_folder
from llm_validation.train.guard import Guard
from llm_validation.train.logs import Logs
from llm_validation.train.run import Interrupted, Progress, SettingsError, TrainingError, train
from llm_validation.train.settings import TrainConfig
from llm_validation.verifiers import VerifierError
from qae_theory.runs.locks import BusyError
from tests.llm_validation.train.runs import config, everything, flip_a_byte, lines, results, unfinished

pytestmark = pytest.mark.train


class BrokeError(Exception):
    """What a test lets a run end with."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the warmed-up model and the run that nothing happens to."""
    import torch
    import trl  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()  # each start of a trainer looks for garbage: longer than a step, with all that is loaded here
    out = tmp_path_factory.mktemp("results")
    train(config(), out=out)
    return out


@pytest.fixture
def whole(base: Path) -> Path:
    """The folder of the run that nothing happens to."""
    return run_folder(config(), out=base).finished


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    """A results folder of the test's own, with the warmed-up model."""
    shutil.copytree(base / "warm-up", tmp_path / "warm-up")
    return tmp_path


def ended_at(
    step: int,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: TrainConfig | None = None,
    resume: Resume = "newest",
) -> Path:
    """The folder of a run that broke off after the lines of a step were written, before its checkpoint."""
    write = Logs.step

    def breaks(self: Logs, number: int, *args: Any) -> None:
        write(self, number, *args)
        if number == step:
            raise BrokeError

    with monkeypatch.context() as patched:
        patched.setattr(Logs, "step", breaks)
        with pytest.raises(BrokeError):
            train(settings or config(), out=out, resume=resume)
    return unfinished(out)


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> None:
    """Send this process Ctrl-C when the lines of a step have been written."""
    write = Logs.step

    def interrupts(self: Logs, number: int, *args: Any) -> None:
        write(self, number, *args)
        for _ in range(times if number == step else 0):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Logs, "step", interrupts)


def test_the_folder_holds_what_it_should(whole):
    assert {path.name for path in whole.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "rollouts.jsonl",
        "timing.jsonl",
        "provenance.json",
        "model",
        "checkpoints",
    }
    metrics = lines(whole / "metrics.jsonl")
    assert [line["step"] for line in metrics] == [1, 2, 3, 4]
    assert {"loss", "grad_norm", "reward", "entropy", "success_rate"} <= metrics[0].keys()
    assert not any("time" in key.split("_") for line in metrics for key in line)
    assert all(line["step_time"] > 0 for line in lines(whole / "timing.jsonl"))
    rollouts = lines(whole / "rollouts.jsonl")
    assert [line["step"] for line in rollouts] == [step for step in (1, 2, 3, 4) for _ in range(4 * 8)]
    assert {path.name for path in (whole / "checkpoints").iterdir()} == {f"checkpoint-{step}" for step in (1, 2, 3, 4)}


def test_the_model_is_that_of_the_last_step_and_was_trained(whole, base):
    from safetensors.numpy import load_file

    from llm_validation.models.presets import load_model

    (warm,) = (base / "warm-up").glob("*/model/model.safetensors")
    final, last, first = (
        load_file(path)
        for path in (whole / "model/model.safetensors", whole / "checkpoints/checkpoint-4/model.safetensors", warm)
    )
    assert all((final[name] == last[name]).all() for name in final)
    assert any((final[name] != first[name]).any() for name in final)
    model, tokenizer = load_model(whole / "model")
    assert tokenizer.decode(tokenizer("1+1=").input_ids) == "1+1="
    assert sum(one.numel() for one in model.parameters()) > 0


def test_a_finished_run_is_not_run_again(whole, base):
    before, told = everything(whole), []
    assert train(config(), out=base, told=told.append) == whole
    assert everything(whole) == before
    assert told == []


def test_the_same_settings_elsewhere_give_the_same_bytes_and_another_seed_others(whole, out):
    assert results(train(config(), out=out)) == results(whole)
    assert results(train(config(seed=1), out=out))["rollouts.jsonl"] != results(whole)["rollouts.jsonl"]


def test_one_line_a_step_also_with_several_updates(out):
    settings = config(steps=3, inner_updates=2, inner_epochs=2, save_every=2)
    folder = train(settings, out=out)
    assert [(line["step"], line["updates"]) for line in lines(folder / "metrics.jsonl")] == [(1, 4), (2, 8), (3, 12)]
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"checkpoint-8", "checkpoint-12"}


def test_what_is_told(out):
    told: list[Progress] = []
    train(config(), out=out, told=told.append)
    assert [(one.step, one.steps, one.says) for one in told] == [(step, 4, "") for step in (1, 2, 3, 4)]
    assert all("loss" in one.metrics for one in told)


def test_random_states_are_left_as_they_were(out):
    import torch

    for seed in (random.seed, np.random.seed, torch.manual_seed):  # not as an earlier run has left them
        seed(20260101)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    train(config(steps=1), out=out)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1][1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


def test_it_goes_on_from_the_last_checkpoint_and_says_so(out, whole, monkeypatch):
    partial = ended_at(3, out, monkeypatch)
    assert [line["step"] for line in lines(partial / "metrics.jsonl")] == [1, 2, 3]
    told: list[Progress] = []
    folder = train(config(), out=out, told=told.append)
    assert told[0].says == "goes on from step 2 of 4"
    assert [one.step for one in told[1:]] == [3, 4]
    assert results(folder) == results(whole)
    assert not partial.exists()


def test_from_the_start_when_asked_to(out, whole, monkeypatch):
    ended_at(3, out, monkeypatch)
    told: list[Progress] = []
    assert results(train(config(), out=out, told=told.append, resume="start")) == results(whole)
    assert [one.step for one in told] == [1, 2, 3, 4]


def test_a_run_that_ended_before_it_was_whole_is_only_made_whole(out, whole, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(training, "finish", lambda *args, **kwargs: (_ for _ in ()).throw(BrokeError))
        with pytest.raises(BrokeError):
            train(config(), out=out)
    (unfinished(out) / "model").mkdir()  # half of it was there
    told: list[Progress] = []
    assert results(train(config(), out=out, told=told.append)) == results(whole)
    assert [one.says for one in told] == ["goes on from step 4 of 4"]


def test_a_damaged_checkpoint_stops_it_and_the_one_before_serves_when_asked_for(out, whole, monkeypatch):
    partial = ended_at(4, out, monkeypatch)
    flip_a_byte(partial / "checkpoints/checkpoint-3/model.safetensors")
    before = everything(partial / "checkpoints")
    with pytest.raises(CheckpointError, match=r"checkpoint-3 is damaged: .*newest good one is checkpoint-2"):
        train(config(), out=out)
    assert everything(partial / "checkpoints") == before
    told: list[Progress] = []
    assert results(train(config(), out=out, told=told.append, resume="previous")) == results(whole)
    assert told[0].says == "goes on from step 2 of 4"


def test_the_damaged_checkpoint_is_gone_once_the_user_has_gone_on_without_it(out, whole, monkeypatch):
    partial = ended_at(4, out, monkeypatch)
    flip_a_byte(partial / "checkpoints/checkpoint-3/model.safetensors")
    ended_at(3, out, monkeypatch, resume="previous")  # before it is saved anew
    assert results(train(config(), out=out)) == results(whole)


def test_lost_lines_stop_it(out, monkeypatch):
    partial = ended_at(4, out, monkeypatch)
    (partial / "metrics.jsonl").write_text("")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl does not agree with the checkpoint"):
        train(config(), out=out)


def test_ctrl_c_saves_at_the_end_of_the_step(out, whole, monkeypatch):
    settings = config(save_every=4)
    told: list[Progress] = []
    with monkeypatch.context() as patched:
        interrupt_at(2, patched)
        with pytest.raises(Interrupted, match="stopped after step 3 of 4"):
            train(settings, out=out, told=told.append)
    assert [one.says for one in told if one.says] == [
        "stopping at the end of this step, with a checkpoint; Ctrl-C again stops at once"
    ]
    assert {path.name for path in (unfinished(out) / "checkpoints").iterdir()} == {"checkpoint-3"}
    assert results(train(settings, out=out)) == results(whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_last_step_changes_nothing(out, whole, monkeypatch):
    write = Guard.on_rollouts

    def interrupts(self: Guard, step: int, records: list[dict[str, Any]]) -> None:
        write(self, step, records)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Guard, "on_rollouts", interrupts)
    assert results(train(config(), out=out)) == results(whole)


def test_a_second_ctrl_c_stops_at_once(out, whole, monkeypatch):
    with monkeypatch.context() as patched:
        interrupt_at(3, patched, times=2)
        with pytest.raises(KeyboardInterrupt) as stopped:
            train(config(), out=out)
    assert not isinstance(stopped.value, Interrupted)
    assert results(train(config(), out=out)) == results(whole)


def test_in_another_thread_it_runs_without_signals(out, whole):
    found: list[Path] = []
    thread = threading.Thread(target=lambda: found.append(train(config(), out=out)))
    thread.start()
    thread.join()
    assert results(found[0]) == results(whole)


def test_two_processes_do_not_work_on_one_run(out, monkeypatch):
    partial = ended_at(2, out, monkeypatch)
    before = everything(partial)
    with (partial / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another process is running it"):
            train(config(), out=out)
        assert everything(partial) == before
    train(config(), out=out)


def test_the_verifier_is_tested_before_training_and_before_going_on(out, monkeypatch):
    class Zero:
        name = "integer"

        def __call__(self, completions: Any, answers: Any) -> list[float]:
            return [0.0] * len(completions)

        def __enter__(self) -> Zero:
            return self

        def __exit__(self, *error: Any) -> None:
            pass

    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("training has begun")

    with monkeypatch.context() as patched:
        patched.setattr(training, "get_verifier", lambda name: Zero())
        patched.setattr(training, "make_trainer", never)
        with pytest.raises(VerifierError, match="must score 1"):
            train(config(), out=out)
    partial = ended_at(3, out, monkeypatch)
    before = everything(partial / "checkpoints")
    monkeypatch.setattr(training, "get_verifier", lambda name: Zero())
    with pytest.raises(VerifierError, match="must score 1"):
        train(config(), out=out)
    assert everything(partial / "checkpoints") == before


def test_a_step_that_throws_the_model_away_stops_it(out):
    with pytest.raises(TrainingError, match=r"^step 2: the gradient norm is nan; earlier checkpoints are kept$"):
        train(config(optimiser="sgd", learning_rate=1e30), out=out)
    assert {path.name for path in (unfinished(out) / "checkpoints").iterdir()} == {"checkpoint-1"}


def test_a_loss_that_is_not_finite_stops_it(out, monkeypatch):
    from trl import GRPOTrainer

    loss = GRPOTrainer.compute_loss

    def infinite(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = loss(self, *args, **kwargs)
        return found + float("inf") if self.state.global_step == 1 else found  # its gradient is as it was

    monkeypatch.setattr(GRPOTrainer, "compute_loss", infinite)
    with pytest.raises(TrainingError, match=r"^step 2: the loss is inf; earlier checkpoints are kept$"):
        train(config(), out=out)
    assert {path.name for path in (unfinished(out) / "checkpoints").iterdir()} == {"checkpoint-1"}


@pytest.mark.parametrize("update", [2, 3])
def test_a_gradient_that_is_not_finite_never_reaches_the_model(out, monkeypatch, update):
    settings = config(inner_updates=2)  # update 2 is within step 2, update 3 at its end; from 0
    partial = ended_at(2, out, monkeypatch, settings)
    before = everything(partial / "checkpoints/checkpoint-2")
    poison = {"update": update}

    from transformers import TrainerCallback

    class Poisons(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == poison["update"]:
                next(kwargs["model"].parameters()).grad.view(-1)[0] = float("nan")

    with pytest.raises(TrainingError, match=r"^step 2: the gradient norm is nan; earlier checkpoints are kept$"):
        train(settings, out=out, callbacks=[Poisons()])
    assert {path.name for path in (partial / "checkpoints").iterdir()} == {"checkpoint-2"}
    assert everything(partial / "checkpoints/checkpoint-2") == before


@pytest.mark.parametrize(
    ("save_every", "says", "kept"),
    [(1, "step 2: parameter .* is not finite", {"checkpoint-1"}), (3, "step 3: .*probabilities are not finite", set())],
)
def test_a_parameter_that_is_not_finite_is_neither_saved_nor_sampled_from(out, save_every, says, kept):
    import torch
    from transformers import TrainerCallback

    class Poisons(TrainerCallback):
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 1:
                with torch.no_grad():
                    next(kwargs["model"].parameters()).fill_(float("nan"))

    with pytest.raises(TrainingError, match=f"^{says}; earlier checkpoints are kept$"):
        train(config(save_every=save_every), out=out, callbacks=[Poisons()])
    assert {path.name for path in (unfinished(out) / "checkpoints").iterdir()} == kept


def test_only_so_many_checkpoints_are_kept(out):
    folder = train(config(keep_checkpoints=2), out=out)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"checkpoint-3", "checkpoint-4"}


def test_the_one_before_stays_until_the_new_one_is_sealed(out, monkeypatch):
    kept: list[list[str]] = []

    def noted(folder: Path, **kwargs: Any) -> None:
        kept.append([one.name for one in sealed(folder.parent)])
        seal(folder, **kwargs)

    monkeypatch.setattr("llm_validation.train.checkpoints.seal", noted)
    train(config(keep_checkpoints=1), out=out)
    assert kept == [[], ["checkpoint-1"], ["checkpoint-2"], ["checkpoint-3"]]


def test_an_unfinished_run_of_other_code_is_named(out, whole, monkeypatch):
    partial = ended_at(3, out, monkeypatch)
    other = partial.with_name(".partial-0123456789ab")
    partial.rename(other)
    told: list[Progress] = []
    train(config(), out=out, told=told.append)
    assert told[0].says == f"{other} was begun by other code and is not gone on with"


def test_tensorboard_writes_beside_the_checkpoints(out, whole):
    folder = train(config(report_to=["tensorboard"]), out=out)
    assert results(folder) == results(whole)
    assert list((folder / "tensorboard").glob("events*"))


def test_what_a_local_model_holds_belongs_to_the_run_and_where_metrics_go_does_not(whole, tmp_path):
    shutil.copytree(whole / "model", tmp_path / "model")
    settings = config(model=str(tmp_path / "model"))
    before = identity(settings)
    assert identity(config(model=str(tmp_path / "model"), report_to=["tensorboard"])) == before
    flip_a_byte(tmp_path / "model/model.safetensors")
    assert identity(settings) != before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "no/such/model"}, "model 'no/such/model' cannot be loaded"),
        ({"task": "nonsense"}, "source must be a task"),
        ({"report_to": ["wandb"]}, "report_to must be a package that is installed"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, changes, says, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SettingsError, match=says):
        train(config(**changes), out=tmp_path)
    assert list(tmp_path.iterdir()) == []
