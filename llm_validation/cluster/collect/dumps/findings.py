"""Find where a dump does not give what was logged; a difference is a finding for the reader, not an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llm_validation.cluster.collect.dumps.groups import Block, Response, by_size
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.verl_engine.update_probe import metrics_of
from qae_theory.baselines import DEFAULT_K

# Beyond this relative difference there is a finding: means of thousands of float32 numbers differ by less than it.
RELATIVE = 1e-4
# Absolute floors below which a difference is rounding. verl logs what it has averaged in float32; the probe's figures
# and TRL's shares are in float64.
FLOAT32 = 1e-6
FLOAT64 = 1e-12
# What a logged metric must agree with, by its name; the probe's own names are on both sides.
TWINS = {
    "critic/score/mean": "rollouts/mean_reward",
    "success_rate": "rollouts/success_rate",
    "zero_advantage_share": "rollouts/zero_share",
    "hard_group_share": "rollouts/hard_share",
    "probe/advantage/zero_share": "rollouts/zero_share",
    "probe/advantage/positive_share": "rollouts/positive_share",
    "probe/advantage/negative_share": "rollouts/negative_share",
    "probe/gate/mixed_share": "rollouts/mixed_share",
    "probe/gate/leak_share_linear": "rollouts/leak_share_linear",
}
MEAN_OF_OUTPUTS = "rollouts/mean_reward_of_outputs"  # there where a rollout has several
_ROLLOUTS, _PROBE = "the rollouts", "the probe's dump"


class Finding(NamedTuple):
    """Name a logged measure that the dump does not give, with both figures.

    ``said`` is the logged figure, ``recomputed`` ours from ``source``, and ``what`` tells who gave the first.
    """

    step: int
    metric: str
    source: str
    said: float
    recomputed: float
    what: str = "logged"

    def record(self) -> dict[str, Any]:
        """Return the finding in JSON's types, with a sentence."""
        figures = f"{self.what} {self.said:.6g}, recomputed from {self.source} {self.recomputed:.6g}"
        return {**self._asdict(), "says": f"step {self.step}: {self.metric}: {figures}"}


def of_rollout_dump(
    step: int,
    responses: Sequence[Response],
    *,
    logged: Mapping[str, float | None],
    measures: Mapping[str, float],
    settings: RunSettings,
    threshold: float | None,
) -> list[Finding]:
    """Return where a step's rollouts do not give what was logged.

    Args:
        step: its number.
        responses: of the dump.
        logged: metrics of the step.
        measures: of the same responses, by :func:`llm_validation.cluster.collect.dumps.measures.of_rollouts`.
        settings: of the run.
        threshold: the reward above which a response is right that states nothing itself; None if it is not known.
    """
    wrong = wrong_advantages(step, responses, settings, threshold=threshold, source=_ROLLOUTS)
    return [*compared(step, logged, measures), *wrong]


def of_probe_dump(
    step: int,
    records: Sequence[Response],
    *,
    logged: Mapping[str, float | None],
    measures: Mapping[str, float],
    settings: RunSettings,
    threshold: float | None,
) -> list[Finding]:
    """Return where a step's probe does not give what was logged; arguments as for :func:`of_rollout_dump`.

    ``actor/entropy`` has no verdict unless the run is known to average over all tokens: verl averages it as the loss.
    """
    findings = compared(step, logged, measures)
    findings += wrong_advantages(step, records, settings, threshold=threshold, source=_PROBE)
    if settings.aggregation == "token-mean":
        findings += compared_entropy(step, logged, measures)
    theirs = metrics_of(records, quantile_k=settings.k or DEFAULT_K, correct_above=threshold or 0.0)
    return findings + compared(step, theirs, measures, "the trainer's formula gives")


def compared(
    step: int, logged: Mapping[str, float | None], measures: Mapping[str, float], what: str = "logged"
) -> list[Finding]:
    """Return a finding where a metric and its recomputed twin differ by more than ``RELATIVE``.

    Args:
        step: its number.
        logged: metrics of the step.
        measures: recomputed ones.
        what: who gave the first.
    """
    findings = []
    for metric, twin, source in sorted(_twins(measures)):
        theirs, ours = logged.get(metric), measures.get(twin)
        if metric == "critic/score/mean":  # verl's mean is over outputs, of which a rollout may have several
            ours = measures.get(MEAN_OF_OUTPUTS, ours)
        floor = FLOAT32 if metric.startswith("critic/") else FLOAT64
        # verl leaves responses without a token out of its mean score, and a dump does not tell which those are.
        if metric == "critic/score/mean" and logged.get("response/aborted_ratio"):
            continue
        if theirs is not None and ours is not None and _differ(theirs, ours, floor):
            findings.append(Finding(step, metric, source, theirs, ours, what))
    return findings


def _twins(measures: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    """Yield each metric that is logged, the measure that it must agree with, and where that comes from."""
    for metric, twin in TWINS.items():
        yield metric, twin, _ROLLOUTS
    for name in measures:
        if name.startswith("probe/"):
            yield name, name, _PROBE


def compared_entropy(step: int, logged: Mapping[str, float | None], measures: Mapping[str, float]) -> list[Finding]:
    """Return a finding where verl's ``actor/entropy`` is not the probe's; for a run that averages over all tokens."""
    theirs, ours = logged.get("actor/entropy"), measures.get("probe/entropy/before/all")
    if theirs is None or ours is None or not _differ(theirs, ours, FLOAT32):
        return []
    return [Finding(step, "actor/entropy", _PROBE, theirs, ours)]


def wrong_advantages(
    step: int, records: Sequence[Response], settings: RunSettings, *, threshold: float | None, source: str
) -> list[Finding]:
    """Return a finding where dumped advantages are not those of the run's estimator, with the one furthest off.

    Args:
        step: its number.
        records: a response each; without an advantage in every one there is nothing to compare.
        settings: of the run.
        threshold: the reward above which a response is right that states nothing itself; None if it is not known.
        source: which dump, in words.
    """
    level = settings.level
    if not all(isinstance(record.get("advantage"), (int, float)) for record in records):
        return []
    wrong: list[tuple[float, float]] = []  # dumped, and ours
    for groups in by_size(records):
        ours = Block(groups, threshold).advantages(settings, level)
        if ours is None:
            continue
        dumped = [float(record["advantage"]) for group in groups for record in group]
        for pair in zip(dumped, ours.ravel().tolist(), strict=True):
            if _differ(*pair, FLOAT32):
                wrong.append(pair)
    if not wrong:
        return []
    theirs, furthest = max(wrong, key=lambda pair: abs(pair[0] - pair[1]))
    metric = f"advantages of {len(wrong)} of {len(records)} responses"
    return [Finding(step, metric, source, theirs, furthest, "dumped, the furthest off,")]


def _differ(first: float, second: float, floor: float) -> bool:
    return abs(first - second) > RELATIVE * max(abs(first), abs(second)) + floor
