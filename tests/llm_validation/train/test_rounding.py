"""Rounding to bfloat16 in one place of a run: it is there, it is nowhere else, and `none` changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.train.rounding import to_bfloat16
from llm_validation.train.run import train
from llm_validation.train.settings import TrainConfig

pytestmark = pytest.mark.train

SMALL: dict[str, Any] = {
    "task": "digits",
    "model": "arithmetic",
    "warmup": {"success": 0.2},
    "group_size": 4,
    "prompts_per_step": 4,
    "train_examples": 16,
    "steps": 2,
    "inner_updates": 2,
    "save_every": 2,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("rounding")
    places = ("none", "log_probs", "parameters")
    return {place: train(TrainConfig.model_validate(SMALL | {"rounding": place}), out=out) for place in places}


def weights(folder: Path) -> dict[str, Any]:
    from llm_validation.models.presets import load_model

    return dict(load_model(folder / "model")[0].named_parameters())


def is_rounded(value: Any) -> bool:
    return bool((to_bfloat16(value) == value).all())


def test_bfloat16_has_eight_significant_bits() -> None:
    import torch

    # 1 + 2^-7 is kept; 1 + 2^-8 lies half-way, and the even neighbour is 1.
    given = torch.tensor([1.0, 1 + 2.0**-7, 1 + 2.0**-8, 1 + 3 * 2.0**-8])
    assert to_bfloat16(given).tolist() == [1.0, 1 + 2.0**-7, 1.0, 1 + 2.0**-6]
    assert to_bfloat16(given).dtype == given.dtype


def test_rounded_parameters_are_rounded_and_others_are_not(runs: dict[str, Path]) -> None:
    assert all(is_rounded(value) for value in weights(runs["parameters"]).values())
    for place in ("none", "log_probs"):
        # A matrix of thousands of float32 numbers that are all rounded by chance there is not.
        assert not any(is_rounded(value) for value in weights(runs[place]).values() if value.ndim == 2)


def test_each_place_makes_another_run_from_the_same_rollouts(runs: dict[str, Path]) -> None:
    def first_step(folder: Path) -> list[Any]:
        lines = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
        return [line["completion"] for line in lines if line["step"] == 1]

    assert first_step(runs["none"]) == first_step(runs["log_probs"]) == first_step(runs["parameters"])
    plain = weights(runs["none"])
    for place in ("log_probs", "parameters"):
        moved = weights(runs[place])
        gaps = [float((moved[name] - value).detach().abs().max()) for name, value in plain.items()]
        assert max(gaps) > 0


def test_rounded_log_probabilities_are_what_the_loss_sees() -> None:
    import torch

    from llm_validation.train.rounding import install

    class Output:
        log_probs: Any = None

    class Model(torch.nn.Module):
        def forward(self, value: Any) -> Any:
            output = Output()
            output.log_probs = value
            return output

    class Trainer:
        model = Model()

    given = torch.tensor([-0.123456789, -1.0, -3.3333333], requires_grad=True)
    assert torch.equal(Trainer.model(given).log_probs, given)
    install(Trainer(), "none")
    assert torch.equal(Trainer.model(given).log_probs, given)
    install(Trainer(), "log_probs")
    seen = Trainer.model(given).log_probs
    assert is_rounded(seen.detach())
    # Half a unit of eight significant bits.
    np.testing.assert_allclose(seen.detach().numpy(), given.detach().numpy(), rtol=2.0**-8)
    seen.sum().backward()
    assert given.grad is not None
    assert given.grad.tolist() == [1.0, 1.0, 1.0]
