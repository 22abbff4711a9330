"""A small configuration with verl's keys as plain mappings, and changes to it by dotted key."""

from __future__ import annotations

import copy
from typing import Any

from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.planned_run import PlannedRun
from llm_validation.verl_engine.configuration.record import read

# Two nodes of four GPUs, a model of the family by name, everything else a number easy to compute with.
SMALL: dict[str, Any] = {
    "trainer": {
        "nnodes": 2,
        "n_gpus_per_node": 4,
        "total_training_steps": 10,
        "test_freq": 4,
        "save_freq": 3,
        "max_actor_ckpt_to_keep": None,
        "val_before_train": True,
        "rollout_data_dir": None,
        "v1": {"trainer_mode": "sync"},
    },
    "data": {"max_prompt_length": 100, "max_response_length": 900, "train_batch_size": 32},
    "algorithm": {"filter_groups": {"enable": False}},
    "actor_rollout_ref": {
        "model": {"path": "Qwen/Qwen3-0.6B", "enable_gradient_checkpointing": True, "use_remove_padding": True},
        "actor": {
            "strategy": "fsdp2",
            "ppo_mini_batch_size": 8,
            "use_dynamic_bsz": True,
            "ppo_max_token_len_per_gpu": 2000,
            "ulysses_sequence_parallel_size": 1,
            "fsdp_config": {"param_offload": False, "optimizer_offload": False, "fsdp_size": -1},
        },
        "rollout": {"name": "vllm", "n": 4, "tensor_model_parallel_size": 1, "gpu_memory_utilization": 0.5},
    },
}


def config(**changes: Any) -> dict[str, Any]:
    """The small configuration with keys changed; ``a__b`` stands for ``a.b``."""
    tree = copy.deepcopy(SMALL)
    for key, value in changes.items():
        *path, last = key.split("__")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def planned(**changes: Any) -> PlannedRun:
    """The numbers of a planned run of :func:`config`."""
    return planned_run(read(config(**changes)))


ACTOR = "actor_rollout_ref__actor__"
ENGINE = ACTOR + "fsdp_config__"
ROLLOUT = "actor_rollout_ref__rollout__"
MODEL = "actor_rollout_ref__model__"
