"""Runs the writers whose files are kept in ``fixtures``: TRL, verl, TensorBoard and W&B. No test is here.

``python -m tests.llm_validation.audit.written trl`` in the environment with TRL, ``... verl`` in the one with verl. The
files differ from one run to the next in times and random draws, not in form.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"
STEPS, PROMPTS, GROUP = 4, 4, 4


def main() -> None:
    """Write the fixtures of one environment."""
    {"trl": write_trl, "verl": write_verl}[sys.argv[1]]()


# TRL


def write_trl() -> None:
    """Three runs of the stock trainer: plain, with a batch logged twice, and with every second step logged."""
    trl_run(FIXTURES / "trl", steps_per_generation=1, logging_steps=1)
    trl_run(FIXTURES / "trl-twice", steps_per_generation=2, logging_steps=1)
    trl_run(FIXTURES / "trl-every-second", steps_per_generation=1, logging_steps=2)


def trl_run(folder: Path, *, steps_per_generation: int, logging_steps: int, **settings: Any) -> None:
    """Train a tiny Qwen3 with TRL's own trainer and keep what it logs."""
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from llm_validation.models.presets import load_model

    torch.set_num_threads(1)
    model, tokenizer = load_model("arithmetic", seed=0)
    questions = Dataset.from_list([{"prompt": f"{a}+{b}="} for a in range(3) for b in range(3)])
    shutil.rmtree(folder, ignore_errors=True)
    rows = PROMPTS * GROUP // steps_per_generation
    arguments = {
        "output_dir": folder.name,  # its arguments, this among them, go into TensorBoard's events
        "max_steps": STEPS,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": 1,
        "steps_per_generation": steps_per_generation,
        "num_generations": GROUP,
        "max_completion_length": 4,
        "logging_steps": logging_steps,
        "log_completions": True,
        "num_completions_to_print": 0,
        "report_to": ["tensorboard"],
        "use_cpu": True,
        "bf16": False,
        "save_steps": 2,
        "save_only_model": True,
        "disable_tqdm": True,
        "seed": 0,
        **settings,
    }
    os.chdir(folder.parent)
    os.environ["TENSORBOARD_LOGGING_DIR"] = f"{folder.name}/runs"
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=[digits_reward, length_reward],
        args=GRPOConfig(**arguments),
        train_dataset=questions,
    )
    trainer.train()
    keep = {
        path for pattern in ("completions/*", "runs/**/*", "**/trainer_state.json") for path in folder.glob(pattern)
    }
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path not in keep:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def digits_reward(completions: list[str], **_: Any) -> list[float]:
    """Return 1 for a response that begins with a digit."""
    return [float(text[:1].isdigit()) for text in completions]


def length_reward(completions: list[str], **_: Any) -> list[float]:
    """Return a tenth for every character, at most a half."""
    return [min(len(text), 5) / 10 for text in completions]


# verl


def write_verl() -> None:
    """verl's dumps of both trainers and all its loggers, fed with a small made-up run."""
    folder = FIXTURES / "verl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    verl_dumps(folder)
    verl_loggers(folder)


def made_up_batch(step: int) -> dict[str, Any]:
    """Return a batch of verl's: texts, scores, and which are right."""
    rng = np.random.default_rng(step)
    right = rng.random((PROMPTS, GROUP)) < rng.random((PROMPTS, 1))
    order = rng.permutation(PROMPTS * GROUP)
    prompts = [f"user\nWhat is {step} + {q}?\nassistant\n" for q in range(PROMPTS) for _ in range(GROUP)]
    outputs = [f"The answer is {q + step}." for q in range(PROMPTS) for _ in range(GROUP)]
    scores = np.where(right, 1.0, -1.0).ravel()
    return {
        "inputs": [prompts[i] for i in order],
        "outputs": [outputs[i] for i in order],
        "gts": [str(step)] * len(order),
        "scores": [float(scores[i]) for i in order],
        "acc": [bool(right.ravel()[i]) for i in order],
        "uid": [f"{step:08x}-{i // GROUP}_{i % GROUP}_0" for i in range(len(order))],
        "ordered_scores": [float(score) for score in scores],
    }


