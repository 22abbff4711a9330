"""Families of claims about training curves: the effect of each, its smallest size of interest, and its unit.

One line of a family is one condition (``outcomes``). Entropies are in shares of the entropy at the start, so that one
smallest effect serves a bandit, a tiny model and a pretrained one. The reasons for the sizes are in
``docs/validation/design.md``, which was written before the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.progress import LATE, LEVELS, late_mean, mean_at_success, slope, success_levels
from qae_theory.curves.trajectories import Trajectory, path_distance

PAPER_RANGE = 0.6  # of K in Fig. 9, .2 to .8
BAND_CENTRE, BAND = 0.8, 0.05  # "about 80 %"
ENTROPY, SUCCESS = "sequence_entropy", "success"
READINGS = ("equal-steps", "equal-success")


class Family(NamedTuple):
    """A family of lines.

    Attributes:
        claim: its id in the ledger.
        says: what is found where the effect is beyond the smallest one.
        unit: of the effect.
        smallest_effect: s.
        controlled: whether the line counts only where RL learns in every run compared.
    """

    claim: str
    says: str
    unit: str
    smallest_effect: float
    controlled: bool = True


RISES = Family(
    "shape-entropy-rises-with-k",
    "entropy rises with K, over the paper's range of K, by more than a tenth of the entropy at the start",
    "share of the entropy at the start, over K from .2 to .8",
    0.1,
)
HOLDS = Family(
    "shape-qae-holds-entropy",
    "entropy under QAE at K = .4 stays above that under GRPO by more than a tenth of the entropy at the start",
    "share of the entropy at the start",
    0.1,
)
COLLAPSES = Family(
    "shape-entropy-collapses",
    "training loses more than half of the entropy at the start",
    "share of the entropy at the start",
    0.5,
)
EXPLODES = Family(
    "shape-entropy-explodes",
    "entropy rises at some time to more than one and a half times that at the start",
    "share of the entropy at the start",
    0.5,
    controlled=False,
)
LEADS_GROWTH = Family(
    "shape-negative-samples-lead-growth",
    "where entropy grows, negative samples carry more of the one-step change than positive ones",
    "share of both parts' sizes",
    0.1,
    controlled=False,
)
LEVEL_GAP = Family(
    "shape-negative-samples-hold-more-entropy",
    "tokens of negative samples hold more entropy than those of positive ones, by a tenth of the entropy at the start",
    "share of the entropy per token at the start",
    0.1,
    controlled=False,
)
GROWTH_GAP = Family(
    "shape-negative-samples-hold-more-entropy",
    "the gap between negative and positive samples grows over training, by a tenth of the entropy at the start",
    "share of the entropy per token at the start",
    0.1,
    controlled=False,
)
TRACKS = Family(
    "shape-mask-ordering",
    "under weak clipping NEG-MASK's success is nearer to QAE's than POS-MASK's",
    "mean distance of success",
    0.02,
)
TRACKS_ENTROPY = Family(
    "shape-mask-ordering",
    "under weak clipping NEG-MASK's entropy is nearer to QAE's than POS-MASK's",
    "share of the entropy at the start",
    0.05,
)
LEADS = Family(
    "shape-mask-ordering",
    "under strong clipping POS-MASK's late success is above NEG-MASK's",
    "success",
    0.02,
)
SPARSITY = Family(
    "shape-sparsity-over-training",
    "the share of zero advantages is between .75 and .85 throughout",
    "a tenth less the largest distance of the share from .8",
    BAND,
    controlled=False,
)
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "rises": RISES,
        "holds": HOLDS,
        "collapses": COLLAPSES,
        "explodes": EXPLODES,
        "leads-growth": LEADS_GROWTH,
        "level-gap": LEVEL_GAP,
        "growth-gap": GROWTH_GAP,
        "tracks": TRACKS,
        "tracks-entropy": TRACKS_ENTROPY,
        "leads": LEADS,
        "sparsity": SPARSITY,
    }
)


def at_start(runs: Sequence[Trajectory], curve: str = ENTROPY) -> Array:
    """Return the mean over a seed's runs of a curve's first record, ``[S]``: they start from one model."""
    return np.asarray(np.mean([run.curves[curve][:, 0] for run in runs], axis=0))


class Reading(NamedTuple):
    """How late figures and figures at equal success are read off; see ``progress``."""

    late: float = LATE
    levels: int = LEVELS


USUAL = Reading()


def entropies(runs: Sequence[Trajectory], reading: str, how: Reading = USUAL) -> list[Array]:
    """Return each run's entropy by seed, ``[S]``, late in training or at equal success."""
    if reading == READINGS[0]:
        return [late_mean(run.steps, run.curves[ENTROPY], how.late) for run in runs]
    levels = success_levels([run.curves[SUCCESS] for run in runs], how.levels)
    return [mean_at_success(run.curves[SUCCESS], run.curves[ENTROPY], levels) for run in runs]


