"""Train a pretrained model for some steps, by this suite's trainer or by TRL's own, and print what that took.

Each runs in a process of its own, so that the largest memory is its own:
``python -m tests.benchmarks.pretrained_steps FOLDER SIDE OUT`` prints one line of JSON, seconds of each step and peak
memory in GiB. The settings are those of ``qae validate --preset pretrained``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Literal

Side = Literal["ours", "trl"]
STEPS = 3


def clocked() -> tuple[Any, list[float]]:
    """Return a callback that notes the seconds of each step, and where it notes them."""
    from transformers import TrainerCallback

    seconds: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seconds.append(time.perf_counter() - self.start)

    return Clock(), seconds


def steps(folder: str, side: Side, out: Path) -> dict[str, Any]:
    """Train and return seconds of each step and the largest memory of the process.

    A step begins where Transformers says so, before its batch is fetched: sampling and scoring are part of it.

    Args:
        folder: the model, as ``models.pretrained`` converts it.
        side: whose trainer.
        out: where the checkpoint at the end goes.
    """
    from datasets import Dataset
    from trl import GRPOTrainer

    from llm_validation.models.presets import load_model
    from llm_validation.study.settings import shipped_config
    from llm_validation.tasks import load_examples, load_task
    from llm_validation.train.arguments import grpo_arguments
    from llm_validation.train.folder import run_folder
    from llm_validation.train.rewards import reward_function
    from llm_validation.train.run import Prepared, run
    from llm_validation.train.trainer import question_order
    from llm_validation.verifiers import Extraction, Scoring, get_verifier

    study = shipped_config("pretrained")
    rule = next(rule for rule in study.runs if rule.name == "grpo")
    config = study.train_config(study.tasks[0], rule, 0)
    source = load_task(config.task)
    config = config.model_copy(update={"steps": STEPS, "max_new_tokens": source.max_new_tokens})
    examples = load_examples(config.task, split="train", count=config.train_examples, seed=config.seed)
    scoring = Scoring(source.verifier, Extraction(config.extraction))
    model, tokenizer = load_model(folder, seed=config.seed)
    clock, seconds = clocked()
    if side == "ours":
        run(Prepared(config, run_folder(config, out=out), examples, scoring, model, tokenizer), callbacks=[clock])
    else:
        with get_verifier(scoring) as verifier:
            rows = [{"prompt": example.prompt, "answer": example.answer} for example in examples]
            order = question_order(len(rows), STEPS * config.prompts_per_step, config.seed)
            GRPOTrainer(
                model=model,
                processing_class=tokenizer,
                reward_funcs=reward_function(verifier),
                args=grpo_arguments(config, out),
                train_dataset=Dataset.from_list(rows).select(order),
                callbacks=[clock],
            ).train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    return {"seconds": seconds, "peak_gib": round(peak, 2)}


if __name__ == "__main__":
    print(json.dumps(steps(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))  # type: ignore[arg-type]  # of the benchmark
