"""Estimate pass@k of a model on a source of questions: sample, score, and write one run's folder.

Models, questions and verifiers come from ``engines``, ``tasks`` and ``verifiers``; what is printed is in ``command``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from llm_validation.common.pass_at_k import bootstrap_interval, mean_pass_at_k, pass_at_k
from llm_validation.engines import Engine, Response, check_engine, check_sampling, open_engine, weights_dtype
from llm_validation.engines.asking import Asking
from llm_validation.models.start import starting_model
from llm_validation.tasks import Example, load_examples, load_task
from llm_validation.verifiers import (
    Extraction,
    Outcome,
    Scoring,
    Verifier,
    counts,
    get_verifier,
    score_of,
    self_test,
    unreadable_answers,
)
from qae_theory.runs.files import to_json
from qae_theory.runs.folders import find_run, write_run

EXPERIMENT = "evaluate"
MODULES = ("llm_validation.evaluate.evaluation",)
QUESTIONS_AT_ONCE = 64  # between two reports of progress and two writes to disk; never changes the result

Told = Callable[[int, int], None]  # is called with the number of questions done, and of how many


class EvaluationConfig(Asking):
    """State what is sampled and how it is counted; the form of questions and responses is in ``Asking``.

    Attributes:
        model: a preset's or a packaged model's name, a folder, or a hub's name.
        task: what ``tasks.load_examples`` takes.
        split: ``train`` or ``eval``.
        engine: what samples, by its name in ``engines``.
        dtype: type of the weights.
        questions: how many questions; None for the task's own number.
        samples: responses to each question.
        k: the k of pass@k, each at most ``samples``.
        temperature: of sampling; 0 takes the likeliest token.
        top_p: probability of the tokens to choose from.
        max_new_tokens: longest response in tokens; None for the task's own.
        level: confidence level of the bootstrap over questions.
        resamples: draws of that bootstrap.
        seed: of questions and samples.
    """

    model: str
    task: str
    split: Literal["train", "eval"] = "eval"
    engine: str = "transformers"
    dtype: str = "auto"
    questions: int | None = Field(default=None, ge=1)
    samples: int = Field(default=32, ge=1)
    k: tuple[int, ...] = Field(default=(1, 16), min_length=1)
    temperature: float = Field(default=0.7, ge=0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    level: float = Field(default=0.95, gt=0, lt=1)
    resamples: int = Field(default=9999, ge=100)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> EvaluationConfig:
        for k in self.k:
            if not 1 <= k <= self.samples:
                raise ValueError(f"k must be in 1..samples = 1..{self.samples}; got {k}")
        if len(set(self.k)) < len(self.k):
            raise ValueError(f"k must name each number once; got {list(self.k)}")
        return self


def evaluate(
    config: EvaluationConfig, *, out: Path, engine: Engine | None = None, batch: int = 256, told: Told | None = None
) -> Path:
    """Sample every question, score the samples, and estimate pass@k.

    The folder ``out/evaluate/<run id>`` has ``metrics.jsonl`` (one line per question: its samples' scores, outcomes
    and lengths), ``responses.jsonl`` (their texts) and ``summary.json``; it is there whole or not at all. A question
    whose answer cannot be read is unscorable and stays out of pass@k. The summary counts those questions, and the
    responses that were readable, right, wrong, unreadable, undecided and timed out.

    Args:
        config: what is sampled.
        out: the folder of results.
        engine: a model that is ready; by default one is opened and closed here.
        batch: responses sampled at once by Transformers; it never changes the result.
        told: called after some questions with how many are done, and of how many.

    Returns:
        The folder; that of an earlier run of the same configuration, model, questions and code where there is one.

    Raises:
        ValueError: in one line: a model, task, engine or number that is not possible, or no question that can be
            scored.
        VerifierError: the verifier fails its own test.
        OSError: results cannot be written.
    """
    if engine is None:
        check_engine(config.engine)
    source = load_task(config.task)
    longest = source.max_new_tokens if config.max_new_tokens is None else config.max_new_tokens
    check_sampling(config.samples, config.temperature, config.top_p, longest, config.seed)
    examples = load_examples(config.task, split=config.split, count=config.questions, seed=config.seed)
    model = config.model if engine is not None else str(starting_model(config.model, config.task, None, cache=out))
    # What the run is known by: a dataset or a checkpoint may change under its name, so their contents are hashed.
    identity = {
        "experiment": EXPERIMENT,
        "settings": config.model_dump(mode="json"),
        "max_new_tokens": longest,
        "questions": _digest([f"{example.prompt}\0{example.answer}" for example in examples]),
        "weights": weights_digest(model),
        "template": _template_digest(config.chat_template),
        "dtype": weights_dtype(config.dtype) if engine is None else None,
    }
    finished = find_run(out, EXPERIMENT, identity, modules=MODULES)
    if finished is not None:
        return finished
    # The verifier is tested before anything is sampled: its failure would waste the samples.
    with get_verifier(Scoring(source.verifier, Extraction(config.extraction))) as verifier:
        _test(verifier, examples)
        ready = _opened(config, model, batch) if engine is None else nullcontext(engine)
        with ready as sampler, write_run(out, EXPERIMENT, identity, seed=config.seed, modules=MODULES) as run:
            questions: list[dict[str, Any]] = []
            for lines, texts in _sampled(config, longest, examples, sampler, verifier):
                run.append_metrics(lines)
                with (run.partial / "responses.jsonl").open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(text) + "\n" for text in texts)
                questions += lines
                if told is not None:
                    told(len(questions), len(examples))
            run.write("summary.json", to_json(summarise(config, questions)))
    return run.folder


def summarise(config: EvaluationConfig, questions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the contents of ``summary.json``.

    Args:
        config: the configuration of the evaluation.
        questions: the lines of ``metrics.jsonl``.

    Raises:
        ValueError: none of the questions can be scored.
    """
    scorable = [question for question in questions if question["correct"] is not None]
    if not scorable:
        raise ValueError(f"task {config.task!r}: the answer of none of the {len(questions)} questions can be read")
    counts = [(len(question["scores"]), question["correct"]) for question in scorable]
    lengths: list[int] = []
    finished: list[bool] = []
    for question in questions:
        lengths += question["tokens"]
        finished += question["finished"]
    return {
        "model": config.model,
        "task": config.task,
        "engine": config.engine,
        "samples": config.samples,
        "temperature": config.temperature,
        "questions": len(questions),
        "unscorable": len(questions) - len(counts),
        "pass_at_k": {str(k): _estimate(config, counts, k) for k in config.k},
        "mean_tokens": float(np.mean(lengths)),
        "finished": float(np.mean(finished)),
        "scoring": _total(questions),
    }