def rise_with_k(by_k: Mapping[str, Trajectory], reading: str, how: Reading = USUAL) -> Array:
    """Return the rise of entropy over the paper's range of K: slope times range, over the start's entropy.

    Args:
        by_k: the run of each K.
        reading: at equal steps or at equal success.
        how: how entropies are read off.

    Returns:
        ``[S]``, a share of the start's entropy.
    """
    runs = list(by_k.values())
    return slope(entropies(runs, reading, how), [float(k) for k in by_k]) * PAPER_RANGE / at_start(runs)


def difference(one: Trajectory, other: Trajectory, reading: str, how: Reading = USUAL) -> Array:
    """Return how much more entropy the first run has than the other.

    Args:
        one: a run.
        other: another, of the same seeds.
        reading: at equal steps or at equal success.
        how: how entropies are read off.

    Returns:
        ``[S]``, a share of the start's entropy.
    """
    first, second = entropies([one, other], reading, how)
    return (first - second) / at_start([one, other])


def loss_of_entropy(run: Trajectory, how: Reading = USUAL) -> Array:
    """Return the share of the start's entropy that is lost late in training, ``[S]``."""
    start = run.curves[ENTROPY][:, 0]
    return 1 - late_mean(run.steps, run.curves[ENTROPY], how.late) / start


def largest_rise(curve: Array, start: Array) -> Array:
    """Return the largest rise of a curve ``[S, records]`` over its start ``[S]``, in shares of it, ``[S]``."""
    return np.asarray(np.nanmax(curve, axis=1) / start - 1)


def nearer(reference: Trajectory, far: Trajectory, near: Trajectory, curve: str) -> Array:
    """Return how much nearer the second run's curve lies to the reference's than the first one's does, ``[S]``."""
    away, close = (path_distance(run.steps, reference.curves[curve], run.curves[curve]) for run in (far, near))
    return (away - close) / (at_start([reference]) if curve == ENTROPY else 1.0)


def distance_from_band(shares: Array) -> Array:
    """Return a tenth less the largest distance of a share ``[S, records]`` from .8, ``[S]``.

    It is beyond .05 where the share stays in the band from .75 to .85, and below -.05 where it leaves .65 to .95.
    """
    return 2 * BAND - np.nanmax(np.abs(shares - BAND_CENTRE), axis=1)


def sign_shares(positive: Array, negative: Array) -> Array:
    """Return (negative - positive) / (size of both), a mean over a seed's records where the sum grows, ``[S]``.

    Args:
        positive: ``[S, records]`` first-order change of entropy by positive samples.
        negative: the same by negative ones. NaN counts as none.

    Returns:
        NaN for a seed whose entropy grows at no record.
    """
    up, down = np.nan_to_num(positive), np.nan_to_num(negative)
    size = np.abs(up) + np.abs(down)
    share = np.divide(down - up, size, out=np.zeros_like(size), where=size > 0)
    return mean_where(share, up + down > 0)


def mean_where(values: Array, chosen: Array) -> Array:
    """Return the mean of each seed's chosen records.

    Args:
        values: ``[S, records]``.
        chosen: ``[S, records]`` of bool.

    Returns:
        ``[S]``; NaN for a seed without a chosen record.
    """
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
