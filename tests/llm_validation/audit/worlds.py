"""A made-up run, and one writer a format that writes it as the framework does; no tests are here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from qae_theory import advantages

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class World:
    """``[steps, groups, G]`` each."""

    correct: Array
    reward: Array
    advantage: Array
    tokens: Array
    truncated: Array
    logp_rollout: Array
    """Of the response's tokens, all alike; ``[..., T]``."""
    logp_train: Array
    entropy: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        steps, groups, size = self.reward.shape
        return steps, groups, size

    def counts(self) -> dict[str, int]:
        """All-wrong, all-right and mixed groups."""
        right = self.correct.sum(axis=-1)
        size = self.correct.shape[-1]
        wrong, all_right = int((right == 0).sum()), int((right == size).sum())
        return {"all_wrong": wrong, "all_right": all_right, "mixed": right.size - wrong - all_right}


def made(
    seed: int = 0,
    *,
    steps: int = 4,
    groups: int = 6,
    size: int = 4,
    estimator: str = "grpo",
    success: tuple[float, float] = (1.0, 1.0),
    **options: Any,
) -> World:
    """Return a healthy run: questions of mixed difficulty, 0/1 rewards, exact advantages in float32."""
    rng = np.random.default_rng(seed)
    p = rng.beta(*success, size=(steps, groups, 1))
    correct = (rng.random((steps, groups, size)) < p).astype(np.float64)
    advantage = advantages(correct, estimator, **options)
    tokens = rng.integers(20, 60, correct.shape)
    logp = -rng.exponential(0.5, (*correct.shape, 5))
    return World(
        correct,
        correct,
        advantage.astype(np.float32).astype(np.float64),
        tokens,
        np.zeros(correct.shape, dtype=bool),
        logp,
        logp + rng.normal(0, 1e-3, logp.shape),
        rng.gamma(4, 0.2, logp.shape),
    )


def with_rewards(world: World, reward: Array, estimator: str = "grpo", **options: Any) -> World:
    """Return the world with other rewards and the advantages that they make."""
    made_of = advantages(reward, estimator, **options)
    return replace(world, reward=reward, advantage=made_of.astype(np.float32).astype(np.float64))


