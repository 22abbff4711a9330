"""Tilted quantile: GRPO with a penalty whose multiplier holds a quantile of the responses' cost at a limit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, finite_number, register_method
from simulators.methods.steered.levels import checked_level
from simulators.tabular.policy import Policy

SOURCE = "released code of arXiv 2412.13184 (CharlieLeeeee/TQPO, tqpo.py)"
COSTS = ("failure", "length")
OUTAGE, KI, FIRST = 0.3, 0.1, 0.5  # the released defaults: share allowed over the limit, rate, first multiplier
LIMIT = 0.5  # between the costs of a success and of a failure; a limit belongs to its cost
PENALTY, TILT, LARGEST, WINDOW = 0.1, 0.1, 10.0, 100  # constants of the released code


class Constraint(NamedTuple):
    """Hold what is constrained: the cost, its limit, the share allowed over it, the rate, and whether F is 0."""

    length: bool
    limit: float
    outage: Fraction
    rate: float
    released: bool


def tilted_quantile(
    cost: Any = "failure",
    limit: Any = LIMIT,
    outage: Any = OUTAGE,
    rate: Any = KI,
    multiplier: Any = FIRST,
    released: Any = False,
    **options: Any,
) -> Method:
    r"""Return GRPO's advantage with a penalty on the responses at or above the mini-batch's cost quantile.

    :math:`A = (A_{GRPO} - \lambda\frac{0.1}{\epsilon}1\{C \ge q\})/(1 + \lambda)`. q is the
    :math:`\lfloor n(1-\epsilon)\rfloor`-th smallest of the mini-batch's n costs (the smallest if that is 0), and
    :math:`\lambda \leftarrow \max(0, \lambda + K_i\tau\delta)` before the advantages are computed, with
    :math:`\delta = \min(10, q - limit)` and the tilt :math:`\tau = (F + 0.1)/1.1` if :math:`\delta > 0`, else
    :math:`(1.1 - F)/1.1`. F is the share of the last 100 q, this one included, that are below the limit.

    As released F is always 0: the code waits until its buffer holds more than 100 entries, which it cannot.
    ``released=True`` does the same. ``multiplier=0`` and ``rate=0`` are GRPO. With the failures as cost the rule, given
    its memory and the other groups, depends on the group's rewards alone: its mean step stays along the gradient of the
    success probability (claim `neutrality`), with another gain than GRPO's. With lengths as cost it leaves that line.

    Args:
        cost: ``failure``, 1 where the verifier rejects and else 0, or ``length`` in tokens. The released code has costs
            of a robot's steps; both are this project's.
        limit: of the cost's quantile, in units of the cost.
        outage: :math:`\epsilon` in (0, 1), the share of responses that may cost more; 0.3 as released.
        rate: :math:`K_i` >= 0; 0.1 as released.
        multiplier: :math:`\lambda` before the first update, >= 0; 0.5 as released.
        released: whether F stays 0.
        **options: ``std`` and ``eps``, as GRPO's.

    Returns:
        The method, which remembers ``multiplier`` ``[S, ...]`` and ``quantiles`` ``[S, ..., 100]``, NaN where there was
        no update yet.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: released code of arXiv 2412.13184.
    """
    constraint = Constraint(
        length=checks.choice("cost", cost, COSTS) == "length",
        limit=finite_number("limit", limit),
        outage=checks.decimal_fraction(checked_level("outage", outage)),
        rate=finite_number("rate", rate, least=0.0),
        released=checks.flag("released", released),
    )
    first = finite_number("multiplier", multiplier, least=0.0)
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return the first multiplier, and no quantile seen."""
        lead = context.responses.shape[:-2]
        return {"multiplier": np.full(lead, first), "quantiles": np.full((*lead, WINDOW), np.nan)}

    def rule(context: Context) -> Array:
        """Return the penalised advantages, ``[..., Q, G]``."""
        costs = costs_of(context, constraint)
        weight = turned(context.memory, costs, constraint)["multiplier"][..., None, None]
        at_quantile = costs >= cost_quantile(costs, constraint.outage)[..., None, None]
        penalty = PENALTY / float(constraint.outage) * at_quantile
        return np.asarray((grpo.advantages(context.rewards) - weight * penalty) / (1 + weight))

    def remember(context: Context, _: Policy) -> Memory:
        """Return the multiplier of this update, and its quantile among the last ones."""
        return turned(context.memory, costs_of(context, constraint), constraint)

    return Method(
        name="tilted_quantile",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        start=start,
        context_advantages=rule,
        remember=remember,
    )


def costs_of(context: Context, constraint: Constraint) -> Array:
    """Return what each response costs, ``[..., Q, G]``."""
    return np.asarray(context.lengths if constraint.length else 1 - context.verdicts, dtype=np.float64)


def cost_quantile(costs: Array, outage: Fraction) -> Array:
    r"""Return the :math:`\lfloor n(1-\epsilon)\rfloor`-th smallest cost of a mini-batch, ``[..., Q, G] -> [...]``."""
    flat = np.sort(costs.reshape(*costs.shape[:-2], -1), axis=-1)
    rank = int(flat.shape[-1] * (1 - outage))
    return np.asarray(flat[..., max(rank, 1) - 1])


def turned(memory: Memory, costs: Array, constraint: Constraint) -> Memory:
    """Return the memory after the multiplier has followed the quantile of these costs, ``[..., Q, G]``."""
    quantile = cost_quantile(costs, constraint.outage)
    seen = np.concatenate([memory["quantiles"][..., 1:], quantile[..., None]], axis=-1)
    # An update that has not been counts neither as below the limit nor in the number of updates.
    below = (seen < constraint.limit).sum(axis=-1) / (~np.isnan(seen)).sum(axis=-1)
    share = np.zeros_like(below) if constraint.released else below
    delta = np.minimum(LARGEST, quantile - constraint.limit)
    tilt = np.where(delta > 0, share + TILT, 1 + TILT - share) / (1 + TILT)
    return {
        "multiplier": np.maximum(0.0, memory["multiplier"] + constraint.rate * tilt * delta),
        "quantiles": seen,
    }


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "tilted_quantile",
        tilted_quantile,
        source=SOURCE,
        cost="failure",
        limit=LIMIT,
        outage=OUTAGE,
        rate=KI,
        multiplier=FIRST,
        released=False,
        **get_estimator("grpo").defaults,
    )
