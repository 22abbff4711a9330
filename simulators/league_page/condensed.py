"""Keep of a run of `league` what its page says: rounded figures, small enough to be stored beside the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qae_theory.runs.stored import StoredRun

DIGITS = 4
MEASURES = ("success_mean", "success", "pass@16", "worst_tenth", "sequence_entropy", "token_entropy", "highest_rise")
PER_SUCCESS = "_per_success_at_"


def condensed(run: StoredRun, costs: Mapping[str, float]) -> dict[str, Any]:
    """Return what the page needs of a stored run.

    Args:
        run: of the experiment `league`.
        costs: time of an update over that of the reference, by rule; may lack rules.

    Returns:
        Situations as analysed; by condition and measure each rule's mean and difference as [estimate, low, high];
        tuned ranks and settings; losses to noise; costs; the run's name, size and settings.
    """
    analysis, settings = run.analysis, run.config["settings"]
    conditions = {}
    for name, measures in analysis["conditions"].items():
        kept = {measure: measures[measure] for measure in measures if measure in MEASURES or PER_SUCCESS in measure}
        conditions[name] = {measure: _differences(by_rule) for measure, by_rule in kept.items()}
    tuned = {}
    for name, found in analysis["tuned"].items():
        tuned[name] = {
            "success_mean": _tuned(found["measures"]["success_mean"]),
            "chosen": found["chosen"],
            "wrong": rounded(found["wrong"]),
        }
    return {
        "run": run.named,
        "quick": bool(run.config.get("quick")),
        "seeds": settings["seeds"],
        "steps": settings["steps"],
        "level": analysis["level"],
        "reference": analysis["reference"],
        "rules": analysis["rules"],
        "situations": rounded(analysis["situations"]),
        "conditions": conditions,
        "tuned": tuned,
        "noise": rounded(analysis["noise"]),
        "costs": {rule: round(ratio, 2) for rule, ratio in costs.items()},
    }


def costs_of(benchmarks: Mapping[str, Any], prefix: str = "test_cost_of_an_update") -> dict[str, float]:
    """Return the cost of each rule's update over GRPO's, from a file that ``make bench`` writes.

    Args:
        benchmarks: the file's content.
        prefix: name of the benchmark, which is followed by the rule in brackets.
    """
    costs = {}
    for line in benchmarks["benchmarks"]:
        name = line["name"]
        if name.startswith(f"{prefix}[") and "over_grpo" in line:
            costs[name.removeprefix(f"{prefix}[").removesuffix("]")] = float(line["over_grpo"])
    return costs


def rounded(value: Any) -> Any:
    """Return JSON data with intervals as [estimate, low, high] and numbers rounded."""
    if isinstance(value, Mapping):
        if {"estimate", "low", "high"} <= value.keys():
            return [round(value[end], DIGITS) for end in ("estimate", "low", "high")]
        return {name: rounded(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return round(value, 8) if isinstance(value, float) else value


def _differences(by_rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return each rule's mean and its difference to the reference."""
    found = {}
    for rule, figures in by_rule.items():
        mean = figures["mean"]
        found[rule] = {
            "mean": None if mean is None else round(mean["estimate"], DIGITS),
            "difference": rounded(figures["difference"]),
        }
    return found


def _tuned(by_rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return each rule's mean, difference to the reference and rank after tuning."""
    found = _differences(by_rule)
    for rule, figures in by_rule.items():
        found[rule]["rank"] = figures["rank"]
    return found
