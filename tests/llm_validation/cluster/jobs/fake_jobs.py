"""Job folders with a known truth, plainly made up, for the tests of what reads them. No test is here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.cluster.collect.paper_rows import ROWS
from qae_theory.advantages import advantages

RESOLVED = """\
algorithm:
  adv_estimator: {estimator}
  quantile_k: '{k}'
  advantage_std: bessel
  advantage_eps: 1.0e-06
  correct_above: -0.5
data:
  train_batch_size: {prompts}
actor_rollout_ref:
  model:
    path: {model}
  rollout:
    'n': {group_size}
    val_kwargs:
      'n': {samples}
  actor:
    clip_ratio_high: {clip}
    loss_agg_mode: token-mean
trainer:
  total_training_steps: {steps}
"""


def lines(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


def describe(folder: Path, experiment: str, *, steps: int, overrides: Sequence[str] = (), **settings: Any) -> Path:
    """``job.json`` and ``resolved.yaml`` of a row, or of anything else."""
    row = ROWS.get(experiment)
    known = {
        "estimator": row.estimator if row else "qae",
        "k": (row.k if row else None) or "0.4",
        "model": f"Qwen/{row.model}" if row else "tiny",
        "clip": (row.clip_high if row else None) or 0.28,
        "prompts": 4,
        "group_size": 4,
        "samples": 4,
        "steps": steps,
    }
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"experiment": experiment, "overrides": list(overrides), "id": folder.name, "attempts": []}
    (folder / "job.json").write_text(json.dumps(facts), encoding="utf-8")
    (folder / "resolved.yaml").write_text(RESOLVED.format(**known | settings), encoding="utf-8")
    return folder


def responses(rng: np.random.Generator, step: int, *, prompts: int = 4, group_size: int = 4) -> list[dict[str, Any]]:
    """A step's responses with everything that any dump says of one; QAE's advantages."""
    found = []
    for prompt in range(prompts):
        rewards = rng.choice([-1.0, 1.0], size=group_size)
        for session, (reward, advantage) in enumerate(
            zip(rewards, advantages(rewards, "qae", std="bessel"), strict=True)
        ):
            tokens = int(rng.integers(1, 30))
            before, after = rng.uniform(0.1, 2.0, size=2) * tokens
            uid = f"{step:04d}-{prompt}"
            found.append(
                {
                    "step": step,
                    "uid": uid,
                    "key": f"{uid}_{session}_0",
                    "reward": float(reward),
                    "advantage": float(advantage),
                    "tokens": tokens,
                    "entropy_before": before,
                    "entropy_after": after,
                    "entropy_change_predicted": float(rng.normal()),
                    "clipped_high": int(advantage > 0),
                    "clipped_low": int(advantage < 0),
                    "log_prob_before": -before,
                    "log_prob_after": -after,
                }
            )
    return found


def rollout_lines(step: int, of_step: Sequence[Mapping[str, Any]], text: str = "Wait, 4.") -> list[dict[str, Any]]:
    """The same responses as verl dumps rollouts."""
    return [
        {"input": f"{one['uid']}?", "output": text, "gts": "4", "score": one["reward"], "step": step, "uid": one["key"]}
        for one in of_step
    ]


def log_line(step: int, of_step: Sequence[Mapping[str, Any]] = (), **metrics: float | None) -> dict[str, Any]:
    """What verl's file logger writes of a step."""
    data: dict[str, Any] = {"training/global_step": step, "actor/entropy": 1 / (1 + step)}
    if of_step:
        tokens = sum(one["tokens"] for one in of_step)
        data["actor/entropy"] = sum(one["entropy_before"] for one in of_step) / tokens
        data["critic/score/mean"] = float(np.float32(np.mean([one["reward"] for one in of_step])))
        data["probe/advantage/zero_share"] = float(np.mean([one["advantage"] == 0 for one in of_step]))
    return {"step": step, "data": data | metrics}


def validation_lines(
    step: int,
    accuracy: Mapping[str, Callable[[int], float]],
    *,
    questions: int,
    samples: int,
) -> list[dict[str, Any]]:
    """A validation dump: by benchmark, the share of a question's samples that are right."""
    found = []
    for benchmark, chance in accuracy.items():
        for question in range(questions):
            for sample in range(samples):
                right = (sample + 0.5) / samples < chance(question)
                found.append(
                    {
                        "input": f"{benchmark} {question}?",
                        "output": "4",
                        "gts": str(question),
                        "score": 1.0 if right else -1.0,
                        "step": step,
                        "reward": 1.0 if right else -1.0,
                        "acc": right,
                        "pred": "4",
                        "benchmark": benchmark,
                        "uid": f"{step}-{benchmark}-{question}_{sample}_0",
                    }
                )
    return found


def write_job(folder: Path, *, steps: int = 4, seed: int = 0, experiment: str = "smoke-qae") -> Path:
    """A whole job: log, rollouts and probe dumps of every step, validations at 0 and at the last."""
    rng = np.random.default_rng(seed)
    describe(folder, experiment, steps=steps)
    chance = {"aime-2024": lambda question: (question + 1) / 6, "aime-2025": lambda question: question / 6}
    logged = []
    for step in range(steps + 1):
        of_step = responses(rng, step) if step else []
        metrics: dict[str, float] = {}
        if step in (0, steps):
            validated = validation_lines(step, chance, questions=5, samples=4)
            lines(folder / "validation" / f"{step}.jsonl", validated)
            metrics = {
                f"val-core/{name}/acc/mean@4": float(
                    np.mean([one["acc"] for one in validated if one["benchmark"] == name])
                )
                for name in chance
            }
        if step:
            lines(folder / "rollouts" / f"{step}.jsonl", rollout_lines(step, of_step))
            lines(folder / "probe" / f"{step}.jsonl", of_step)
            logged.append(log_line(step, of_step, **metrics))
        else:
            logged.append({"step": 0, "data": metrics})
    lines(folder / "logs" / "attempt-001.jsonl", logged)
    return folder
