"""Declare the actor's settings: mini-batches, micro-batches, the FSDP engine, the loss, and a checkpoint's contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import (
    ANY,
    COUNT,
    COUNT_OR_MINUS_ONE,
    FLAG,
    NAMES,
    NUMBER_TYPE,
    one_of,
)
from llm_validation.verl_engine.configuration.setting import Setting, setting

SHARDED = ("fsdp", "fsdp2")
# Number of arrays of the parameters' size and type that an optimiser keeps between steps.
OPTIMISER_STATES = {"AdamW": 2, "Adam": 2, "SGD": 0}


@dataclass(frozen=True)
class Actor:
    """Settings of the table ``actor_rollout_ref.actor``."""

    strategy: Setting[str] = setting("actor_rollout_ref.actor.strategy", one_of(SHARDED), default="fsdp")
    mini_batch_prompts: Setting[int] = setting("actor_rollout_ref.actor.ppo_mini_batch_size", COUNT, default=256)
    epochs: Setting[int] = setting("actor_rollout_ref.actor.ppo_epochs", COUNT, default=1)
    dynamic_batches: Setting[bool] = setting("actor_rollout_ref.actor.use_dynamic_bsz", FLAG, default=False)
    """Whether micro-batches are filled up to a number of tokens, instead of a number of sequences."""
    update_tokens: Setting[int] = setting("actor_rollout_ref.actor.ppo_max_token_len_per_gpu", COUNT, default=16384)
    """Most tokens of a micro-batch on one GPU in the update."""
    micro_batch: Setting[int] = setting("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu", COUNT)
    """Sequences of a micro-batch on one GPU in the update."""
    sequence_parallel: Setting[int] = setting(
        "actor_rollout_ref.actor.ulysses_sequence_parallel_size", COUNT, default=1
    )
    """GPUs that share one sequence."""

    fsdp_size: Setting[int] = setting("actor_rollout_ref.actor.fsdp_config.fsdp_size", COUNT_OR_MINUS_ONE, default=-1)
    """GPUs that share one copy of the weights; -1 is all of them."""
    stored_type: Setting[str] = setting("actor_rollout_ref.actor.fsdp_config.model_dtype", NUMBER_TYPE, default="fp32")
    """Type of a stored weight, of its gradient and of the optimiser's numbers."""
    compute_type: Setting[str] = setting(
        "actor_rollout_ref.actor.fsdp_config.mixed_precision.param_dtype", NUMBER_TYPE, default="bf16"
    )
    reduce_type: Setting[str] = setting(
        "actor_rollout_ref.actor.fsdp_config.mixed_precision.reduce_dtype", NUMBER_TYPE, default="fp32"
    )
    param_offload: Setting[bool] = setting("actor_rollout_ref.actor.fsdp_config.param_offload", FLAG, default=False)
    optimizer_offload: Setting[bool] = setting(
        "actor_rollout_ref.actor.fsdp_config.optimizer_offload", FLAG, default=False
    )
    offload_policy: Setting[bool] = setting("actor_rollout_ref.actor.fsdp_config.offload_policy", FLAG, default=False)
    unsharded_gradients: Setting[bool] = setting(
        "actor_rollout_ref.actor.fsdp_config.use_no_sync_for_gradient_accumulation", FLAG, default=False
    )
    optimiser: Setting[str] = setting(
        "actor_rollout_ref.actor.optim.optimizer", one_of(OPTIMISER_STATES), default="AdamW"
    )

    entropy_coefficient: Setting[Any] = setting("actor_rollout_ref.actor.entropy_coeff", ANY, default=0)
    computes_entropy: Setting[bool] = setting("actor_rollout_ref.actor.calculate_entropy", FLAG, default=False)
    chunked_entropy: Setting[bool] = setting(
        "actor_rollout_ref.actor.entropy_from_logits_with_chunking", FLAG, default=False
    )
    entropy_chunk: Setting[int] = setting("actor_rollout_ref.actor.entropy_from_logits_chunk_size", COUNT, default=2048)
    entropy_recomputed: Setting[bool] = setting("actor_rollout_ref.actor.entropy_checkpointing", FLAG, default=False)
    kl_loss: Setting[bool] = setting("actor_rollout_ref.actor.use_kl_loss", FLAG, default=False)
    clip_high: Setting[Any] = setting("actor_rollout_ref.actor.clip_ratio_high", ANY)
    """The upper clip range, epsilon_high."""
    clip_dual: Setting[Any] = setting("actor_rollout_ref.actor.clip_ratio_c", ANY)
    """The ratio beyond which the loss of a negative advantage is flat (dual clipping)."""
    aggregation: Setting[Any] = setting("actor_rollout_ref.actor.loss_agg_mode", ANY)
    """How the loss averages over tokens."""

    saved: Setting[tuple[str, ...]] = setting(
        "actor_rollout_ref.actor.checkpoint.save_contents", NAMES, default=("model", "optimizer", "extra")
    )
    saves_asynchronously: Setting[Any] = setting("actor_rollout_ref.actor.checkpoint.async_save", ANY)
