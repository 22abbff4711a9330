"""What the trainer's overrides cost: time inside them, TRL's own methods left out, as a share of the step.

A step of 32 questions and 16 responses each on the CPU: sampling, scores, one update of the 0.1 M parameter model.
The smaller the model, the larger the share; a model of this size is the worst case.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_validation.tasks.base import Example
from llm_validation.train.settings import TrainConfig

pytestmark = pytest.mark.train

STEPS = 5
NAMES = ("_generate_and_score_completions", "_calculate_rewards", "_generate_single_turn", "_tokenize_prompts")


# A random model is right one time in three, and never where the answer is 3.
def verifier(completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
    return [float(sum(map(ord, text)) % 3 == int(answer)) for text, answer in zip(completions, answers, strict=True)]


class Clock:
    """Time inside the outermost override, less the time in TRL's methods that it calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[str] = []

    @contextmanager
    def running(self, whose: str) -> Iterator[None]:
        """Each interval goes to the innermost of the methods that are running."""
        start = time.perf_counter()
        self._inside.append(whose)
        before = sum(self.seconds.values())
        try:
            yield
        finally:
            within = sum(self.seconds.values()) - before
            self._inside.pop()
            self.seconds[whose] += time.perf_counter() - start - within

    def watch(self, method: Callable[..., Any], whose: str) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.running(whose):
                return method(*args, **kwargs)

        return watched


@pytest.mark.parametrize("dynamic", [False, True])
def test_share_of_the_overrides(benchmark: Any, dynamic: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Advantages, metrics and records of 512 responses; with dynamic sampling its bookkeeping too."""
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOTrainer

    from llm_validation.models.presets import build_model
    from llm_validation.models.tokenizer import build_tokenizer
    from llm_validation.train.advantage_trainer import AdvantageMethods
    from llm_validation.train.trainer import make_trainer

    clock, kept = Clock(), []
    for name in NAMES:
        for owner, whose in ((GRPOTrainer, "trl"), (AdvantageMethods, "ours")):
            monkeypatch.setattr(owner, name, clock.watch(vars(owner)[name], whose))
    config = TrainConfig(
        prompts_per_step=32, group_size=16, max_new_tokens=6, steps=STEPS, warmup=None, dynamic_sampling=dynamic
    )
    trainer = make_trainer(
        config,
        model=build_model("tiny", seed=0),
        tokenizer=build_tokenizer(),
        examples=[Example(f"{i}+{i + 1}=", str(i % 4)) for i in range(128)],
        verifier=verifier,
        output_dir=tmp_path,
        on_rollouts=lambda step, records: kept.append(len(records)),
    )
    trainer.remove_callback(PrinterCallback)
    benchmark.pedantic(trainer.train, rounds=1)
    share = clock.seconds["ours"] / benchmark.stats.stats.total
    benchmark.extra_info["override_ms_a_step"] = round(1e3 * clock.seconds["ours"] / STEPS, 3)
    benchmark.extra_info["step_ms"] = round(1e3 * benchmark.stats.stats.total / STEPS, 1)
    benchmark.extra_info["override_share_of_the_step"] = round(share, 5)
    assert kept == [512] * STEPS
    assert clock.seconds["trl"] > 0
