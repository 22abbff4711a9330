"""The whole check against the installed verl: every experiment passes, and each planted fault fails loudly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from llm_validation.cluster.checks import all as check
from llm_validation.cluster.checks import plugin as check_plugin
from llm_validation.cluster.checks.advantages import check_advantages
from llm_validation.cluster.checks.check import Check
from llm_validation.cluster.checks.rewards import Levels
from llm_validation.cluster.commands import check as cluster_check
from llm_validation.cluster.recipes.compose import compose, experiments
from llm_validation.verl_engine.configuration.record import nested, read

pytestmark = pytest.mark.verl

# What this machine does not have; everything else is to pass.
ABSENT = {"train data", "val data", "model", "engines", "GPUs", "disk space"}


def checked(experiment: str, *overrides: str, **options: Any) -> dict[str, Check]:
    found = check.checks(experiment, compose(experiment, overrides), **options)
    return {one.name: one for one in found}


def faults(found: dict[str, Check]) -> dict[str, str]:
    return {name: one.sentence for name, one in found.items() if not one.passed}


@pytest.mark.parametrize("experiment", experiments())
def test_every_experiment_passes(experiment: str) -> None:
    found = checked(experiment)
    assert faults(found) == {}
    warnings = {name for name, one in found.items() if one.warning}
    overlong = not experiment.startswith(("smoke", "theory"))
    quantile = "qae" in experiment
    assert warnings - ABSENT == {
        *({"reward levels"} if overlong and quantile else ()),
        *({"gate"} if experiment == "smoke-qae" else ()),
    }


def test_what_is_absent_fails_where_the_job_runs() -> None:
    found = checked("qwen3-8b-clip-higher-qae", strict=True)
    assert set(faults(found)) == {"train data", "val data", "engines", "GPUs"}


# Planted faults, each beside the experiment that passes above


@pytest.mark.parametrize(
    ("overrides", "name", "complaint"),
    [
        (["algorithm.adv_estimator=qea"], "estimator", "'qea' is not registered; there are backward_corrected"),
        (["algorithm.quantile_k=1"], "quantile level", "strictly between 0 and 1"),
        (["algorithm.quantile_k='0'"], "quantile level", "strictly between 0 and 1"),
        (["actor_rollout_ref.rollout.n=1"], "group size", "a group of one"),
        (["algorithm.correct_above=0.5"], "reward levels", "does not part wrong from right"),
        (["algorithm.adv_estimator=pos_mask", "algorithm.correct_above=null"], "reward levels", "pos_mask needs"),
        (["reward.reward_manager.name=naive"], "overlong punishment", "only 'dapo' reads it"),
        (["algorithm.filter_groups.metric=seq_reward"], "dynamic sampling", "must be one of acc"),
        (["data.train_batch_size=500"], "batch sizes", "must be a multiple of the mini-batch"),
        (["data.train_batch_size=many"], "batch sizes", "cannot be checked: ValueError"),
        (["trainer.logger=[console]"], "logging", "must have 'file'"),
        (
            ["actor_rollout_ref.actor.loss_agg_mode=no"],
            "configuration",
            "refuses it: ValueError: Invalid loss_agg_mode",
        ),
        (["+algorithm.advantage_sdt=none"], "advantages", "advantage_sdt"),
        (["algorithm.advantage_std=biased"], "advantages", "advantage_std must be one of"),
    ],
)
def test_a_planted_fault_fails_loudly(overrides: list[str], name: str, complaint: str) -> None:
    found = checked("qwen3-8b-clip-higher-qae", *overrides)
    assert complaint in faults(found)[name]


@pytest.fixture
def broken_plug_in(tmp_path: Path) -> dict[str, str]:
    """A distribution beside the installed ones whose entry point raises."""
    (tmp_path / "broken_qae_plugin.py").write_text("raise ImportError('no libcuda here')\n")
    place = tmp_path / "broken_qae_plugin-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-qae-plugin\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text("[verl.plugins]\nbroken = broken_qae_plugin\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def in_a_process(environment: dict[str, str]) -> dict[str, Any]:
    """What the check of the plug-in says in a new process."""
    code = (
        "import json\n"
        "from llm_validation.cluster.checks.plugin import check_plugin\n"
        "print(json.dumps(check_plugin().to_json()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_import_error_that_verl_swallows_is_loud(broken_plug_in: dict[str, str]) -> None:
    code = "import verl; print('verl goes on')"
    done = subprocess.run([sys.executable, "-c", code], env=broken_plug_in, capture_output=True, text=True)
    assert (done.returncode, "verl goes on" in done.stdout, "libcuda" in done.stdout + done.stderr) == (0, True, False)
    found = in_a_process(broken_plug_in)
    assert found["state"] == "failed"
    assert "ImportError: no libcuda here" in found["says"]


def test_a_plug_in_that_is_kept_out_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "none")
    found = check_plugin.check_plugin()
    assert (found.state, "VERL_USE_EXTERNAL_PLUGINS" in found.sentence) == ("failed", True)
    monkeypatch.delenv("VERL_USE_EXTERNAL_PLUGINS")
    assert check_plugin.check_plugin().state == "ok"


def test_a_plug_in_that_does_not_import_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llm_validation.verl_engine.plugin", None)
    found = check_plugin.check_plugin()
    assert (found.state, "ModuleNotFoundError" in found.sentence or "ImportError" in found.sentence) == ("failed", True)


def test_a_provided_rule_is_the_plug_in_s() -> None:
    found = check_plugin.check_estimator(read(compose("smoke-qae", ["algorithm.adv_estimator=w_reinforce"])).algorithm)
    assert (found.state, found.sentence) == ("ok", "w_reinforce is registered, by the plug-in")


def test_an_estimator_that_workers_lack_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered here, because this process has imported the plug-in itself; a worker has not."""
    monkeypatch.setattr(check_plugin, "discovered", lambda: ("qae_linear",))
    found = check_plugin.check_estimator(read(compose("smoke-qae")).algorithm)
    assert (found.state, "'qae' is not registered; there are qae_linear" in found.sentence) == ("failed", True)


