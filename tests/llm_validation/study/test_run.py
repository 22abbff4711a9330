"""A study of two runs and two steps, from end to end: its tables, its resuming, its failures, its command."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from llm_validation.common.reuse import Reuse
from llm_validation.common.tables import PROBES_FILE, RUNS_FILE, read_table, write_table
from llm_validation.models.presets import build_model, preset_tokenizer
from llm_validation.models.pretrained import Packaged
from llm_validation.probe import command as probe_command
from llm_validation.probe.run import checkpoint_moments, probe_checkpoint, read_signs
from llm_validation.study import command as validate_command
from llm_validation.study import run as studies
from llm_validation.study.run import (
    Cell,
    Done,
    How,
    Probed,
    StudyError,
    cells,
    finished_study,
    probes_table,
    study,
    work,
)
from llm_validation.study.settings import StudyConfig, changed_config, identity, shipped_config
from llm_validation.train import command as train_command

pytestmark = pytest.mark.xdist_group("study")  # one worker: the study of the fixture is run once

SMALL: dict[str, Any] = {
    "tasks": [
        {"task": "digits", "model": "arithmetic", "warmup": {"success": 0.2}},  # so that some groups are mixed
        {"task": "addition", "model": "arithmetic"},
    ],
    "runs": [{"name": "grpo", "estimator": "grpo"}, {"name": "qae", "estimator": "qae", "options": {"k": "0.6"}}],
    "seeds": 1,
    "warm_probes": 1,
    "probed": ["grpo"],
    "arms": ["mean", "constant-0", "constant-1", "quantile-0.4", "grpo", "qae-0.4"],
    "settings": [{"optimiser": "adam", "learning_rate": 1e-3}],
    "train": {"group_size": 4, "prompts_per_step": 6, "steps": 2, "save_every": 1, "train_examples": 16},
    "probe": {"prompts": 2, "group_size": 4},
}


def small(**changes: Any) -> StudyConfig:
    return StudyConfig.model_validate(SMALL | changes)


def test_the_shipped_sizes_are_good_and_told_apart() -> None:
    configs = {name: shipped_config(name) for name in ("full", "quick", "gpu")}  # type: ignore[arg-type]
    assert {name: len(config.tasks) for name, config in configs.items()} == {"full": 2, "quick": 2, "gpu": 2}
    runs = {name: {run.name for run in config.runs} for name, config in configs.items()}
    assert {"grpo", "qae-0.2", "qae-0.4", "qae-0.6", "qae-0.8"} <= runs["full"]
    assert runs["quick"] < runs["full"]
    json.dumps(identity(configs["full"], "full"), allow_nan=False)
    assert identity(configs["full"], "full") != identity(configs["full"], "quick")


def test_settings_of_a_run_and_of_a_probe() -> None:
    config = small(seed=5)
    task = config.tasks[0].model_copy(update={"train": {"group_size": 6, "steps": 3}})
    run = config.runs[1].model_copy(update={"changes": {"steps": 4, "clip_high": 0.2}})
    training = config.train_config(task, run, 2)
    assert (training.seed, training.options, training.warmup) == (7, {"k": "0.6"}, task.warmup)
    assert (training.group_size, training.steps, training.clip_high) == (6, 4, 0.2)
    whole, bare = config.probe_config(task, 2), config.probe_config(task, 2, whole=False)
    assert (whole.seed, whole.prompts, whole.arms) == (7, 2, config.arms)
    assert (bare.seed, bare.arms, bare.settings) == (7, (), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probed": ["dapo"]}, "probed must name runs, grpo, qae"),
        ({"runs": [SMALL["runs"][0], SMALL["runs"][0]]}, "runs must have different names"),
        ({"arms": ["median"]}, "arm must be one of"),
        ({"train": {"group_size": 1}}, "group_size"),
        ({"settings": [{"optimiser": "adam", "updates": 0}]}, "updates"),
        ({"seeds": 0}, "seeds"),
        ({"steps": 4}, "steps"),
    ],
)
def test_a_bad_setting_is_named_before_anything_runs(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        changed_config("quick", [SMALL, change])
    assert len(str(caught.value).splitlines()) == 1


def test_a_size_that_there_is_not() -> None:
    with pytest.raises(
        ValueError, match="preset must be one of full, quick, long, pretrained, league, gpu; got 'huge'"
    ):
        shipped_config("huge")  # type: ignore[arg-type]


def test_cells_are_every_run_on_every_task_and_the_warm_probes() -> None:
    listed = cells(small(seeds=3, warm_probes=2))
    assert len({cell.name for cell in listed}) == len(listed) == 2 * (2 * 3 + 2)
    assert [cell.run is not None for cell in listed] == [True] * 12 + [False] * 4
    assert [cell.seed for cell in listed[:12]] == [0] * 4 + [1] * 4 + [2] * 4  # a seed is whole before the next


def test_parts_come_one_after_another_with_their_own_tasks_and_seeds() -> None:
    rules = [{"name": "grpo", "estimator": "grpo"}]
    grid = {"part": "map", "rules": rules, "axes": {"clip_high": [0.2, 5.0], "inner_updates": [1, 2]}, "seeds": 1}
    few = {"name": "dr_grpo", "estimator": "dr_grpo", "tasks": ["digits"], "seeds": 3, "part": "more"}
    config = small(runs=[few, *SMALL["runs"]], grids=[grid | {"tasks": ["addition"]}], seeds=2)
    listed = [cell for cell in cells(config) if cell.run is not None]
    parts = [cell.run.part for cell in listed if cell.run]
    assert parts == ["more"] * 3 + ["rules"] * 8 + ["map"] * 4
    assert {cell.task.task for cell in listed if cell.run and cell.run.part == "more"} == {"digits"}
    places = [config.train_config(cell.task, cell.run, 0) for cell in listed[-4:] if cell.run]
    assert [(one.clip_high, one.inner_updates) for one in places] == [(0.2, 1), (0.2, 2), (5.0, 1), (5.0, 2)]
    assert {one.task for one in places} == {"addition"}


def test_a_seed_has_a_start_of_its_own_where_that_is_asked_for() -> None:
    task = small().tasks[0].model_copy(update={"own_start": True})
    starts = [task.start(seed) for seed in range(3)]
    assert [start.seed for start in starts if start] == [0, 1, 2]
    assert small().tasks[0].start(2) == small().tasks[0].warmup
    training = small(tasks=[task.model_dump(), SMALL["tasks"][1]]).train_config(task, small().runs[0], 2)
    assert training.warmup == starts[2]


def test_names_may_come_again_on_other_tasks_only() -> None:
    one, other = ({"name": "grpo", "estimator": "grpo", "tasks": [task]} for task in ("digits", "addition"))
    assert len(cells(small(runs=[one, other], warm_probes=1))) == 4
    with pytest.raises(ValueError, match="runs must have different names"):
        small(runs=[one, one], probed=[])
    with pytest.raises(ValueError, match="tasks of run 'grpo' must be among digits, addition; got 'products'"):
        small(runs=[one | {"tasks": ["products"]}])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    out, says = tmp_path_factory.mktemp("study"), []
    folder = study(small(), "quick", out=out, workers=2, told=lambda line, done, total: says.append(line))
    return out, folder, says


@pytest.mark.train
def test_the_tables_hold_every_part(finished: tuple[Path, Path, list[str]]) -> None:
    out, folder, says = finished
    probes, runs = read_table(folder / PROBES_FILE), read_table(folder / RUNS_FILE)
    # 2 tasks x (warm + grpo's last checkpoint) x 6 arms x 2 prompts; 2 tasks x 2 runs x 2 steps
    assert len(probes["arm"]) == 2 * 2 * 6 * 2
    assert set(probes["probe"]) == {
        f"{task}/{place}" for task in ("digits", "addition") for place in ("warm/0/0", "grpo/0/2")
    }
    assert set(probes["task"][probes["enumerable"]]) == {"digits"}
    assert set(probes["task"][~probes["enumerable"]]) == {"addition"}
    assert len(runs["step"]) == 2 * 2 * 2
    assert np.isfinite(runs["growth_negative"]).all()
    assert set(runs["k"][runs["estimator"] == "qae"]) == {0.6}
    one = out / "train"
    lines = [json.loads(line) for path in one.glob("*/metrics.jsonl") for line in path.read_text().splitlines()]
    assert sorted(runs["entropy"]) == pytest.approx(sorted(line["entropy"] for line in lines))
    assert len(says) == 2 + len(cells(small()))
    # Shares of zeros among mixed groups, from the rollouts themselves.
    shares = []
    for path in one.glob("*/rollouts.jsonl"):
        rollouts = [json.loads(line) for line in path.read_text().splitlines()]
        for step in (1, 2):
            groups: dict[int, list[Any]] = {}
            for row in rollouts:
                if row["step"] == step:
                    groups.setdefault(row["group"], []).append(row)
            mixed = [row for group in groups.values() if len({row["reward"] for row in group}) > 1 for row in group]
            shares.append(np.mean([row["advantage"] == 0 for row in mixed]) if mixed else np.nan)
    np.testing.assert_allclose(np.sort(runs["mixed_zero_share"]), np.sort(shares), atol=1e-12)
    assert (np.array(shares) > 0).any()
    assert (runs["zero_share"] > runs["mixed_zero_share"]).any()  # some groups are not mixed, beside some that are
    # Every checkpoint has questions of its own, the same for every rule; its rule splits the samples.
    configs = [json.loads(path.read_text()) for path in (out / "probe").glob("*/config.json")]
    asked = {(config["probe"]["task"], config["probe"]["seed"], config["sign_arm"]) for config in configs}
    arms = ("grpo", "qae-0.6")
    expected = {(task, 1000 + step, arm) for task in ("digits", "addition") for step in (1, 2) for arm in arms}
    assert asked == expected | {("digits", 0, "grpo"), ("addition", 0, "grpo")}
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "provenance.json", "ladder.json", "report.md"} <= names


@pytest.mark.train
def test_a_finished_study_is_found_and_its_parts_are_not_done_again(
    finished: tuple[Path, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder, _ = finished
    assert finished_study(small(), "quick", out=out) == folder
    assert finished_study(small(seed=1), "quick", out=out) is None

    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("done again")

    monkeypatch.setattr("llm_validation.train.run.run", never)
    monkeypatch.setattr("llm_validation.probe.run.probe", never)
    for cell in cells(small()):
        assert work(cell, small(), out).cell == cell


PARTIAL = How(reuse=Reuse(only=True))


@pytest.mark.train
def test_a_partial_study_is_written_from_whole_cells_and_makes_nothing(
    finished: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    """A cell without its training run, one without a probe, a task without its start, and two whole cells."""
    out = tmp_path / "out"
    shutil.copytree(finished[0], out, ignore=shutil.ignore_patterns("validate"))
    parts = json.loads((finished[1] / "parts.json").read_text())
    shutil.rmtree(out / "train" / parts["digits, qae, seed 0"]["train"])
    shutil.rmtree(out / "probe" / parts["addition, grpo, seed 0"]["probe"][0])
    shutil.rmtree(out / "warm-up")
    before = sorted(path for path in out.rglob("*"))
    folder = study(small(), "quick", out=out, workers=1, how=PARTIAL)
    assert folder is not None
    left = sorted(path for path in out.rglob("*") if folder.parent not in (path, *path.parents))
    assert left == before
    missing = json.loads((folder / "missing.json").read_text())
    # Without its start it is not known what a run on digits has come from.
    assert missing == ["digits, grpo, seed 0", "addition, grpo, seed 0", "digits, qae, seed 0", "digits, warm, seed 0"]
    whole = [cell.name for cell in cells(small()) if cell.name not in missing]
    assert json.loads((folder / "parts.json").read_text()) == {name: parts[name] for name in whole}
    assert finished_study(small(), "quick", out=out) is None  # so that the rest is run when the whole is asked for


@pytest.mark.train
def test_a_partial_study_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no part of this study is finished in"):
        study(small(), "quick", out=tmp_path, workers=1, how=PARTIAL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.train
def test_a_cell_that_fails_is_named_and_takes_no_other_with_it(tmp_path: Path) -> None:
    missing = {"task": "digits", "model": str(tmp_path / "nothing")}
    config = small(tasks=[missing, SMALL["tasks"][1]], runs=SMALL["runs"][:1])
    with pytest.raises(StudyError, match=r"digits, grpo, seed 0: SettingsError: model .*nothing.* cannot be loaded"):
        study(config, "quick", out=tmp_path, workers=1)
    assert not (tmp_path / "validate").exists()
    assert len(list((tmp_path / "train").iterdir())) == 1


@pytest.mark.train
def test_rules_are_probed_on_the_same_rollouts_at_the_start_only(finished: tuple[Path, Path, list[str]]) -> None:
    probes = read_table(finished[1] / PROBES_FILE)
    for probe in set(probes["probe"]):
        rows = probes["probe"] == probe
        for arm in set(probes["arm"]):
            one = rows & (probes["arm"] == arm)
            other = rows & (probes["arm"] == "mean")
            assert (probes["num_correct"][one] == probes["num_correct"][other]).all()
            np.testing.assert_array_equal(probes["entropy"][one], probes["entropy"][other])


@pytest.mark.train
def test_moments_of_a_checkpoint_are_those_of_its_parameters(finished: tuple[Path, Path, list[str]]) -> None:
    from llm_validation.models.presets import load_model

    checkpoint = sorted((finished[0] / "train").glob("*/checkpoints/checkpoint-2"))[0]
    model, _ = load_model(checkpoint)
    moments = checkpoint_moments(checkpoint, model)
    assert moments is not None
    assert moments.keys() == dict(model.named_parameters()).keys()
    for name, value in model.named_parameters():
        assert moments[name]["exp_avg"].shape == value.shape
        assert int(moments[name]["step"]) == 2
    assert checkpoint_moments(checkpoint.parent, model) is None


@pytest.mark.train
def test_damaged_moments_are_refused(finished: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    from llm_validation.models.presets import build_model

    checkpoint = sorted((finished[0] / "train").glob("*/checkpoints/checkpoint-2"))[0]
    content = (checkpoint / "optimizer.pt").read_bytes()
    (tmp_path / "optimizer.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"optimizer\.pt cannot be read: .*; probe another checkpoint"):
        checkpoint_moments(tmp_path, build_model("arithmetic", seed=0))
    (tmp_path / "optimizer.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"optimizer\.pt must be moments of "):
        checkpoint_moments(tmp_path, build_model("tiny", seed=0))


def command(module: Any, *arguments: str) -> Any:
    app = typer.Typer()
    module.register(app)
    return CliRunner().invoke(app, arguments)


@pytest.mark.train
def test_the_probe_command(finished: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    checkpoint = sorted((finished[0] / "train").glob("*/checkpoints/checkpoint-2"))[0]
    arguments = [str(checkpoint), "--arms", "mean,qae-0.4", "--set", "prompts=2", "--out", str(tmp_path)]
    result = command(probe_command, *arguments)
    assert result.exit_code == 0, result.output
    assert result.output.count("change ") == 2
    folder = next((tmp_path / "probe").iterdir())
    assert read_signs(folder)["arm"] == "grpo"
    before = folder.stat().st_mtime_ns
    assert command(probe_command, *arguments).exit_code == 0
    assert folder.stat().st_mtime_ns == before


@pytest.mark.train
def test_a_probe_in_which_no_rule_takes_a_step_says_so(tmp_path: Path) -> None:
    """A fresh model's answers are all wrong, so that steps of a size have none to be measured by."""
    chosen = ["--set", "settings=[{size=0.1}]", "--set", "prompts=2", "--arms", "mean", "--out", str(tmp_path)]
    result = command(probe_command, "arithmetic", "--task", "digits", *chosen)
    assert result.exit_code == 0, result.output
    assert "probe: no rule takes a step of a size, since no group has two rewards; wrote" in result.output
    (folder,) = (tmp_path / "probe").glob("[0-9a-f]*")
    assert not (folder / PROBES_FILE).exists()
    config = small()
    without = Done(Cell(config.tasks[0], None, 0), None, (Probed(0, folder, whole=True),))
    with pytest.raises(StudyError, match="no step could be taken in any, since no group had two rewards"):
        probes_table(config, [without])
    rows = {"arm": np.array(["mean"]), "success_prob": np.array([0.5])}
    write_table(rows, tmp_path / PROBES_FILE)
    other = Done(Cell(config.tasks[1], None, 1), None, (Probed(0, tmp_path, whole=True),))
    assert probes_table(config, [without, other])["probe"].tolist() == ["addition/warm/1/0"]


