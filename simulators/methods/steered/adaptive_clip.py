"""Adaptive clip: GRPO whose upper clip bound widens while entropy is below a target and narrows while it is above."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, finite_number, register_method
from simulators.tabular.policy import Policy

SOURCE = "recipe of MILES (adaptive entropy clip), from notes"
EPS_CLIP, TARGET, DELTA, LARGEST = 0.6, 0.3, 0.25, 2.5  # the recipe's values; the target is in nats


def adaptive_clip(
    clip: Any = EPS_CLIP, target: Any = TARGET, delta: Any = DELTA, largest: Any = LARGEST, **options: Any
) -> Method:
    r"""Return GRPO's advantage with importance ratios within :math:`[1 - \epsilon, 1/(1 - \epsilon) + k]`.

    After each update :math:`k \leftarrow \mathrm{clip}(k + \delta\,\mathrm{sign}(H^* - H), 0, k_{max})`, with H the
    mean entropy of the tokens sampled in it. k starts at 0. On-policy no ratio leaves the range, so that the rule is
    GRPO there and has its gain in claim `neutrality`; it acts from the second pass on, or with a stale behaviour
    policy. Where entropy answers to k at once the rule oscillates between two values of k; on bandits, where the range
    without k is hardly ever reached, k runs to its bound and entropy goes on falling. delta = 0 is GRPO with the fixed
    range :math:`[1 - \epsilon, 1/(1 - \epsilon)]`.

    Args:
        clip: epsilon, in [0, 1).
        target: :math:`H^*` in nats, >= 0.
        delta: the change of k per update, >= 0.
        largest: :math:`k_{max}` >= 0.
        **options: ``std`` and ``eps``, as GRPO's.

    Returns:
        The method, which remembers ``k``, one number for each mini-batch.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: the MILES recipe, from notes that give the range, the update and all four values.
    """
    epsilon = finite_number("clip", clip, least=0.0, most=1.0)
    if epsilon == 1:
        checks.refuse("clip", clip, "one finite number >= 0 and < 1")
    goal = finite_number("target", target, least=0.0)
    step = finite_number("delta", delta, least=0.0)
    most = finite_number("largest", largest, least=0.0)
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return k = 0 for every mini-batch."""
        return {"k": np.zeros(context.responses.shape[:-2])}

    def clip_range(memory: Memory) -> tuple[Array | float, Array | float]:
        """Return the clip range below and above a ratio of 1, which broadcasts against ``[..., Q, G, T]``."""
        return epsilon, 1 / (1 - epsilon) + memory["k"][..., None, None, None] - 1

    def remember(context: Context, _: Policy) -> Memory:
        """Return k after the update."""
        towards = np.sign(goal - logged_entropy(context))
        return {"k": np.clip(context.memory["k"] + step * towards, 0.0, most)}

    return Method(
        name="adaptive_clip",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        clip_low=epsilon,
        clip_high=1 / (1 - epsilon) - 1,
        start=start,
        clip=clip_range,
        remember=remember,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "adaptive_clip",
        adaptive_clip,
        source=SOURCE,
        clip=EPS_CLIP,
        target=TARGET,
        delta=DELTA,
        largest=LARGEST,
        **get_estimator("grpo").defaults,
    )
