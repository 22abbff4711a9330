"""Compute group advantages in torch: one advantage per response, given the score and the group of each.

Groups may differ in size and lie in any order. The numbers are those of :func:`qae_theory.advantages`, which has
groups of one size side by side; here they are computed on a training engine's tensors. What an advantage does to
entropy is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import count
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.baselines import DEFAULT_K, quantile_rank
from qae_theory.checks import LARGEST_REWARD, quantile_level, refuse, regulariser

Tensor = Any  # torch's; torch is imported in functions only

ESTIMATORS = ("grpo", "qae", "qae_linear", "pos_mask", "neg_mask")
MASKS = ("pos_mask", "neg_mask")
STD_KINDS = ("population", "bessel", "none")
GATES = ("reward", "correctness")
# Lowest and highest score of a scale whose bits need no threshold: 0/1, and DAPO's -1/+1 without an overlong penalty.
BINARY_SCALES = ((0.0, 1.0), (-1.0, 1.0))


class _Groups(NamedTuple):
    """A batch with its rows in order: by group, in a group the scorable ones first, and those by score.

    ``rewards``, ``kept``, ``group`` and ``row`` are ``[B]``; the others have one entry per group.
    """

    rewards: Tensor  # float64; anything where the row could not be scored
    kept: Tensor  # scorable
    group: Tensor  # number of the row's group
    row: Tensor  # the row's place in the batch
    lengths: Tensor  # rows of each group, scorable or not
    start: Tensor  # place of the group's first row
    sizes: Tensor  # scorable rows
    low: Tensor  # least reward
    spread: Tensor  # largest less least
    live: Tensor  # not all scorable rows are alike


def group_advantages(
    scores: Tensor,
    index: Any,
    *,
    estimator: str,
    k: Fraction | str | float = DEFAULT_K,
    std: str | None = None,
    eps: float = 1e-6,
    mask: Any = None,
    gate: str = "reward",
    correct_above: float | None = None,
) -> Tensor:
    r"""Return the advantage of each response among the responses of its group.

    :math:`A_i = (R_i - b)/(\mathrm{std}(R) + \varepsilon)` with b the group's mean (``grpo``), its order statistic of
    rank :math:`\lceil K g\rceil` (``qae``; g the number of its scorable rows, the rank found with integers) or the
    interpolation at the exact position (g - 1) K (``qae_linear``). A degenerate group (max = min) has A = 0, and so has
    one with fewer than two scorable rows.

    On the bits :math:`c_i = [R_i > \texttt{correct\_above}]`, with Q_K their quantile and "hard" for Q_K(c) = 0:

    * ``pos_mask``: :math:`A_i = (c_i [\mathrm{hard}] - (1 - c_i))/(\mathrm{std}(c) + \varepsilon)`, Eq. 7;
    * ``neg_mask``: :math:`A_i = (c_i - (1 - c_i)[\mathrm{easy}])/(\mathrm{std}(c) + \varepsilon)`, Eq. 8;
    * ``gate="correctness"``: :math:`A_i = (c_i - b(c))/(\mathrm{std}(c) + \varepsilon)`. What a score adds to being
      right or wrong, such as DAPO's overlong penalty, is then in neither baseline, std nor advantage, and the gate of
      ``qae`` holds exactly: in a hard group the right responses are positive and the wrong ones 0, in an easy one the
      right ones 0 and the wrong ones negative. With ``gate="reward"`` it does so for two reward levels only.

    All arithmetic is in float64 and rounded once to the type of ``scores``. The order of the rows changes nothing.

    Args:
        scores: ``[B]``, floating point, on any device; NaN where a response could not be scored, infinite nowhere.
        index: B hashable group ids (array, tensor or sequence), equal for responses to one prompt.
        estimator: one of ``ESTIMATORS``.
        k: quantile level in (0, 1); a float is read as the decimal that it prints as. ``grpo`` has no use for it.
        std: ``"population"``, ``"bessel"`` or ``"none"`` (no division, so no eps); None is the estimator's own,
            population, or Bessel for ``qae_linear`` as released.
        eps: >= 0, added to the standard deviation.
        mask: boolean ``[B]``, true where the response could be scored; the others have A = 0 and are left out.
        gate: ``"reward"``, or ``"correctness"`` to work on the bits instead of the scores.
        correct_above: score above which a response is right, for what works on bits. None reads the scores themselves,
            which then have to be 0 and 1, or -1 and +1, in every group that is not degenerate: two levels of another
            kind can be two lengths of a wrong answer.

    Returns:
        ``[B]``, in the type and on the device of ``scores``.

    Raises:
        ValueError: in one line that names the argument, its value and what is allowed.

    Source: arXiv 2509.22611, Eqs. 3, 7 and 8, and its released code; :mod:`qae_theory.advantages`.

    >>> import torch
    >>> scores = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    >>> group_advantages(scores, ["a", "a", "b", "b", "a", "b", "b"], estimator="qae", eps=0).tolist()
    [2.1213202476501465, 0.0, -2.309401035308838, 0.0, 0.0, 0.0, 0.0]
    """
    import torch

    level, kind, added = _checked(estimator, k, std, eps, gate)
    values = _values(scores)
    with torch.no_grad():
        scorable = _scorable(scores, values, mask)
        numbers = torch.from_numpy(group_numbers(index, len(values))).to(scores.device)
        if not len(values):
            return torch.zeros_like(scores)
        groups = _grouped(values, scorable, numbers)
        if estimator in MASKS or gate == "correctness":
            groups = _bits(groups, correct_above)
        numerator = _NUMERATORS[estimator](groups, level)
        advantages = _over_std(numerator, groups, kind, added)
        return torch.empty_like(scores).index_copy_(0, groups.row, advantages.to(scores.dtype))


def group_numbers(index: Any, rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the number of each row's group, from 0 in the order of appearance, ``[rows]``.

    Args:
        index: the group id of each row.
        rows: number of rows of the batch.

    Raises:
        ValueError: ``index`` is no one-dimensional collection of ``rows`` hashable ids.

    >>> group_numbers(["b", "a", "b", ("c", 1)], 4).tolist()
    [0, 1, 0, 2]
    """
    allowed = f"{rows} hashable group ids, one a response"
    try:
        ids = index.tolist() if hasattr(index, "tolist") else list(index)
        numbers = dict(zip(dict.fromkeys(ids), count(), strict=False))
        result = np.fromiter(map(numbers.__getitem__, ids), np.int64, len(ids))
    except TypeError:
        refuse("index", index, allowed)
    if len(result) != rows:
        refuse("index", f"{len(result)} ids", allowed)
    return result


