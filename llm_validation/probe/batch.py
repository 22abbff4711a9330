"""What a probe is taken on: prompts of a task, fresh rollouts of the model, and the measure of entropy that fits.

Responses are enumerated where the task says that they can be and the vocabulary is small enough; listed in a trie where
that is asked for; else sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from llm_validation.engines.base import stop_tokens
from llm_validation.engines.with_transformers import TransformersEngine
from llm_validation.models.float64 import float64_copy
from llm_validation.probe.arms import arm_weights
from llm_validation.probe.contexts import LARGEST, Tree, tree_contexts
from llm_validation.probe.expansion import context_log_probs
from llm_validation.probe.growth import grown_trie
from llm_validation.probe.listed import Listed
from llm_validation.probe.measures import Enumerated, Measure, Sampled
from llm_validation.probe.rollouts import Batch
from llm_validation.probe.stepper import Stepper, exact_copy
from llm_validation.probe.steps import Moments, Setting
from llm_validation.probe.trie import Trie
from llm_validation.tasks import Example, load_examples, load_task
from llm_validation.verifiers import Verifier, get_verifier
from qae_theory.arrays import Array
from qae_theory.checks import refuse
from qae_theory.runs.settings import Strict

# Contexts times tokens: a table of log-probabilities in float64 then takes 2 GiB, and a step holds four of them.
LARGEST_TABLE = 2**28
ANSWERS = 512  # questions whose answers are listed in a trie
ROUNDS = 20  # draws of as many questions as are wanted, before a source counts as exhausted


class ProbeConfig(Strict):
    """One probe: prompts, groups, arms and settings. ``split`` ``train`` takes the questions that training sees.

    Responses are all enumerated where they are few. With ``threshold`` or ``answers`` they are listed in a trie: the
    contexts that one reaches with that probability, and those of the task's own answers. Else they are sampled.
    ``precision`` is that of measurements: float32 for a model whose float64 copy would take too long.
    ``questions_seed`` are a training run's own questions, of which the probe takes its prompts; else it draws new ones.
    """

    task: str = "digits"
    split: str = "train"
    prompts: int = Field(default=16, ge=1)
    group_size: int = Field(default=8, ge=2)
    max_new_tokens: int | None = Field(default=None, ge=1)
    threshold: float = Field(default=0.0, ge=0, le=1)
    answers: bool = False
    precision: Literal["float64", "float32"] = "float64"
    questions_seed: int | None = Field(default=None, ge=0)
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
        asked = _Asked(model, tokenizer, examples, verifier, config, length, rng)
        if tree is not None:
            batch, measure = _enumerated(asked, tree)
        elif config.threshold or config.answers:
            batch, measure = _listed(asked)
        else:
            batch, measure = _sampled(asked)
    numbers = len(measure.contexts.row) * len(tokenizer)
    if numbers > LARGEST_TABLE:
        allowed = f"so many that contexts times tokens are at most {LARGEST_TABLE}, not {numbers}"
        refuse("prompts", config.prompts, allowed)
    order = rng.permutation(batch.rewards.size)
    pad = tokenizer.pad_token_id
    return Stepper(
        model,
        batch,
        measure,
        pad=pad,
        order=order,
        moments=moments,
        optimiser=optimiser,
        precision=config.precision,
    )


def questions(config: ProbeConfig, rng: np.random.Generator) -> list[Example]:
    """Return questions that differ: one drawn twice would be one table of logits with two groups."""
    found: dict[str, Example] = {}
    for number in range(ROUNDS):
        drawn = _drawn(config, rng, number)
        for one in drawn:
            found.setdefault(one.prompt, one)
        if len(found) >= config.prompts:
            return list(found.values())[: config.prompts]
    return refuse("prompts", config.prompts, f"at most {len(found)}, which {config.task!r} seems to have")


def _drawn(config: ProbeConfig, rng: np.random.Generator, number: int) -> list[Example]:
    """Return one draw of questions.

    They are new ones, or the next so many of a training run's own, in an order of the probe's.
    """
    if config.questions_seed is None:
        return load_examples(config.task, split=config.split, count=config.prompts, seed=_drawn_seed(rng))
    own = load_examples(config.task, split=config.split, count=config.prompts * ROUNDS, seed=config.questions_seed)
    order = np.random.default_rng(config.seed).permutation(len(own))
    return [own[index] for index in order[number * config.prompts : (number + 1) * config.prompts]]


def _drawn_seed(rng: np.random.Generator) -> int:
    """Return a seed for a library that takes 31 bits, drawn from the probe's own generator."""
    return int(rng.integers(2**31))


