"""What a probe is taken on: prompts of a task, fresh rollouts of the model, and the measure of entropy that fits.

Responses are enumerated where the task says that they can be and the vocabulary is small enough, else sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from llm_validation.engines.with_transformers import TransformersEngine
from llm_validation.models.float64 import double_copy
from llm_validation.probe.arms import arm_weights
from llm_validation.probe.contexts import LARGEST, Tree, tree_contexts
from llm_validation.probe.expansion import context_log_probs
from llm_validation.probe.probe import Batch, Enumerated, Measure, Sampled, Stepper
from llm_validation.probe.steps import Moments, Setting
from llm_validation.tasks import Example, load_examples, load_task
from llm_validation.verifiers import Verifier, get_verifier
from qae_theory.arrays import Array
from qae_theory.checks import refuse
from qae_theory.runs.settings import Strict

# Contexts times tokens: a table of log-probabilities in float64 then takes 2 GiB, and a step holds four of them.
LARGEST_TABLE = 2**28
ROUNDS = 20  # draws of as many questions as are wanted, before a source counts as exhausted


class ProbeConfig(Strict):
    """One probe: prompts, groups, arms and settings. ``split`` ``train`` takes the questions that training sees."""

    task: str = "digits"
    split: str = "train"
    prompts: int = Field(default=16, ge=1)
    group_size: int = Field(default=8, ge=2)
    max_new_tokens: int | None = Field(default=None, ge=1)
    arms: tuple[str, ...] = ("constant-0", "mean", "constant-1", "quantile-0.4", "grpo", "qae-0.4")
    settings: tuple[Setting, ...] = (Setting(),)
    seed: int = Field(default=0, ge=0)

    def model_post_init(self, context: Any) -> None:
        """Refuse an arm that there is none of, before anything runs."""
        del context
        for arm in self.arms:
            arm_weights(arm, np.array([[0.0, 1.0]]))


def make_stepper(
    model: Any, tokenizer: Any, config: ProbeConfig, *, moments: Moments | None = None, optimiser: Any = None
) -> Stepper:
    """Sample the rollouts and make ready for the steps; torch's random state stays as it is.

    Raises:
        ValueError: the task is not known or a response could not be scored.
    """
    source = load_task(config.task)
    rng = np.random.default_rng(config.seed)
    examples = questions(config, rng)
    length = config.max_new_tokens or source.max_new_tokens
    tree = _tree(len(tokenizer), length, tokenizer.eos_token_id) if source.enumerable else None
    with get_verifier(source.verifier) as verifier:
        batch, measure = (
            _sampled(model, tokenizer, examples, verifier, config, length, rng)
            if tree is None
            else _enumerated(model, tokenizer, examples, verifier, config, tree, rng)
        )
    numbers = len(measure.contexts.row) * len(tokenizer)
    if numbers > LARGEST_TABLE:
        allowed = f"so many that contexts times tokens are at most {LARGEST_TABLE}, not {numbers}"
        refuse("prompts", config.prompts, allowed)
    order = rng.permutation(batch.rewards.size)
    pad = tokenizer.pad_token_id
    return Stepper(model, batch, measure, pad=pad, order=order, moments=moments, optimiser=optimiser)


def questions(config: ProbeConfig, rng: np.random.Generator) -> list[Example]:
    """Questions that differ: one that is drawn twice would be one table of logits with two groups."""
    found: dict[str, Example] = {}
    for _ in range(ROUNDS):
        drawn = load_examples(config.task, split=config.split, count=config.prompts, seed=int(rng.integers(2**31)))
        for one in drawn:
            found.setdefault(one.prompt, one)
        if len(found) >= config.prompts:
            return list(found.values())[: config.prompts]
    return refuse("prompts", config.prompts, f"at most {len(found)}, which {config.task!r} seems to have")


def _tree(vocabulary: int, length: int, end: int) -> Tree | None:
    return Tree(vocabulary, length, end) if vocabulary**length <= LARGEST else None


def _enumerated(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    verifier: Verifier,
    config: ProbeConfig,
    tree: Tree,
    rng: np.random.Generator,
) -> tuple[Batch, Measure]:
    prompts, pad = _token_ids(tokenizer, examples), tokenizer.pad_token_id
    double = double_copy(model)
    parameters = dict(double.named_parameters())
    log_probs = context_log_probs(double, parameters, tree_contexts(prompts, tree, pad=pad))
    probs = np.exp(tree.log_probs(log_probs.reshape(len(prompts), tree.contexts, tree.vocabulary)))
    listed = tree.responses()
    texts = tokenizer.batch_decode(listed, skip_special_tokens=True)  # as the trainer has it
    arm_rewards = np.stack([_scores(verifier, texts, [one.answer] * len(texts)) for one in examples])
    drawn = [rng.choice(len(listed), size=config.group_size, p=row / row.sum()) for row in probs]
    responses = [[listed[index] for index in group] for group in drawn]
    batch = Batch(prompts, responses, np.take_along_axis(arm_rewards, np.array(drawn), axis=1))
    return batch, Enumerated(batch, tree, arm_rewards, pad=pad)


def _sampled(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    verifier: Verifier,
    config: ProbeConfig,
    length: int,
    rng: np.random.Generator,
) -> tuple[Batch, Measure]:
    drawn = TransformersEngine(model, tokenizer).generate(
        [one.prompt for one in examples],
        samples=config.group_size,
        temperature=1.0,
        max_new_tokens=length,
        seed=int(rng.integers(2**31)),
    )
    rewards = np.stack(
        [
            _scores(verifier, [one.text for one in group], [example.answer] * len(group))
            for group, example in zip(drawn, examples, strict=True)
        ]
    )
    responses = [[one.token_ids for one in group] for group in drawn]
    batch = Batch(_token_ids(tokenizer, examples), responses, rewards)
    return batch, Sampled(batch, vocabulary=len(tokenizer), max_length=length, pad=tokenizer.pad_token_id)


def _token_ids(tokenizer: Any, examples: Sequence[Example]) -> list[list[int]]:
    return [tokenizer(one.prompt, add_special_tokens=False).input_ids for one in examples]


def _scores(verifier: Verifier, texts: Sequence[str], answers: Sequence[str]) -> Array:
    scores = verifier(texts, answers)
    if any(score is None for score in scores):
        raise ValueError("a probe needs questions whose responses can all be scored; one could not be")
    return np.array(scores, dtype=np.float64)
