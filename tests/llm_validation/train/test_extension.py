"""A finished run that goes on to more steps is the run that was planned so long, or it is said why it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llm_validation.train.folder import run_folder
from llm_validation.train.run import Progress, train
from tests.llm_validation.train.runs import OF_THE_RESULT, config, everything, flip_a_byte, results

pytestmark = [pytest.mark.train, pytest.mark.slow]

SHORT, LONG = 40, 80
# Neither length is a multiple: the short run's last checkpoint is one that the long run does not take.
EVERY = 25


def planned(steps: int, **changes: Any) -> Any:
    return config(steps=steps, save_every=EVERY, inner_updates=2, warmup_updates=5, **changes)


def run(out: Path, steps: int, **changes: Any) -> tuple[Path, list[str]]:
    said: list[str] = []

    def told(progress: Progress) -> None:
        if progress.says:
            said.append(progress.says)

    return train(planned(steps, **changes), out=out, told=told), said


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the warmed-up model, the short run, and in ``planned`` the long one."""
    import torch

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("results")
    run(out, SHORT)
    shutil.copytree(out / "warm-up", out / "planned" / "warm-up")
    run(out / "planned", LONG)
    return out


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    for name in ("warm-up", "train"):
        shutil.copytree(base / name, tmp_path / name)
    return tmp_path


def test_forty_steps_extended_to_eighty_are_eighty_byte_for_byte(base: Path, out: Path) -> None:
    before = everything(run_folder(planned(SHORT), out=out).finished)
    folder, said = run(out, LONG)
    assert said[0].startswith("extends the finished run of 40 steps, ")
    assert said[1] == "goes on from step 40 of 80"
    wanted = run_folder(planned(LONG), out=base / "planned").finished
    assert folder.name == wanted.name
    assert results(folder) == results(wanted)
    checkpoints = [sorted(path.name for path in (one / "checkpoints").iterdir()) for one in (folder, wanted)]
    assert checkpoints[0] == checkpoints[1]
    assert everything(run_folder(planned(SHORT), out=out).finished) == before  # the short run stays as it is


def test_control_a_longer_run_is_another(base: Path) -> None:
    short = run_folder(planned(SHORT), out=base).finished
    long = run_folder(planned(LONG), out=base / "planned").finished
    for name in OF_THE_RESULT:
        assert (short / name).read_bytes() != (long / name).read_bytes()
    lines = (short / "metrics.jsonl").read_bytes()
    assert (long / "metrics.jsonl").read_bytes().startswith(lines)  # the same run up to there


def test_a_copy_that_was_cut_off_is_made_again(base: Path, out: Path) -> None:
    folder = run_folder(planned(LONG), out=out)
    half = folder.checkpoints / "checkpoint-50"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half of it")
    found, said = run(out, LONG)
    assert said[0].startswith("extends")
    assert results(found) == results(run_folder(planned(LONG), out=base / "planned").finished)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("code", "other code made it"),
        ("damage", "its last checkpoint is damaged: "),
        ("gone", "its checkpoints are gone"),
    ],
)
def test_what_cannot_be_extended_is_said_and_trained_from_the_start(spoil: str, says: str, out: Path) -> None:
    short = run_folder(planned(SHORT), out=out).finished
    if spoil == "code":
        facts = json.loads((short / "provenance.json").read_text())
        (short / "provenance.json").write_text(json.dumps(facts | {"code_version": "other"}))
    elif spoil == "damage":
        flip_a_byte(max((short / "checkpoints").glob("checkpoint-80/model.safetensors")))
    else:
        shutil.rmtree(short / "checkpoints")
    _, said = run(out, SHORT + 1)
    assert said[0].startswith(f"the finished run of {SHORT} steps is not extended: {says}")
    assert said[0].endswith("trains from the start")


def test_a_learning_rate_that_ends_with_the_run_is_not_extended(out: Path) -> None:
    run(out, 2, lr_schedule="linear")
    _, said = run(out, 3, lr_schedule="linear")
    assert said == [
        "the finished run of 2 steps is not extended: its learning rate was planned to end there "
        "(lr_schedule linear); trains from the start"
    ]


def test_runs_with_other_settings_are_not_taken(out: Path) -> None:
    _, said = run(out, SHORT + 1, seed=1)
    assert said == []
