"""Estimate the work of a training step: lengths of responses, and groups generated per group that is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lgamma
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.checks import refuse


@dataclass(frozen=True)
class Lengths:
    """Describe a law of response lengths on (0, most]: P(length > t) = (1 - e) (1 - t / most)^a + e for t < most.

    The share e is cut at the limit; a makes the mean exact. mean = most is a batch of equal lengths. Where the mean
    does not allow the share, e is half of the largest that it allows.

    Attributes:
        mean: mean length in tokens.
        most: longest length in tokens.
        cut: the wanted share e of responses that are cut at the limit.

    Raises:
        ValueError: ``mean`` is not in (0, most], or ``cut`` not in [0, 1).
    """

    mean: float
    most: float
    cut: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.mean <= self.most:
            refuse("response_tokens", self.mean, f"in (0, {self.most:g}], the longest response")
        if not 0 <= self.cut < 1:
            refuse("cut_share", self.cut, "in [0, 1)")

    @property
    def at_limit(self) -> float:
        """Return e, the share of responses that are cut at the limit."""
        return min(self.cut, self.mean / self.most / 2)

    @property
    def exponent(self) -> float:
        """Return a, the exponent that gives the law its mean."""
        return (1 - self.at_limit) * self.most / (self.mean - self.at_limit * self.most) - 1

    @property
    def square(self) -> float:
        """Return E[length^2] = (1 - e) 2 most^2 / ((a + 1)(a + 2)) + e most^2."""
        a = self.exponent
        return self.most**2 * ((1 - self.at_limit) * 2 / ((a + 1) * (a + 2)) + self.at_limit)

    @property
    def mean_age(self) -> float:
        """Return the mean tokens so far of a response under way in a long run: E[length^2] / (2 E[length])."""
        return self.square / (2 * self.mean)

    def survival(self, t: Array) -> Array:
        """Return the share of responses longer than ``t`` tokens; ``t`` may have any shape."""
        t = np.asarray(t, dtype=float)
        body = (1 - self.at_limit) * np.clip(1 - t / self.most, 0, 1) ** self.exponent + self.at_limit
        return np.where(t < self.most, body, 0.0)

    def any_left(self, t: Array, count: float) -> Array:
        """Return the probability that one of ``count`` responses is longer than ``t``: 1 - (1 - P)^count."""
        with np.errstate(divide="ignore"):  # all are longer than t = 0, where the logarithm is -inf and the result 1
            return -np.expm1(count * np.log1p(-self.survival(t)))

    def square_with_prompt(self, prompt: float) -> float:
        """Return E[(prompt + length)^2], for a prompt of so many tokens."""
        return prompt**2 + 2 * prompt * self.mean + self.square


def degenerate_share(success: Sequence[tuple[Any, Any]], group_size: int) -> Any:
    """Return P(all wrong or all right) of a group: the sum over questions of weight (p^G + (1 - p)^G).

    Args:
        success: pairs (weight, p) of a distribution over questions; with Fractions the result is exact.
        group_size: G.

    Raises:
        ValueError: the weights do not sum to 1, a p lies outside [0, 1], or G is below 1.
    """
    if group_size < 1:
        refuse("group_size", group_size, "an integer >= 1")
    total = sum(weight for weight, _ in success)
    # 1e-12 is far above the rounding of a sum of floats and far below any weight that matters.
    if (total != 1 if isinstance(total, (int, Fraction)) else abs(total - 1) > 1e-12) or not success:
        refuse("success", list(success), "pairs (weight, p) whose weights sum to 1")
    for _, p in success:
        if not 0 <= p <= 1:
            refuse("success", p, "probabilities in [0, 1]")
    return sum(weight * (p**group_size + (1 - p) ** group_size) for weight, p in success)


def beta_degenerate_share(shape: float, group_size: int) -> float:
    """Return P(all wrong or all right) of a group where p ~ Beta(s, s) over questions: 2 B(s + G, s) / B(s, s).

    s = 1 is uniform difficulty, with 2 / (G + 1); the smaller s, the more questions are always or never solved.

    Args:
        shape: s.
        group_size: G.

    Raises:
        ValueError: s is not positive.
    """
    if not shape > 0:
        refuse("success_shape", shape, "a number > 0")
    s, G = shape, group_size
    return float(2 * np.exp(lgamma(s + G) + lgamma(2 * s) - lgamma(s) - lgamma(2 * s + G)))


def generation_factor(degenerate: float, *, refill: int = 1, inflight_batches: int = 1) -> float:
    """Return the groups generated for each group that is trained on, under dynamic sampling.

    1 / (1 - q) groups must finish for each that is kept: the mean of a negative binomial law. verl's synchronous
    replay buffer orders ``refill`` new prompts for each group that it throws away, and waits at the end for those
    still under way, which it throws away too: (refill - 1) q / (1 - q) more in the limit of a large batch, at most
    ``inflight_batches``, the bound on prompts under way. Source: ``trainer/ppo/v1/replay_buffer.py`` of verl 0.9.1.

    Args:
        degenerate: q, the share of groups without a signal.
        refill: new prompts for each group thrown away.
        inflight_batches: the most training batches under way at once.

    Raises:
        ValueError: q is not in [0, 1).
    """
    if not 0 <= degenerate < 1:
        refuse("degenerate", degenerate, "in [0, 1)")
    needed = 1 / (1 - degenerate)
    return needed + min((refill - 1) * degenerate * needed, float(inflight_batches))
