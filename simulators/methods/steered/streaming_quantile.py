"""Streaming quantile: a baseline for each query that follows the K-quantile of its rewards from update to update."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Context, Memory, Method, finite_number, register_method
from simulators.methods.steered.levels import checked_level
from simulators.tabular.policy import Policy

SOURCE = "arXiv 2504.08178 (stochastic gradient descent for quantiles), as a baseline"
K, RATE, START = 0.4, 0.05, 0.5  # K is QAE's; the rate and the start are this project's


def streaming_quantile(k: Any = K, rate: Any = RATE, start: Any = START) -> Method:
    r"""Return the rule A = R - b with a remembered baseline b of the query; it does not standardise.

    For each response of the group in turn, :math:`b \leftarrow b + \eta(K - 1\{R \le b\})`, a step along the quantile
    loss's sub-gradient. An update's advantages use the b from before it. On 0/1 rewards with b inside (0, 1) a step
    goes up by :math:`\eta K` after a success and down by :math:`\eta(1 - K)` after a failure. So b drifts to 1 where p
    > 1 - K, to 0 where p < 1 - K, and wanders in between where p is near 1 - K: a smoothed gate, not a step. Its
    stationary law is that of this walk, turned back at 0 and 1.

    Given its memory b is a constant, so that the mean step has gain w = 1 in claim `neutrality` at every K. No limit is
    GRPO; eta = 0 is the constant baseline.

    Args:
        k: K, in (0, 1).
        rate: eta >= 0, in units of the rewards.
        start: b of every query before the first update, finite.

    Returns:
        The method, which remembers ``baseline`` ``[S, ..., Q]``.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2504.08178 for the recursion; its use as a baseline is this project's.
    """
    level = checked_level("k", k)
    step = finite_number("rate", rate, least=0.0)
    first = finite_number("start", start)

    def fixed(rewards: Any) -> Array:
        """Return the advantages before anything is remembered."""
        checked, _ = checks.rewards(rewards)
        return checked - first

    def begin(context: Context) -> Memory:
        """Return the same baseline for every query."""
        return {"baseline": np.full(context.responses.shape[:-1], first)}

    def rule(context: Context) -> Array:
        """Return reward less remembered baseline, ``[..., Q, G]``."""
        return np.asarray(context.rewards - context.memory["baseline"][..., None])

    def remember(context: Context, _: Policy) -> Memory:
        """Return the baselines after the group's rewards, one after another."""
        return {"baseline": followed(context.memory["baseline"], context.rewards, level=level, rate=step)}

    return Method(
        name="streaming_quantile",
        source=SOURCE,
        advantages=fixed,
        start=begin,
        context_advantages=rule,
        remember=remember,
    )


def followed(baselines: Array, rewards: Array, *, level: float, rate: float) -> Array:
    r"""Return baselines after one step :math:`b + \eta(K - 1\{R \le b\})` for each reward of the group in turn.

    Args:
        baselines: b, ``[...]``.
        rewards: ``[..., G]``.
        level: K.
        rate: eta.

    Returns:
        ``[...]``.
    """
    for reward in np.moveaxis(rewards, -1, 0):
        baselines = baselines + rate * (level - (reward <= baselines))
    return baselines


def register() -> None:
    """Register the rule under its name."""
    register_method("streaming_quantile", streaming_quantile, source=SOURCE, k=K, rate=RATE, start=START)
