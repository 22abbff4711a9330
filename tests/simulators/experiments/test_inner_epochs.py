"""Inner epochs: deterministic, the gate's clip sides, and a planted effect of the clip bound."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from simulators.engine import initial_state, update_once
from simulators.experiments.inner_epochs import (
    InnerEpochsConfig,
    analyse,
    cells,
    run_cell,
    wrong_side_tokens,
)
from simulators.methods import method_names
from simulators.update import Update
from simulators.worlds import World, random_bandits

TINY = InnerEpochsConfig(
    methods=("grpo", "qae"),
    epochs=(1, 4),
    clip_high=(0.20, 0.28, inf),
    step_size=0.5,
    seeds=3,
    steps=6,
    every=2,
    gain=0.01,
    world=World(queries=8, arms=6),
)


def records(seed: int) -> list[dict[str, Any]]:
    return [row for cell in cells(TINY) for row in run_cell(cell.settings, np.random.SeedSequence(seed))]


def test_end_to_end_is_deterministic() -> None:
    rows = records(1)
    assert rows == records(1)
    assert rows != records(2)
    result = analyse(TINY, rows)
    assert len(result["conditions"]) == 2 * (1 + 3)  # a single pass has no clip bound
    assert result["clip_sides"]["violations"] == 0
    assert result["clip_sides"]["clipped"]
    assert result["clip_sides"]["control_grpo"] > 0


def test_all_methods_where_none_is_named() -> None:
    everything = TINY.model_copy(update={"methods": ()})
    assert {cell.settings["method"] for cell in cells(everything)} == set(method_names())


def test_wrong_side_counts_both_bounds_by_regime() -> None:
    rngs = [np.random.default_rng(s) for s in range(2)]
    start = random_bandits(World(queries=32, arms=6), rngs)
    state = initial_state(start.logits, start.env)
    one = update_once(state, start.env, Update(method="qae", epochs=8, step_size=1.0), rngs)
    assert wrong_side_tokens(one, "0.4").tolist() == [0, 0]
    clipped = [sum(int((p.clipped_low | p.clipped_high)[s].sum()) for p in one.passes) for s in range(2)]
    # With the regimes exchanged, every clipped token of the gate is on the wrong side.
    swapped = one._replace(
        passes=tuple(p._replace(clipped_low=p.clipped_high, clipped_high=p.clipped_low) for p in one.passes)
    )
    assert wrong_side_tokens(swapped, "0.4").tolist() == clipped
    assert min(clipped) > 0


def planted(shift: float) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    rows = []
    for clip, extra in (("0.2", 0.0), ("0.28", shift)):
        for seed in range(8):
            for step in (0, 2):
                rows.append(
                    {
                        "method": "grpo",
                        "epochs": 4,
                        "clip_high": clip,
                        "seed": seed,
                        "step": step,
                        "wrong_side": 0.0,
                        "sequence_entropy": 1.0 + step * (extra + 0.01 * rng.standard_normal()),
                        "success": 0.5 + 0.1 * step,
                        "clip_low_fraction": 0.0,
                        "clip_high_fraction": 0.0,
                    }
                )
    return rows


@pytest.mark.parametrize("progress", ["equal_steps", "equal_progress"])
def test_the_effect_of_the_clip_bound_is_found_where_planted_only(progress: str) -> None:
    def excludes_zero(rows: list[dict[str, Any]]) -> bool:
        (found,) = analyse(TINY.model_copy(update={"gain": 0.15}), rows)["weak_minus_strong_clip"]
        return not found[progress]["low"] <= 0 <= found[progress]["high"]

    assert excludes_zero(planted(0.5))
    assert not excludes_zero(planted(0.0))
