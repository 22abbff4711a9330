"""Figures, not tests: what an update of each registered rule costs beside GRPO's, on bandits and token trees.

Both are timed in turns, so that whatever else the machine does meets both alike; ``over_grpo`` is the ratio of the
smallest times. The first number is for four passes on bandits, ``trees_over_grpo`` for the same on token trees.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pytest

from simulators import Update, initial_state, update_once
from simulators.engine import State
from simulators.environments import Environment
from simulators.experiments.league.questions import Questions, starts
from simulators.methods import method_names

TURNS = 15
WORLDS = {
    "over_grpo": Questions(queries=256, arms=16),
    "trees_over_grpo": Questions(substrate="trees", queries=32, symbols=3, max_length=3),
}


def _start(questions: Questions) -> tuple[State, Environment]:
    """One seed."""
    start = starts(questions, [np.random.default_rng(0)])
    return initial_state(start.logits, start.env), start.env


def _update(rule: str) -> Update:
    return Update(method=rule, group_size=16, step_size=0.1, epochs=4)


def _ratio(rule: str, questions: Questions, turns: int) -> float:
    """Time of the rule's update over that of GRPO, both in turns."""
    state, env = _start(questions)
    # The second update is timed: a rule with a memory has one by then, and everything is compiled.
    states = {name: update_once(state, env, _update(name), [np.random.default_rng(1)]).after for name in ("grpo", rule)}
    seconds: dict[str, list[float]] = {name: [] for name in states}
    for _ in range(turns):
        for name, of_rule in states.items():
            rngs = [np.random.default_rng(2)]
            began = perf_counter()
            update_once(of_rule, env, _update(name), rngs)
            seconds[name].append(perf_counter() - began)
    return min(seconds[rule]) / min(seconds["grpo"])


@pytest.mark.parametrize("rule", method_names())
def test_cost_of_an_update(benchmark: Any, rule: str) -> None:
    """One recorded update of a seed on 256 bandits, and the ratios to GRPO's."""
    turns = TURNS if benchmark.enabled else 1
    for name, questions in WORLDS.items():
        benchmark.extra_info[name] = round(_ratio(rule, questions, turns), 3)
    state, env = _start(WORLDS["over_grpo"])
    rngs = [np.random.default_rng(1)]
    step = benchmark.pedantic(update_once, (state, env, _update(rule), rngs), rounds=turns, warmup_rounds=1)
    assert np.all(np.isfinite(step.after.logits))
