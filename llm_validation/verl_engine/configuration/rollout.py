"""Declare the rollouts' settings: responses to a prompt, vLLM's sizes, and the passes for log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY, COUNT, FLAG, NUMBER_TYPE, SHARE, one_of
from llm_validation.verl_engine.configuration.setting import Setting, setting


@dataclass(frozen=True)
class Rollout:
    """Settings of the table ``actor_rollout_ref.rollout``."""

    group_size: Setting[int] = setting("actor_rollout_ref.rollout.n", COUNT, default=1)
    """G, the number of responses to a prompt."""
    several_turns: Setting[bool] = setting("actor_rollout_ref.rollout.multi_turn.enable", FLAG, default=False)
    """Whether a rollout has several turns, with tools or another speaker between."""
    agent_loops: Setting[Any] = setting("actor_rollout_ref.rollout.agent.agent_loop_config_path", ANY)
    """A file of agent loops of the user's own, which may return several outputs for one rollout."""
    validation_samples: Setting[int] = setting("actor_rollout_ref.rollout.val_kwargs.n", COUNT, default=1)
    engine: Setting[str] = setting("actor_rollout_ref.rollout.name", one_of(("vllm",)), default="vllm")
    tensor_parallel: Setting[int] = setting("actor_rollout_ref.rollout.tensor_model_parallel_size", COUNT, default=2)
    """GPUs that share one copy of vLLM."""
    data_parallel: Setting[int] = setting("actor_rollout_ref.rollout.data_parallel_size", COUNT, default=1)
    gpu_memory_utilization: Setting[float] = setting(
        "actor_rollout_ref.rollout.gpu_memory_utilization", SHARE, default=0.5
    )
    max_num_seqs: Setting[int] = setting("actor_rollout_ref.rollout.max_num_seqs", COUNT, default=256)
    max_num_batched_tokens: Setting[int] = setting(
        "actor_rollout_ref.rollout.max_num_batched_tokens", COUNT, default=8192
    )
    max_model_len: Setting[int] = setting("actor_rollout_ref.rollout.max_model_len", COUNT)
    """Most tokens of a sequence; where it is not stated, those of the longest prompt and response."""
    number_type: Setting[str] = setting("actor_rollout_ref.rollout.dtype", NUMBER_TYPE, default="bfloat16")
    bucket_megabytes: Setting[int] = setting(
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes", COUNT, default=2048
    )
    frees_cache: Setting[bool] = setting("actor_rollout_ref.rollout.free_cache_engine", FLAG, default=True)
    """Whether vLLM gives its memory back while the actor trains."""
    prefix_caching: Setting[bool] = setting("actor_rollout_ref.rollout.enable_prefix_caching", FLAG, default=True)
    log_prob_tokens: Setting[int] = setting("actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu", COUNT)
    """Most tokens of a micro-batch on one GPU in a pass for log-probabilities; by default the update's."""
    log_prob_micro_batch: Setting[int] = setting("actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu", COUNT)
