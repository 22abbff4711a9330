"""Figures, not tests: the plug-in's advantages beside verl's own, 512 prompts x 16 responses of 4096 tokens, float32.

Rows mixed, uid strings, masks of the type that verl makes (int64) and of the rewards' own. Each round times every peer
right before the plug-in, so that all see the same noise. The aim: no slower than the faster of verl's two. The floor is
one sum and one product over the same arrays; "floor_converted" is the same with the mask converted first, which on a
CPU is faster than torch's product of an integer and a float array.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.verl

PROMPTS, RESPONSES, TOKENS = 512, 16, 4096
ROUNDS = 15
PEERS = ("grpo", "grpo_vectorized", "floor", "floor_converted")


@pytest.fixture(scope="module", params=["int64", "float32"])
def batch(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Rewards +1 and -1 at the last token of responses of 1 to 4096 tokens."""
    import torch

    rng = np.random.default_rng(0)
    rows = PROMPTS * RESPONSES
    uids = np.repeat([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(PROMPTS)], RESPONSES).astype(object)
    lengths = torch.tensor(rng.integers(1, TOKENS + 1, rows))
    mask = torch.arange(TOKENS)[None] < lengths[:, None]
    rewards = torch.zeros(rows, TOKENS)
    rewards[torch.arange(rows), lengths - 1] = torch.tensor(rng.choice([-1.0, 1.0], rows), dtype=torch.float32)
    return {
        "token_level_rewards": rewards,
        "response_mask": mask.to(getattr(torch, request.param)),
        "index": uids[rng.permutation(rows)],
    }


def _ways() -> dict[str, Callable[..., Any]]:
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    def floor(token_level_rewards: Any, response_mask: Any, index: Any) -> Any:
        return token_level_rewards.sum(-1)[:, None] * response_mask

    def floor_converted(token_level_rewards: Any, response_mask: Any, index: Any) -> Any:
        scores = token_level_rewards.sum(-1)[:, None]
        converted = response_mask.to(token_level_rewards.dtype)
        return scores * converted if converted is response_mask else converted.mul_(scores)

    named = {name: get_adv_estimator_fn(name) for name in ("qae", "grpo", "grpo_vectorized")}
    return {**named, "floor": floor, "floor_converted": floor_converted}


def _seconds(call: Callable[..., Any], batch: dict[str, Any]) -> float:
    start = time.perf_counter()
    result = call(**batch)
    taken = time.perf_counter() - start
    del result
    return taken


def test_qae(benchmark: Any, batch: dict[str, Any]) -> None:
    """The plug-in's "qae" at K = 0.4, and in its rounds each of the peers."""
    import torch

    import llm_validation.verl_engine.plugin  # noqa: F401  # registers

    ways = _ways()
    taken: dict[str, list[float]] = {peer: [] for peer in PEERS}

    def others() -> None:
        for peer in PEERS:
            taken[peer].append(_seconds(ways[peer], batch))

    advantages, _ = benchmark.pedantic(ways["qae"], kwargs=batch, setup=others, rounds=ROUNDS, warmup_rounds=2)
    benchmark.extra_info["threads"] = torch.get_num_threads()
    for peer, seconds in taken.items():
        benchmark.extra_info[f"{peer}_median_s"] = round(median(seconds[-ROUNDS:]), 5)
    if benchmark.stats is not None:
        ours = benchmark.stats.stats.median
        for peer, seconds in taken.items():
            benchmark.extra_info[f"this_over_{peer}"] = round(ours / median(seconds[-ROUNDS:]), 3)
    assert bool(((advantages != 0) <= (batch["response_mask"] != 0)).all())
    assert bool((advantages != 0).any())
