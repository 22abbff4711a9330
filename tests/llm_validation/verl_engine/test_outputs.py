"""Rollouts with several outputs inside verl's own functions: one vote each, its advantage on all outputs' tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.verl

# verl 6228: one prompt, a rollout that is right with 7 outputs, and four that are wrong with one each.
KEYS = [f"p_0_{output}" for output in range(7)] + [f"p_{wrong}_0" for wrong in range(1, 5)]
SCORES = [1.0] * 7 + [0.0] * 4


def in_verl(keys: list[str], scores: list[float], estimator: str, **algorithm: Any) -> Any:
    """Advantages ``[B, T]`` by the function of verl's V1 trainers, with masks of different lengths."""
    import torch
    from omegaconf import OmegaConf
    from verl.protocol import DataProto
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    rows, length = len(keys), 4
    mask = torch.zeros(rows, length)
    rewards = torch.zeros(rows, length)
    for row, score in enumerate(scores):
        mask[row, : 1 + row % length] = 1
        rewards[row, row % length] = score
    data = DataProto.from_dict(tensors={"response_mask": mask, "token_level_rewards": rewards})
    data.non_tensor_batch["uid"] = np.array([key.rsplit("_", 2)[0] for key in keys], dtype=object)
    config = OmegaConf.create({"adv_estimator": estimator, "quantile_k": "0.4", **algorithm})
    found = compute_advantage_for_multi_trajectories(data, batch_keys=keys, adv_estimator=estimator, config=config)
    assert torch.equal(found.batch["advantages"], found.batch["returns"])
    return found.batch["advantages"], mask


def test_the_flipped_rollout() -> None:
    advantages, mask = in_verl(KEYS, SCORES, "qae")
    expected = np.array([2.5] * 7 + [0.0] * 4)[:, None] * mask.numpy()
    assert advantages.numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("estimator", ["qae", "qae_linear", "pos_mask", "neg_mask"])
def test_outputs_change_nothing_for_any_estimator(estimator: str) -> None:
    """The same five rollouts with one output each, and with as many as one likes in any order."""
    alone, _ = in_verl([f"p_{rollout}_0" for rollout in range(5)], [1.0, 0.0, 0.0, 0.0, 0.0], estimator)
    order = np.random.default_rng(3).permutation(len(KEYS)).tolist()
    several, mask = in_verl([KEYS[row] for row in order], [SCORES[row] for row in order], estimator)
    for place, row in enumerate(order):
        rollout = int(KEYS[row].split("_")[1])
        expected = alone[rollout, 0] * mask[place]  # the first token is in every mask
        assert several[place].tolist() == pytest.approx(expected.tolist())


def test_the_last_outputs_score_is_the_rollouts() -> None:
    keys = ["p_0_1", "p_0_0", "p_1_0", "p_2_0", "p_2_2", "p_2_1"]
    advantages, _ = in_verl(keys, [1.0, 0.0, 0.0, 1.0, 0.0, 1.0], "qae", advantage_std="none")
    assert advantages[:, 0].tolist() == [1, 1, 0, 0, 0, 0]


def test_without_the_names_every_row_is_a_rollout() -> None:
    import torch

    from llm_validation.verl_engine.plugin import batch_keys, estimate

    assert batch_keys(4) is None
    rewards = torch.tensor([[1.0], [0.0], [0.0], [0.0], [0.0]])
    advantages, _ = estimate("qae", rewards, torch.ones_like(rewards), index=["p"] * 5)
    assert advantages[:, 0].tolist() == pytest.approx([2.5, 0, 0, 0, 0], rel=1e-5)


def compute_advantage_for_multi_trajectories(batch_keys: list[str]) -> Any:
    """A caller of the name that the plug-in looks for, as a verl of another version may have it."""
    from llm_validation.verl_engine import plugin

    assert batch_keys
    return plugin.batch_keys(3)


def test_names_of_other_rows_are_an_error() -> None:
    assert compute_advantage_for_multi_trajectories(["g_0_0", "g_1_0", "g_1_1"]) == ["g_0_0", "g_1_0", "g_1_1"]
    with pytest.raises(RuntimeError, match="has no `batch_keys` of the 3 rows"):
        compute_advantage_for_multi_trajectories(["g_0_0"])


def test_estimators_that_count_outputs_are_refused_at_run_time() -> None:
    from llm_validation.verl_engine.trainer import require_one_vote

    for estimator in ("grpo", "gae", "qae", "pos_mask"):
        require_one_vote(estimator, KEYS)
    require_one_vote("rloo", [key for key in KEYS if key.endswith("_0")])
    with pytest.raises(ValueError, match=r"adv_estimator must be grpo or one of .*; got .*11 outputs of 5 rollouts"):
        require_one_vote("rloo", KEYS)


def test_an_arm_that_counts_outputs_is_refused_before_any_update(monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_queue import KVBatchMeta

    from llm_validation.verl_engine.trainer import ProbeTrainer, probe_settings
    from tests.llm_validation.verl_engine.test_trainer import composed

    monkeypatch.setattr(ProbeTrainer.__base__, "_compute_advantage", lambda self, batch, metrics: batch)
    config = composed("trainer.probe.counterfactual_every=1", "trainer.probe.counterfactual_arms=[grpo,rloo]")
    trainer = object.__new__(ProbeTrainer)
    trainer.config, trainer.probe = config, probe_settings(config)
    alone = KVBatchMeta(keys=[key for key in KEYS if key.endswith("_0")], tags=[{}] * 5, partition_id="train")
    assert trainer._compute_advantage(alone, {}) is alone
    several = KVBatchMeta(keys=KEYS, tags=[{}] * len(KEYS), partition_id="train")
    with pytest.raises(ValueError, match=r"counterfactual_arms must be grpo or .*; got .*'rloo' with 11 outputs of 5"):
        trainer._compute_advantage(several, {})
