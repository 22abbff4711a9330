"""QAE for rewards other than 0 and 1: a quantile gate on correctness, on the rewards themselves, or on their ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import baselines, checks
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from simulators.methods.baselines.scale import over_std
from simulators.methods.model.registry import Context, Method, register_method

SOURCE = "this project, after QAE (arXiv 2509.22611)"
GATES = ("correctness", "levels", "ranks")


def graded_qae(gate: Any = "correctness", k: Any = DEFAULT_K, std: str = "population", eps: Any = 1e-6) -> Method:
    r"""Return QAE with a gate on one of three things, all of which are QAE on 0/1 rewards (``ranks`` up to eps).

    * ``correctness``: a group is hard if at most the share 1 - K of its responses is correct. In a hard group a correct
      response has :math:`(R - \bar R_-)/(\mathrm{std} + \varepsilon)` and a wrong one 0; in an easy group a wrong one
      has :math:`(R - \bar R_+)/(\mathrm{std} + \varepsilon)` and a correct one 0. :math:`\bar R_\pm` are the mean
      rewards of the correct and of the wrong responses. It keeps the two regimes whenever every correct response is
      rewarded no less than every wrong one, as after DAPO's shaping; a group without a success, or without a failure,
      gives nothing.
    * ``levels``: :math:`(R - b_K)/(\mathrm{std} + \varepsilon)`, the paper's Eq. 3 as it stands. Responses of one kind
      with different rewards then get both signs (claim `gate-nonbinary`): the two regimes are lost.
    * ``ranks``: the same on mid-ranks in place of rewards, scaled to [0, 1]. A quantile commutes with a monotone map,
      so that its signs are those of ``levels``: only the sizes are bounded.

    No limit is GRPO, as for QAE itself.

    Args:
        gate: ``correctness``, ``levels`` or ``ranks``.
        k: K, in (0, 1).
        std: ``population``, ``bessel`` or ``none``; of the rewards, or of the ranks under ``ranks``.
        eps: >= 0.

    Returns:
        The method. In training, ``correctness`` is what the verifier says; ``advantages``, which sees rewards alone,
        takes a response as correct if its reward is > 0.

    Raises:
        ValueError: an option is out of its range.

    Source: this project; the gate is Eq. 4 of arXiv 2509.22611.
    """
    kind = checks.choice("gate", gate, GATES)
    level, deviation, least = checks.quantile_level(k), checks.std_kind(std), float(checks.regulariser(eps))

    def by_quantile(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        values = mid_ranks(checked) if kind == "ranks" else checked
        numerator = values - baselines.quantile(values, None, level)[..., None]
        return over_std(numerator, values, std=deviation, eps=least)

    def by_correctness(rewards: Array, correct: Array) -> Array:
        count = correct.sum(axis=-1, keepdims=True)
        hard = baselines.is_hard_group(count.astype(int), rewards.shape[-1], level)
        opposite = np.where(hard, mean_where(rewards, 1 - correct), mean_where(rewards, correct))
        # Correct responses act in hard groups and wrong ones in easy groups. In a group of one kind none acts:
        # without a success it is hard, without a failure easy.
        return over_std(np.where(correct == hard, rewards - opposite, 0.0), rewards, std=deviation, eps=least)

    def on_rewards(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        return by_correctness(checked, (checked > 0).astype(np.float64))

    def on_context(context: Context) -> Array:
        return by_correctness(context.rewards, context.verdicts)

    if kind != "correctness":
        return Method("graded_qae", SOURCE, by_quantile)
    return Method("graded_qae", SOURCE, on_rewards, context_advantages=on_context)


def mid_ranks(rewards: Array) -> Array:
    r"""Return each reward's mid-rank in its group, scaled to [0, 1], ``[..., G] -> [..., G]``.

    It is :math:`\frac{(\#\{R_j < R_i\} + \#\{R_j \le R_i\} - 1)/2}{G - 1}`: 0 and 1 for a lone least and greatest
    reward, and equal rewards share the mean of their ranks. A group of one has rank 0.

    >>> mid_ranks(np.array([0.0, 5.0, 0.0])).tolist()
    [0.25, 1.0, 0.25]
    """
    own, others = rewards[..., :, None], rewards[..., None, :]
    below = (others < own).sum(axis=-1) + (others <= own).sum(axis=-1) - 1
    return np.asarray(below / 2 / max(rewards.shape[-1] - 1, 1))


def mean_where(rewards: Array, chosen: Array) -> Array:
    """Return the mean of the chosen rewards, ``[..., G] -> [..., 1]``; 0 where none is chosen."""
    total = (rewards * chosen).sum(axis=-1, keepdims=True)
    return np.asarray(total / np.maximum(chosen.sum(axis=-1, keepdims=True), 1))


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "graded_qae", graded_qae, source=SOURCE, gate="correctness", k=DEFAULT_K, std="population", eps=1e-6
    )
