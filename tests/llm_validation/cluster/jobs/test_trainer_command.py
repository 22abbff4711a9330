"""The trainer's command line: what verl gets, and that Hydra reads it as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_validation.cluster.jobs.folder import Attempt, JobFolder
from llm_validation.cluster.jobs.trainer_command import command, environment, quoted, resume
from llm_validation.cluster.jobs.verl_checkpoints import Checkpoint
from llm_validation.cluster.recipes.compose import config_dir

FOLDER = JobFolder(Path("/shared/jobs/it's, {one} = $a"))
ATTEMPT = Attempt(3, FOLDER.logs / "attempt-003.jsonl", FOLDER.logs / "attempt-003.out")
FACTS = {"experiment": "smoke-qae", "overrides": ["data.seed=2", "trainer.default_local_dir=/elsewhere"]}
CHECKPOINT = Checkpoint(FOLDER.checkpoints / "global_step_20", 20, None, 8)


def test_the_jobs_overrides_come_before_its_places() -> None:
    words = command(FOLDER, FACTS, ATTEMPT, None, ["python", "-m", "trainer"])
    assert words[:7] == [
        *("python", "-m", "trainer", "--config-dir", str(config_dir()), "+experiment=smoke-qae"),
        "data.seed=2",
    ]
    keys = [word.partition("=")[0] for word in words[6:]]
    assert keys.index("trainer.default_local_dir") == 1
    assert keys.count("trainer.default_local_dir") == 2
    assert keys[-1] == "trainer.resume_mode"


def test_the_checkpoint_is_named_and_not_left_to_verl() -> None:
    assert resume(None) == ["trainer.resume_mode=disable"]
    assert resume(CHECKPOINT)[0] == "trainer.resume_mode=resume_path"


def test_an_attempt_has_files_of_its_own() -> None:
    variables = environment(FOLDER, ATTEMPT)
    assert variables["VERL_FILE_LOGGER_PATH"] == str(ATTEMPT.metrics)
    assert variables["TENSORBOARD_DIR"].endswith("/tensorboard/attempt-003")


@pytest.mark.verl
@pytest.mark.parametrize(
    "text",
    [
        "/a",
        "/it's",
        "a,b",
        "{x}",
        "$x",
        "a=b",
        "",
        "x y ",
        "[1]",
        "it''s",
        "ü",
        "1e-6",
        "a\\",
        "a\\'b",
        "a\\\\'",
        "a\\b",
    ],
)
def test_hydra_reads_quoted_text_as_it_is(text: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (parsed,) = OverridesParser.create().parse_overrides([f"a={quoted(text)}"])
    assert parsed.value() == text


@pytest.mark.verl
def test_verl_gets_the_places_of_the_folder() -> None:
    """The composed configuration, with the words that the job adds."""
    from llm_validation.cluster.recipes.compose import compose

    folder = JobFolder(Path("/shared/jobs/it's, {one}"))
    attempt = Attempt(3, folder.logs / "attempt-003.jsonl", folder.logs / "attempt-003.out")
    checkpoint = Checkpoint(folder.checkpoints / "global_step_20", 20, None, 8)
    words = command(folder, {**FACTS, "overrides": ["data.seed=2"]}, attempt, checkpoint, [])[3:]
    config = compose("smoke-qae", [word for word in words if not word.startswith("hydra.")])
    assert config.data.seed == 2
    trainer, variables = config.trainer, config.ray_kwargs.ray_init.runtime_env.env_vars
    assert trainer.default_local_dir == str(folder.checkpoints)
    assert trainer.rollout_data_dir == str(folder.rollouts)
    assert trainer.validation_data_dir == str(folder.validation)
    assert trainer.probe.dump_dir == str(folder.probe)
    assert (trainer.resume_mode, trainer.resume_from_path) == ("resume_path", str(checkpoint.path))
    assert str(attempt.metrics) == variables.VERL_FILE_LOGGER_PATH
    assert int(trainer.resume_from_path.split("global_step_")[-1]) == 20  # how verl reads the step
