"""The warm-up: its probabilities token by token, when it stops, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.models import warmup as module
from llm_validation.models.float64 import float64_copy
from llm_validation.models.presets import build_model, load_model, preset_tokenizer
from llm_validation.models.warmup import EXPERIMENT, Warmup, WarmupError, answer_log_probs, warm_model
from llm_validation.tasks import Example, load_examples

pytestmark = pytest.mark.train

EXAMPLES = [
    Example("3+4=", "7"),
    Example("12*34+5*6=", "438"),
    Example("1=", ""),
    Example("9-19=", "-10"),
    Example("=", "0"),
]


@pytest.fixture(scope="module")
def model() -> Any:
    """In float64, with weights five times the usual size, so that probabilities are far from uniform."""
    model = float64_copy(build_model("arithmetic", seed=1)).requires_grad_(True)
    for value in model.parameters():
        value.data.mul_(5 if value.ndim == 2 else 1)
    return model


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return preset_tokenizer("arithmetic")


def by_hand(model: Any, tokenizer: Any, example: Example) -> float:
    """One token after another, each prefix run by itself."""
    import torch

    total, tokens = 0.0, tokenizer(example.prompt).input_ids
    for token in [*tokenizer(example.answer).input_ids, tokenizer.eos_token_id]:
        with torch.no_grad():
            total += float(model(input_ids=torch.tensor([tokens])).logits[0, -1].double().log_softmax(-1)[token])
        tokens = [*tokens, token]
    return total


def together(model: Any, tokenizer: Any, examples: Sequence[Example]) -> Any:
    return answer_log_probs(model, tokenizer, examples).detach().double().numpy()


# Logits of size up to 20 are rounded to float32 before the softmax; answers have up to four tokens.
ROUNDING = 1e-5


def test_log_probs_token_by_token(model: Any, tokenizer: Any) -> None:
    expected = [by_hand(model, tokenizer, example) for example in EXAMPLES]
    np.testing.assert_allclose(together(model, tokenizer, EXAMPLES), expected, rtol=0, atol=ROUNDING)
    # Control: far from uniform, and a digit or the end of text more or less is seen.
    assert np.ptp(np.array(expected) / [2, 4, 1, 4, 2]) > 0.5
    for other in (Example("3+4=", "8"), Example("3+4=", "77"), Example("4+3=", "7"), Example("3+4=", "")):
        assert abs(by_hand(model, tokenizer, other) - expected[0]) > 100 * ROUNDING


def test_neither_padding_nor_the_batch_matters(model: Any, tokenizer: Any) -> None:
    alone = [together(model, tokenizer, [example])[0] for example in EXAMPLES]
    np.testing.assert_allclose(together(model, tokenizer, EXAMPLES), alone, rtol=0, atol=ROUNDING)
    longer = [*EXAMPLES[::-1], Example("1+" * 40 + "1=", "41")]
    np.testing.assert_allclose(together(model, tokenizer, longer)[:-1], alone[::-1], rtol=0, atol=ROUNDING)


def test_the_gradient_is_that_of_the_answer(model: Any, tokenizer: Any) -> None:
    """Against central differences in one weight of each matrix; the prompt's own probability has no part in it."""
    import torch

    answer_log_probs(model, tokenizer, EXAMPLES[:2]).sum().backward()
    checked = 0
    for name, value in model.named_parameters():
        place = int(value.grad.abs().argmax())
        flat, step = value.data.view(-1), 1e-4
        kept = float(flat[place])
        ends = []
        for side in (1, -1):
            flat[place] = kept + side * step
            with torch.no_grad():
                ends.append(sum(by_hand(model, tokenizer, example) for example in EXAMPLES[:2]))
        flat[place] = kept
        slope, found = (ends[0] - ends[1]) / (2 * step), float(value.grad.view(-1)[place])
        # float32's softmax in the one, the third derivative times the step's square in the other.
        assert abs(found - slope) <= 1e-4 * (1 + abs(slope)), name
        checked += abs(slope) > 0.1
        value.grad = None
    assert checked > 10


# Training