def _checked(estimator: str, k: Any, std: str | None, eps: Any, gate: str) -> tuple[Fraction, str, float]:
    """Return the quantile level as a rational, the standard deviation to divide by, and what is added to it."""
    if estimator not in ESTIMATORS:
        refuse("estimator", estimator, f"one of {', '.join(ESTIMATORS)}")
    if gate not in GATES:
        refuse("gate", gate, "'reward' or 'correctness'")
    kind = get_estimator(estimator).defaults["std"] if std is None else std
    if kind not in STD_KINDS:
        refuse("std", std, "'population', 'bessel', 'none', or None for the estimator's own")
    return quantile_level(k), kind, float(regulariser(eps))


def _values(scores: Any) -> Tensor:
    """Return the scores in float64."""
    import torch

    if not isinstance(scores, torch.Tensor) or scores.ndim != 1 or not scores.is_floating_point():
        shown = f"a tensor {list(scores.shape)}, {scores.dtype}" if isinstance(scores, torch.Tensor) else scores
        refuse("scores", shown, "a floating-point tensor [B]")
    return scores.detach().double()


def _scorable(scores: Tensor, values: Tensor, mask: Any) -> Tensor:
    """Return whether each row counts; an infinite score that counts is refused."""
    import torch

    scorable = ~values.isnan()
    if mask is not None:
        given = torch.as_tensor(mask, device=scores.device)
        if given.dtype != torch.bool or given.shape != scores.shape:
            refuse("mask", f"{given.dtype} {list(given.shape)}", f"a boolean array of the shape {list(scores.shape)}")
        scorable &= given
    unbounded = scorable & (values.abs() >= LARGEST_REWARD)
    if bool(unbounded.any()):
        refuse("scores", float(values[unbounded][0]), "smaller than 2**1000 in size, or NaN where there is no score")
    return scorable


