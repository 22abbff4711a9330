"""The plan as data, as JSON and as text, and the command that prints it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from llm_validation.cluster.commands import plan as cluster_plan
from llm_validation.cluster.estimate.hardware import gpu_named
from llm_validation.cluster.estimate.memory import GIB
from llm_validation.cluster.estimate.plan import Plan, plan
from llm_validation.cluster.estimate.plan_view import render
from llm_validation.cluster.recipes import compose as composing
from llm_validation.cluster.recipes import sources
from llm_validation.cluster.recipes.compose import experiments
from tests.llm_validation.cluster.collect.verl_like import ROLLOUT, config
from tests.llm_validation.cluster.composed import composed

EXPERIMENT = "qwen3-8b-clip-higher"


def made(**changes: Any) -> Plan:
    options = {key: changes.pop(key) for key in ("gpu", "response_tokens", "assumed", "differing") if key in changes}
    return plan(EXPERIMENT, config(**changes), **options)


def text_of(found: Plan) -> str:
    from rich.console import Console

    out = StringIO()
    render(found, Console(file=out, width=160, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_json_is_the_plan() -> None:
    found = made(differing={"trainer.nnodes": 2})
    data = json.loads(found.to_json())
    assert data["experiment"] == EXPERIMENT
    assert data["settings"] == {"trainer.nnodes": 2}
    assert data["nodes"] == {"nodes": 2, "gpus_per_node": 4, "gpus": 8, "gpu": "H100", "gpu_memory_gib": 79.6}
    assert data["model"]["parameters"] == 596_049_920
    for phase in (*data["memory"]["gpu"], data["memory"]["host"], data["memory"]["disk"]):
        assert phase["gib"] == pytest.approx(sum(part["gib"] for part in phase["parts"]))
        assert all(part["formula"] for part in phase["parts"])
    for cost in data["cost"]["by_response_tokens"]:
        for case in cost["cases"]:
            assert case["gpu_hours"] == pytest.approx(sum(case["seconds"].values()) * 10 * 8 / 3600)
            assert set(case["seconds"]) == set(data["cost"]["formulas"])
    assert data["open_choices"] == sources.open_choices(EXPERIMENT)


def test_three_lengths_or_the_one_that_is_given() -> None:
    """A tenth, a fifth and two fifths of 900 tokens."""
    assert [cost.response_tokens for cost in made().costs] == pytest.approx([90, 180, 360])
    assert [cost.response_tokens for cost in made(response_tokens=300).costs] == [300]
    assert [cost.response_tokens for cost in made(assumed={"length_share": 0.5}).costs] == [450]


def test_the_interval_covers_all_lengths() -> None:
    found = made()
    assert found.gpu_hours == (
        found.costs[0].gpu_hours[0],
        found.costs[1].gpu_hours[1],
        found.costs[2].gpu_hours[2],
    )


def test_a_given_assumption_is_told() -> None:
    assumed = json.loads(made(assumed={"arithmetic": 0.4}).to_json())["assumptions"]
    assert assumed["arithmetic"] == {"cheap": 0.4, "central": 0.4, "dear": 0.4, "why": "given"}
    assert assumed["storage"]["why"] != "given"


def test_text_says_what_json_says() -> None:
    found = made(differing={"data.train_batch_size": 32, "trainer.project_name": None})
    text = text_of(found)
    assert f"{found.budget.tightest.bytes / GIB:,.1f} of 79.6 GiB" in text
    for phase in found.budget.phases:
        assert f"\n{phase.name}" in text
    for cost in found.costs:
        for hours in cost.gpu_hours:
            assert f"{hours:,.0f}" in text
    for said in ("data.train_batch_size", "null", "N b / S", "arithmetic", *found.open_choices):
        assert said in text
    assert "does not fit" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_text_keeps_brackets() -> None:
    assert "['a', '[bold]b']" in text_of(made(differing={"data.val_files": ["a", "[bold]b"]}))


def test_a_run_that_does_not_fit_says_so() -> None:
    found = made(gpu=gpu_named("H100", 5.0))
    assert not found.budget.fits
    assert "does not fit: " in text_of(found)
    assert "\n  fits" not in text_of(found)


def test_no_cost_where_vllm_does_not_start() -> None:
    found = made(gpu=gpu_named("H100", 3.0))
    assert found.costs == ()
    assert found.gpu_hours is None
    assert json.loads(found.to_json())["cost"]["gpu_hours"] is None
    assert "GPU hours" not in text_of(found)


def test_unknown_experiment() -> None:
    with pytest.raises(ValueError, match="experiment must be one of"):
        plan("qwen3-9b", config())


# The command


@pytest.fixture
def app() -> typer.Typer:
    group = typer.Typer()
    cluster_plan.register(group)
    group.callback()(lambda: None)
    return group


@pytest.fixture
def without_verl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing answers with the small configuration, whatever is installed; overrides of two keys take effect."""

    def compose(experiment: str, overrides: Any = ()) -> dict[str, Any]:
        composing.describe(experiment)
        keys = {"trainer.nnodes": "trainer__nnodes", "trainer.n_gpus_per_node": "trainer__n_gpus_per_node"}
        given = dict(override.split("=") for override in overrides)
        return config(**{keys[key]: int(value) for key, value in given.items()})

    monkeypatch.setattr(composing, "compose", compose)
    monkeypatch.setattr(sources, "composed_numbers", lambda config: {"trainer.nnodes": "as written"})


