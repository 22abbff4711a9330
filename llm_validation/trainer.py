"""TRL's ``GRPOTrainer`` with the advantages of ``qae_theory``: its settings, its subclass, and how one is made.

All else is TRL's: sampling, loss, clipping, optimiser, logging, checkpoints.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation import rollouts
from llm_validation.config import TrainConfig
from llm_validation.rewards import Score, reward_function
from llm_validation.rollouts import Rollouts
from llm_validation.tasks.base import Example
from qae_theory._checks import refuse

OnRollouts = Callable[[int, list[dict[str, Any]]], None]

OPTIMISERS = {"adamw": "adamw_torch", "sgd": "sgd"}


def make_trainer(
    config: TrainConfig,
    *,
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    verifier: Score,
    output_dir: Path,
    callbacks: Sequence[Any] = (),
    on_rollouts: OnRollouts | None = None,
) -> Any:
    """A trainer ready for ``train()``, one epoch of which is the whole run.

    Args:
        config: the run; ``max_new_tokens`` has to be a number.
        model: a causal language model.
        tokenizer: its tokenizer, padding on the left.
        examples: questions with answers; they are gone through in a random order fixed by ``seed``, again and again.
        verifier: ``(completions, answers) -> scores`` 1, 0 or None.
        output_dir: where the checkpoints go.
        callbacks: of ``transformers.TrainerCallback``.
        on_rollouts: called on the main process with every batch of rollouts: its number, from 0, and one record a
            response (see :func:`llm_validation.rollouts.records`). A resumed run calls it again from the checkpoint on.

    Raises:
        ValueError: no examples, or sizes that do not go together.
    """
    from datasets import Dataset

    if not examples:
        refuse("examples", examples, "a list of at least one question with its answer")
    rows = [{"prompt": example.prompt, "answer": example.answer} for example in examples]
    order = question_order(len(rows), config.steps * config.prompts_per_step, config.seed)
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by `accelerate launch` and by `torchrun`
    return trainer_class()(
        config=config,
        examples=rows,
        on_rollouts=on_rollouts,
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward_function(verifier, signed=config.signed_rewards, overlong=config.overlong),
        args=grpo_arguments(config, output_dir, processes=processes),
        train_dataset=Dataset.from_list(rows).select(order),
        callbacks=list(callbacks),
    )


def question_order(questions: int, wanted: int, seed: int) -> list[int]:
    """Indices of the questions of a whole run: random permutations, one after another, ``wanted`` entries.

    The run is one epoch of this list: TRL's own shuffling starts over in a run that is resumed in a later epoch.
    """
    rng = np.random.default_rng(seed)
    rounds = -(-wanted // questions)
    return [int(i) for _ in range(rounds) for i in rng.permutation(questions)][:wanted]


def grpo_arguments(config: TrainConfig, output_dir: Path, *, processes: int = 1) -> Any:
    """The ``GRPOConfig`` of a run, in float32; on the CPU where there is no GPU.

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
        shuffle_dataset=False,  # the data are in order already
        # Loss
        loss_type=config.loss,
        epsilon=config.clip_low,
        epsilon_high=config.clip_high,
        beta=config.kl_beta,
        scale_rewards="group",
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
        gradient_checkpointing=False,
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


@functools.cache
def trainer_class() -> Any:
    """The subclass of ``trl.GRPOTrainer``, made here because TRL is imported in functions only."""
    import torch
    from trl import GRPOTrainer

    class AdvantageTrainer(GRPOTrainer):
        """``GRPOTrainer`` that takes its advantages from ``qae_theory``, and samples again where asked to."""

        def __init__(
            self, *, config: TrainConfig, examples: list[dict[str, str]], on_rollouts: OnRollouts | None, **kwargs: Any
        ) -> None:
            super().__init__(**kwargs)
            self._config = config
            self._examples = examples
            self._on_rollouts = on_rollouts
            self._scored: Any = None  # rewards of all processes, [N, 1], of the last call

        def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
            self._scored = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
            return self._scored

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            output = super()._generate_and_score_completions(inputs)
            if not self.model.training:
                return output
            config = self._config
            rewards = self._scored[:, 0].double().cpu().numpy()
            advantages = rollouts.group_advantages(rewards, config.group_size, config.estimator, config.options)
            ours = torch.tensor(advantages, dtype=torch.float32, device=self.accelerator.device)
            output["advantages"] = ours[rollouts.process_slice(self.accelerator.process_index, len(inputs))]
            # As long as a batch, TRL's logs now hold this one, all processes' rows, and forget what is replaced.
            self._logs["advantages"].extend(ours.tolist())
            self._log_batch(rewards, ours.double().cpu().numpy())
            return output

        def _log_batch(self, rewards: Any, advantages: Any) -> None:
            config, logs = self._config, self._logs
            batch = Rollouts(
                list(logs["prompt"]),
                list(logs["completion"]),
                list(logs["extra"]["tokens"]),
                list(logs["extra"]["correct"]),
                rewards,
                advantages,
                config.group_size,
            )
            for name, value in rollouts.batch_metrics(batch, config.estimator, config.options).items():
                self._metrics["train"][name].append(value)
            if self._on_rollouts is not None and self.accelerator.is_main_process:
                step = self.state.global_step // (config.inner_updates * config.inner_epochs)
                self._on_rollouts(step, rollouts.records(batch))

    return AdvantageTrainer
