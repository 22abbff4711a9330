"""Prepare a probe: draw a task's questions and fresh rollouts of the model, and choose the measure of entropy.

Responses are enumerated where the task says that they can be and the vocabulary is small enough; they are listed in a
trie where that is asked for; else they are sampled. Steps are taken in ``stepper``.
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
    """State one probe: prompts, groups, arms and settings.

    Attributes:
        task: name of the task.
        split: ``train`` takes the questions that training sees.
        prompts: Q, number of prompts.
        group_size: G, rollouts of each prompt.
        max_new_tokens: longest response in tokens; None for the task's own.
        threshold: above 0, responses are listed in a trie with the contexts that one reaches with this probability.
        answers: whether the trie also lists the contexts of the task's own answers.
        precision: type of measurements; float32 for a model whose float64 copy would take too long.
        questions_seed: a training run's seed, whose questions the probe takes; by default it draws new ones.
        arms: names of the rules, see ``arms``.
        settings: how steps are taken.
        seed: of questions and rollouts.
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
        """Refuse an unknown arm before anything runs."""
        del context
        for arm in self.arms:
            arm_weights(arm, np.array([[0.0, 1.0]]))


def make_stepper(
    model: Any, tokenizer: Any, config: ProbeConfig, *, moments: Moments | None = None, optimiser: Any = None
) -> Stepper:
    """Sample the rollouts and make ready for the steps; torch's random state stays as it is.

    Args:
        model: the model, in the arithmetic that training has.
        tokenizer: its tokenizer.
        config: what is probed.
        moments: Adam's, by parameter name.
        optimiser: the training run's own, watched but not used.

    Raises:
        ValueError: the task is not known, a response could not be scored, or the tables would be too large.
    """
    source = load_task(config.task)
    rng = np.random.default_rng(config.seed)
    examples = questions(config, rng)
    length = config.max_new_tokens or source.max_new_tokens
    tree = _tree(len(tokenizer), length, tokenizer.eos_token_id) if source.enumerable else None
    with get_verifier(source.verifier) as verifier:
        sources = _Sources(
            model=model,
            tokenizer=tokenizer,
            examples=examples,
            verifier=verifier,
            config=config,
            length=length,
            rng=rng,
        )
        if tree is not None:
            batch, measure = _enumerated(sources, tree)
        elif config.threshold or config.answers:
            batch, measure = _listed(sources)
        else:
            batch, measure = _sampled(sources)
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
    """Return ``config.prompts`` questions that differ.

    A question drawn twice would be one table of logits that two groups push.

    Raises:
        ValueError: the task seems to have fewer questions.
    """
    by_prompt: dict[str, Example] = {}
    for number in range(ROUNDS):
        for example in _drawn(config, rng, number):
            by_prompt.setdefault(example.prompt, example)
        if len(by_prompt) >= config.prompts:
            return list(by_prompt.values())[: config.prompts]
    return refuse("prompts", config.prompts, f"at most {len(by_prompt)}, which {config.task!r} seems to have")


def _drawn(config: ProbeConfig, rng: np.random.Generator, number: int) -> list[Example]:
    """Return one draw of questions.

    They are new ones, or the next few of a training run's own, in an order of the probe's.
    """
    if config.questions_seed is None:
        return load_examples(config.task, split=config.split, count=config.prompts, seed=_drawn_seed(rng))
    own = load_examples(config.task, split=config.split, count=config.prompts * ROUNDS, seed=config.questions_seed)
    order = np.random.default_rng(config.seed).permutation(len(own))
    return [own[index] for index in order[number * config.prompts : (number + 1) * config.prompts]]


def _drawn_seed(rng: np.random.Generator) -> int:
    """Return a seed for a library that takes 31 bits, drawn from the probe's own generator."""
    return int(rng.integers(2**31))


class _Sources(NamedTuple):
    """Hold what rollouts are drawn from and scored with."""

    model: Any
    tokenizer: Any
    examples: Sequence[Example]
    verifier: Verifier
    config: ProbeConfig
    length: int
    rng: np.random.Generator

    @property
    def prompts(self) -> list[list[int]]:
        """Return the token ids of each prompt."""
        return [self.tokenizer(example.prompt, add_special_tokens=False).input_ids for example in self.examples]

    def generated(self) -> Batch:
        """Return responses sampled by the engine, with their rewards."""
        drawn = TransformersEngine(self.model, self.tokenizer).generate(
            [example.prompt for example in self.examples],
            samples=self.config.group_size,
            temperature=1.0,
            max_new_tokens=self.length,
            seed=_drawn_seed(self.rng),
        )
        responses, rewards = [], []
        for group, example in zip(drawn, self.examples, strict=True):
            responses.append([response.token_ids for response in group])
            texts = [response.text for response in group]
            rewards.append(_scores(self.verifier, texts, [example.answer] * len(group)))
        return Batch(prompts=self.prompts, responses=responses, rewards=np.stack(rewards))