def _grouped(values: Tensor, scorable: Tensor, numbers: Tensor) -> _Groups:
    """Return the rows sorted by score and then, stably, by group, with the ends of each group."""
    import torch

    filled = torch.where(scorable, values, torch.inf)  # sorts after everything that is scorable
    by_value = filled.argsort()
    row = by_value.index_select(0, numbers.index_select(0, by_value).argsort(stable=True))
    lengths = torch.bincount(numbers)
    start = lengths.cumsum(0) - lengths
    kept = scorable.index_select(0, row)
    sizes = torch.segment_reduce(kept.double(), "sum", lengths=lengths).long()
    rewards, group = filled.index_select(0, row), numbers.index_select(0, row)
    return _with_range(_Groups(rewards, kept, group, row, lengths, start, sizes, start, start, start))


def _with_range(groups: _Groups) -> _Groups:
    """Return the groups with their least reward and their range; the range of a degenerate group is set to 1."""
    low, high = _order_statistic(groups, groups.sizes.clamp(max=1)), _order_statistic(groups, groups.sizes)
    live = high > low  # so at least two scorable rows
    return groups._replace(low=low, spread=(high - low).where(live, low.new_ones(())), live=live)


def _bits(groups: _Groups, correct_above: float | None) -> _Groups:
    """Return the groups with rewards 1 and 0 for right and wrong; they are in the order of the scores already."""
    threshold = _binary_threshold(groups) if correct_above is None else _threshold(correct_above)
    bits = (groups.rewards > threshold).double()
    return _with_range(groups._replace(rewards=bits))


def _binary_threshold(groups: _Groups) -> float:
    """Return the lower of the two levels on which the scores of all live groups are."""
    seen = groups.rewards.masked_select(groups.kept & _at_rows(groups.live, groups))
    for low, high in BINARY_SCALES:
        if bool(((seen == low) | (seen == high)).all()):
            return low
    levels = [f"{level:.4g}" for level in seen.unique().tolist()]
    shown = ", ".join([*levels[:4], *(["..."] if len(levels) > 4 else [])])
    allowed = f"the score above which a response is right, as the scores are neither 0/1 nor -1/+1 but {shown}"
    return refuse("correct_above", None, allowed)


def _threshold(correct_above: Any) -> float:
    """Return the given threshold as a float."""
    if isinstance(correct_above, bool) or not isinstance(correct_above, Real) or not isfinite(correct_above):
        refuse("correct_above", correct_above, "a finite number, or None for scores 0/1 or -1/+1")
    return float(correct_above)


def _order_statistic(groups: _Groups, ranks: Tensor) -> Tensor:
    """Return the reward of the given 1-based rank in each group; anything in a group without a scorable row."""
    return groups.rewards.index_select(0, groups.start + (ranks - 1).clamp(min=0))


def _for_each_size(groups: _Groups, function: Callable[[int], Any], dtype: Any) -> Tensor:
    """Return ``function`` of every group's size, computed once per distinct size in Python's exact numbers."""
    import torch

    sizes, place = groups.sizes.unique(return_inverse=True)
    table = torch.tensor([function(size) for size in sizes.tolist()], dtype=dtype, device=sizes.device)
    return table.index_select(0, place)


