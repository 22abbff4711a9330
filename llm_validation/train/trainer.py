"""TRL's ``GRPOTrainer`` with the advantages of ``qae_theory``: its subclass, and how one is made.

All else is TRL's: sampling, loss, clipping, optimiser, logging, checkpoints.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.tasks.base import Example
from llm_validation.train import rollouts
from llm_validation.train.arguments import grpo_arguments
from llm_validation.train.dynamic_sampling import Batch, Group, other_questions, resampled
from llm_validation.train.rewards import Score, reward_function
from llm_validation.train.rollouts import Rollouts
from llm_validation.train.settings import TrainConfig
from llm_validation.train.stopping import end_at, until_stop
from qae_theory.checks import refuse

OnRollouts = Callable[[int, list[dict[str, Any]]], None]


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
            response (see :func:`llm_validation.train.rollouts.records`). A resumed run calls it again from the
            checkpoint on.

    Raises:
        ValueError: no examples, or sizes that do not go together.
    """
    from datasets import Dataset

    if not examples:
        refuse("examples", examples, "a list of at least one question with its answer")
    if config.kl_beta and not model.config._name_or_path:
        refuse("kl_beta", config.kl_beta, "0 for a model that was not loaded: TRL loads the reference from its folder")
    rows = [{"prompt": example.prompt, "answer": example.answer} for example in examples]
    order = question_order(len(rows), config.steps * config.prompts_per_step, config.seed)
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by `accelerate launch` and by `torchrun`
    return trainer_class()(
        config=config,
        examples=rows,
        on_rollouts=on_rollouts,
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward_function(
            verifier, signed=config.signed_rewards, overlong=config.overlong, stop=config.stop
        ),
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


@functools.cache
def trainer_class() -> Any:
    """The subclass of ``trl.GRPOTrainer``, made here because TRL is imported in functions only."""
    import torch
    from accelerate.utils import gather_object
    from trl import GRPOTrainer

    class AdvantageTrainer(GRPOTrainer):
        """``GRPOTrainer`` that takes its advantages from ``qae_theory``, and samples again where asked to."""

        def __init__(
            self, *, config: TrainConfig, examples: list[dict[str, str]], on_rollouts: OnRollouts | None, **kwargs: Any
        ) -> None:
            super().__init__(**kwargs)
            end_at(self, config.stop)
            self._config = config
            self._examples = examples
            self._on_rollouts = on_rollouts
            self._scored: Any = None  # rewards of all processes, [N, 1], of the last call
            self._chosen: Batch | None = None  # what dynamic sampling chose, while TRL goes on with it

        def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
            if self._chosen is None:
                self._scored = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
            else:  # scored already
                self._scored = torch.tensor(self._chosen.rewards, dtype=torch.float32, device=self.accelerator.device)
                self._scored = self._scored.view(-1, 1)
                for group in self._chosen.groups:
                    for column, values in group.extra.items():
                        self._log_completion_extra(column, values)
            return self._scored

        def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
            if self._chosen is None:
                ids, logprobs = super()._generate_single_turn(*args, **kwargs)
                return until_stop(self.processing_class, ids, logprobs, self._config.stop)
            ids = [row for group in self._chosen.groups for row in group.completion_ids]
            logprobs = [row for group in self._chosen.groups for row in group.logprobs]
            return ids, None if logprobs[0] is None else logprobs

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            if not self.model.training:
                return super()._generate_and_score_completions(inputs)
            if self._config.dynamic_sampling:
                self._chosen = self._mixed_groups(inputs)
                inputs = [row for group in self._chosen.groups for row in group.inputs]
            output = super()._generate_and_score_completions(inputs)
            self._chosen = None
            config = self._config
            rewards = self._scored[:, 0].double().cpu().numpy()
            advantages = rollouts.group_advantages(rewards, config.group_size, config.estimator, config.options)
            ours = torch.tensor(advantages, dtype=torch.float32, device=self.accelerator.device)
            output["advantages"] = ours[rollouts.process_slice(self.accelerator.process_index, len(inputs))]
            # As long as a batch, TRL's logs now hold this one, all processes' rows, and forget what is replaced.
            self._logs["advantages"].extend(ours.tolist())
            self._log_batch(rewards, ours.double().cpu().numpy())
            return output

        def _mixed_groups(self, inputs: Any) -> Batch:
            """What dynamic sampling makes of this batch; its draws are fixed by seed and step, resumed or not."""
            first = self._sample(inputs)
            rng = np.random.default_rng([self._config.seed, self.state.global_step])
            used = set(gather_object([row["prompt"] for row in inputs]))
            questions = other_questions([row["prompt"] for row in self._examples], used, rng)
            batch, rounds = resampled(
                first,
                lambda drawn: self._sample([self._examples[i] for i in drawn for _ in range(self.num_generations)]),
                questions,
                index=self.accelerator.process_index,
                limit=self._config.max_resamples,
            )
            self._metrics["train"]["resamples"].append(rounds)
            self._metrics["train"]["success_rate_before_resampling"].append(rollouts.success_rate(first.correct))
            return batch

        def _sample(self, inputs: list[dict[str, Any]]) -> Batch:
            """Responses to this process's rows, whole groups of one question each, and all processes' rewards."""
            prompts = [row["prompt"] for row in inputs]
            once, images, fields = self._tokenize_prompts(prompts[:: self.num_generations])
            prompt_ids = [list(tokens) for tokens in once for _ in range(self.num_generations)]
            ids, logprobs = super()._generate_single_turn(prompt_ids, images, fields, self.num_generations)
            ids, logprobs = until_stop(self.processing_class, ids, logprobs, self._config.stop)
            texts = self.processing_class.batch_decode(ids, skip_special_tokens=True)
            rewards = super()._calculate_rewards(inputs, prompts, texts, ids)
            columns = dict(self._pending_extra_logs)
            self._pending_extra_logs.clear()
            groups = [
                Group(
                    inputs[rows],
                    ids[rows],
                    [None] * self.num_generations if logprobs is None else logprobs[rows],
                    {column: values[rows] for column, values in columns.items()},
                )
                for start in range(0, len(inputs), self.num_generations)
                for rows in [slice(start, start + self.num_generations)]
            ]
            shape = (self.accelerator.num_processes, -1, self.num_generations)
            correct = np.array(gather_object(columns["correct"]), dtype=np.float64)  # None becomes NaN
            return Batch(groups, rewards.double().cpu().numpy().reshape(shape), correct.reshape(shape))

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
                list(logs["extra"].get("outcome", ())) or None,
            )
            for name, value in rollouts.batch_metrics(batch, config.estimator, config.options).items():
                self._metrics["train"][name].append(value)
            if self._on_rollouts is not None and self.accelerator.is_main_process:
                step = self.state.global_step // (config.inner_updates * config.inner_epochs)
                self._on_rollouts(step, rollouts.records(batch))

    return AdvantageTrainer