def _tree(vocabulary: int, length: int, end: int) -> Tree | None:
    """Return the tree of all responses; None where there are too many to enumerate."""
    return Tree(vocabulary, length, end) if vocabulary**length <= LARGEST else None


def _enumerated(sources: _Sources, tree: Tree) -> tuple[Batch, Measure]:
    """Return rollouts drawn from the exact law of all responses, and the entropy over all of them."""
    tokenizer, examples, prompts = sources.tokenizer, sources.examples, sources.prompts
    pad = tokenizer.pad_token_id
    exact_model = float64_copy(sources.model)
    parameters = dict(exact_model.named_parameters())
    log_probs = context_log_probs(exact_model, parameters, tree_contexts(prompts, tree, pad=pad))
    probs = np.exp(tree.log_probs(log_probs.reshape(len(prompts), tree.contexts, tree.vocabulary)))
    listed = tree.responses()
    texts = tokenizer.batch_decode(listed, skip_special_tokens=True)  # as the trainer has it
    scored = [_scores(sources.verifier, texts, [example.answer] * len(texts)) for example in examples]
    arm_rewards = np.stack(scored)
    # Probabilities are divided by their sum because NumPy refuses one that rounding has moved off 1.
    drawn = [sources.rng.choice(len(listed), size=sources.config.group_size, p=row / row.sum()) for row in probs]
    responses = []
    for group in drawn:
        responses.append([listed[index] for index in group])
    batch = Batch(prompts, responses, np.take_along_axis(arm_rewards, np.array(drawn), axis=1))
    return batch, Enumerated(batch, tree, arm_rewards, pad=pad)


def _listed(sources: _Sources) -> tuple[Batch, Measure]:
    """Return sampled rollouts, and the entropy over the leaves of a trie."""
    tokenizer, pad = sources.tokenizer, sources.tokenizer.pad_token_id
    # Growing takes a pass per depth; float32 decides which contexts are listed, not what is measured there.
    model = exact_copy(sources.model, "float32")
    parameters, ends = dict(model.named_parameters()), stop_tokens(sources.model.generation_config, tokenizer)
    trie = grown_trie(
        lambda contexts: context_log_probs(model, parameters, contexts).astype("float64"),
        sources.prompts,
        length=sources.length,
        ends=ends,
        vocabulary=len(tokenizer),
        threshold=sources.config.threshold or 1.0,  # 1: only what is certain, where answers alone are listed
        pad=pad,
        besides=_answer_prefixes(sources, ends) if sources.config.answers else (),
    )
    batch = sources.generated()
    return batch, Listed(batch, trie, _leaf_rewards(sources, trie), pad=pad)


def _answer_prefixes(sources: _Sources, ends: Sequence[int]) -> list[list[int]]:
    """Return the prefixes of the task's answers as the model would write them, with a space before or without.

    All answers are listed for every question, so that a response that gives another question's answer is listed too.
    """
    examples = load_examples(sources.config.task, split=sources.config.split, count=ANSWERS, seed=0)
    answers = {example.answer for example in examples}
    texts = sorted(answers | {f" {answer}" for answer in answers})
    stops = set(ends)
    prefixes = []
    for text in texts:
        ids = sources.tokenizer(text, add_special_tokens=False).input_ids
        if not stops & set(ids):
            prefixes.append(ids[: sources.length - 1])  # the last token of a response begins no context
    return prefixes


def _leaf_rewards(sources: _Sources, trie: Trie) -> Array:
    """Return the rewards of a trie's leaves, [L]: the verifier's of whole responses, and 0 of open leaves."""
    right = np.zeros(trie.closed.shape)
    context, token = np.nonzero(trie.closed)
    prefixes = trie.prefixes()
    responses = [(*prefixes[row], last) for row, last in zip(context.tolist(), token.tolist(), strict=True)]
    texts = sources.tokenizer.batch_decode(responses, skip_special_tokens=True)
    answers = [sources.examples[number].answer for number in trie.query[context].tolist()]
    right[context, token] = _scores(sources.verifier, texts, answers)
    return np.asarray(right[trie.leaf])


def _sampled(sources: _Sources) -> tuple[Batch, Measure]:
    """Return sampled rollouts, and the entropy along them."""
    batch = sources.generated()
    pad = sources.tokenizer.pad_token_id
    return batch, Sampled(batch, vocabulary=len(sources.tokenizer), max_length=sources.length, pad=pad)


def _scores(verifier: Verifier, texts: Sequence[str], answers: Sequence[str]) -> Array:
    """Return the verifier's scores, all of which must be known.

    Raises:
        ValueError: a response could not be scored.
    """
    scores = verifier(texts, answers)
    if any(score is None for score in scores):
        raise ValueError("a probe needs questions whose responses can all be scored; one could not be")
    return np.array(scores, dtype=np.float64)
