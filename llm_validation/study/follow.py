"""Follow a training run along its checkpoints, on questions that stay the same: success, pass@16, entropy, length.

Where responses are short and the vocabulary is small everything is an expectation under the model, summed over a trie
of its responses, without sampling noise. Elsewhere responses are sampled; the entropy of whole responses is then the
mean over responses of their tokens' entropies, whose expectation it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from llm_validation.common.pass_at_k import mean_pass_at_k
from llm_validation.common.reuse import THIS_CODE, Reuse, finished_run
from llm_validation.engines.base import stop_tokens
from llm_validation.engines.with_transformers import TransformersEngine
from llm_validation.models.presets import load_model
from llm_validation.probe.contexts import Contexts, rollout_contexts
from llm_validation.probe.expansion import context_log_probs
from llm_validation.probe.growth import grown_trie
from llm_validation.probe.predictions import entropy
from llm_validation.probe.trie import trie_contexts
from llm_validation.tasks import Example, load_examples, load_task
from llm_validation.train.checkpoints import fingerprints
from llm_validation.train.process_state import quiet
from llm_validation.verifiers import Verifier, get_verifier
from qae_theory.arrays import Array
from qae_theory.runs.folders import write_run
from qae_theory.runs.settings import Strict

EXPERIMENT = "follow"
MODULES = ("llm_validation.study.follow",)
TRIES = 16  # the larger k of pass@k, as in the paper
AT_ONCE = 256  # responses in one forward pass: their table over a large vocabulary must fit into memory
HELD_OUT = "held_out_"
Record = dict[str, Any]


class FollowConfig(Strict):
    """State what is measured at each checkpoint.

    Attributes:
        task: name of the task.
        questions: how many questions that the run learns from, and as many held-out ones.
        threshold: contexts that a response reaches with this probability are listed, and all is summed over the trie
            of them; 0 samples responses instead.
        samples: sampled responses to each question.
        max_new_tokens: longest response in tokens; None for the task's own.
        seed: the run's seed, for the questions that it learns from; held-out questions are the same for every run.
    """

    task: str
    questions: int = Field(default=32, ge=1)
    threshold: float = Field(default=0.0, ge=0, le=1)
    samples: int = Field(default=16, ge=TRIES)
    max_new_tokens: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)


def follow(
    checkpoints: Sequence[tuple[int, str | Path]], config: FollowConfig, *, out: Path, reuse: Reuse = THIS_CODE
) -> Path:
    """Measure checkpoints of one training run, and return the run's folder ``out/follow/<run id>``.

    ``metrics.jsonl`` there has one line per checkpoint: what :func:`measured` returns for the run's own questions, and
    with the prefix ``held_out_`` for the others.

    Args:
        checkpoints: the step after which each was taken, and its folder.
        config: what is measured.
        out: the folder of results.
        reuse: which finished runs count.

    Raises:
        NotFinishedError: finished runs alone count, and there is none.
    """
    identity = {
        "follow": config.model_dump(mode="json"),
        "checkpoints": [{"step": step, "weights": _weights(folder)} for step, folder in checkpoints],
    }
    finished = finished_run(out, EXPERIMENT, identity, modules=MODULES, reuse=reuse)
    if finished is not None:
        return finished
    source = load_task(config.task)
    # A run's questions are the first of a longer list from its own seed.
    sets = {
        "": load_examples(config.task, split="train", count=config.questions, seed=config.seed),
        HELD_OUT: load_examples(config.task, split="eval", count=config.questions, seed=0),
    }
    with (
        get_verifier(source.verifier) as verifier,
        write_run(out, EXPERIMENT, identity, seed=config.seed, modules=MODULES) as run,
    ):
        for step, folder in checkpoints:
            with quiet():
                model, tokenizer = load_model(folder)
            record: Record = {"step": step}
            for prefix, examples in sets.items():
                figures = measured(model, tokenizer, examples, verifier, config, length=source.max_new_tokens)
                record |= {f"{prefix}{name}": value for name, value in figures.items()}
            run.append_metrics([record])
    return run.folder


def measured(
    model: Any, tokenizer: Any, examples: Sequence[Example], verifier: Verifier, config: FollowConfig, *, length: int
) -> Record:
    """Return the figures of one model on these questions.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        examples: the questions.
        verifier: judges responses.
        config: what is measured.
        length: longest response in tokens, where the configuration has none.

    Returns:
        ``pass1`` and ``pass16``; ``sequence_entropy`` in nats per response, with ``entropy_low`` and ``entropy_high``
        that enclose it (None where it is sampled); ``length`` in tokens; ``token_entropy``, the sequence entropy over
        the length; ``open_mass``, the probability outside the trie; ``exact``, whether nothing was sampled; and
        ``success``, a list with each question's.
    """
    longest = config.max_new_tokens or length
    measure = _summed if config.threshold else _sampled
    return measure(model.eval(), tokenizer, examples, verifier, config, longest)


def read_follow(folder: Path) -> Iterator[Record]:
    """Yield the records of a finished run, one per checkpoint."""
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _summed(
    model: Any, tokenizer: Any, examples: Sequence[Example], verifier: Verifier, config: FollowConfig, longest: int
) -> Record:
    """Return the figures summed over a trie of the model's responses."""
    prompts = [tokenizer(example.prompt, add_special_tokens=False).input_ids for example in examples]
    parameters, pad = dict(model.named_parameters()), tokenizer.pad_token_id

    def log_probs(contexts: Contexts) -> Array:
        return np.asarray(context_log_probs(model, parameters, contexts), dtype=np.float64)

    trie = grown_trie(
        log_probs,
        prompts,
        length=longest,
        ends=stop_tokens(model.generation_config, tokenizer),
        vocabulary=len(tokenizer),
        threshold=config.threshold,
        pad=pad,
    )
    table = log_probs(trie_contexts(prompts, trie, pad=pad))
    rights = _right_leaves(trie.prefixes(), trie.closed, trie.query, tokenizer, examples, verifier)
    reached = np.exp(trie.reach(table))
    probs = reached[:, None] * np.exp(table)
    success = np.bincount(trie.query, weights=(probs * rights).sum(axis=1), minlength=trie.queries)
    low, high = trie.entropy_bounds(table)
    # A response has a token for each context that it passes through.
    lengths = np.bincount(trie.query, weights=reached, minlength=trie.queries)
    return {
        "pass1": float(success.mean()),
        # Rounding may put a sum of probabilities a little above 1.
        f"pass{TRIES}": float((1 - (1 - success.clip(0, 1)) ** TRIES).mean()),
        "sequence_entropy": float(low.mean()),
        "entropy_low": float(low.mean()),
        "entropy_high": float(high.mean()),
        "length": float(lengths.mean()),
        "token_entropy": float(low.mean() / lengths.mean()),
        "open_mass": float(trie.open_mass(table).mean()),
        "exact": True,
        "success": success.tolist(),
    }


