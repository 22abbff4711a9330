"""Runs of the paper's rows, plainly made up, in which the paper's claims hold or do not. No test is here.

Nothing of this is ever stored: the folders are a test's own and go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.cluster.collect.collect import collect
from llm_validation.cluster.collect.paper_rows import ROWS
from tests.llm_validation.cluster.jobs import fake_jobs

STEPS = 300
EVALUATED = (80, 100, 300)


@dataclass(frozen=True)
class World:
    """What a row does: accuracy of a sample at the end, its share of that before, entropy, zeros, words by step."""

    accuracy: float
    before: float = 1.0
    entropy: Callable[[int], float] = lambda step: 0.3
    negative: Callable[[int], float] = lambda step: 0.3
    zeros: float = 0.8
    words: Callable[[int], int] | None = None


def spike(step: int) -> float:
    return 0.9 if 10 <= step <= 80 else 0.3


def flat(level: float) -> Callable[[int], float]:
    return lambda step: level


def surge(step: int) -> int:
    return 6 if 10 <= step <= 100 else 2


def few(step: int) -> int:
    return 2


def holding() -> dict[str, World]:
    """Every claim holds."""
    qae = World(0.85, before=0.5, words=few)
    worlds = {name: replace(qae, words=None) if ROWS[name].estimator == "qae" else World(0.4) for name in ROWS}
    worlds |= {name: World(0.4, entropy=spike) for name in ("qwen3-8b-clip-higher", "qwen3-14b-clip-higher")}
    worlds["qwen3-8b-clip-higher"] = World(0.5, entropy=spike, zeros=0.0, words=surge)
    worlds["qwen3-8b-clip-higher-qae"] = qae
    worlds["qwen3-8b-eps020"] = World(0.2, words=few)
    worlds["qwen3-8b-eps022"] = worlds["qwen3-8b-eps024"] = World(0.2)
    worlds["qwen3-8b-eps026"] = World(0.55)
    for digit, entropy in (("2", 0.2), ("6", 0.45), ("8", 0.7)):
        worlds[f"qwen3-8b-clip-higher-qae-k0{digit}"] = replace(qae, entropy=flat(entropy), words=None)
    worlds["qwen3-8b-neg-mask"] = World(0.8)
    worlds["qwen3-8b-pos-mask"] = World(0.55)
    worlds["qwen3-8b-eps020-pos-mask"] = World(0.8)
    worlds["qwen3-8b-eps020-neg-mask"] = World(0.25)
    return worlds


def failing() -> dict[str, World]:
    """No claim holds; most are the other way round."""
    base = World(0.85, before=0.5)
    qae = World(0.3, before=2.5, entropy=spike, negative=lambda step: 0.1 * (1 + step), zeros=0.3)
    worlds = {name: qae if ROWS[name].estimator == "qae" else base for name in ROWS}
    worlds["qwen3-8b-clip-higher"] = replace(base, words=few, accuracy=0.4, before=0.2)
    worlds["qwen3-8b-clip-higher-qae"] = replace(qae, words=surge, accuracy=0.1, before=5.0, entropy=lambda s: 0.1 * s)
    worlds["qwen3-8b-eps020"] = replace(base, words=surge)
    worlds["qwen3-14b-clip-higher-qae"] = replace(qae, entropy=lambda step: 0.1 * step)
    for digit, entropy in (("2", 90.0), ("6", 0.3), ("8", 0.2)):
        worlds[f"qwen3-8b-clip-higher-qae-k0{digit}"] = replace(qae, entropy=flat(entropy))
    for name in ("qwen3-8b-neg-mask", "qwen3-8b-eps020-pos-mask"):
        worlds[name] = World(0.05)
    return worlds


def write_row(
    root: Path, name: str, world: World, *, seed: int = 0, steps: int = STEPS, questions: int = 30, samples: int = 16
) -> Path:
    """A job folder of a row with five prompts of two responses a step."""
    rng = np.random.default_rng([seed, sorted(ROWS).index(name)])
    sizes = {"prompts": 5, "group_size": 2, "samples": samples}
    folder = fake_jobs.describe(root / f"{name}-{seed:012d}", name, steps=steps, **sizes)
    logged = []
    for step in range(1, steps + 1):
        noise = np.exp(0.05 * rng.normal(size=2))
        metrics = {
            "actor/entropy": world.entropy(step) * noise[0],
            "probe/entropy/before/negative": world.negative(step) * noise[1],
            "probe/advantage/zero_share": float(np.clip(world.zeros + 0.01 * rng.normal(), 0, 1)),
        }
        logged.append(fake_jobs.log_line(step, **metrics))
        if step in EVALUATED:
            share = 1.0 if step == EVALUATED[-1] else world.before
            chance = {name: _chance(world.accuracy * share, rng) for name in ("aime-2024", "aime-2025")}
            found = fake_jobs.validation_lines(step, chance, questions=questions, samples=samples)
            fake_jobs.lines(folder / "validation" / f"{step}.jsonl", found)
        if world.words is not None:
            dumped = fake_jobs.rollout_lines(step, _groups(step, world), "wait " * world.words(step))
            fake_jobs.lines(folder / "rollouts" / f"{step}.jsonl", dumped)
    fake_jobs.lines(folder / "logs" / "attempt-001.jsonl", logged)
    return folder


def write_world(root: Path, out: Path, worlds: Mapping[str, World], **options: int) -> None:
    """All rows, collected."""
    for name, world in worlds.items():
        collect(write_row(root, name, world, **options), out)


def _groups(step: int, world: World) -> list[dict[str, Any]]:
    """Mixed groups, in each of which QAE gives one of two responses no advantage, and groups in which none has one."""
    mixed = range(2 if world.zeros == 0.8 else 5)
    return [
        {"uid": str(prompt), "key": f"{prompt}_{session}_0", "reward": 1.0 if prompt in mixed and session else -1.0}
        for prompt in range(5)
        for session in range(2)
    ]


def _chance(mean: float, rng: np.random.Generator) -> Callable[[int], float]:
    """Questions differ a little."""
    chances = np.clip(mean + 0.05 * rng.normal(size=100), 0.0, 1.0)
    return lambda question: float(chances[question])
