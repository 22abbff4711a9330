"""Declare the model's settings: where it lies, how much of it is trained, and what its forward pass keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.kinds import ANY, COUNT_OR_ZERO, FLAG, MODEL
from llm_validation.verl_engine.configuration.setting import Setting, setting

# Other modules name this key when they refuse a model.
PATH_KEY = "actor_rollout_ref.model.path"


@dataclass(frozen=True)
class Model:
    """Settings of the table ``actor_rollout_ref.model``, and the folder of models that the recipes name."""

    path: Setting[str] = setting(PATH_KEY, MODEL)
    """The model's name on the hub, or its folder."""
    folder_of_models: Setting[Any] = setting("cluster.models", ANY)
    lora_rank: Setting[int] = setting("actor_rollout_ref.model.lora_rank", COUNT_OR_ZERO, default=0)
    lora_table_rank: Setting[int] = setting("actor_rollout_ref.model.lora.rank", COUNT_OR_ZERO, default=0)
    """LoRA's rank where the newer table ``lora`` states it; verl reads both."""
    gradient_checkpointing: Setting[bool] = setting(
        "actor_rollout_ref.model.enable_gradient_checkpointing", FLAG, default=True
    )
    activation_offload: Setting[bool] = setting(
        "actor_rollout_ref.model.enable_activation_offload", FLAG, default=False
    )
    remove_padding: Setting[bool] = setting("actor_rollout_ref.model.use_remove_padding", FLAG, default=True)
    fused_head: Setting[bool] = setting("actor_rollout_ref.model.use_fused_kernels", FLAG, default=False)
    attention: Setting[Any] = setting("actor_rollout_ref.model.override_config.attn_implementation", ANY)
