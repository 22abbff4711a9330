"""QAE with K steered by an entropy target: a closed loop with gains, a delay and a dead band."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, finite_number, register_method
from simulators.methods.steered.levels import checked_level, qae_at, qae_options
from simulators.tabular.policy import Policy

SOURCE = "this project, on arXiv 2509.22611 (QAE)"
ERRORS = ("proportional", "sign")
# No paper gives these. The proportional gain damps the loop: entropy sums up what K does to it, and a loop that sums up
# twice does not settle by itself (see `stability`).
GAIN, PROPORTIONAL = 0.01, 0.5
K, LOW, HIGH = 0.4, 0.1, 0.9


class Law(NamedTuple):
    """Hold how K follows the error: gains, delay in updates, dead band in nats, bounds of K, and whether sign only."""

    gain: float
    proportional: float
    delay: int
    band: float
    low: float
    high: float
    sign: bool


def qae_steered(
    target: Any = None,
    share: Any = 1.0,
    gain: Any = GAIN,
    proportional: Any = PROPORTIONAL,
    delay: Any = 0,
    band: Any = 0.0,
    error: Any = "proportional",
    k: Any = K,
    low: Any = LOW,
    high: Any = HIGH,
    **options: Any,
) -> Method:
    r"""Return QAE at a level that follows the distance of the logged entropy from a target.

    With :math:`e_t = H^* - H_t`, 0 within the dead band and its sign alone under ``error="sign"``,
    :math:`I_t = \mathrm{clip}(I_{t-1} + \gamma e_{t-d}, l, h)` and :math:`K_t = \mathrm{clip}(I_t + \rho e_{t-d}, l,
    h)`. A larger K raises entropy (arXiv 2509.22611, Fig. 9), which is why both gains have this sign. :math:`H_t` is
    the mean entropy of the tokens sampled in update t, and d = 0 means that these steer K in the same update. Before
    the first delayed error is in, K stays.

    Every mini-batch of every seed has a K of its own. Both gains at 0 are QAE at ``k``. No limit is GRPO, as for QAE
    itself. Given its memory the rule at d >= 1 is QAE at a known level, so that its mean step stays in the family of
    claim `neutrality`; at d = 0 too on a bandit, whose logged entropy does not depend on the responses, but not on a
    token tree.

    Args:
        target: :math:`H^*` in nats, > 0; by default ``share`` of the entropy that the first update logs.
        share: > 0, used without a ``target``.
        gain: :math:`\gamma` >= 0, in units of K a nat and update (K an update under ``sign``).
        proportional: :math:`\rho` >= 0, in units of K a nat.
        delay: d >= 0, in updates.
        band: half the width of the dead band, >= 0, in nats.
        error: ``proportional`` or ``sign``.
        k: the level before any correction, between ``low`` and ``high``.
        low: the smallest level, in (0, 1).
        high: the largest level, in (0, 1), >= ``low``.
        **options: ``std`` and ``eps``, as QAE's.

    Returns:
        The method. It remembers the level ``integral``, the level ``k`` that the last update used, the ``target``, and
        the last d ``errors``, oldest first.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: this project; the gate is that of arXiv 2509.22611, Eq. 4.
    """
    goal = None if target is None else finite_number("target", target, least=0.0, strict=True)
    part = finite_number("share", share, least=0.0, strict=True)
    law = _checked_law(gain, proportional, delay=delay, band=band, low=low, high=high, error=error)
    first = checked_level("k", k)
    if not law.low <= first <= law.high:
        checks.refuse("k", k, f"between low = {low} and high = {high}")
    qae = estimator_method("qae", k=first, **options)

    def start(context: Context) -> Memory:
        """Return the memory before the first update: no correction, and the target."""
        entropy = logged_entropy(context)
        level = np.full(entropy.shape, first)
        return {
            "integral": level,
            "k": level,
            "target": part * entropy if goal is None else np.full(entropy.shape, goal),
            "errors": np.zeros((*entropy.shape, law.delay)),
        }

    def rule(context: Context) -> Array:
        """Return the advantages at the level of this update, ``[..., Q, G]``."""
        return qae_at(context.rewards, steered(context.memory, logged_entropy(context), law)["k"], **options)

    def remember(context: Context, _: Policy) -> Memory:
        """Return the memory with this update's level and error in it."""
        return steered(context.memory, logged_entropy(context), law)

    return Method(
        name="qae_steered",
        source=SOURCE,
        advantages=qae.advantages,
        start=start,
        context_advantages=rule,
        remember=remember,
        binary_only=qae.binary_only,
    )


def steered(memory: Memory, entropy: Array, law: Law) -> Memory:
    r"""Return the memory after one turn of the loop.

    Args:
        memory: ``integral``, ``target`` ``[S, ...]`` and ``errors`` ``[S, ..., d]``.
        entropy: the one that this update logs, ``[S, ...]`` in nats.
        law: the loop's gains, delay, band and bounds.

    Returns:
        The memory with the level ``k`` of this update.
    """
    error = memory["target"] - entropy
    error = np.where(np.abs(error) <= law.band, 0.0, error)
    queue = np.concatenate([memory["errors"], error[..., None]], axis=-1)
    acting = np.sign(queue[..., 0]) if law.sign else queue[..., 0]
    # The sum is clipped too: it would otherwise go on growing while K is at a bound, and hold K there long after.
    integral = np.clip(memory["integral"] + law.gain * acting, law.low, law.high)
    level = np.clip(integral + law.proportional * acting, law.low, law.high)
    return {"integral": integral, "k": level, "target": memory["target"], "errors": queue[..., 1:]}


def _checked_law(gain: Any, proportional: Any, *, delay: Any, band: Any, low: Any, high: Any, error: Any) -> Law:
    """Return the loop's law, or refuse an option by its name."""
    lowest, highest = checked_level("low", low), checked_level("high", high)
    if lowest > highest:
        checks.refuse("high", high, f">= low = {low}")
    return Law(
        gain=finite_number("gain", gain, least=0.0),
        proportional=finite_number("proportional", proportional, least=0.0),
        delay=checks.count("delay", delay, least=0),
        band=finite_number("band", band, least=0.0),
        low=lowest,
        high=highest,
        sign=checks.choice("error", error, ERRORS) == "sign",
    )


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "qae_steered",
        qae_steered,
        source=SOURCE,
        target=None,
        share=1.0,
        gain=GAIN,
        proportional=PROPORTIONAL,
        delay=0,
        band=0.0,
        error="proportional",
        k=K,
        low=LOW,
        high=HIGH,
        **qae_options(),
    )