# The end of text and one digit of ten, whichever: 0.1 is learned in some ten steps.
QUICK = Warmup(success=0.08, learning_rate=1e-2, batch_size=16, check_every=2, max_steps=200, seed=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def warm(cache: Path) -> Path:
    return warm_model("arithmetic", "digits", QUICK, cache=cache)


def success_of(folder: Path | str, seed: int = QUICK.seed) -> float:
    model, tokenizer = load_model(folder)
    examples = load_examples("digits", split="train", count=256, seed=seed)
    return float(np.mean([np.exp(by_hand(model, tokenizer, example)) for example in examples]))


def test_the_success_is_reached_and_not_long_before(warm: Path) -> None:
    """Recomputed from the stored model: the mean probability of the right answer and the end of text."""
    lines = [json.loads(line) for line in (warm.parent / "metrics.jsonl").read_text().splitlines()]
    reached = success_of(warm)
    assert reached >= 0.08
    assert abs(lines[-1]["success"] - reached) < 1e-6  # means of float32
    assert [line["step"] for line in lines] == list(range(0, lines[-1]["step"] + 1, 2))
    assert all(line["success"] < 0.08 for line in lines[:-1])
    # Control: training took several checks, and the untrained model is far below.
    assert len(lines) >= 3
    assert lines[0]["success"] < 0.02


def test_the_second_call_finds_it(warm: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "_train", never)
    assert warm_model("arithmetic", "digits", QUICK, cache=cache) == warm
    with pytest.raises(AssertionError, match="trained again"):
        warm_model("arithmetic", "digits", QUICK.model_copy(update={"seed": 2}), cache=cache)


@pytest.mark.parametrize(
    "changes",
    [
        {"success": 0.081},
        {"learning_rate": 1.1e-2},
        {"batch_size": 17},
        {"check_every": 3},
        {"max_steps": 201},
        {"seed": 2},
        {"preset": "tiny"},
        {"task": "addition"},
    ],
    ids=str,
)
def test_another_configuration_is_another_folder(
    warm: Path, cache: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_train", lambda *args: [])  # what is stored does not matter here
    source = {"preset": "arithmetic", "task": "digits"}
    others = {name: value for name, value in changes.items() if name not in source}
    source |= {name: value for name, value in changes.items() if name in source}
    folder = warm_model(**source, warmup=QUICK.model_copy(update=others), cache=cache)
    assert folder != warm
    assert folder.parent.parent == warm.parent.parent == cache / EXPERIMENT
    assert warm.is_dir()


def test_the_same_seed_gives_the_same_model(warm: Path, tmp_path: Path) -> None:
    """Whatever torch's random state, which stays as it is."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(5)
        before = torch.get_rng_state()
        again = warm_model("arithmetic", "digits", QUICK, cache=tmp_path)
        assert torch.equal(torch.get_rng_state(), before)
    assert (again / "model.safetensors").read_bytes() == (warm / "model.safetensors").read_bytes()
    assert again.parent.name == warm.parent.name
    assert (again.parent / "metrics.jsonl").read_text() == (warm.parent / "metrics.jsonl").read_text()


def test_a_success_that_is_not_reached_leaves_nothing_behind(tmp_path: Path) -> None:
    hopeless = QUICK.model_copy(update={"success": 0.99, "max_steps": 7})
    with pytest.raises(WarmupError) as caught:
        warm_model("arithmetic", "digits", hopeless, cache=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "in 7 steps, not 0.99" in message
    assert list((tmp_path / EXPERIMENT).iterdir()) == []


def test_the_last_step_is_checked(tmp_path: Path) -> None:
    """The success told is that of the model after ``max_steps`` steps, though no check falls due there."""
    told = []
    for steps in (7, 10):
        hopeless = QUICK.model_copy(update={"success": 0.99, "max_steps": steps, "check_every": 1000 + steps})
        with pytest.raises(WarmupError) as caught:
            warm_model("arithmetic", "digits", hopeless, cache=tmp_path)
        told.append(float(str(caught.value).split("success of ")[1].split()[0]))
    # Untrained, the right digit and the end of text have a probability of about 1/17^2 = 0.003.
    assert told[1] > told[0] > 0.01


def test_weights_do_not_decay(tokenizer: Any) -> None:
    """One step of Adam moves a weight by the learning rate at most, whatever its size."""
    model = build_model("arithmetic", seed=1)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    once = QUICK.model_copy(update={"success": 0.99, "max_steps": 1, "learning_rate": 2e-3})
    told = module._train(model, tokenizer, EXAMPLES, once)
    next(told)
    next(told)  # a step was made in between
    moved = max(float((value.detach() - before[name]).abs().max()) for name, value in model.named_parameters())
    assert 1.8e-3 < moved < 2.02e-3  # the norms' weights are 1: a decay of 1 would double their steps


def test_an_unknown_preset_or_task_leaves_nothing_behind(tmp_path: Path) -> None:
    for preset, task, name in (("huge", "digits", "huge"), ("arithmetic", "no-task", "no-task")):
        with pytest.raises(ValueError, match=name):
            warm_model(preset, task, QUICK, cache=tmp_path)
    assert list(tmp_path.rglob("*")) == []
