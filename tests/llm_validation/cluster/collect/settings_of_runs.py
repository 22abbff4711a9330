"""Configurations as small as checks need them: as plain dictionaries, and as the record that checks get."""

from __future__ import annotations

from typing import Any

from llm_validation.verl_engine.configuration.record import Configuration, read


def run(**changes: Any) -> Configuration:
    """The record of :func:`tree`."""
    return read(tree(**changes))


def tree(**changes: Any) -> dict[str, Any]:
    """A run that every check passes; ``changes`` are values by dotted path, with ``__`` for a dot."""
    config: dict[str, Any] = {
        "algorithm": {
            "adv_estimator": "qae",
            "quantile_k": "0.4",
            "advantage_gate": "reward",
            "correct_above": 0.5,
            "filter_groups": {"enable": True, "metric": "acc"},
        },
        "data": {
            "train_batch_size": 64,
            "max_prompt_length": 32,
            "max_response_length": 96,
            "train_files": "train.jsonl",
            "val_files": ["val.jsonl"],
        },
        "actor_rollout_ref": {
            "model": {"path": "Qwen/Qwen3-8B-Base"},
            "actor": {
                "ppo_mini_batch_size": 16,
                "ppo_epochs": 1,
                "use_dynamic_bsz": True,
                "ppo_max_token_len_per_gpu": 128,
                "ulysses_sequence_parallel_size": 1,
                "checkpoint": {"save_contents": ["model", "optimizer", "extra"], "async_save": False},
                "optim": {"optimizer": "AdamW"},
            },
            "rollout": {"n": 16, "name": "vllm", "tensor_model_parallel_size": 1, "val_kwargs": {"n": 32}},
        },
        "reward": {"reward_manager": {"name": "dapo"}},
        "trainer": {
            "nnodes": 1,
            "n_gpus_per_node": 8,
            "device": "cuda",
            "logger": ["console", "file"],
            "save_freq": 10,
            "max_actor_ckpt_to_keep": 2,
            "total_training_steps": 100,
        },
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    return config


def overlong(**changes: Any) -> Configuration:
    """DAPO's rewards: +1 and -1, less up to 1 for length."""
    buffer = {"enable": True, "len": 32, "penalty_factor": 1.0}
    rewards = {"max_resp_len": 96, "overlong_buffer_cfg": buffer}
    return run(**{"reward__reward_kwargs": rewards, "algorithm__correct_above": -0.5, **changes})