@pytest.mark.parametrize("estimator", ["qae", "qae_linear", "pos_mask", "neg_mask", "grpo"])
def test_an_estimator_that_computes_something_else_is_loud(estimator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_validation.verl_engine import plugin as verl_plugin

    run = read(compose("qwen3-8b-clip-higher-qae", [f"algorithm.adv_estimator={estimator}"]))
    levels = Levels((-1.0,), (1.0,), 1.0)
    assert check_advantages(run, levels).state == "ok"
    right = verl_plugin.advantages_of
    monkeypatch.setattr(verl_plugin, "advantages_of", lambda *arguments: right(*arguments) * 1.0001)
    found = check_advantages(run, levels)
    assert (found.state, "differs from qae_theory" in found.sentence) == ("failed", True)


@cache
def row_of_the_paper() -> str:
    return json.dumps(nested(compose("qwen3-8b-clip-higher-qae")))


@pytest.mark.parametrize(
    "options",
    [
        {"advantage_gate": "correctness"},
        {"advantage_std": "none"},
        {"advantage_std": "population"},
        {"advantage_eps": 0.0},
        {"advantage_eps": 0.1, "advantage_std": None},
        {"norm_adv_by_std_in_grpo": False, "advantage_std": None},
        {"quantile_k": 0.75},
    ],
)
@pytest.mark.parametrize("estimator", ["qae", "qae_linear", "pos_mask", "neg_mask"])
def test_the_comparison_knows_every_option(estimator: str, options: dict[str, Any]) -> None:
    values = json.loads(row_of_the_paper())
    values["algorithm"] |= {"adv_estimator": estimator, **options}
    for size in (2, 8, 16, 33):
        values["actor_rollout_ref"]["rollout"]["n"] = size
        found = check_advantages(read(values), Levels((-1.0,), (1.0,), 1.0))
        assert found.state == "ok", found.sentence


# The command


def asked(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    cluster_check.register(app)
    result = CliRunner().invoke(app, ["check", *words])
    return result.exit_code, result.output


def test_the_command_says_and_writes_what_it_found(tmp_path: Path) -> None:
    status, output = asked(
        "smoke-qae", "--json", str(tmp_path / "out" / "check.json"), "--resolved", str(tmp_path / "r.yaml")
    )
    report = json.loads((tmp_path / "out" / "check.json").read_text())
    assert (status, report["passed"], report["experiment"], report["strict"]) == (0, True, "smoke-qae", False)
    assert report["versions"]["verl"] == check_plugin.TESTED
    lines = output.splitlines()
    assert [f"{one['state']:8}{one['name']}: {one['says']}" for one in report["checks"]] == lines[:-1]
    assert lines[-1].startswith("check: smoke-qae: ")
    assert lines[-1].endswith(" 0 failed")
    assert "adv_estimator: qae" in (tmp_path / "r.yaml").read_text()


def test_a_failed_check_ends_with_status_1() -> None:
    status, output = asked("smoke-qae", "actor_rollout_ref.rollout.n=1", "--json", "-")
    report = json.loads(output)
    assert (status, report["passed"]) == (1, False)
    assert "group size" in {one["name"] for one in report["checks"] if one["state"] == "failed"}


@pytest.mark.parametrize("words", [("no-such-experiment",), ("smoke-qae", "no.such.key=1"), ("smoke-qae", "a==")])
def test_wrong_usage_ends_with_status_2_in_one_line(words: tuple[str, ...]) -> None:
    status, output = asked(*words)
    assert (status, output.count("\n")) == (2, 1)
    assert output.startswith("qae cluster check: ")


def test_a_report_that_cannot_be_written_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, output = asked("smoke-qae", "--json", str(tmp_path / "file" / "check.json"))
    assert status == 1
    assert "cannot be written" in output.splitlines()[-1]