def _total(questions: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many responses of all questions came to each outcome."""
    outcomes: list[Outcome] = []
    for question in questions:
        outcomes += map(Outcome, question.get("outcomes", ()))
    return counts(outcomes)


def weights_digest(model: str) -> str | None:
    """Return a hash of the files in a checkpoint's folder; None for a preset or a hub's name."""
    folder = Path(model)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    # By name: a file system lists them in any order, and the hash must not hang on it.
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _template_digest(template: str | None) -> str | None:
    """Return a hash of a template's file; None for the tokenizer's own and for none."""
    if template is None or not Path(template).is_file():
        return None
    return hashlib.sha256(Path(template).read_bytes()).hexdigest()[:16]


def _opened(config: EvaluationConfig, model: str, batch: int) -> Engine:
    """Return the engine of the configuration with a model loaded: a preset, a folder, or a hub's name."""
    return open_engine(config.engine, model, seed=config.seed, dtype=config.dtype, batch=batch)


def _sampled(
    config: EvaluationConfig, longest: int, examples: Sequence[Example], engine: Engine, verifier: Verifier
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Yield lines of ``metrics.jsonl`` and of ``responses.jsonl``, for some questions at a time."""
    for start in range(0, len(examples), QUESTIONS_AT_ONCE):
        some = examples[start : start + QUESTIONS_AT_ONCE]
        prompts = [example.prompt for example in some]
        if config.chat_template is not None:
            prompts = engine.asked(prompts, chat_template=config.chat_template, system_prompt=config.system_prompt)
        responses = engine.generate(
            prompts,
            samples=config.samples,
            temperature=config.temperature,
            top_p=config.top_p,
            max_new_tokens=longest,
            seed=config.seed,
            first=start,
            stop=config.stop,
        )
        judged = _judged(verifier, some, responses)
        lines, texts = [], []
        for number, (example, group, outcomes) in enumerate(zip(some, responses, judged, strict=True), start=start):
            lines.append(_line(number, config, example, group, outcomes))
            texts.append({"question": number, "texts": [response.text for response in group]})
        yield lines, texts


def _judged(
    verifier: Verifier, examples: Sequence[Example], responses: Sequence[Sequence[Response]]
) -> Iterator[Sequence[Outcome]]:
    """Yield the outcomes of each example's responses; the verifier gets all of them in one call."""
    texts: list[str] = []
    answers: list[str] = []
    for example, group in zip(examples, responses, strict=True):
        texts += [response.text for response in group]
        answers += [example.answer] * len(group)
    outcomes = iter(verifier.judge(texts, answers))
    for group in responses:
        yield [next(outcomes) for _ in group]


def _line(
    number: int, config: EvaluationConfig, example: Example, group: Sequence[Response], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Return the line of ``metrics.jsonl`` of one question."""
    scores = [score_of(outcome) for outcome in outcomes]
    # One response that cannot be scored leaves c unknown, and with it pass@k of the question.
    correct = None if None in scores else sum(score == 1 for score in scores)
    estimates = {} if correct is None else {str(k): float(pass_at_k(len(scores), correct, k)) for k in config.k}
    return {
        "question": number,
        "prompt": example.prompt,
        "answer": example.answer,
        "scores": scores,
        "outcomes": [outcome.value for outcome in outcomes],
        "correct": correct,
        "pass_at_k": estimates,
        "tokens": [len(response.token_ids) for response in group],
        "finished": [response.finished for response in group],
        "log_prob": [sum(response.log_probs) for response in group],
    }


def _estimate(config: EvaluationConfig, counts: Sequence[tuple[int, int]], k: int) -> dict[str, Any]:
    """Return the mean of pass@k over questions, with its interval where there are at least two questions."""
    estimate = float(mean_pass_at_k(counts, k))
    if len(counts) < 2:
        return {"estimate": estimate, "low": None, "high": None, "level": config.level, "draws": len(counts)}
    # A stream for each k: the interval of one does not depend on which others are asked for.
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(k,)))
    values = [pass_at_k(n, c, k) for n, c in counts]
    interval = bootstrap_interval(values, rng=rng, level=config.level, resamples=config.resamples)
    return {**interval.record(), "estimate": estimate}


def _test(verifier: Verifier, examples: Sequence[Example]) -> None:
    """Run the verifier's own test on answers that it can read; the others are counted as unscorable later."""
    answers = list(dict.fromkeys(example.answer for example in examples))[:256]  # so many show a broken verifier
    unreadable = set(unreadable_answers(verifier, answers))
    readable = [answer for answer in answers if answer not in unreadable]
    if readable:
        self_test(verifier, answers=readable)


def _digest(texts: Sequence[str]) -> str:
    r"""Return a hash of texts; the separator \1 keeps "ab", "c" and "a", "bc" apart."""
    return hashlib.sha256("\1".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
