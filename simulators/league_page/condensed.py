"""Keep of a run of `league` what its page says: rounded figures, small enough to be stored beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qae_theory.runs.stored import StoredRun

DIGITS = 4
# Pass@1 is the mean success; the entropies are those of responses and of sampled tokens.
MEASURES = ("success_mean", "success", "pass@16", "worst_tenth", "sequence_entropy", "token_entropy")
PER_SUCCESS = "sequence_per_success_at_"


def condensed(run: StoredRun, steered: StoredRun | None, costs: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return what the page needs of the stored runs.

    Args:
        run: of the experiment `league`.
        steered: of the experiment `steered-k`, if there is one.
        costs: time of an update over GRPO's on bandits and on token trees, by rule; may lack rules.

    Returns:
        Situations as analysed; by condition and measure each rule's difference as [estimate, low, high]; tuned ranks
        and settings; losses to noise; the steered K; costs; the run's name, size and settings.
    """
    analysis, settings = run.analysis, run.config["settings"]
    conditions = {}
    for name, measures in analysis["conditions"].items():
        kept = {measure: measures[measure] for measure in measures if measure in MEASURES or PER_SUCCESS in measure}
        conditions[name] = {measure: differences(by_rule, analysis["reference"]) for measure, by_rule in kept.items()}
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
        "steered": None if steered is None else of_steered(steered),
        "costs": {rule: [round(ratio, 2) for ratio in ratios] for rule, ratios in costs.items()},
    }


def costs_of(benchmarks: Mapping[str, Any], prefix: str = "test_cost_of_an_update") -> dict[str, list[float]]:
    """Return the cost of each rule's update over GRPO's, on bandits and on trees, from a file of ``make bench``.

    Args:
        benchmarks: the file's content.
        prefix: name of the benchmark, which is followed by the rule in brackets.
    """
    costs = {}
    for line in benchmarks["benchmarks"]:
        name = line["name"]
        if name.startswith(f"{prefix}["):
            rule = name.removeprefix(f"{prefix}[").removesuffix("]")
            costs[rule] = [float(line["over_grpo"]), float(line["trees_over_grpo"])]
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


def of_steered(run: StoredRun) -> dict[str, Any]:
    """Return what the page says of a run of `steered-k`."""
    analysis, settings = run.analysis, run.config["settings"]
    return {
        "run": run.named,
        "band": settings["band"],
        "window": settings["window"],
        "hold": rounded(analysis["hold"]),
        "boundary": rounded(analysis["boundary"]),
        "routing": rounded(analysis["routing"]),
    }


def differences(by_rule: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return each rule's difference to the reference, whose own mean stands in its place; None where there is none."""
    found = {}
    for rule, figures in by_rule.items():
        found[rule] = rounded(figures["mean" if rule == reference else "difference"])
    return found


def _tuned(by_rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return each rule's mean and rank after tuning."""
    found = {}
    for rule, figures in by_rule.items():
        mean = figures["mean"]
        found[rule] = {"mean": None if mean is None else round(mean["estimate"], DIGITS), "rank": figures["rank"]}
    return found
