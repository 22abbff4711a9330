"""Check the algorithm: the quantile level, the group, the gate that follows from both, and dynamic sampling."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from llm_validation.cluster.checks.check import Check, failed, fine, warned
from llm_validation.cluster.checks.rewards import QUANTILE, overlong_penalty
from llm_validation.verl_engine.configuration.algorithm import Algorithm
from llm_validation.verl_engine.configuration.record import Configuration
from llm_validation.verl_engine.group_advantages import MASKS
from qae_theory.baselines import DEFAULT_K, interpolated_quantile
from qae_theory.checks import quantile_level

ONE_VOTE = ("grpo", "gae")  # verl's own with which a rollout has one vote: by its keys, or token by token
OURS = (*QUANTILE, *MASKS)  # estimators that the plug-in brings


def check_quantile(algorithm: Algorithm) -> Check:
    """Look whether K is a rational number in (0, 1)."""
    name, setting = "quantile level", algorithm.quantile_k
    try:
        level = quantile_level(setting.or_else(DEFAULT_K))
    except ValueError as error:
        # The message names its argument, k; here it is the setting's.
        return failed(name, f"{setting.key} {str(error).removeprefix('k ')}")
    default = "" if setting.stated else ", the default"
    use = "" if str(algorithm.estimator.value) in OURS else "; for the probe alone, the baseline is another"
    return fine(name, f"K = {level}{default}{use}")


def check_group(run: Configuration) -> Check:
    """Look whether a group has two responses or more: in a group of one there is nothing to compare."""
    name, setting = "group size", run.rollout.group_size
    size = setting.value
    if isinstance(size, bool) or not isinstance(size, int) or size < 2:
        return failed(
            name,
            f"{setting.key} must be an integer >= 2; got {size!r}: a group of one has no baseline but itself, and "
            "every advantage is 0",
        )
    return fine(name, f"G = {size} responses a prompt")


def check_gate(run: Configuration) -> Check:
    """Look where linear interpolation, as in the released code, leaves a group's gate half open.

    The claim of the ledger is ``eq4-released-code``.
    """
    name, estimator = "gate", str(run.algorithm.estimator.value)
    try:
        level = quantile_level(run.algorithm.quantile_k.or_else(DEFAULT_K))
        size = int(run.rollout.group_size.value)
    except (TypeError, ValueError):  # the checks of K and of G say what is wrong
        return fine(name, "not looked at: no K or no G")
    leaks = leaking_counts(size, level)
    cell = f"G = {size}, K = {level}"
    if estimator not in QUANTILE:
        return fine(name, f"{cell}: no quantile baseline runs")
    if not leaks:
        return fine(name, f"{cell}: the interpolated quantile is the exact one in every group")
    where = "; ".join(f"at {count} right of {size} it is {float(value):g}" for count, value in leaks.items())
    if estimator == "qae_linear":
        return warned(
            name,
            f"{cell} leaks (eq4-released-code): {where}, and right and wrong responses both get a non-zero advantage",
        )
    return warned(
        name,
        f"{cell}: the exact gate runs and does not leak; the released code's would ({where}), so that results differ "
        "from it there",
    )


def leaking_counts(size: int, level: Fraction) -> dict[int, Fraction]:
    """Return the numbers of right responses at which the interpolated quantile of a 0/1 group is neither 0 nor 1.

    Args:
        size: G, responses to a prompt.
        level: K, in (0, 1).

    Returns:
        The value of the quantile by number of right responses; empty where the gate leaks nowhere.

    >>> leaking_counts(8, Fraction(2, 5)), leaking_counts(16, Fraction(2, 5))
    ({5: Fraction(4, 5)}, {})
    """
    leaks = {}
    for count in range(1, size):
        group = [Fraction(0)] * (size - count) + [Fraction(1)] * count
        value = interpolated_quantile(np.array(group, dtype=object), None, level).item()
        if value not in (0, 1):
            leaks[count] = Fraction(value)
    return leaks


def check_outputs(run: Configuration) -> Check:
    """Look whether a rollout with several outputs keeps one vote in its group.

    verl's V1 trainers hand each output to the estimator as a response of its own, except to ``grpo``; the plug-in's
    estimators tell rollouts apart by the outputs' names.
    """
    name, rollout, estimator = "outputs a rollout", run.rollout, str(run.algorithm.estimator.value)
    if not (rollout.several_turns.or_else(False) or rollout.agent_loops.stated):
        return fine(name, "one output each: neither several turns nor agent loops of one's own")
    if estimator in (*ONE_VOTE, *OURS):
        return fine(name, f"a rollout may have several; {estimator} gives it one vote in its group")
    return failed(
        name,
        f"a rollout may have several outputs, and verl gives each of them a vote with {estimator}, so that a long "
        f"rollout outweighs its group: take one of {', '.join((*ONE_VOTE, *OURS))}, or rollouts of one output",
    )


def check_dynamic_sampling(run: Configuration, keys: Sequence[str] | None) -> Check:
    """Look whether dynamic sampling filters groups by a number that each response's record has.

    Args:
        run: the run's settings.
        keys: names in a response's record, which the score function gives; None where they are not known.
    """
    name, algorithm = "dynamic sampling", run.algorithm
    if not algorithm.dynamic_sampling.or_else(False):
        return fine(name, "off: groups in which all are right or all wrong stay in the batch, with advantage 0")
    if keys is None:
        return failed(name, "not known what it filters by, because the verifier's self-test failed")
    metric = algorithm.filter_metric.value
    known = sorted({"reward", *keys})  # verl adds the reward itself
    if metric not in known:
        return failed(name, f"{algorithm.filter_metric.key} must be one of {', '.join(known)}; got {metric!r}")
    if metric == "reward" and overlong_penalty(run.reward):
        unequal = "by the reward, which the overlong punishment makes unequal among equally right responses"
        return warned(name, f"on, {unequal}: groups without a signal stay")
    limit = algorithm.most_generated_batches
    if limit.or_else(0):
        return warned(name, f"on, by {metric}; verl's V1 trainer ignores {limit.key}")
    return fine(name, f"on: groups with equal {metric} are replaced")
