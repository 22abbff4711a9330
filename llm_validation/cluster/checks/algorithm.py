"""Checks of what turns rewards into advantages: quantile, group, gate, reward levels, dynamic sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from llm_validation.cluster.checks.check import Check, Config, failed, fine, select, warned
from qae_theory.baselines import interpolated_quantile
from qae_theory.checks import quantile_level

QUANTILE = ("qae", "qae_linear")
MASKS = ("pos_mask", "neg_mask")
OURS = (*QUANTILE, *MASKS)
DEFAULT_K = "0.4"
# Scales on which right and wrong need no threshold, as the estimators have it.
_BINARY = ({0.0, 1.0}, {-1.0, 1.0})


@dataclass(frozen=True)
class Levels:
    """Scores that the verifier gave to wrong and to right responses, and the most that a long response loses."""

    wrong: tuple[float, ...]
    right: tuple[float, ...]
    penalty: float = 0.0

    @property
    def binary(self) -> bool:
        """Whether rewards have two levels."""
        return len({*self.wrong, *self.right}) == 2 and self.penalty == 0

    def __str__(self) -> str:
        wrong, right = (", ".join(f"{score:g}" for score in sorted(set(scores))) for scores in (self.wrong, self.right))
        lost = f", less up to {self.penalty:g} for length" if self.penalty else ""
        return f"wrong {wrong}, right {right}{lost}"


def estimator(config: Config) -> str:
    """The name of the configured estimator."""
    return str(select(config, "algorithm.adv_estimator"))


def group_size(config: Config) -> Any:
    """Responses a prompt, G."""
    return select(config, "actor_rollout_ref.rollout.n")


def check_quantile(config: Config) -> Check:
    """K is a rational number in (0, 1)."""
    name = "quantile level"
    given = select(config, "algorithm.quantile_k")
    try:
        level = quantile_level(DEFAULT_K if given is None else given)
    except ValueError as error:
        return failed(name, f"algorithm.quantile_{error}")
    of = "" if estimator(config) in OURS else "; for the probe alone, the baseline is another"
    return fine(name, f"K = {level}{'' if given is not None else ', the default'}{of}")


def check_group(config: Config) -> Check:
    """A group has two responses or more: in a group of one there is nothing to compare."""
    name, size = "group size", group_size(config)
    if isinstance(size, bool) or not isinstance(size, int) or size < 2:
        return failed(
            name,
            f"actor_rollout_ref.rollout.n must be an integer >= 2; got {size!r}: a group of one has no "
            "baseline but itself, and every advantage is 0",
        )
    return fine(name, f"G = {size} responses a prompt")


def check_gate(config: Config) -> Check:
    """Where linear interpolation, as in the released code, leaves a group's gate half open (`eq4-released-code`)."""
    name = "gate"
    try:
        level, size = quantile_level(select(config, "algorithm.quantile_k", DEFAULT_K)), int(group_size(config))
    except (TypeError, ValueError):
        return fine(name, "not looked at: no K or no G")
    leaks = leaking_counts(size, level)
    cell = f"G = {size}, K = {level}"
    if estimator(config) not in QUANTILE:
        return fine(name, f"{cell}: no quantile baseline runs")
    if not leaks:
        return fine(name, f"{cell}: the interpolated quantile is the exact one in every group")
    where = "; ".join(f"at {m} right of {size} it is {float(value):g}" for m, value in leaks.items())
    if estimator(config) == "qae_linear":
        return warned(
            name,
            f"{cell} leaks (eq4-released-code): {where}, and right and wrong responses both get a non-zero advantage",
        )
    return warned(
        name,
        f"{cell}: the exact gate runs and does not leak; the released code's would ({where}), so that "
        "results differ from it there",
    )


def leaking_counts(size: int, level: Fraction) -> dict[int, Fraction]:
    """Numbers of right responses at which the interpolated quantile of a 0/1 group is neither, with its value.

    >>> leaking_counts(8, Fraction(2, 5)), leaking_counts(16, Fraction(2, 5))
    ({5: Fraction(4, 5)}, {})
    """
    groups = {m: [Fraction(0)] * (size - m) + [Fraction(1)] * m for m in range(1, size)}
    values = {m: interpolated_quantile(np.array(group, dtype=object), None, level) for m, group in groups.items()}
    return {m: Fraction(value.item()) for m, value in values.items() if value.item() not in (0, 1)}


