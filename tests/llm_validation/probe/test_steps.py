"""A probe's step against the trainer's own, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.probe import steps
from llm_validation.probe.contexts import Contexts
from llm_validation.probe.steps import (
    RestoreError,
    Setting,
    fingerprint,
    moments_of,
    restored,
    state_fingerprint,
    take_step,
)
from tests.llm_validation.train.tiny_runs import prepared, settings, tiny_model

pytestmark = pytest.mark.train

EPS = 1e-3  # as large as gradients: Adam then does not blow up the rounding of small ones


def parameters(model: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def as_rollouts(batches: list[dict[str, Any]]) -> tuple[Contexts, Any, Any]:
    """TRL's padded batches as contexts, tokens and advantages, row by row in its order."""
    from llm_validation.probe.contexts import rollout_contexts

    prompts, responses, advantages = [], [], []
    for batch in batches:
        for prompt, seen, response, kept, advantage in zip(
            *(batch[key] for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages")),
            strict=True,
        ):
            prompts.append(prompt[seen.bool()].tolist())
            responses.append(response[kept.bool()].tolist())
            advantages.append(float(advantage))
    contexts = rollout_contexts(prompts, responses, pad=0)
    return contexts, np.array([token for one in responses for token in one]), np.array(advantages)


@pytest.fixture(scope="module")
def rollouts() -> tuple[Any, Contexts, Any, Any]:
    """A model, and random rollouts that are not its own."""
    from llm_validation.probe.contexts import rollout_contexts

    model, _ = tiny_model()
    rng = np.random.default_rng(0)
    responses = [rng.integers(3, 99, size=rng.integers(1, 4)).tolist() for _ in range(12)]
    contexts = rollout_contexts([[20 + i % 3, 14, 30] for i in range(12)], responses, pad=0)
    return model, contexts, np.array([token for one in responses for token in one]), rng.normal(size=12)


def distance(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Largest difference of two changes, relative to the largest entry."""
    size = max(float(value.abs().max()) for value in theirs.values())
    return max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) / size


@pytest.mark.parametrize(("optimiser", "updates"), [("sgd", 1), ("sgd", 4), ("adamw", 1), ("adamw", 4)])
def test_a_step_is_the_trainers_own(tmp_path: Path, optimiser: str, updates: int) -> None:
    # Large steps, so that the ratio leaves the clip range where there are several updates.
    rate = {"sgd": 1.0, "adamw": 3e-3}[optimiser]
    config = settings(
        estimator="grpo", optimiser=optimiser, learning_rate=rate, steps=1, inner_updates=updates, adam_eps=EPS
    )
    run = prepared(config, tmp_path)
    before = parameters(run.trainer.model)
    run.trainer.train()
    change = {name: value.double() - before[name].double() for name, value in parameters(run.trainer.model).items()}
    contexts, tokens, advantages = as_rollouts(run.trainer._buffered_inputs)
    model, _ = tiny_model()
    assert fingerprint(parameters(model)) == fingerprint(before)
    setting = Setting(
        optimiser="sgd" if optimiser == "sgd" else "adam", learning_rate=rate, updates=updates, adam_eps=EPS
    )
    order = np.arange(len(advantages))

    def ours(setting: Setting) -> dict[str, Any]:
        return take_step(model, contexts, tokens, advantages, setting, order=order)

    # Gradients in float32, of rows that are padded otherwise; under Adam parameters of size 1, which float32 keeps to
    # 1.2e-7, move by 3e-3 only.
    tolerance = 1e-5 if optimiser == "sgd" else 5e-5
    assert distance(ours(setting), change) < tolerance
    # Negative controls: another clip range where it bites, another normaliser, another eps.
    if updates > 1:
        assert distance(ours(setting.model_copy(update={"clip_high": 0.01, "clip_low": 0.01})), change) > tolerance
        assert distance(ours(setting.model_copy(update={"clipped": False})), change) > tolerance
    if optimiser == "adamw":
        assert distance(ours(setting.model_copy(update={"adam_eps": 2 * EPS})), change) > tolerance
    else:
        assert distance(ours(setting.model_copy(update={"learning_rate": 1.01 * rate})), change) > tolerance


def test_adam_goes_on_from_the_moments_of_training(tmp_path: Path) -> None:
    config = settings(estimator="grpo", learning_rate=1e-3, steps=2, adam_eps=EPS)
    run = prepared(config, tmp_path)
    states: list[tuple[Any, Any]] = []
    step = run.trainer.training_step

    def watched(model: Any, *args: Any, **kwargs: Any) -> Any:
        inner = getattr(run.trainer.optimizer, "optimizer", run.trainer.optimizer)
        states.append((parameters(model), moments_of(inner, model)))
        return step(model, *args, **kwargs)

    run.trainer.training_step = watched
    run.trainer.train()
    (_, none), (before, moments) = states
    assert none == {}
    assert moments.keys() == before.keys()
    change = {name: value.double() - before[name].double() for name, value in parameters(run.trainer.model).items()}
    contexts, tokens, advantages = as_rollouts(run.trainer._buffered_inputs)
    model, _ = tiny_model()
    steps._put_back(model, before)
    setting, order = Setting(optimiser="adam", learning_rate=1e-3, adam_eps=EPS), np.arange(len(advantages))
    with_moments = take_step(model, contexts, tokens, advantages, setting, order=order, moments=moments)
    without = take_step(model, contexts, tokens, advantages, setting, order=order)
    assert distance(with_moments, change) < 2e-4  # parameters of size 1 move by 1e-3
    assert distance(without, change) > 0.1


@pytest.mark.parametrize("setting", [Setting(), Setting(optimiser="adam", updates=3)])
def test_a_step_leaves_model_gradients_mode_and_random_state(rollouts: Any, setting: Setting) -> None:
    import torch

    model, contexts, tokens, advantages = rollouts
    model.eval()
    marked = torch.ones_like(model.lm_head.weight)
    model.lm_head.weight.grad = marked
    adam = torch.optim.AdamW(model.parameters())
    before = state_fingerprint(model, adam)
    change = take_step(model, contexts, tokens, advantages, setting, order=np.arange(12), optimiser=adam)
    assert max(float(value.abs().max()) for value in change.values()) > 1e-6
    assert state_fingerprint(model, adam) == before
    assert model.lm_head.weight.grad is marked
    assert not model.training
    model.lm_head.weight.grad = None


def test_a_planted_error_in_the_restore_is_caught(rollouts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    model, contexts, tokens, advantages = rollouts
    kept_all = parameters(model)
    put_back = steps._put_back

    def all_but_one(model: Any, kept: Any) -> None:
        name = next(iter(kept))
        put_back(model, {**kept, name: dict(model.named_parameters())[name].detach().clone()})

    with monkeypatch.context() as patch:
        patch.setattr(steps, "_put_back", all_but_one)
        with pytest.raises(RestoreError, match="parameters, the optimiser or the random state"):
            take_step(model, contexts, tokens, advantages, Setting(), order=np.arange(12))
    put_back(model, kept_all)
    adam = torch.optim.AdamW(model.parameters())
    with pytest.raises(RestoreError), restored(model, adam):
        adam.state[model.lm_head.weight] = {"exp_avg": torch.zeros(3)}
    with pytest.raises(RestoreError), restored(model):
        torch.rand(1)
    with restored(model):  # nothing planted, nothing raised
        pass


def test_an_error_inside_comes_out_and_the_model_is_restored(rollouts: Any) -> None:
    import torch

    model = rollouts[0]
    before = state_fingerprint(model)

    def spoil() -> None:
        with restored(model):
            with torch.no_grad():
                model.lm_head.weight.add_(1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spoil()
    assert state_fingerprint(model) == before


def test_a_step_of_sgd_is_linear_in_the_advantages(rollouts: Any) -> None:
    model, contexts, tokens, advantages = rollouts
    other = np.random.default_rng(1).normal(size=12)
    order = np.arange(12)

    def step(values: Any, setting: Setting) -> dict[str, Any]:
        return take_step(model, contexts, tokens, values, setting, order=order)

    def gap(setting: Setting) -> float:
        parts = step(advantages, setting), step(other, setting)
        both = step(advantages + other, setting)
        return distance({name: parts[0][name] + parts[1][name] for name in both}, both)

    # Changes are read off float32 parameters of size 0.05, so to 4e-9 in 1e-3.
    assert gap(Setting(learning_rate=0.5)) < 1e-5
    assert gap(Setting(optimiser="adam")) > 0.01  # the negative control: Adam is not


def test_mini_batches_follow_the_order(rollouts: Any) -> None:
    model, contexts, tokens, advantages = rollouts

    def step(order: Any, updates: int) -> dict[str, Any]:
        setting = Setting(learning_rate=0.5, updates=updates)
        return take_step(model, contexts, tokens, advantages, setting, order=order)

    backwards = np.arange(12)[::-1]
    assert distance(step(backwards, 3), step(np.arange(12), 3)) > 1e-3
    assert distance(step(backwards, 1), step(np.arange(12), 1)) == 0


def test_fingerprints_tell_one_bit_and_one_name(rollouts: Any) -> None:
    import torch

    one = {"a": torch.zeros(3), "b": torch.zeros(3)}
    flipped = {"a": torch.tensor([0.0, 0.0, -0.0]), "b": torch.zeros(3)}
    assert fingerprint(one) == fingerprint(dict(reversed(one.items())))
    assert len({fingerprint(one), fingerprint(flipped), fingerprint({"a": one["a"], "c": one["b"]})}) == 3
