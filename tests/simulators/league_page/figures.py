"""A run of the league with known figures: three rules, one condition, one situation."""

from __future__ import annotations

from typing import Any

RULES = ("grpo", "qae", "psr")
EFFECT = {"qae": 0.5, "psr": -0.2}
PLACE = {"qae": (1, 1, 2), "grpo": (2, 1, 3), "psr": (3, 2, 3)}
COSTS = {
    "benchmarks": [
        {"name": "test_cost_of_an_update[grpo]", "over_grpo": 1.0},
        {"name": "test_cost_of_an_update[qae]", "over_grpo": 1.3},
        {"name": "test_floor[1]", "median_s": 1.0},
    ]
}


def settings() -> dict[str, Any]:
    return {"seeds": 4, "steps": 12, "rules": list(RULES)}


def interval(middle: float) -> dict[str, Any]:
    return {"estimate": middle, "low": middle - 0.1, "high": middle + 0.1, "level": 0.99, "draws": 4}


def measure() -> dict[str, Any]:
    """A measure's figures by rule."""
    found = {}
    for rule in RULES:
        place, best, worst = PLACE[rule]
        found[rule] = {
            "mean": interval(0.6),
            "difference": None if rule == "grpo" else interval(EFFECT[rule]),
            "rank": {"place": place, "best": best, "worst": worst},
        }
    return found


def analysis() -> dict[str, Any]:
    rules = {}
    for rule, verdict in (("qae", "held"), ("psr", "worse")):
        rules[rule] = {
            "verdict": verdict,
            "differences": {"bandits": interval(EFFECT[rule])},
            "price": {"bandits": interval(0.0)},
        }
    situation = {
        "name": "entropy collapses",
        "conditions": ["bandits"],
        "measure": "sequence_per_success_at_0.1",
        "better": "higher",
        "level_each": 0.999,
        "reference": {"bandits": interval(-1.0)},
        "rules": rules,
    }
    measures = {"success_mean": measure(), "sequence_per_success_at_0.1": measure()}
    return {
        "rules": list(RULES),
        "reference": "grpo",
        "level": 0.99,
        "conditions": {"bandits": measures},
        "tuned": {
            "bandits": {
                "measures": measures,
                "chosen": {rule: {"step_factor": 1.0, "own_factor": 1.0} for rule in RULES},
                "wrong": {"qae": {"half": interval(-0.01), "double": None}},
            }
        },
        "noise": {"bandits": {rule: interval(-0.05) for rule in RULES}},
        "situations": [situation],
        "statements": [],
    }
