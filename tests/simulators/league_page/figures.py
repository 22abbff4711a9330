"""A run of the league with known figures: three rules, one condition, one situation."""

from __future__ import annotations

from typing import Any

RULES = ("grpo", "qae", "psr")
EFFECT = {"qae": 0.5, "psr": -0.2}
PLACE = {"qae": (1, 1, 2), "grpo": (2, 1, 3), "psr": (3, 2, 3)}
COSTS = {
    "benchmarks": [
        {"name": "test_cost_of_an_update[grpo]", "over_grpo": 1.0, "trees_over_grpo": 1.0},
        {"name": "test_cost_of_an_update[qae]", "over_grpo": 1.3, "trees_over_grpo": 1.1},
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


def steered_settings() -> dict[str, Any]:
    return {"band": 0.05, "window": [20, 150]}


def steered() -> dict[str, Any]:
    """The analysis of a small run of `steered-k`."""
    figures = dict.fromkeys(("at_bound", "drift", "success_gain", "distance"), interval(0.1))
    boundary = {"response": 0.0002, "predicted_gain": 1744.6, "swinging": {"0.5": 0.0, "1": 0.8}, "edge": 0.7071}
    route = {"false_positive": 0.3, "false_negative": 0.0, "shared": 1.0, "k": "2/5", "wrong": 0.18}
    return {
        "hold": {"Adam": {"steered": {"in_band": interval(0.9), "in_band_free": None, **figures}}},
        "boundary": {"4": boundary},
        "routing": [{**route, "group_size": size, "wrong_corrected": 0.26} for size in (8, 16)],
        "statements": [],
    }
