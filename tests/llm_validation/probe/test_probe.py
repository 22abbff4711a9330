"""The probe as a whole: linear in the baseline, measured against brute force, without a trace in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.probe import steps
from llm_validation.probe.batch import ProbeConfig, make_stepper
from llm_validation.probe.probe import by_sign, probe
from llm_validation.probe.steps import RestoreError, Setting, fingerprint, moments_of
from tests.llm_validation.train.tiny_runs import prepared, settings

pytestmark = pytest.mark.train

BASELINES = ("0", "0.25", "0.5", "0.75", "1")


@pytest.fixture(scope="module", params=["digits", "addition"])
def stepper(request: pytest.FixtureRequest) -> Any:
    """Random weights, taught a little: the entropy of a fresh model is nearly the largest there is."""
    import torch

    from llm_validation.models.presets import build_model, preset_tokenizer
    from llm_validation.models.warmup import answer_log_probs
    from llm_validation.tasks import load_examples

    model, tokenizer = build_model("arithmetic", seed=0), preset_tokenizer("arithmetic")
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for seed in range(30):
        optimiser.zero_grad()
        (-answer_log_probs(model, tokenizer, load_examples(request.param, count=64, seed=seed)).mean()).backward()
        optimiser.step()
    return make_stepper(model, tokenizer, ProbeConfig(task=request.param, prompts=4, group_size=8))


def curve(rows: list[dict[str, Any]], name: str) -> Any:
    """[baselines, prompts] of one column."""
    return np.array([[row[name] for row in rows if row["arm"] == f"constant-{b}"] for b in BASELINES])


def bend(values: Any) -> float:
    """Largest distance from the straight line through the first and the last, relative to what there is to see."""
    b = np.array([float(x) for x in BASELINES])[:, None]
    line = values[0] + (values[-1] - values[0]) * b
    return float(np.abs(values - line).max() / np.abs(values).max())


def test_the_first_order_rung_is_linear_in_the_baseline(stepper: Any) -> None:
    arms = [f"constant-{b}" for b in BASELINES]
    rows = probe(stepper, [Setting(learning_rate=0.5), Setting(optimiser="adam", learning_rate=1e-3)], arms)
    sgd, adam = ([row for row in rows if row["optimiser"] == name] for name in ("sgd", "adam"))
    assert np.abs(curve(sgd, "first_order")[0] - curve(sgd, "first_order")[-1]).max() > 1e-3
    for rung in ("first_order", "sampled", "identity"):
        assert bend(curve(sgd, rung)) < 1e-5
    # Negative controls: neither the measured change of a large step nor Adam's first order lies on a line.
    assert bend(curve(sgd, "change")) > 1e-3
    assert bend(curve(adam, "first_order")) > 1e-3


def test_rows_say_what_they_are_of(stepper: Any) -> None:
    setting = Setting(optimiser="adam", learning_rate=1e-3, adam_eps=1e-5, updates=2, clipped=False)
    rows = probe(stepper, [setting], ["qae-0.4", "mean"])
    assert [(row["arm"], row["prompt"]) for row in rows] == [(arm, i) for arm in ("qae-0.4", "mean") for i in range(4)]
    assert [row["scaled"] for row in rows] == [True] * 4 + [False] * 4
    facts = {(row["optimiser"], row["adam_eps"], row["updates"], row["clipped"], row["group_size"]) for row in rows}
    assert facts == {("adam", 1e-5, 2, False, 8)}
    assert [row["num_correct"] for row in rows[:4]] == stepper.batch.rewards.sum(-1).tolist()
    for row in rows:
        assert row["guaranteed_low"] <= row["change"] <= row["guaranteed_high"]
        assert row["first_order_low"] <= row["first_order_high"]


def test_the_step_of_the_tabular_rungs_is_that_of_the_loss(stepper: Any) -> None:
    """Learning rate x G over the tokens of a mini-batch, for each of them: what a response's table moves by."""
    rate, updates = 0.01, 2
    rows = probe(
        stepper, [Setting(learning_rate=rate), Setting(learning_rate=rate, updates=updates)], ["constant-0.25"]
    )
    once, twice = rows[:4], rows[4:]
    assert all(np.isnan(row["adam_eps"]) for row in rows)
    for rung in ("identity", "centred", "sampled"):
        np.testing.assert_allclose([row[rung] for row in twice], [updates * row[rung] for row in once], rtol=1e-12)
    if not hasattr(stepper.measure, "_tree"):
        return
    log_probs = stepper.measure._responses(stepper.before)
    probs = np.exp(log_probs)
    pushed = probs * (stepper.measure._arm_rewards - 0.25)
    mean = (probs * log_probs).sum(-1)
    covariance = (probs * log_probs * pushed).sum(-1) - mean * (probs * pushed).sum(-1)
    eta = rate * stepper.batch.group_size / len(stepper.batch.tokens())
    np.testing.assert_allclose([row["identity"] for row in once], -eta * covariance, rtol=1e-9)


