"""What a run logs besides TRL's figures, and that settings reach TRL: on runs of a second."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.train.advantage_trainer import ENTROPY
from llm_validation.train.arguments import grpo_arguments
from tests.llm_validation.train.tiny_runs import prepared, settings, train

pytestmark = pytest.mark.train


@pytest.mark.parametrize("estimator", ["grpo", "rloo"])
@pytest.mark.parametrize("std", ["none", "batch"])
def test_divisors_of_nothing_and_of_the_batch(std: str, estimator: str, tmp_path: Path) -> None:
    """The advantages in the records are (R - mean of its group) over 1, or over the batch's Bessel std + eps.

    Leave-one-out's are n/(n - 1) times these in a group of which n could be scored.
    """
    run = train(settings(estimator=estimator, options={"std": std, "eps": 0.5}, steps=2), tmp_path)
    for records in run.records:
        known = [record["reward"] for record in records if record["reward"] is not None]
        divisor = 1.0 if std == "none" else float(np.std(known, ddof=1)) + 0.5
        for record in records:
            group = [one["reward"] for one in records if one["group"] == record["group"]]
            scored = [reward for reward in group if reward is not None]
            wanted = 0.0 if record["reward"] is None else (record["reward"] - float(np.mean(scored))) / divisor
            if estimator == "rloo":
                wanted *= len(scored) / max(len(scored) - 1, 1)
            assert record["advantage"] == pytest.approx(wanted, abs=1e-6)  # float32
        assert any(record["advantage"] for record in records)


def test_entropy_is_over_exactly_the_loss_tokens(tmp_path: Path) -> None:
    """Over two mini-batches of different numbers of tokens: the mean over tokens, not the mean of the two means."""
    run = prepared(settings(inner_updates=2, steps=1), tmp_path)
    seen: list[tuple[float, float]] = []
    forward = run.trainer._get_per_token_logps_and_entropies
    masks: list[Any] = []

    def watched(*args: Any, **kwargs: Any) -> Any:
        found = forward(*args, **kwargs)
        if kwargs.get("compute_entropy"):
            mask = masks[-1]
            seen.append((float((found[1].detach() * mask).sum()), float(mask.sum())))
        return found

    loss = run.trainer._compute_loss

    def with_mask(model: Any, inputs: Any) -> Any:
        masks.append(inputs["completion_mask"])
        return loss(model, inputs)

    run.trainer._get_per_token_logps_and_entropies, run.trainer._compute_loss = watched, with_mask
    run.trainer.train()
    assert len(seen) == 2
    assert seen[0][1] != seen[1][1]
    by_update = [line[ENTROPY] for line in run.trainer.state.log_history if ENTROPY in line]
    # Logged after each update here; a run of the command logs after a step, over both.
    assert by_update == pytest.approx([total / count for total, count in seen], rel=1e-5)
    run.trainer._entropy.taken()
    for total, count in seen:
        run.trainer._entropy.add(total / count, count)
    exact = sum(total for total, _ in seen) / sum(count for _, count in seen)
    assert run.trainer._entropy.taken() == pytest.approx(exact)
    assert exact != pytest.approx(sum(total / count for total, count in seen) / 2, rel=1e-7)


def test_the_sampler_and_the_trainer_are_compared(tmp_path: Path) -> None:
    """With a sampler that says log-probability -1 of each token, the difference is that from the trainer's own."""
    run = prepared(settings(inner_updates=2, steps=1), tmp_path)
    generate = run.trainer._generate_single_turn

    def with_logprobs(*args: Any, **kwargs: Any) -> Any:
        ids, _ = generate(*args, **kwargs)
        return ids, [[-1.0] * len(row) for row in ids]

    run.trainer._generate_single_turn = with_logprobs
    run.trainer.train()
    output = run.outputs[0]
    counted = output["completion_mask"].bool()
    gap = (output["old_per_token_logps"] + 1.0)[counted].abs().mean()
    line = run.trainer.state.log_history[0]
    assert line["sampling/logp_difference/token-mean"] == pytest.approx(float(gap), rel=1e-5)
    assert 0 < line["sampling/effective_sample_size/response-share"] < 1


def test_without_the_samplers_probabilities_nothing_is_logged_of_it(tmp_path: Path) -> None:
    run = train(settings(steps=1), tmp_path)
    assert not any(name.startswith("sampling/") for line in run.history for name in line)


def test_components_reach_the_reward_and_correctness_stays(tmp_path: Path) -> None:
    run = train(settings(components={"ended": 0.25}, steps=2), tmp_path)
    for records in run.records:
        for record in records:
            if record["correct"] is None:
                assert record["reward"] is None
                continue
            assert record["reward"] == pytest.approx(record["correct"] + 0.25 * record["component_ended"])
            assert record["component_ended"] == float(record["tokens"] < 3)
    scored = [record["correct"] for record in run.records[0] if record["correct"] is not None]
    assert run.history[0]["success_rate"] == pytest.approx(np.mean(scored))
    shares = [record["component_ended"] for record in run.records[0]]
    assert run.history[0]["components/ended"] == pytest.approx(np.mean(shares))
    assert {0.0, 1.0} == set(shares)


def test_importance_sampling_reaches_trl(tmp_path: Path) -> None:
    usual = grpo_arguments(settings(), tmp_path)
    assert (usual.importance_sampling_level, usual.off_policy_mask_threshold) == ("token", None)
    assert (usual.vllm_importance_sampling_correction, usual.vllm_importance_sampling_mode) == (True, "sequence_mask")
    assert (usual.vllm_importance_sampling_clip_min, usual.vllm_importance_sampling_clip_max) == (None, 3.0)
    other = settings(
        importance_level="sequence",
        loss="grpo",
        off_policy_mask=0.5,
        sampler_correction="token_truncate",
        sampler_ratio_min=0.25,
        sampler_ratio_max=2.0,
    )
    changed = grpo_arguments(other, tmp_path)
    assert (changed.importance_sampling_level, changed.off_policy_mask_threshold) == ("sequence", 0.5)
    assert changed.vllm_importance_sampling_mode == "token_truncate"
    assert (changed.vllm_importance_sampling_clip_min, changed.vllm_importance_sampling_clip_max) == (0.25, 2.0)
    off = grpo_arguments(settings(sampler_correction="none"), tmp_path)
    assert off.vllm_importance_sampling_correction is False


def test_a_chat_template_is_what_the_model_is_asked(tmp_path: Path) -> None:
    from llm_validation.tasks.base import Example
    from llm_validation.train.run import asked_in_template
    from tests.llm_validation.train.tiny_runs import tiny_model

    file = tmp_path / "chat.jinja"
    file.write_text("{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}assistant: ")
    config = settings(chat_template=str(file), system_prompt="Add.", steps=1)
    asked = asked_in_template([Example("1+1=", "2")], tiny_model()[1], config)
    assert asked == [Example("system: Add.\nuser: 1+1=\nassistant: ", "2")]
    run = train(config, tmp_path / "run", examples=[Example(one.prompt, "0") for one in asked])
    assert {record["prompt"] for record in run.records[0]} == {asked[0].prompt}
    assert all(math.isfinite(line.get("loss", 0.0)) for line in run.history)
