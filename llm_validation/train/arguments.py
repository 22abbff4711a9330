"""Translate a run's settings into TRL's ``GRPOConfig``, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llm_validation.train.settings import TrainConfig
from qae_theory.checks import refuse

OPTIMISERS = {"adamw": "adamw_torch", "sgd": "sgd"}


def grpo_arguments(config: TrainConfig, output_dir: Path, *, processes: int = 1) -> Any:
    """Return the ``GRPOConfig`` of a run, in float32; on the CPU where there is no GPU.

    Args:
        config: the run.
        output_dir: where the checkpoints go.
        processes: how many share the batch.

    Raises:
        ValueError: no ``max_new_tokens``, or a batch that cannot be shared out.
    """
    import torch
    from trl import GRPOConfig

    if config.max_new_tokens is None:
        refuse("max_new_tokens", None, "a number here; the task's own has to be filled in before")
    rows = config.prompts_per_step * config.group_size // config.inner_updates
    if rows % processes or (config.dynamic_sampling and config.prompts_per_step % processes):
        raise ValueError(
            f"processes must divide the {rows} responses of an update (and, with dynamic_sampling, the "
            f"{config.prompts_per_step} prompts of a step); got {processes}"
        )
    updates = config.inner_updates * config.inner_epochs
    with_warmup = config.lr_schedule == "constant" and config.warmup_updates > 0
    on_gpu = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(output_dir),
        # Sizes
        max_steps=config.steps * updates,
        per_device_train_batch_size=rows // processes,
        steps_per_generation=config.inner_updates,
        num_iterations=config.inner_epochs,
        gradient_accumulation_steps=1,
        num_generations=config.group_size,
        max_completion_length=config.max_new_tokens,
        # Sampling
        temperature=config.temperature,
        use_vllm=config.rollouts == "vllm",
        vllm_mode="colocate",
        # Of Transformers `stopping` sees to it, which knows the tokenizer
        generation_kwargs={"stop": list(config.stop)} if config.stop and config.rollouts == "vllm" else None,
        shuffle_dataset=False,  # the data are in order already
        # Loss
        loss_type=config.loss,
        epsilon=config.clip_low,
        epsilon_high=config.clip_high,
        beta=config.kl_beta,
        entropy_coef=config.entropy_coefficient,
        use_adaptive_entropy=config.adaptive_entropy,
        entropy_target=config.entropy_target,
        top_entropy_quantile=config.top_entropy_share,
        scale_rewards="group",
        importance_sampling_level=config.importance_level,
        off_policy_mask_threshold=config.off_policy_mask,
        **_sampler_correction(config),
        mask_truncated_completions=False,
        # Optimiser
        optim=OPTIMISERS[config.optimiser],
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if with_warmup else config.lr_schedule,
        warmup_steps=config.warmup_updates,
        adam_beta1=config.adam_betas[0],
        adam_beta2=config.adam_betas[1],
        adam_epsilon=config.adam_eps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        # Numbers as they are
        bf16=False,
        activation_checkpointing=False,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        seed=config.seed,
        # Logs and checkpoints; the latter lie between generations, for TRL does not save its rollouts
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=list(config.report_to) or "none",
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=config.save_every * updates,
        save_total_limit=config.keep_checkpoints,
    )


def _sampler_correction(config: TrainConfig) -> dict[str, Any]:
    """Return TRL's options for responses of vLLM, whose probabilities are not quite the trainer's."""
    if config.sampler_correction == "none":
        return {"vllm_importance_sampling_correction": False}
    return {
        "vllm_importance_sampling_correction": True,
        "vllm_importance_sampling_mode": config.sampler_correction,
        "vllm_importance_sampling_clip_min": config.sampler_ratio_min,
        "vllm_importance_sampling_clip_max": config.sampler_ratio_max,
    }