def overlong_penalty(config: Config) -> float:
    """The most that DAPO's overlong punishment takes from a reward: it grows from 0 to the factor within its buffer."""
    if not select(config, "reward.reward_kwargs.overlong_buffer_cfg.enable", False):
        return 0.0
    return float(select(config, "reward.reward_kwargs.overlong_buffer_cfg.penalty_factor", 0.0))


def check_overlong(config: Config) -> Check:
    """The overlong punishment that is configured is the one that runs."""
    name = "overlong punishment"
    if not overlong_penalty(config):
        return fine(name, "off")
    manager = select(config, "reward.reward_manager.name")
    if manager != "dapo":
        return failed(name, f"configured, but the reward manager {manager!r} has none: only 'dapo' reads it")
    buffer = select(config, "reward.reward_kwargs.overlong_buffer_cfg.len", 0)
    most, longest = (
        select(config, "reward.reward_kwargs.max_resp_len", 0),
        select(config, "data.max_response_length", 0),
    )
    if not 0 < buffer <= most:
        return failed(name, f"its buffer must be 1 to max_resp_len = {most} tokens; got {buffer}")
    says = f"from {most - buffer} tokens on, {overlong_penalty(config):g} at {most}"
    return fine(name, says) if most == longest else warned(name, f"{says}, but responses end at {longest}")


def check_levels(config: Config, levels: Levels | None) -> Check:
    """The rewards have the levels that the estimator assumes."""
    name = "reward levels"
    if levels is None:
        return failed(name, "not known, because the verifier's self-test failed")
    return next(_level_faults(config, levels), None) or _level_warning(config, levels)


def _level_faults(config: Config, levels: Levels) -> Iterator[Check]:
    name, threshold = "reward levels", select(config, "algorithm.correct_above")
    on_bits = estimator(config) in MASKS or _gate(config) == "correctness"
    lowest, highest = min(levels.right) - levels.penalty, max(levels.wrong)
    if threshold is None and on_bits and {*levels.wrong, *levels.right} not in _BINARY:
        yield failed(name, f"{_user(config)} needs algorithm.correct_above, or rewards 0/1 or -1/+1; here: {levels}")
    if threshold is None and on_bits and levels.penalty:
        yield failed(
            name, f"{_user(config)} needs algorithm.correct_above for rewards of more than two levels: {levels}"
        )
    if threshold is not None and not highest <= float(threshold) < lowest:
        yield failed(
            name,
            f"algorithm.correct_above = {threshold} does not part wrong from right: it must be at least "
            f"{highest:g} and below {lowest:g} for rewards {levels}",
        )


def _level_warning(config: Config, levels: Levels) -> Check:
    name = "reward levels"
    if select(config, "algorithm.use_kl_in_reward", False):
        return warned(name, f"{levels}; algorithm.use_kl_in_reward makes them a continuum")
    if estimator(config) in QUANTILE and _gate(config) == "reward" and not levels.binary:
        says = (
            "more than two, on which the gate's two regimes do not hold (gate-nonbinary: failures of a hard group are "
        )
        more = "pushed down); algorithm.advantage_gate=correctness has the gate look at right and wrong alone"
        return warned(name, f"{levels}: {says}{more}")
    return fine(name, str(levels))


def _gate(config: Config) -> str:
    return str(select(config, "algorithm.advantage_gate", "reward"))


def _user(config: Config) -> str:
    return estimator(config) if estimator(config) in MASKS else "advantage_gate=correctness"


def check_dynamic_sampling(config: Config, keys: Sequence[str] | None) -> Check:
    """Dynamic sampling filters groups by a number that each response's record has.

    Args:
        config: the configuration.
        keys: names in a response's record: what the score function gives. None where that is not known.
    """
    name = "dynamic sampling"
    if not select(config, "algorithm.filter_groups.enable", False):
        return fine(name, "off: groups in which all are right or all wrong stay in the batch, with advantage 0")
    if keys is None:
        return failed(name, "not known what it filters by, because the verifier's self-test failed")
    metric = select(config, "algorithm.filter_groups.metric")
    known = sorted({"reward", *keys})
    if metric not in known:
        return failed(name, f"algorithm.filter_groups.metric must be one of {', '.join(known)}; got {metric!r}")
    if metric == "reward" and overlong_penalty(config):
        says = "by the reward, which the overlong punishment makes unequal among equally right responses"
        return warned(name, f"on, {says}: groups without a signal stay")
    if select(config, "algorithm.filter_groups.max_num_gen_batches", 0):
        return warned(name, f"on, by {metric}; verl's V1 trainer ignores algorithm.filter_groups.max_num_gen_batches")
    return fine(name, f"on: groups with equal {metric} are replaced")
