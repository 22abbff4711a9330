"""Make a trainer: TRL's ``GRPOTrainer`` with the methods of ``advantage_trainer`` before its own."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.tasks.base import Example
from llm_validation.train.advantage_trainer import AdvantageMethods, OnRollouts
from llm_validation.train.arguments import grpo_arguments
from llm_validation.train.rewards import Score, reward_function
from llm_validation.train.settings import TrainConfig
from qae_theory.checks import refuse


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
    """Return a trainer that is ready for ``train()``, one epoch of which is the whole run.

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
            verifier,
            signed=config.signed_rewards,
            overlong=config.overlong,
            stop=config.stop,
            components=config.components,
            most_tokens=config.max_new_tokens,
        ),
        args=grpo_arguments(config, output_dir, processes=processes),
        train_dataset=Dataset.from_list(rows).select(order),
        callbacks=list(callbacks),
    )


def question_order(questions: int, wanted: int, seed: int) -> list[int]:
    """Return the indices of the questions of a whole run: random permutations, one after another, ``wanted`` entries.

    The run is one epoch of this list: TRL's own shuffling starts over in a run that is resumed in a later epoch.
    """
    rng = np.random.default_rng(seed)
    rounds = -(-wanted // questions)
    return [int(i) for _ in range(rounds) for i in rng.permutation(questions)][:wanted]


@functools.cache
def trainer_class() -> Any:
    """Return the subclass of ``trl.GRPOTrainer``, made here because TRL is imported in functions only."""
    from trl import GRPOTrainer

    return type("AdvantageTrainer", (AdvantageMethods, GRPOTrainer), {"__doc__": AdvantageMethods.__doc__})
