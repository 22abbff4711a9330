"""Training runs of a few seconds: a random tiny model and coin-flip questions. No test is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_validation.tasks.base import Example
from llm_validation.train.settings import TrainConfig

# One question in four is never answered right, one always, the others by chance; see `score`.
EXAMPLES = [Example(f"{i}+{i}=", ("never", "0", "always", "1")[i % 4]) for i in range(12)]
CHANCE = [example for example in EXAMPLES if example.answer in "01"]
SIZES: Mapping[str, Any] = {"group_size": 6, "prompts_per_step": 4, "max_new_tokens": 3, "warmup": None, "steps": 4}


def score(completion: str, answer: str) -> float | None:
    """Whether the sum of the character codes is even or odd, as the answer says; an ``x`` is not scorable."""
    if "x" in completion.lower():
        return None
    if answer in "01":
        return float(sum(map(ord, completion)) % 2 == int(answer))
    return float(answer == "always")


def verifier(completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
    return [score(*pair) for pair in zip(completions, answers, strict=True)]


def settings(**changes: Any) -> TrainConfig:
    return TrainConfig(**{**SIZES, **changes})


def tiny_model() -> tuple[Any, Any]:
    """Random weights. A third of the tokens end a response, so that lengths differ."""
    from llm_validation.models.presets import build_model
    from llm_validation.models.tokenizer import build_tokenizer

    model = build_model("tiny", seed=0)
    model.generation_config.eos_token_id = list(range(1, 34))
    return model, build_tokenizer()


@dataclass
class Run:
    """What came out of a run: TRL's logs, the records, the tokens, and what each generation gave to the loss."""

    trainer: Any
    history: list[dict[str, Any]] = field(default_factory=list)
    records: list[list[dict[str, Any]]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    tokens: list[list[list[int]]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)


def prepared(
    config: TrainConfig,
    folder: Path,
    *,
    examples: Sequence[Example] = CHANCE,
    verifier: Callable[..., Any] = verifier,
    stock: bool = False,
) -> Run:
    """A run about to start, watched; ``stock`` takes TRL's own trainer with the same settings and data."""
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOTrainer

    from llm_validation.train.rewards import reward_function
    from llm_validation.train.trainer import make_trainer

    run = Run(None)

    def keep(step: int, records: list[dict[str, Any]]) -> None:
        run.steps.append(step)
        run.records.append(records)

    model, tokenizer = tiny_model()
    trainer = make_trainer(
        config,
        model=model,
        tokenizer=tokenizer,
        examples=examples,
        verifier=verifier,
        output_dir=folder,
        on_rollouts=keep,
    )
    if stock:
        model, tokenizer = tiny_model()
        trainer = GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=reward_function(verifier, signed=config.signed_rewards, overlong=config.overlong),
            args=trainer.args,
            train_dataset=trainer.train_dataset,
        )
    trainer.remove_callback(PrinterCallback)
    generate, score_all = trainer._generate_single_turn, trainer._generate_and_score_completions

    def watched_generate(*args: Any, **kwargs: Any) -> Any:
        result = generate(*args, **kwargs)
        run.tokens.append(result[0])
        return result

    def watched_score(inputs: Any) -> Any:
        output = score_all(inputs)
        run.outputs.append(output)
        return output

    trainer._generate_single_turn, trainer._generate_and_score_completions = watched_generate, watched_score
    run.trainer, run.history = trainer, trainer.state.log_history
    return run


def train(config: TrainConfig, folder: Path, **kwargs: Any) -> Run:
    run = prepared(config, folder, **kwargs)
    run.trainer.train()
    run.history = run.trainer.state.log_history
    return run


def rows(run: Run, output: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Prompt, completion and advantage of each row that the loss gets."""
    tokenizer = run.trainer.processing_class
    texts = [
        tokenizer.batch_decode(output[name], skip_special_tokens=True) for name in ("prompt_ids", "completion_ids")
    ]
    return list(zip(*texts, output["advantages"].tolist(), strict=True))
