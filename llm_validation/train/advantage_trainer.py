"""Override methods of TRL's trainer: advantages of ``qae_theory``, dynamic sampling, and what is logged of both.

All else is TRL's: sampling, loss, clipping, optimiser, logging, checkpoints. TRL is not imported here; ``trainer``
joins these methods with its ``GRPOTrainer``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_validation.train import rollouts
from llm_validation.train.dynamic_sampling import Batch, Group, other_questions, resampled
from llm_validation.train.measures.mismatch import mismatch
from llm_validation.train.measures.token_mean import TokenMean
from llm_validation.train.rewards import COMPONENT
from llm_validation.train.rollouts import Rollouts
from llm_validation.train.settings import TrainConfig
from llm_validation.train.stopping import end_at, until_stop

OnRollouts = Callable[[int, list[dict[str, Any]]], None]
ENTROPY = "entropy/token-mean"  # nats a token, over exactly the loss tokens of a step
_LOGPS = ("sampling_per_token_logps", "old_per_token_logps")  # the sampler's and the trainer's, in what the loss gets

if TYPE_CHECKING:
    Base = Any
else:
    Base = object


class AdvantageMethods(Base):  # what comes after it in the order of methods is TRL's trainer
    """Take the advantages of ``GRPOTrainer`` from ``qae_theory``, and sample again where that is asked for."""

    def __init__(
        self, *, config: TrainConfig, examples: list[dict[str, str]], on_rollouts: OnRollouts | None, **kwargs: Any
    ) -> None:
        """Make TRL's trainer.

        Args:
            config: the run.
            examples: rows with ``prompt`` and ``answer``, of which dynamic sampling takes others.
            on_rollouts: called on the main process with every batch of rollouts.
            **kwargs: of ``GRPOTrainer``.
        """
        super().__init__(**kwargs)
        end_at(self, config.stop)
        self._config = config
        self._examples = examples
        self._on_rollouts = on_rollouts
        self._scored: Any = None  # rewards of all processes, [N, 1], of the last call
        self._chosen: Batch | None = None  # what dynamic sampling chose, while TRL goes on with it
        self._entropy = TokenMean()

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        if self._chosen is None:
            self._scored = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        else:
            self._scored = self._rewards_of(self._chosen)
        return self._scored

    def _rewards_of(self, chosen: Batch) -> Any:
        """Return the rewards of a batch that is scored already, and log again what its scoring logged."""
        import torch

        for group in chosen.groups:
            for column, values in group.extra.items():
                self._log_completion_extra(column, values)
        return torch.tensor(chosen.rewards, dtype=torch.float32, device=self.accelerator.device).view(-1, 1)

    def _tokenize_prompts(self, prompts: Any) -> Any:
        if self._chosen is None:
            return super()._tokenize_prompts(prompts)
        # What was sampled from, so that dynamic sampling reads each prompt once. Its prompts are texts, without images.
        return [list(group.prompt_ids) for group in self._chosen.groups for _ in group.inputs], None, {}

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        if self._chosen is None:
            ids, logprobs = super()._generate_single_turn(*args, **kwargs)
            return until_stop(self.processing_class, ids, logprobs, self._config.stop)
        ids = [row for group in self._chosen.groups for row in group.completion_ids]
        logprobs = [row for group in self._chosen.groups for row in group.logprobs]
        return ids, None if logprobs[0] is None else logprobs

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        # TRL evaluates by the same method, where there is no loss for advantages to go into.
        if not self.model.training:
            return super()._generate_and_score_completions(inputs)
        if self._config.dynamic_sampling:
            self._chosen = self._mixed_groups(inputs)
            inputs = [row for group in self._chosen.groups for row in group.inputs]
        output = super()._generate_and_score_completions(inputs)
        self._chosen = None
        self._replace_advantages(output, len(inputs))
        self._log_mismatch(output)
        return output

    def _replace_advantages(self, output: dict[str, Any], rows: int) -> None:
        """Put our advantages of this process's rows in place of TRL's, and log those of all processes."""
        import torch

        config = self._config
        # TRL has gathered the rewards of all processes, since a group may be spread over them. The rule is computed in
        # float64, and rounded once, to the loss's float32.
        rewards = self._scored[:, 0].double().cpu().numpy()
        advantages = rollouts.group_advantages(rewards, config.group_size, config.estimator, config.options)
        ours = torch.tensor(advantages, dtype=torch.float32, device=self.accelerator.device)
        output["advantages"] = ours[rollouts.process_slice(self.accelerator.process_index, rows)]
        # As long as a batch, TRL's logs now hold this one, all processes' rows, and forget what is replaced.
        self._logs["advantages"].extend(ours.tolist())
        self._log_batch(rewards, ours.double().cpu().numpy())

    def _mixed_groups(self, inputs: Any) -> Batch:
        """Return what dynamic sampling makes of this batch; its draws are fixed by seed and step, resumed or not."""
        from accelerate.utils import gather_object

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
        """Return responses to this process's rows, whole groups of one question each, and all processes' rewards."""
        from accelerate.utils import gather_object

        prompts = [row["prompt"] for row in inputs]
        once, images, fields = super()._tokenize_prompts(prompts[:: self.num_generations])
        prompt_ids = [list(tokens) for tokens in once for _ in range(self.num_generations)]
        ids, logprobs = super()._generate_single_turn(prompt_ids, images, fields, self.num_generations)
        ids, logprobs = until_stop(self.processing_class, ids, logprobs, self._config.stop)
        texts = self.processing_class.batch_decode(ids, skip_special_tokens=True)
        rewards = super()._calculate_rewards(inputs, prompts, texts, ids)
        columns = dict(self._pending_extra_logs)
        # TRL would log the columns of every round; those of the groups that are chosen are logged once, with them.
        self._pending_extra_logs.clear()
        shape = (self.accelerator.num_processes, -1, self.num_generations)
        correct = np.array(gather_object(columns["correct"]), dtype=np.float64)  # None becomes NaN
        groups = _cut(inputs, once, ids, logprobs, columns, size=self.num_generations)
        return Batch(groups, rewards.double().cpu().numpy().reshape(shape), correct.reshape(shape))

    def _log_batch(self, rewards: Any, advantages: Any) -> None:
        config, logs = self._config, self._logs
        components = {name: list(logs["extra"][f"{COMPONENT}{name}"]) for name in config.components}
        batch = Rollouts(
            list(logs["prompt"]),
            list(logs["completion"]),
            list(logs["extra"]["tokens"]),
            list(logs["extra"]["correct"]),
            rewards,
            advantages,
            config.group_size,
            list(logs["extra"].get("outcome", ())) or None,
            components,
        )
        for name, value in rollouts.batch_metrics(batch, config.estimator, config.options).items():
            self._metrics["train"][name].append(value)
        if self._on_rollouts is not None and self.accelerator.is_main_process:
            step = self.state.global_step // (config.inner_updates * config.inner_epochs)
            self._on_rollouts(step, rollouts.records(batch))

    def _log_mismatch(self, output: dict[str, Any]) -> None:
        """Log how far sampler and trainer are apart, where both have given probabilities of the tokens."""
        if any(output.get(name) is None for name in _LOGPS):
            return
        mask = loss_mask(output)
        padded = [self.accelerator.pad_across_processes(one.float(), dim=1) for one in (*map(output.get, _LOGPS), mask)]
        arrays = [self.accelerator.gather(one).double().cpu().numpy() for one in padded]
        for name, value in mismatch(*arrays).items():
            self._metrics["train"][name].append(value)

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        loss = super()._compute_loss(model, inputs)
        if self.model.training:
            tokens = self.accelerator.reduce(loss_mask(inputs).sum(), reduction="sum").item()
            self._entropy.add(self._metrics["train"]["entropy"][-1], tokens)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as TRL does, and the entropy over exactly the loss tokens of the step."""
        mean = self._entropy.taken()
        if mean is not None:
            self._metrics["train"][ENTROPY].append(mean)
        super().log(logs, start_time)


def loss_mask(inputs: Any) -> Any:
    """Return 1 at the tokens that the loss is over: the response's, without what tools have written, ``[N, T]``."""
    mask = inputs["completion_mask"]
    return mask * inputs["tool_mask"] if "tool_mask" in inputs else mask


def _cut(
    inputs: Sequence[dict[str, Any]],
    prompt_ids: Sequence[Sequence[int]],
    ids: Any,
    logprobs: Any,
    columns: dict[str, list[Any]],
    *,
    size: int,
) -> list[Group]:
    """Return the rows group by group; ``prompt_ids`` has an entry a group, all else one a row."""
    groups = []
    for tokens, start in zip(prompt_ids, range(0, len(inputs), size), strict=True):
        rows = slice(start, start + size)
        extra = {column: values[rows] for column, values in columns.items()}
        sampled = [None] * size if logprobs is None else logprobs[rows]
        groups.append(Group(list(inputs[rows]), list(tokens), ids[rows], sampled, extra))
    return groups