def ran(app: typer.Typer, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["plan", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_list(app: typer.Typer) -> None:
    status, out, _ = ran(app)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(experiments())


@pytest.mark.usefixtures("without_verl")
def test_prints_a_plan(app: typer.Typer) -> None:
    status, out, err = ran(app, EXPERIMENT, "--nodes", "4", "--gpu", "A100")
    assert (status, err) == (0, "")
    assert "4 nodes x 4 A100 of 79.3 GiB = 16 GPUs" in out
    assert "trainer.nnodes  4" in out


@pytest.mark.usefixtures("without_verl")
def test_writes_json_and_yaml_whole(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "new" / "plan.json"
    status, out, _ = ran(app, EXPERIMENT, "--gpus-per-node", "8", "--json", str(file))
    assert status == 0
    assert "GPU hours" in out
    assert json.loads(file.read_text(encoding="utf-8"))["nodes"]["gpus"] == 16
    status, out, _ = ran(app, EXPERIMENT, "--json", "-")
    assert json.loads(out)["nodes"]["gpus"] == 8


@pytest.mark.usefixtures("without_verl")
def test_a_file_that_cannot_be_written(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, _, err = ran(app, EXPERIMENT, "--json", str(tmp_path / "file" / "plan.json"))
    assert status == 1
    assert err.startswith("qae cluster plan: ")
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("without_verl")
def test_exit_status_of_a_run_that_does_not_fit(app: typer.Typer, tmp_path: Path) -> None:
    status, out, err = ran(app, EXPERIMENT, "--gpu-memory", "5", "--json", str(tmp_path / "plan.json"))
    assert status == 1
    assert "does not fit" in out
    assert err.startswith(f"qae cluster plan: {EXPERIMENT} does not fit: ")
    assert not json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["memory"]["fits"]


@pytest.mark.usefixtures("without_verl")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["qwen3-9b"], "experiment must be one of"),
        ([EXPERIMENT, "--nodes", "0"], "nodes must be a finite number > 0; got 0"),
        ([EXPERIMENT, "--gpus-per-node", "-8"], "gpus_per_node must be a finite number > 0; got -8"),
        ([EXPERIMENT, "--gpu-memory", "-1"], "gpu_memory must be a finite number of GiB > 0; got -1.0"),
        ([EXPERIMENT, "--gpu", "B300"], "gpu must be one of H100"),
        ([EXPERIMENT, "--response-tokens", "0"], "response_tokens must be a finite number > 0; got 0.0"),
        ([EXPERIMENT, "--response-tokens", "901"], "response_tokens must be in (0, 900]"),
        ([EXPERIMENT, "--assume", "speed=1"], "assumption must be one of"),
        ([EXPERIMENT, "--assume", "arithmetic"], "assume must be NAME=VALUE"),
        ([EXPERIMENT, "--assume", "arithmetic=much"], "assume must be NAME=VALUE"),
        ([EXPERIMENT, "--assume", "arithmetic=0"], "arithmetic must be"),
    ],
)
def test_wrong_usage_is_one_line_and_2(app: typer.Typer, arguments: list[str], says: str) -> None:
    status, out, err = ran(app, *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert err.startswith("qae cluster plan: ")
    assert len(err.splitlines()) == 1


def test_without_verl_it_says_what_to_install(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "find_spec", lambda name: None)
    status, _, err = ran(app, EXPERIMENT)
    assert status == 2
    assert (
        err
        == f"qae cluster plan: composing a configuration needs verl and Hydra; install them with: {composing.INSTALL}\n"
    )


@pytest.mark.verl
@pytest.mark.parametrize("experiment", [name for name in experiments() if not name.startswith("smoke")])
def test_every_experiment_fits_as_it_is(experiment: str) -> None:
    """On H100, which the files have in mind; the smoke runs' model is a folder that is made first."""
    found = plan(experiment, composed(experiment))
    assert found.budget.fits, found.budget.problems
    assert found.gpu_hours is not None
    assert 0 < found.gpu_hours[0] < found.gpu_hours[1] < found.gpu_hours[2]


@pytest.mark.verl
def test_a_tiny_model_by_its_folder(tmp_path: Path) -> None:
    from llm_validation.cluster.recipes.compose import compose

    sizes = {
        "model_type": "qwen3",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 96,
        "vocab_size": 128,
    }
    folder = tmp_path / "tiny-qwen3"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(sizes), encoding="utf-8")
    found = plan("smoke-qae", compose("smoke-qae", [f"cluster.models={tmp_path}"]))
    assert found.shape.name == "tiny-qwen3"
    assert found.budget.fits


@pytest.mark.verl
def test_the_command_with_verl(app: typer.Typer, tmp_path: Path) -> None:
    resolved = tmp_path / "run.yaml"
    status, out, _ = ran(app, EXPERIMENT, "actor_rollout_ref.rollout.n=8", "--nodes", "8", "--resolved", str(resolved))
    assert status == 0
    assert "8 nodes x 8 H100" in out
    assert "512 prompts x 8 responses" in out
    assert "n: 8" in resolved.read_text(encoding="utf-8")
    assert "${" not in out


@pytest.mark.verl
@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["--nodes", "1", "--gpus-per-node", "6"],
            "ulysses_sequence_parallel_size must be a divisor of the number of GPUs",
        ),
        (["actor_rollout_ref.rollout.tensor_model_parallel_size=3"], "tensor_model_parallel_size must be a divisor"),
        (["trainer.nnodes=two"], "trainer.nnodes must be an integer >= 1; got 'two'"),
        (["no.such=1"], "overrides must be Hydra overrides"),
    ],
)
def test_wrong_overrides(app: typer.Typer, overrides: list[str], says: str) -> None:
    status, _, err = ran(app, EXPERIMENT, *overrides)
    assert status == 2
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_changed_setting_changes_the_plan() -> None:
    """The negative control of the texts above."""
    assert text_of(made()) != text_of(made(**{ROLLOUT + "n": 8}))