def brute_force_entropy(model: Any, prompt: list[int], response: Any) -> Any:
    """Entropy of the next token after each proper prefix of the response, one forward pass a prefix."""
    import torch

    found = []
    for length in range(len(response)):
        ids = torch.tensor([[*prompt, *response[:length]]])
        probs = model(input_ids=ids, use_cache=False).logits[0, -1].double().softmax(-1)
        found.append(float(-(probs * probs.log()).sum()))
    return np.array(found)


def test_the_measured_change_is_that_of_the_moved_model(stepper: Any) -> None:
    import torch

    setting = Setting(learning_rate=0.5)
    rows = probe(stepper, [setting], ["constant-0"])
    change = stepper.change(setting, stepper.batch.rewards)
    model = stepper._exact_model
    batch, measured = stepper.batch, []
    with torch.no_grad():
        for sign in (0, 1):
            if sign:
                for name, value in model.named_parameters():
                    value.add_(change[name])
            measured.append(
                [
                    whole(model, prompt, stepper) if hasattr(stepper.measure, "_tree") else along(model, prompt, group)
                    for prompt, group in zip(batch.prompts, batch.responses, strict=True)
                ]
            )
        for name, value in model.named_parameters():
            value.sub_(change[name])
    before, after = np.array(measured)
    # Rounding of float64, of parameters added and taken away again.
    np.testing.assert_allclose([row["entropy"] for row in rows], before, rtol=1e-9)
    np.testing.assert_allclose([row["change"] for row in rows], after - before, rtol=1e-6, atol=1e-12)


def along(model: Any, prompt: list[int], group: Any) -> float:
    return sum(brute_force_entropy(model, prompt, one).sum() for one in group) / len(group)


def whole(model: Any, prompt: list[int], stepper: Any) -> float:
    """Entropy of two-token responses by the chain rule: H(first) + sum over first tokens p H(second | first)."""
    import torch

    end = stepper.measure._tree.end
    first = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1].double().softmax(-1)
    entropy = float(-(first * first.log()).sum())
    for token, prob in enumerate(first.tolist()):
        if token != end:
            second = model(input_ids=torch.tensor([[*prompt, token]]), use_cache=False).logits[0, -1].softmax(-1)
            entropy += prob * float(-(second * second.log()).sum())
    return entropy


def test_parts_by_sign_add_up(stepper: Any) -> None:
    split = by_sign(stepper, "grpo")
    whole = np.mean([row["first_order"] for row in probe(stepper, [Setting()], ["grpo"])])
    # Steps of 1e-3 are read off float32 parameters, some of size 1.
    assert split["growth_positive"] + split["growth_negative"] == pytest.approx(whole, rel=1e-3)
    hard = by_sign(stepper, "nsr")  # gives no response a positive advantage
    assert np.isnan(hard["entropy_positive"])
    assert hard["growth_positive"] == 0


def test_training_after_a_probe_is_training_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback

    def final(folder: Path, callbacks: list[Any]) -> str:
        run = prepared(settings(estimator="grpo", steps=4, inner_updates=2), folder)
        for callback in callbacks:
            run.trainer.add_callback(callback(run.trainer))
        run.trainer.train()
        optimiser = run.trainer.optimizer.optimizer
        state = {f"{a}.{b}": c for a, one in moments_of(optimiser, run.trainer.model).items() for b, c in one.items()}
        return fingerprint(dict(run.trainer.model.named_parameters()) | state)

    class Probing(TrainerCallback):
        def __init__(self, trainer: Any) -> None:
            self.trainer, self.rows = trainer, 0

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            config = ProbeConfig(task="addition", prompts=2, group_size=4, arms=("mean", "constant-0"))
            model, optimiser = self.trainer.model, self.trainer.optimizer.optimizer
            tokenizer, moments = self.trainer.processing_class, moments_of(optimiser, model)
            made = make_stepper(model, tokenizer, config, moments=moments, optimiser=optimiser)
            assert probe(made, [Setting(optimiser="adam"), Setting()], config.arms)

    class Meddling(TrainerCallback):
        def __init__(self, trainer: Any) -> None:
            self.trainer = trainer

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            import torch

            torch.rand(1)

    plain = final(tmp_path / "plain", [])
    assert final(tmp_path / "probed", [Probing]) == plain
    assert final(tmp_path / "meddled", [Meddling]) != plain
    monkeypatch.setattr(steps, "_put_back", lambda model, kept: None)
    with pytest.raises(RestoreError):
        final(tmp_path / "spoilt", [Probing])