def verl_dumps(folder: Path) -> None:
    """Dump rollouts and validations with the writers of both trainers."""
    from verl.trainer.ppo.ray_trainer import RayPPOTrainer
    from verl.trainer.ppo.v1.trainer_base import PPOTrainer

    for step in range(1, STEPS + 1):
        batch = made_up_batch(step)
        texts = (batch["inputs"], batch["outputs"], batch["gts"], batch["scores"])
        extras = {"acc": batch["acc"], "pred": [None] * len(batch["acc"])}
        RayPPOTrainer._write_generations(*texts, extras, str(folder / "rollouts-older"), step)
        ordered = (sorted(batch["inputs"]), batch["outputs"], batch["gts"], batch["ordered_scores"])
        PPOTrainer._write_generations(*ordered, {"uid": batch["uid"]}, str(folder / "rollouts"), step)
        extras |= {"reward": batch["scores"]}
        RayPPOTrainer._write_generations(*texts, extras, str(folder / "validation-older"), step)
        right = [score > 0 for score in batch["ordered_scores"]]
        named = {"acc": right, "reward": batch["ordered_scores"], "uid": batch["uid"]}
        PPOTrainer._write_generations(*ordered, named, str(folder / "validation"), step)


def verl_loggers(folder: Path) -> None:
    """Log the same metrics to the file, the console, TensorBoard and W&B offline."""
    os.environ |= {
        "VERL_FILE_LOGGER_PATH": str(folder / "file.jsonl"),
        "TENSORBOARD_DIR": str(folder / "tensorboard"),
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",  # neither the machine nor its folders are part of the fixture
        "WANDB_X_DISABLE_META": "true",
        "WANDB_X_DISABLE_STATS": "true",
        "WANDB_X_DISABLE_MACHINE_INFO": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_HOST": "host",
    }
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["WANDB_DIR"] = scratch
        os.chdir(scratch)
        _logged(folder)
        (log,) = Path(scratch).glob("wandb/offline-run-*/run-*.wandb")
        history_of(log, folder)
        shutil.copy(log, folder / "offline.wandb")


def _logged(folder: Path) -> None:
    from contextlib import redirect_stdout

    import wandb
    from verl.utils.tracking import Tracking

    console = folder / "console.txt"
    with console.open("w", encoding="utf-8") as output, redirect_stdout(output):
        tracking = Tracking("audit", "fixture", ["file", "console", "tensorboard", "wandb"], config={"trainer": {}})
        for step in range(1, STEPS + 1):
            tracking.log(made_up_metrics(step), step)
        tracking.finish()
        wandb.teardown()  # only then has its service written everything
    lines = console.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.startswith("step:")]
    console.write_text("".join(f"\x1b[36m(TaskRunner pid=7)\x1b[0m {line}\n" for line in kept), encoding="utf-8")


def made_up_metrics(step: int) -> dict[str, Any]:
    """Return metrics under verl's names, some of them NumPy's numbers."""
    return {
        "actor/entropy": np.float64(1.5 / step),
        "actor/pg_clipfrac": 0.01 * step,
        "actor/pg_clipfrac_lower": 0.5,
        "actor/grad_norm": np.float32(0.25),
        "critic/score/mean": -0.5 + 0.1 * step,
        "critic/score/max": 1.0,
        "response_length/mean": 20.0 + step,
        "response_length/clip_ratio": 0.0,
        "val-core/digits/acc/mean@4": 0.125 * step,
        "training/global_step": step,
    }


def history_of(log: Path, folder: Path) -> None:
    """Read the history with W&B's own messages and write it as ``scan_history`` gives it, as lines and as a table."""
    from wandb.proto import wandb_internal_pb2

    from llm_validation.audit.readers.steps.wandb_log import HEADER
    from llm_validation.audit.reading.json_lines import Tally
    from llm_validation.audit.reading.wire import leveldb_records

    rows = []
    with log.open("rb") as file:
        for content in leveldb_records(file, Tally(), skip=HEADER):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(content)
            if record.HasField("history"):
                items = record.history.item
                rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import pandas as pd

    pd.DataFrame(rows).to_csv(folder / "history.csv")


if __name__ == "__main__":
    main()
