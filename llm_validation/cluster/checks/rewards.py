"""Check the rewards: which levels the verifier gives, and what DAPO's overlong punishment makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llm_validation.cluster.checks.check import Check, failed, fine, warned
from llm_validation.verl_engine.configuration.algorithm import Algorithm
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.configuration.reward import Reward
from llm_validation.verl_engine.group_advantages import BINARY_SCALES, MASKS

QUANTILE = ("qae", "qae_linear")  # estimators whose baseline is a quantile
_LEVELS = "reward levels"


@dataclass(frozen=True)
class Levels:
    """Hold the scores that the verifier gave to wrong and to right responses, and the most that a long one loses."""

    wrong: tuple[float, ...]
    right: tuple[float, ...]
    penalty: float = 0.0

    @property
    def binary(self) -> bool:
        """Return whether rewards have two levels."""
        return len({*self.wrong, *self.right}) == 2 and self.penalty == 0

    def __str__(self) -> str:
        lost = f", less up to {self.penalty:g} for length" if self.penalty else ""
        return f"wrong {_listed(self.wrong)}, right {_listed(self.right)}{lost}"


def _listed(scores: tuple[float, ...]) -> str:
    return ", ".join(f"{score:g}" for score in sorted(set(scores)))


def overlong_penalty(reward: Reward) -> float:
    """Return the most that DAPO's overlong punishment takes from a reward.

    Within its buffer before the longest response it grows from 0 to the configured factor (DAPO, arXiv 2503.14476,
    Eq. 13). 0 where it is off.
    """
    return float(reward.overlong_factor.or_else(0.0)) if reward.punishes_overlong.or_else(False) else 0.0


def check_overlong(run: Configuration) -> Check:
    """Look whether the overlong punishment that is configured is the one that runs."""
    name, reward = "overlong punishment", run.reward
    penalty = overlong_penalty(reward)
    if not penalty:
        return fine(name, "off")
    manager = reward.manager.value
    if manager != "dapo":
        return failed(name, f"configured, but the reward manager {manager!r} has none: only 'dapo' reads it")
    buffer, most = reward.overlong_buffer.or_else(0), reward.longest_response.or_else(0)
    if not 0 < buffer <= most:
        return failed(name, f"its buffer must be 1 to {reward.longest_response.name} = {most} tokens; got {buffer}")
    punished = f"from {most - buffer} tokens on, {penalty:g} at {most}"
    longest = run.data.longest_response.or_else(0)
    return fine(name, punished) if most == longest else warned(name, f"{punished}, but responses end at {longest}")


def check_levels(algorithm: Algorithm, levels: Levels | None) -> Check:
    """Look whether the rewards have the levels that the estimator assumes.

    Args:
        algorithm: the estimator and its options.
        levels: what the verifier's self-test found; None where it failed.
    """
    if levels is None:
        return failed(_LEVELS, "not known, because the verifier's self-test failed")
    first_fault = next(_level_faults(algorithm, levels), None)
    return _level_warning(algorithm, levels) if first_fault is None else failed(_LEVELS, first_fault)


def _level_faults(algorithm: Algorithm, levels: Levels) -> Iterator[str]:
    """Yield why right and wrong cannot be told apart by the rewards."""
    estimator, threshold = str(algorithm.estimator.value), algorithm.correct_above
    on_bits = estimator in MASKS or _gate(algorithm) == "correctness"
    if not threshold.stated and on_bits:
        user = estimator if estimator in MASKS else "advantage_gate=correctness"
        # On these two scales the estimators know right from wrong without a threshold.
        if {*levels.wrong, *levels.right} not in map(set, BINARY_SCALES):
            yield f"{user} needs {threshold.key}, or rewards 0/1 or -1/+1; here: {levels}"
        if levels.penalty:
            yield f"{user} needs {threshold.key} for rewards of more than two levels: {levels}"
    if threshold.stated:
        # A right response can lose the whole penalty and must still lie above the threshold.
        lowest_right, highest_wrong = min(levels.right) - levels.penalty, max(levels.wrong)
        if not highest_wrong <= float(threshold.value) < lowest_right:
            yield (
                f"{threshold.key} = {threshold.value} does not part wrong from right: it must be at least "
                f"{highest_wrong:g} and below {lowest_right:g} for rewards {levels}"
            )


def _level_warning(algorithm: Algorithm, levels: Levels) -> Check:
    """Return the check of levels that the estimator can take, with a warning where its theorems do not hold on them."""
    if algorithm.kl_in_reward.or_else(False):
        return warned(_LEVELS, f"{levels}; {algorithm.kl_in_reward.key} makes them a continuum")
    if str(algorithm.estimator.value) in QUANTILE and _gate(algorithm) == "reward" and not levels.binary:
        regimes = (
            "more than two, on which the gate's two regimes do not hold (gate-nonbinary: failures of a hard group are "
            f"pushed down); {algorithm.advantage_gate.key}=correctness has the gate look at right and wrong alone"
        )
        return warned(_LEVELS, f"{levels}: {regimes}")
    return fine(_LEVELS, str(levels))


def _gate(algorithm: Algorithm) -> str:
    return str(algorithm.advantage_gate.or_else("reward"))
