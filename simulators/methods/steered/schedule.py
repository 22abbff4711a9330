"""QAE with K on a schedule: a level that goes from one value to another over a number of updates."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, register_method
from simulators.methods.steered.levels import checked_level, qae_at, qae_options
from simulators.tabular.policy import Policy

SOURCE = "arXiv 2509.22611 (QAE), with a schedule of this project"
SHAPES = ("linear", "cosine")
START, END, STEPS = 0.2, 0.6, 100  # the ends of the paper's range of K; no paper gives a schedule


def qae_schedule(k0: Any = START, k1: Any = END, steps: Any = STEPS, shape: Any = "linear", **options: Any) -> Method:
    r"""Return QAE at the level :math:`K_t = K_0 + (K_1 - K_0) s(\min(t/T, 1))` in update t = 0, 1, ...

    s(x) = x is ``linear``, and :math:`s(x) = (1 - \cos\pi x)/2` is ``cosine``. With k0 = k1 the rule is QAE. No limit
    is GRPO, as for QAE itself; within an update its mean step stays in the family of claim `neutrality`, with the gain
    of QAE at that update's level.

    Args:
        k0: the level of the first update, in (0, 1).
        k1: the level from update T on, in (0, 1).
        steps: T, the number of updates that the way takes, >= 1.
        shape: ``linear`` or ``cosine``.
        **options: ``std`` and ``eps``, as QAE's.

    Returns:
        The method, which remembers how many updates it has seen.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2509.22611 for the rule at a fixed level; the schedule is this project's own.
    """
    ends = [checked_level(name, value) for name, value in (("k0", k0), ("k1", k1))]
    duration = checks.count("steps", steps, least=1)
    form = checks.choice("shape", shape, SHAPES)
    qae = estimator_method("qae", k=ends[0], **options)

    def start(context: Context) -> Memory:
        """Return a count of no updates for every mini-batch."""
        return {"updates": np.zeros(context.responses.shape[:-2])}

    def rule(context: Context) -> Array:
        """Return the advantages at the level of this update, ``[..., Q, G]``."""
        levels = scheduled_level(
            context.memory["updates"], first=ends[0], last=ends[1], duration=duration, cosine=form == "cosine"
        )
        return qae_at(context.rewards, levels, **options)

    def remember(context: Context, _: Policy) -> Memory:
        """Return the count, one higher."""
        return {"updates": context.memory["updates"] + 1}

    return Method(
        name="qae_schedule",
        source=SOURCE,
        advantages=qae.advantages,
        start=start,
        context_advantages=rule,
        remember=remember,
        binary_only=qae.binary_only,
    )


def scheduled_level(updates: Array, *, first: float, last: float, duration: int, cosine: bool) -> Array:
    r"""Return :math:`K_t = K_0 + (K_1 - K_0) s(\min(t/T, 1))`.

    Args:
        updates: t, of any shape.
        first: K of t = 0.
        last: K from t = T on.
        duration: T.
        cosine: whether s is half a cosine rather than a line.

    Returns:
        Levels of the shape of ``updates``.

    >>> scheduled_level(np.array([0.0, 5.0, 20.0]), first=0.25, last=0.75, duration=10, cosine=False).tolist()
    [0.25, 0.5, 0.75]
    """
    share = np.minimum(updates / duration, 1.0)
    way = (1 - np.cos(np.pi * share)) / 2 if cosine else share
    # Both ends are met exactly, because rounding must not move a level across a rank of the group.
    return np.asarray(np.where(share == 1, last, first + (last - first) * way))


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "qae_schedule",
        qae_schedule,
        source=SOURCE,
        k0=START,
        k1=END,
        steps=STEPS,
        shape="linear",
        **qae_options(),
    )
