"""Dual clipping: read from verl's configuration, and counted where its loss is flat."""

from __future__ import annotations

import numpy as np
import pytest

from llm_validation.cluster.collect.dumps.measures import of_probe
from llm_validation.cluster.collect.logs.run_settings import RunSettings, settings_of_verl
from llm_validation.verl_engine.update_probe import Response, metrics_of, records_from_tokens

RATIOS = np.array([0.5, 1.0, 2.9, 3.1, 20.0])


def response(advantage: float) -> Response:
    tokens = len(RATIOS)
    before = np.full(tokens, -3.0)
    return Response(
        uid="g",
        key="g_0_0",
        reward=1.0,
        mask=np.ones(tokens),
        advantages=np.full(tokens, advantage),
        log_probs_before=before,
        log_probs_after=before + np.log(RATIOS),
        entropies_before=np.ones(tokens),
        entropies_after=np.ones(tokens),
    )


@pytest.mark.parametrize(
    ("advantage", "bound", "counts"),
    [
        (-1.0, 3.0, {"clipped_high": 0, "clipped_low": 1, "clipped_dual": 2}),
        (1.0, 3.0, {"clipped_high": 3, "clipped_low": 0, "clipped_dual": 0}),
        (-1.0, 10.0, {"clipped_high": 0, "clipped_low": 1, "clipped_dual": 1}),
        (-1.0, None, {"clipped_high": 0, "clipped_low": 1}),
    ],
)
def test_tokens_beyond_the_bound_with_a_negative_advantage(
    advantage: float, bound: float | None, counts: dict[str, int]
) -> None:
    (record,) = records_from_tokens([response(advantage)], step=1, clip_low=0.2, clip_high=0.28, clip_dual=bound)
    assert {name: value for name, value in record.items() if name.startswith("clipped_")} == counts
    logged = metrics_of([record], quantile_k="0.4")
    mine = of_probe([{**record, "group": "g"}], RunSettings(), threshold=0.0)
    assert logged.get("probe/clip/dual_share") == mine.get("probe/clip/dual_share")
    assert logged.get("probe/clip/dual_share") == (None if bound is None else counts["clipped_dual"] / len(RATIOS))


def test_a_bound_of_one_or_less_is_refused() -> None:
    with pytest.raises(ValueError, match="clip_dual must be a number > 1"):
        records_from_tokens([response(1.0)], step=1, clip_low=0.2, clip_high=0.28, clip_dual=1.0)


def test_it_is_read_from_the_configuration() -> None:
    assert settings_of_verl({"actor_rollout_ref.actor.clip_ratio_c": 10.0}).clip_dual == 10.0
    assert settings_of_verl({}).clip_dual is None


@pytest.mark.verl
@pytest.mark.parametrize(
    ("experiment", "bound"), [("qwen3-8b-clip-higher-qae", 10.0), ("theory-grpo", 10.0), ("qwen3-30b-a3b-gspo", None)]
)
def test_the_trainer_reads_it_for_the_loss_that_has_it(experiment: str, bound: float | None) -> None:
    from llm_validation.verl_engine.trainer import probe_settings
    from tests.llm_validation.verl_engine.test_trainer import composed

    assert probe_settings(composed(experiment=experiment)).clip_dual == bound


@pytest.mark.verl
@pytest.mark.parametrize("advantage", [-1.0, 1.0])
def test_verls_loss_is_flat_exactly_there(advantage: float) -> None:
    """The gradient of verl's own loss vanishes at the tokens that are counted as clipped, low, high or dual."""
    import torch
    from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla
    from verl.workers.config import FSDPActorConfig

    config = FSDPActorConfig(
        strategy="fsdp",
        clip_ratio=0.2,
        clip_ratio_low=0.2,
        clip_ratio_high=0.28,
        clip_ratio_c=3.0,
        ppo_micro_batch_size_per_gpu=1,
        rollout_n=1,
    )
    old = torch.full((1, len(RATIOS)), -3.0)
    new = (old + torch.log(torch.tensor(RATIOS, dtype=torch.float32))).requires_grad_()
    loss, *_ = compute_policy_loss_vanilla(
        old_log_prob=old,
        log_prob=new,
        advantages=torch.full_like(old, advantage),
        response_mask=torch.ones_like(old),
        config=config,
    )
    loss.backward()
    assert new.grad is not None
    flat = int((new.grad == 0).sum())
    (record,) = records_from_tokens([response(advantage)], step=1, clip_low=0.2, clip_high=0.28, clip_dual=3.0)
    assert flat == record["clipped_high"] + record["clipped_low"] + record["clipped_dual"]