@pytest.mark.train
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such/folder"], "model must be a preset"),
        (["tiny", "--arms", "median"], "arm must be one of"),
        (["tiny", "--task", "poetry"], "poetry"),
        (["tiny", "--set", "group_size=1"], "group_size"),
        (["tiny", "--out", __file__], "--out must be a folder"),
    ],
)
def test_wrong_use_of_the_probe_command_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    extra = [] if "--out" in arguments else ["--out", str(tmp_path)]
    result = command(probe_command, *arguments, *extra)
    assert result.exit_code == 2
    line = result.output.splitlines()[-1]
    assert line.startswith("qae probe: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "huge"], "preset must be one of full, quick, long, pretrained, league, gpu; got 'huge'"),
        (["--quick", "--preset", "gpu"], "--quick is --preset quick; got --preset gpu"),
        (["--set", "seeds=0"], "seeds"),
        (["--set", "seeds"], "--set must be KEY=VALUE"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--out", __file__], "--out must be a folder"),
    ],
)
def test_wrong_use_of_the_validate_command_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    extra = [] if "--out" in arguments else ["--out", str(tmp_path)]
    result = command(validate_command, *arguments, *extra)
    assert result.exit_code == 2
    assert message in result.output.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.train
def test_the_validate_command_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Path:
        raise StudyError("digits, grpo, seed 0: ValueError: no")

    monkeypatch.setattr(studies, "study", fail)
    result = command(validate_command, "--quick", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "qae validate: digits, grpo, seed 0: ValueError: no"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_shown_while_it_runs(terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    with validate_command._shown(console) as told:
        told("digits, [grpo], seed 0", 1, 4)
        told("digits, [grpo], seed 1", 2, 4)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "digits, [grpo], seed 1" in shown
    assert ("2/4" in shown) == terminal
    lines = ["validate: 1 of 4: digits, [grpo], seed 0", "validate: 2 of 4: digits, [grpo], seed 1"]
    assert (shown.splitlines() == lines) == (not terminal)


def test_phases_are_named_and_timed() -> None:
    console = Console(file=StringIO(), width=100)
    seen: list[tuple[str, int, int]] = []
    with validate_command._phases(console, lambda *part: seen.append(part), 2) as told:
        told("digits: tiny is ready", 0, 2)
        told("addition: tiny is ready", 0, 2)
        told("digits, grpo, seed 0", 1, 2)
        told("digits, qae, seed 0", 2, 2)
    assert len(seen) == 4
    lines = [re.sub(r": [\d.]+ s$", ": S", line) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    phases = ("preparing models", "training and probing", "writing the report")
    assert lines == [f"validate: {name}{end}" for name in phases for end in ("", ": S")]


def test_names_of_cells_tell_them_apart() -> None:
    config = small()
    assert Cell(config.tasks[0], None, 2).name == "digits, warm, seed 2"
    assert Cell(config.tasks[1], config.runs[1], 0).name == "addition, qae, seed 0"


@pytest.mark.train
def test_a_probe_of_other_weights_is_another_run(tmp_path: Path) -> None:
    config = small().probe_config(small().tasks[0], 0, whole=False)
    first = probe_checkpoint("arithmetic", config, out=tmp_path)
    assert probe_checkpoint("arithmetic", config, out=tmp_path) == first
    assert probe_checkpoint("arithmetic", config.model_copy(update={"seed": 1}), out=tmp_path) != first
    assert probe_checkpoint("arithmetic", config, out=tmp_path, sign_arm="qae-0.2") != first
    assert not (first / PROBES_FILE).exists()
    saved = []
    for seed in (0, 1):
        build_model("arithmetic", seed=seed).save_pretrained(tmp_path / f"model-{seed}")
        preset_tokenizer("arithmetic").save_pretrained(tmp_path / f"model-{seed}")
        saved.append(probe_checkpoint(tmp_path / f"model-{seed}", config, out=tmp_path))
    assert saved == [first, saved[1]]  # the same weights by another name are the same run
    assert saved[1] != first


@pytest.mark.parametrize(
    ("module", "arguments"),
    [(train_command, ["--quick"]), (probe_command, ["tiny"]), (validate_command, ["--quick"])],
)
def test_without_the_extra_a_command_says_what_to_install(
    module: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("llm_validation.common.extras.find_spec", lambda name: None if name == "trl" else object())
    result = command(module, *arguments, "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "trl not installed; pip install -c constraints.txt 'qae-verification[train]'" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_package_is_missing_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = Packaged("no-such-package", "1.0", "weights.gguf", "0" * 64)
    monkeypatch.setattr("llm_validation.models.pretrained.PRETRAINED", {"smollm2-135m": missing})
    monkeypatch.setattr(validate_command, "missing_line", lambda: None)
    result = command(validate_command, "--preset", "pretrained", "--out", str(tmp_path))
    assert result.exit_code == 2
    said = result.output.splitlines()[-1]
    assert said == (
        "qae validate: no-such-package 1.0 is not installed; pip install --no-deps no-such-package==1.0 gguf"
    )


def test_the_runs_of_a_grid_are_looked_at_as_often_as_it_says() -> None:
    rule = {"name": "grpo", "estimator": "grpo"}
    grid = {"part": "rounding", "rules": [rule], "axes": {"clip_high": [0.2, 0.3]}, "looks": 2}
    assert [run.looks for run in small(grids=[grid]).all_runs] == [1, 1, 2, 2]