def _at_rows(of_groups: Tensor, groups: _Groups) -> Tensor:
    """Return each group's entry at each of its rows.

    It uses ``index_select``, as do the functions above, because indexing with brackets wakes all threads, which takes
    20 ms per call on a busy machine.
    """
    return of_groups.index_select(0, groups.group)


def _quantile(groups: _Groups, k: Fraction) -> Tensor:
    """Return the order statistic of rank ceil(K g) of each group."""
    import torch

    return _order_statistic(groups, _for_each_size(groups, lambda size: quantile_rank(size, k), torch.int64))


def _interpolated_quantile(groups: _Groups, k: Fraction) -> Tensor:
    """Return the linear interpolation between the order statistics around position (g - 1) K of each group."""
    import torch

    below = _for_each_size(groups, lambda size: max(size - 1, 0) * k // 1 + 1, torch.int64)
    share = _for_each_size(groups, lambda size: float(max(size - 1, 0) * k % 1), torch.float64)
    low, high = _order_statistic(groups, below), _order_statistic(groups, torch.minimum(below + 1, groups.sizes))
    return low + share * (high - low)


def _total(values: Tensor, groups: _Groups) -> Tensor:
    """Return the sum over the scorable rows of each group, always added in the same order."""
    import torch

    return torch.segment_reduce(values.where(groups.kept, values.new_zeros(())), "sum", lengths=groups.lengths)


def _mean(values: Tensor, groups: _Groups) -> Tensor:
    """Return the mean over the scorable rows of each group."""
    return _total(values, groups) / groups.sizes.clamp(min=1)


def _from_mean(groups: _Groups, k: Fraction) -> Tensor:
    """Return R minus the group's mean."""
    del k
    return groups.rewards - _at_rows(_mean(groups.rewards, groups), groups)


def _from_quantile(groups: _Groups, k: Fraction) -> Tensor:
    """Return R minus the group's quantile."""
    return groups.rewards - _at_rows(_quantile(groups, k), groups)


def _from_interpolated_quantile(groups: _Groups, k: Fraction) -> Tensor:
    """Return R minus the group's interpolated quantile."""
    return groups.rewards - _at_rows(_interpolated_quantile(groups, k), groups)


def _pos_mask(groups: _Groups, k: Fraction) -> Tensor:
    """Return the numerator of Eq. 7: right responses count in hard groups only."""
    hard, right = _at_rows(_quantile(groups, k) == 0, groups), groups.rewards
    return right * hard - (1 - right)


def _neg_mask(groups: _Groups, k: Fraction) -> Tensor:
    """Return the numerator of Eq. 8: wrong responses count in easy groups only."""
    hard, right = _at_rows(_quantile(groups, k) == 0, groups), groups.rewards
    return right - (1 - right) * ~hard


_NUMERATORS: dict[str, Callable[[_Groups, Fraction], Tensor]] = {
    "grpo": _from_mean,
    "qae": _from_quantile,
    "qae_linear": _from_interpolated_quantile,
    "pos_mask": _pos_mask,
    "neg_mask": _neg_mask,
}


def _over_std(numerator: Tensor, groups: _Groups, std: str, eps: float) -> Tensor:
    """Return ``numerator / (std + eps)``; 0 in a degenerate group and for a row that could not be scored."""
    counted = groups.kept & _at_rows(groups.live, groups)
    if std != "none":
        # In units of the group's range the variance can neither overflow nor underflow.
        unit = (groups.rewards - _at_rows(groups.low, groups)) / _at_rows(groups.spread, groups)
        deviations = unit - _at_rows(_mean(unit, groups), groups)
        divisor = groups.sizes - 1 if std == "bessel" else groups.sizes
        variance = _total(deviations.square(), groups) / divisor.clamp(min=1)
        numerator = numerator / _at_rows(groups.spread * variance.sqrt() + eps, groups)
    return numerator.where(counted, numerator.new_zeros(()))
