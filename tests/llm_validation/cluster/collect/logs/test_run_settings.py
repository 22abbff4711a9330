"""Settings from flat YAML, from our own configuration, and against what Hydra really writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.collect.logs.run_settings import RunSettings, settings_of_own, settings_of_verl
from llm_validation.verl_engine.configuration.flat_yaml import read_scalars
from tests.llm_validation.cluster.jobs import fake_jobs


def test_settings_of_a_job(tmp_path: Path) -> None:
    folder = fake_jobs.describe(tmp_path, "qwen3-8b-clip-higher-qae-k06", steps=300)
    found = settings_of_verl(read_scalars(folder / "resolved.yaml"))
    assert found == RunSettings(
        estimator="qae",
        k="0.6",
        std="bessel",
        eps=1e-6,
        correct_above=-0.5,
        prompts=4,
        group_size=4,
        samples=4,
        model="Qwen/Qwen3-8B-Base",
        clip_high=0.28,
        aggregation="token-mean",
        last_step=300,
    )
    assert found.responses == 16
    assert RunSettings(prompts=4).responses is None


@pytest.mark.parametrize(
    ("flat", "std"),
    [
        ({"algorithm.adv_estimator": "grpo"}, "bessel"),
        (
            {"algorithm.adv_estimator": "grpo", "algorithm.advantage_std": "population"},
            "bessel",
        ),  # verl's has no option
        ({"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": False}, "none"),
        ({"algorithm.adv_estimator": "rloo"}, None),
        ({"algorithm.adv_estimator": "rloo", "algorithm.advantage_std": "bessel"}, None),  # nor has it here
        ({"algorithm.adv_estimator": "qae"}, None),
        ({"algorithm.adv_estimator": "qae", "algorithm.advantage_std": "population"}, "population"),
        ({"algorithm.adv_estimator": "qae", "algorithm.norm_adv_by_std_in_grpo": False}, "none"),
    ],
)
def test_which_standard_deviation_divides(flat: dict[str, Any], std: str | None) -> None:
    assert settings_of_verl(flat).std == std


def test_settings_of_our_own_run() -> None:
    config = {"estimator": "qae", "options": {"k": "2/5"}, "prompts_per_step": 4, "group_size": 8, "steps": 10}
    assert settings_of_own(config) == RunSettings(estimator="qae", k="2/5", prompts=4, group_size=8, last_step=10)


@pytest.mark.verl
def test_what_hydra_writes_is_read_as_hydra_reads_it(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    from tests.llm_validation.cluster.composed import composed, resolved

    for experiment in ("qwen3-8b-clip-higher", "qwen3-30b-a3b-gspo-qae", "smoke-qae"):
        path = tmp_path / "resolved.yaml"
        path.write_text(OmegaConf.to_yaml(composed(experiment), resolve=True), encoding="utf-8")
        found, truth = read_scalars(path), resolved(composed(experiment))
        wanted = {key: value for key, value in truth.items() if isinstance(value, (str, int, float, type(None)))}
        short = {key: value for key, value in wanted.items() if not isinstance(value, str) or len(value) < 60}
        differing = {key for key, value in short.items() if key not in found or found[key] != value}
        assert {key for key in differing if found.get(key) or truth[key]} == set()
        settings = settings_of_verl(found)
        for name in ("estimator", "k", "prompts", "group_size", "samples", "model", "clip_high", "last_step"):
            assert getattr(settings, name) is not None, (experiment, name)