def _right_leaves(
    prefixes: Sequence[tuple[int, ...]],
    closed: Array,
    query: Array,
    tokenizer: Any,
    examples: Sequence[Example],
    verifier: Verifier,
) -> Array:
    """Return which leaves are whole right responses, [C, V] of bool."""
    context, token = np.nonzero(closed)
    responses = [(*prefixes[row], number) for row, number in zip(context.tolist(), token.tolist(), strict=True)]
    texts = tokenizer.batch_decode(responses, skip_special_tokens=True)  # as the trainer has it
    # One call for all leaves: a verifier may start a process for each call.
    scores = verifier(texts, [examples[int(number)].answer for number in query[context]])
    right = np.zeros(closed.shape, dtype=bool)
    right[context, token] = [score == 1 for score in scores]
    return right


def _sampled(
    model: Any, tokenizer: Any, examples: Sequence[Example], verifier: Verifier, config: FollowConfig, longest: int
) -> Record:
    """Return the figures estimated from sampled responses."""
    drawn = TransformersEngine(model, tokenizer).generate(
        [example.prompt for example in examples],
        samples=config.samples,
        temperature=1.0,
        max_new_tokens=longest,
        seed=config.seed,
    )
    texts: list[str] = []
    answers: list[str] = []
    responses: list[list[int]] = []
    for example, group in zip(examples, drawn, strict=True):
        texts += [response.text for response in group]
        answers += [example.answer] * len(group)
        responses += [list(response.token_ids) for response in group]
    right = np.array([score == 1 for score in verifier(texts, answers)]).reshape(len(examples), config.samples)
    counts = [(config.samples, int(row.sum())) for row in right]
    summed = _entropies(model, tokenizer, examples, responses, config.samples)
    lengths = [len(response) for response in responses]
    return {
        "pass1": float(mean_pass_at_k(counts, 1)),
        f"pass{TRIES}": float(mean_pass_at_k(counts, TRIES)),
        "sequence_entropy": float(summed.mean()),
        "entropy_low": None,
        "entropy_high": None,
        "length": float(np.mean(lengths)),
        "token_entropy": float(summed.mean() / np.mean(lengths)),
        "open_mass": None,
        "exact": False,
        "success": [float(row.mean()) for row in right],
    }


def _entropies(
    model: Any, tokenizer: Any, examples: Sequence[Example], responses: Sequence[list[int]], samples: int
) -> Array:
    """Return each response's sum of token entropies, [N], ``AT_ONCE`` responses at a time."""
    prompts = [tokenizer(example.prompt, add_special_tokens=False).input_ids for example in examples]
    parameters, sums = dict(model.named_parameters()), []
    for start in range(0, len(responses), AT_ONCE):
        some = responses[start : start + AT_ONCE]
        prompts_of_some = [prompts[(start + number) // samples] for number in range(len(some))]
        contexts = rollout_contexts(prompts_of_some, some, pad=tokenizer.pad_token_id)
        table = context_log_probs(model, parameters, contexts)
        sums.append(np.bincount(contexts.row, weights=entropy(table), minlength=len(some)))
    return np.concatenate(sums)


def _weights(folder: str | Path) -> str:
    """Return the hash of a checkpoint's weights; a preset's name stands for random ones."""
    path = Path(folder)
    if not path.is_dir():
        return str(folder)
    # By content, so that weights that were copied or made again are the same checkpoint.
    weights = [file["sha256"] for name, file in fingerprints(path).items() if name.endswith(".safetensors")]
    return ",".join(sorted(weights))