def lines(path: Path, records: list[Any]) -> Path:
    """Write JSON lines as Python's own writer does, NaN included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def cells(world: World) -> list[tuple[int, int, int]]:
    steps, groups, size = world.shape
    return [(step, group, i) for step in range(steps) for group in range(groups) for i in range(size)]


def prompt(step: int, group: int) -> str:
    return f"user\nQuestion {group} of step {step + 1}?\nassistant\n"


def _number(value: Any) -> float:
    return float(value)


def verl_older(folder: Path, world: World) -> None:
    rng = np.random.default_rng(1)
    for step in range(world.shape[0]):
        rows = [
            {
                "input": prompt(step, group),
                "output": f"answer {i}",
                "gts": "4",
                "score": _number(world.reward[step, group, i]),
                "step": step + 1,
                "acc": bool(world.correct[step, group, i]),
                "pred": None,
            }
            for at, group, i in cells(world)
            if at == step
        ]
        lines(folder / f"{step + 1}.jsonl", [rows[i] for i in rng.permutation(len(rows))])


def verl_v1(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        rows = [
            {
                "input": "the same text",
                "output": f"answer {i}",
                "gts": "4",
                "score": _number(world.reward[step, group, i]),
                "step": step + 1,
                "uid": f"{step:04x}{group:04x}-b1c2_{i}_0",
            }
            for at, group, i in cells(world)
            if at == step
        ]
        lines(folder / f"{step + 1}.jsonl", rows)


def open_instruct(folder: Path, world: World) -> None:
    size = world.shape[2]
    rows = [
        {
            "step": step + 1,
            "sample_idx": group * size + i,
            "prompt_idx": group,
            "prompt_tokens": [1, 2],
            "response_tokens": [3] * 4,
            "reward": _number(world.reward[step, group, i]),
            "advantage": _number(world.advantage[step, group, i]),
            "finish_reason": "length" if world.truncated[step, group, i] else "stop",
            "dataset": "gsm8k",
            "ground_truth": "4",
            "request_info": {"num_calls": 0},
            "logprobs": None,
        }
        for step, group, i in cells(world)
    ]
    lines(folder / "run_rollouts_000000.jsonl", rows)
    lines(folder / "run_metadata.jsonl", [{"run_name": "run", "timestamp": "2025-01-01"}])


def nemo_rl(folder: Path, world: World) -> None:
    size = world.shape[2]
    for step in range(world.shape[0]):
        rows = []
        for at, group, i in cells(world):
            if at != step:
                continue
            tokens = len(world.logp_rollout[step, group, i])
            rows.append(
                {
                    "content": [[prompt(step, group), f"answer {i}"]],
                    "rewards": [_number(world.reward[step, group, i])],
                    "advantages": [[0.0, 0.0, *[_number(world.advantage[step, group, i])] * tokens]],
                    "generation_logprobs": [[0.0, 0.0, *world.logp_rollout[step, group, i].tolist()]],
                    "prev_logprobs": [[0.0, 0.0, *world.logp_train[step, group, i].tolist()]],
                    "token_loss_mask": [[0, 0, *[1] * tokens]],
                    "input_lengths": [tokens + 2],
                    "idx": group * size + i,
                }
            )
        lines(folder / f"train_data_step{step + 1}.jsonl", rows)


def prime_traces(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        rows = [
            {
                "id": f"{step}-{group}-{i}",
                "group": {"id": f"g{step}-{group}"},
                "rewards": {"correct": _number(world.reward[step, group, i])},
                "reward": _number(world.reward[step, group, i]),
                "info": {"advantage": _number(world.advantage[step, group, i]), "prime_rl": {"step": step + 1}},
                "nodes": [],
            }
            for at, group, i in cells(world)
            if at == step
        ]
        lines(folder / "rollouts" / f"step_{step + 1}" / "traces.jsonl", rows)


def prime_tokens(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        rows = []
        for at, group, i in cells(world):
            if at != step:
                continue
            tokens = len(world.logp_rollout[step, group, i])
            rows.append(
                {
                    "schema_version": 1,
                    "step": step + 1,
                    "export_step": step + 1,
                    "token_ids": [1] * (tokens + 1),
                    "loss_mask": [False, *[True] * tokens],
                    "advantages": [0.0, *[_number(world.advantage[step, group, i])] * tokens],
                    "rewards": None,
                    "inference_logprobs": [0.0, *world.logp_rollout[step, group, i].tolist()],
                    "trainer_logprobs": [-9.0, *world.logp_train[step, group, i].tolist()],
                    "entropy": [5.0, *world.entropy[step, group, i].tolist()],
                    "is_masked_high": [False] * (tokens + 1),
                    "is_masked_low": [False] * (tokens + 1),
                }
            )
        lines(folder / "token_exports" / f"step_{step + 1}" / "rank_0.jsonl", rows)


def roll(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        here = [(group, i) for at, group, i in cells(world) if at == step]
        record = {
            "global_step": [step + 1] * len(here),
            "id": [f"task-{group}" for group, _ in here],
            "prompt": [prompt(step, group) for group, _ in here],
            "responses": [f"answer {i}" for _, i in here],
            "scores": [_number(world.reward[step, group, i]) for group, i in here],
            "domain": ["math"] * len(here),
        }
        lines(folder / f"rollout_dump_data.step_{step}.jsonl", [record])


def ms_swift(folder: Path, world: World) -> None:
    records = []
    for step in range(world.shape[0]):
        here = [(group, i) for at, group, i in cells(world) if at == step]
        records.append(
            {
                "step": [str(step + 1)] * len(here),
                "prompt": [prompt(step, group) for group, _ in here],
                "completion": [f"answer {i}" for _, i in here],
                "accuracy": [_number(world.reward[step, group, i]) for group, i in here],
                "advantages": [_number(world.advantage[step, group, i]) for group, i in here],
            }
        )
    lines(folder / "completions.jsonl", records)


def areal(folder: Path, world: World) -> None:
    for step, group, i in cells(world):
        path = folder / str(step + 1) / f"{step * 100 + group}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "task_id": step * 100 + group,
            "sample_idx": 0,
            "seqlen": int(world.tokens[step, group, i]) + 10,
            "prompt_len": 10,
            "head_version": step,
            "tail_version": step + (i == 0),
            "version_rle": [[step, 3]],
            "reward": _number(world.reward[step, group, i]),
            "prompt": prompt(step, group),
            "completion": "answer",
        }
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def trl(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        here = [(group, i) for at, group, i in cells(world) if at == step]
        table = {
            "step": [step + 1] * len(here),
            "prompt": [prompt(step, group) for group, _ in here],
            "completion": [f"answer {i}" for _, i in here],
            "accuracy_reward": [_number(world.reward[step, group, i]) for group, i in here],
            "advantage": [_number(world.advantage[step, group, i]) for group, i in here],
        }
        (folder / "completions").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(table), folder / "completions" / f"completions_{step + 1:05d}.parquet")


def own(folder: Path, world: World) -> None:
    rows = [
        {
            "step": step + 1,
            "group": group,
            "prompt": prompt(step, group),
            "completion": f"answer {i}",
            "tokens": int(world.tokens[step, group, i]),
            "correct": _number(world.correct[step, group, i]),
            "reward": _number(world.reward[step, group, i]),
            "advantage": _number(world.advantage[step, group, i]),
        }
        for step, group, i in cells(world)
    ]
    lines(folder / "rollouts.jsonl", rows)


def plain(folder: Path, world: World) -> None:
    rows = [
        {
            "step": step + 1,
            "group": f"{step}-{group}",
            "reward": _number(world.reward[step, group, i]),
            "advantage": _number(world.advantage[step, group, i]),
            "tokens": int(world.tokens[step, group, i]),
            "truncated": bool(world.truncated[step, group, i]),
        }
        for step, group, i in cells(world)
    ]
    lines(folder / "converted.jsonl", rows)


def score_lists(folder: Path, world: World) -> None:
    rows = [
        {
            "idx": step * world.shape[1] + group,
            "question": prompt(step, group),
            "score": [bool(value) for value in world.correct[step, group]],
        }
        for step in range(world.shape[0])
        for group in range(world.shape[1])
    ]
    lines(folder / "math_eval.jsonl", rows)


def nemo_gym(folder: Path, world: World) -> None:
    rows = [
        {
            "_ng_task_index": step * world.shape[1] + group,
            "_ng_rollout_index": i,
            "reward": _number(world.reward[step, group, i]),
            "response": {"output": []},
        }
        for step, group, i in cells(world)
    ]
    lines(folder / "rollouts.jsonl", rows)


def probe(folder: Path, world: World) -> None:
    for step in range(world.shape[0]):
        rows = [
            {
                "step": step + 1,
                "uid": f"g{step}-{group}",
                "key": f"g{step}-{group}_{i}_0",
                "reward": _number(world.reward[step, group, i]),
                "advantage": _number(world.advantage[step, group, i]),
                "tokens": 5,
                "entropy_before": _number(world.entropy[step, group, i].sum()),
                "entropy_after": _number(world.entropy[step, group, i].sum()) - 0.01,
                "entropy_change_predicted": -0.01,
                "entropy_change_predicted_uncentred": -0.01,
                "clipped_high": 0,
                "clipped_low": 0,
                "log_prob_before": -1.0,
                "log_prob_after": -1.0,
            }
            for at, group, i in cells(world)
            if at == step
        ]
        lines(folder / "probe" / f"{step + 1}.jsonl", rows)


Write = Callable[[Path, World], None]

# Writer, level that is reached, where groups come from, and whether there are steps.
FORMATS: Mapping[str, tuple[Write, str, str, bool]] = {
    "verl-rollouts older": (verl_older, "rewards", "prompt", True),
    "verl-rollouts": (verl_v1, "rewards", "id", True),
    "open-instruct": (open_instruct, "advantages", "id", True),
    "nemo-rl": (nemo_rl, "log-probs", "block", True),
    "prime-traces": (prime_traces, "advantages", "id", True),
    "roll": (roll, "rewards", "id", True),
    "ms-swift": (ms_swift, "advantages", "block", True),
    "areal": (areal, "rewards", "id", True),
    "trl-completions": (trl, "advantages", "block", True),
    "qae-rollouts": (own, "advantages", "id", True),
    "qae-probe": (probe, "token entropies", "id", True),
    "responses": (plain, "advantages", "id", True),
    "score-lists": (score_lists, "rewards", "id", False),
    "nemo-gym": (nemo_gym, "rewards", "id", False),
}
