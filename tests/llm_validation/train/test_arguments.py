from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_validation.train.arguments import grpo_arguments
from llm_validation.train.settings import TrainConfig
from tests.llm_validation.train.tiny_runs import settings

pytestmark = pytest.mark.train

# A setting changed, and all that it changes in TRL's arguments. The run: 4 steps of 4 groups of 6, one update each.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "group_size": (
        8,
        {"num_generations": 8, "per_device_train_batch_size": 32, "generation_batch_size": 32},
    ),
    "prompts_per_step": (2, {"per_device_train_batch_size": 12, "generation_batch_size": 12}),
    "steps": (7, {"max_steps": 7}),
    "inner_updates": (
        2,
        {"per_device_train_batch_size": 12, "steps_per_generation": 2, "max_steps": 8, "save_steps": 50},
    ),
    "inner_epochs": (3, {"num_iterations": 3, "max_steps": 12, "save_steps": 75}),
    "max_new_tokens": (5, {"max_completion_length": 5}),
    "temperature": (0.7, {"temperature": 0.7}),
    "optimiser": ("sgd", {"optim": "sgd"}),
    "learning_rate": (0.5, {"learning_rate": 0.5}),
    "lr_schedule": ("cosine", {"lr_scheduler_type": "cosine"}),
    "warmup_updates": (3, {"warmup_steps": 3, "lr_scheduler_type": "constant_with_warmup"}),
    "adam_betas": ((0.8, 0.9), {"adam_beta1": 0.8, "adam_beta2": 0.9}),
    "adam_eps": (1e-4, {"adam_epsilon": 1e-4}),
    "weight_decay": (0.1, {"weight_decay": 0.1}),
    "max_grad_norm": (1.0, {"max_grad_norm": 1.0}),
    "clip_low": (0.1, {"epsilon": 0.1}),
    "clip_high": (0.3, {"epsilon_high": 0.3}),
    "loss": ("dr_grpo", {"loss_type": "dr_grpo"}),
    "kl_beta": (0.1, {"beta": 0.1}),
    "entropy_coefficient": (0.01, {"entropy_coef": 0.01}),
    "adaptive_entropy": (True, {"use_adaptive_entropy": True}),
    "entropy_target": (0.4, {"entropy_target": 0.4}),
    "top_entropy_share": (0.2, {"top_entropy_quantile": 0.2}),
    "importance_level": ("sequence", {"importance_sampling_level": "sequence"}),
    "off_policy_mask": (0.5, {"off_policy_mask_threshold": 0.5}),
    "sampler_correction": ("token_mask", {"vllm_importance_sampling_mode": "token_mask"}),
    "sampler_ratio_min": (0.5, {"vllm_importance_sampling_clip_min": 0.5}),
    "sampler_ratio_max": (2.0, {"vllm_importance_sampling_clip_max": 2.0}),
    "rollouts": ("vllm", {"use_vllm": True}),
    "save_every": (10, {"save_steps": 10}),
    "keep_checkpoints": (2, {"save_total_limit": 2}),
    "report_to": (("tensorboard",), {"report_to": ["tensorboard"]}),
    "seed": (3, {"seed": 3}),
}
# What TRL does not hear of: the data, the model, the advantages and the rewards.
ELSEWHERE = {
    "task",
    "model",
    "warmup",
    "train_examples",
    "extraction",
    "stop",
    "rounding",
    "estimator",
    "options",
    "dynamic_sampling",
    "max_resamples",
    "overlong",
    "signed_rewards",
    "components",
    "chat_template",
    "system_prompt",
}


def arguments(folder: Path, processes: int = 1, **changes: Any) -> dict[str, Any]:
    return dict(grpo_arguments(settings(**changes), folder, processes=processes).to_dict())


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_what_it_should_and_nothing_else(name: str, tmp_path: Path) -> None:
    value, wanted = CHANGES[name]
    before, after = arguments(tmp_path), arguments(tmp_path, **{name: value})
    assert {key: after[key] for key in after if after[key] != before[key]} == wanted


def test_every_setting_is_translated_or_used_elsewhere() -> None:
    assert set(TrainConfig.model_fields) == CHANGES.keys() | ELSEWHERE
    assert not CHANGES.keys() & ELSEWHERE


def test_what_is_the_same_in_every_run(tmp_path: Path) -> None:
    """Float32, GRPO's own loss terms only, every update logged as it is, checkpoints between generations."""
    found = arguments(tmp_path)
    wanted = {
        "max_steps": 4,
        "num_generations": 6,
        "generation_batch_size": 24,
        "per_device_train_batch_size": 24,
        "gradient_accumulation_steps": 1,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch",
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "loss_type": "dapo",
        "scale_rewards": "group",
        "mask_truncated_completions": False,
        "shuffle_dataset": False,
        "top_p": 1.0,
        "top_k": 0,
        "bf16": False,
        "fp16": False,
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "report_to": [],
        "entropy_coef": 0.0,
        "top_entropy_quantile": 1.0,
        "importance_sampling_level": "token",
    }
    assert {name: found[name] for name in wanted} == wanted


def test_processes_share_the_rows_of_an_update(tmp_path: Path) -> None:
    assert arguments(tmp_path, processes=4)["per_device_train_batch_size"] == 6
    for processes, changes in ((5, {}), (3, {"dynamic_sampling": True})):
        with pytest.raises(ValueError, match=f"processes must divide the 24 .*got {processes}"):
            arguments(tmp_path, processes=processes, **changes)