class _Asked(NamedTuple):
    """What rollouts are drawn from."""

    model: Any
    tokenizer: Any
    examples: Sequence[Example]
    verifier: Verifier
    config: ProbeConfig
    length: int
    rng: np.random.Generator

    @property
    def prompts(self) -> list[list[int]]:
        """Return the token ids."""
        return [self.tokenizer(one.prompt, add_special_tokens=False).input_ids for one in self.examples]

    def generated(self) -> Batch:
        """Return the responses sampled by the engine, and their rewards."""
        drawn = TransformersEngine(self.model, self.tokenizer).generate(
            [one.prompt for one in self.examples],
            samples=self.config.group_size,
            temperature=1.0,
            max_new_tokens=self.length,
            seed=_drawn_seed(self.rng),
        )
        pairs = zip(drawn, self.examples, strict=True)
        rewards = [_scores(self.verifier, [one.text for one in group], [e.answer] * len(group)) for group, e in pairs]
        return Batch(self.prompts, [[one.token_ids for one in group] for group in drawn], np.stack(rewards))


def _tree(vocabulary: int, length: int, end: int) -> Tree | None:
    return Tree(vocabulary, length, end) if vocabulary**length <= LARGEST else None


def _enumerated(asked: _Asked, tree: Tree) -> tuple[Batch, Measure]:
    tokenizer, examples, prompts = asked.tokenizer, asked.examples, asked.prompts
    pad = tokenizer.pad_token_id
    exact_model = float64_copy(asked.model)
    parameters = dict(exact_model.named_parameters())
    log_probs = context_log_probs(exact_model, parameters, tree_contexts(prompts, tree, pad=pad))
    probs = np.exp(tree.log_probs(log_probs.reshape(len(prompts), tree.contexts, tree.vocabulary)))
    listed = tree.responses()
    texts = tokenizer.batch_decode(listed, skip_special_tokens=True)  # as the trainer has it
    arm_rewards = np.stack([_scores(asked.verifier, texts, [one.answer] * len(texts)) for one in examples])
    drawn = [asked.rng.choice(len(listed), size=asked.config.group_size, p=row / row.sum()) for row in probs]
    responses = [[listed[index] for index in group] for group in drawn]
    batch = Batch(prompts, responses, np.take_along_axis(arm_rewards, np.array(drawn), axis=1))
    return batch, Enumerated(batch, tree, arm_rewards, pad=pad)


def _listed(asked: _Asked) -> tuple[Batch, Measure]:
    tokenizer, pad = asked.tokenizer, asked.tokenizer.pad_token_id
    model = exact_copy(asked.model, "float32")
    parameters, ends = dict(model.named_parameters()), stop_tokens(asked.model.generation_config, tokenizer)
    trie = grown_trie(
        lambda contexts: context_log_probs(model, parameters, contexts).astype("float64"),
        asked.prompts,
        length=asked.length,
        ends=ends,
        vocabulary=len(tokenizer),
        threshold=asked.config.threshold or 1.0,
        pad=pad,
        besides=_answer_prefixes(asked, ends) if asked.config.answers else (),
    )
    batch = asked.generated()
    return batch, Listed(batch, trie, _leaf_rewards(asked, trie), pad=pad)


def _answer_prefixes(asked: _Asked, ends: Sequence[int]) -> list[list[int]]:
    """Return what the task's answers begin with, as the model would write it: with a space before a word, or without.

    A response to a question whose answer is another one of them is listed too.
    """
    examples = load_examples(asked.config.task, split=asked.config.split, count=ANSWERS, seed=0)
    texts = sorted({text for one in examples for text in (one.answer, f" {one.answer}")})
    ids = [asked.tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    stops = set(ends)
    return [one[: asked.length - 1] for one in ids if not stops & set(one)]


def _leaf_rewards(asked: _Asked, trie: Trie) -> Array:
    """Return the rewards of a trie's leaves, [L]: the verifier's of whole responses, 0 of open leaves."""
    right = np.zeros(trie.closed.shape)
    context, token = np.nonzero(trie.closed)
    prefixes = trie.prefixes()
    responses = [(*prefixes[row], one) for row, one in zip(context.tolist(), token.tolist(), strict=True)]
    texts = asked.tokenizer.batch_decode(responses, skip_special_tokens=True)
    answers = [asked.examples[number].answer for number in trie.query[context].tolist()]
    right[context, token] = _scores(asked.verifier, texts, answers)
    return np.asarray(right[trie.leaf])


def _sampled(asked: _Asked) -> tuple[Batch, Measure]:
    batch = asked.generated()
    pad = asked.tokenizer.pad_token_id
    return batch, Sampled(batch, vocabulary=len(asked.tokenizer), max_length=asked.length, pad=pad)


def _scores(verifier: Verifier, texts: Sequence[str], answers: Sequence[str]) -> Array:
    scores = verifier(texts, answers)
    if any(score is None for score in scores):
        raise ValueError("a probe needs questions whose responses can all be scored; one could not be")
    return np.array(scores, dtype=np.float64)
