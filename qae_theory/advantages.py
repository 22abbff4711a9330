"""From a baseline to advantages: the named estimators and their registry.

Every estimator is a kernel ``(rewards, counts, **options) -> advantages``, [..., G] -> [..., G]; ``counts`` is None or
says how often each reward occurs (see ``baselines``). What an advantage does to entropy is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import baselines, checks
from qae_theory.arrays import Array, is_exact, sqrt

Kernel = Callable[..., Array]


@dataclass(frozen=True)
class Estimator:
    """A named advantage estimator: its kernel, its options with their defaults, and where it comes from."""

    name: str
    kernel: Kernel
    defaults: Mapping[str, Any]
    binary_only: bool
    least_group: int
    source: str


# Other packages' estimators: functions without arguments that return them by name. They are found by name and are not
# among ``estimator_names``, which is what the proofs and the audit go through.
PROVIDERS = "qae.estimators"
_BLOCK = 2**15  # floats worked on at a time: a block and its temporaries stay in cache

_REGISTRY: dict[str, Estimator] = {}
_OPTION_CHECKS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"k": checks.quantile_level, "std": checks.std_kind, "eps": checks.regulariser}
)


def advantages(rewards: Any, estimator: str = "qae", *, mask: Any = None, **options: Any) -> Array:
    r"""Return the advantages of each group's responses.

    :math:`A_i = (R_i - b)/(\mathrm{std} + \varepsilon)`, b the rule's baseline of the group; with ``std="none"``, which
    is the default of ``dr_grpo``, ``rloo``, ``psr`` and ``nsr``, :math:`A_i = R_i - b`.
    In float64, :math:`R_i - b` and the standard deviation are right to a few units in the last place of the group's
    range, however far the rewards lie from 0.

    Args:
        rewards: ``[..., G]``, finite; an object array of Fractions or SymPy numbers stays exact.
        estimator: ``grpo``, ``dr_grpo``, ``rloo``, ``qae``, ``qae_linear``, ``psr``, ``nsr``, ``pos_mask``,
            ``neg_mask``, a name given to :func:`register_estimator`, or one of :func:`provided_estimators`.
        mask: boolean ``[..., G]``, true where the response could be scored. The others (NaN allowed) stay out of
            baseline and std and have A = 0; a group with fewer than two scorable rows has A = 0 throughout.
        **options: ``k`` (default ``"0.4"``) for the rules with a quantile; ``std`` and ``eps`` (1e-6) for every rule.
            ``std`` is ``"population"``, ``"bessel"`` (the default of ``qae_linear``), ``"none"`` (no division, so no
            eps), or ``"batch"``: the Bessel std of all rewards that count, for a batch ``[..., G]`` of rank 2 or more.

    Returns:
        ``[..., G]``. A degenerate group (max = min) has A = 0, except under ``psr`` and ``nsr`` without a divisor: they
        have A = R and A = R - 1 in every group.

    Raises:
        ValueError: naming ``rewards``, ``mask``, ``estimator`` or the option.

    Source: arXiv 2509.22611, Sec. 4; the rivals as named in the registry; ``"batch"`` as TRL's ``scale_rewards``.

    >>> advantages([1, 0, 0, 0], "qae", k="0.4", eps=0).round(3).tolist()
    [2.309, 0.0, 0.0, 0.0]
    >>> advantages([1, 1, 1, 0], "qae", k="0.4", eps=0).round(3).tolist()
    [0.0, 0.0, 0.0, -2.309]
    >>> advantages([1, 0, 0, 0], "dr_grpo").tolist()
    [0.75, -0.25, -0.25, -0.25]
    >>> advantages([1, 0, 0, 0], "rloo", std="bessel", eps=0).round(3).tolist()
    [2.0, -0.667, -0.667, -0.667]
    """
    rule = get_estimator(estimator)
    settings = resolve_options(rule, options, whole_batch=True)
    values, counts = arguments.rewards_for(
        rewards, mask, estimator=rule.name, least_group=rule.least_group, binary_only=rule.binary_only
    )
    if settings.get("std") == "batch":
        if values.ndim < 2:
            checks.refuse("std", "batch", "'population', 'bessel' or 'none' for a group alone; 'batch' needs a batch")
        settings["std"] = _batch_std(values, counts)
    if values.size <= _BLOCK or is_exact(values):
        return weighted_advantages(values, counts, rule, settings)
    rows = values.reshape(-1, values.shape[-1])
    row_counts = None if counts is None else counts.reshape(rows.shape)
    result = np.empty(rows.shape)
    step = max(1, _BLOCK // rows.shape[-1])
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        block_counts = None if row_counts is None else row_counts[block]
        result[block] = weighted_advantages(rows[block], block_counts, rule, settings)
    return result.reshape(values.shape)


def weighted_advantages(rewards: Array, counts: Array | None, rule: Estimator, settings: Mapping[str, Any]) -> Array:
    """Return the advantages of checked groups.

    Args:
        rewards: ``[..., G]``, checked, also for what the rule is defined for.
        counts: how often each reward occurs, ``[..., G]``; None for once each.
        rule: the estimator.
        settings: its options, resolved by :func:`resolve_options`.

    Returns:
        ``[..., G]``; 0 where the count is 0, and throughout a group of fewer than two.
    """
    result = rule.kernel(rewards, counts, **settings)
    if counts is not None:
        in_group = counts.sum(axis=-1, keepdims=True) >= 2
        return np.where(in_group & (counts > 0), result, arguments.exact_zero(rewards))
    if rewards.shape[-1] >= 2 and result.dtype == rewards.dtype:
        return np.asarray(result)
    return np.where(rewards.shape[-1] >= 2, result, arguments.exact_zero(rewards))


def register_estimator(
    name: str,
    kernel: Kernel,
    *,
    source: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    binary_only: bool = False,
    least_group: int = 1,
) -> None:
    """Give an estimator a name; refuses a name that is taken.

    Args:
        name: the new name.
        kernel: ``(rewards, counts, **options) -> advantages``, all ``[..., G]``.
        source: paper or code that defines it.
        defaults: its options (``k``, ``std``, ``eps`` are checked by this package) and their defaults.
        binary_only: whether it is defined for rewards 0 and 1 only.
        least_group: smallest group for which it is defined.

    Raises:
        ValueError: naming the argument; ``name`` also if it is registered already.
    """
    if checks.text("name", name) in _REGISTRY:
        raise ValueError(f"name {name!r} is taken; registered estimators: {', '.join(estimator_names())}")
    _REGISTRY[name] = Estimator(
        name=name,
        kernel=checks.function("kernel", kernel),
        defaults=_checked_defaults(defaults),
        binary_only=checks.flag("binary_only", binary_only),
        least_group=checks.count("least_group", least_group, least=1),
        source=checks.text("source", source),
    )


def estimator_names() -> tuple[str, ...]:
    """Return the names of all registered estimators, in order of registration."""
    return tuple(_REGISTRY)


def _checked_defaults(defaults: Any) -> Mapping[str, Any]:
    """Return a copy of an estimator's defaults that cannot change later.

    The options that this package knows must have allowed values.
    """
    if not isinstance(defaults, Mapping) or not all(isinstance(name, str) and name.isidentifier() for name in defaults):
        checks.refuse("defaults", defaults, "a mapping from names of options to allowed values")
    for name, check in _OPTION_CHECKS.items():
        try:
            if name in defaults:
                check(defaults[name])
        except ValueError as refusal:
            checks.refuse("defaults", defaults, f"a mapping from names of options to allowed values ({refusal})")
    return MappingProxyType(dict(defaults))


def get_estimator(name: str) -> Estimator:
    """Return the estimator of that name: a registered one, or one that a package provides.

    Raises:
        ValueError: if there is none; the message lists the names that are registered.
    """
    if isinstance(name, str) and name in _REGISTRY:
        return _REGISTRY[name]
    provided = provided_estimators()
    if not isinstance(name, str) or name not in provided:
        checks.refuse("estimator", name, f"one of {', '.join(estimator_names())}")
    return provided[name]


@cache
def provided_estimators() -> Mapping[str, Estimator]:
    """Return the estimators of the entry-point group ``qae.estimators``, by name; the first provider of a name counts.

    They are looked for when a name is asked for that is not registered.
    """
    # The import takes as long as that of this module, and is needed here only.
    from importlib.metadata import entry_points

    found: dict[str, Estimator] = {}
    # Providers are sorted, so that which one counts does not depend on how packages were installed.
    for provider in sorted(entry_points(group=PROVIDERS), key=lambda point: point.name):
        found = {**provider.load()(), **found}
    return MappingProxyType(found)


def resolve_options(rule: Estimator, options: Mapping[str, Any], *, whole_batch: bool = False) -> dict[str, Any]:
    """Return the checked options of an estimator, defaults filled in; refuse an option that it does not have.

    ``std="batch"`` is allowed for a ``whole_batch`` only: what is defined group by group has no batch.
    """
    for name in options:
        if name not in rule.defaults:
            checks.refuse(name, options[name], f"left out: {rule.name!r} has the options {list(rule.defaults)}")
    settings = {**rule.defaults, **options}
    own_checks = dict(_OPTION_CHECKS)
    if whole_batch:
        own_checks["std"] = checks.batch_std_kind
    return {name: own_checks[name](value) if name in own_checks else value for name, value in settings.items()}


class _Extent(NamedTuple):
    """Minimum and max - min over the rewards of a group that count, ``[..., 1]`` each."""

    low: Array
    spread: Array


def _grpo(rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    extent = _extent(baselines.in_order(rewards, counts))
    return _over_std(_from_mean(rewards, counts, extent), rewards, counts, extent, std, eps)


def _qae(rewards: Array, counts: Array | None, k: Any, std: Any, eps: Any) -> Array:
    group = baselines.in_order(rewards, counts)
    numerator = rewards - baselines.ordered_quantile(group, k)[..., None]
    return _over_std(numerator, rewards, counts, _extent(group), std, eps)


def _qae_linear(rewards: Array, counts: Array | None, k: Any, std: Any, eps: Any) -> Array:
    group = baselines.in_order(rewards, counts)
    extent = _extent(group)
    near = group._replace(values=_near_zero(group.values, extent))
    numerator = _near_zero(rewards, extent) - baselines.ordered_interpolation(near, k)[..., None]
    return _over_std(numerator, rewards, counts, extent, std, eps)


def _dr_grpo(rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    if std != "none":
        return _grpo(rewards, counts, std, eps)
    if is_exact(rewards):
        return rewards - baselines.group_mean(rewards, counts)[..., None]
    return _from_mean(rewards, counts, _extent(baselines.in_order(rewards, counts)))


def _rloo(rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    if std == "none" and is_exact(rewards):
        return rewards - baselines.leave_one_out_mean(rewards, counts)
    extent = _extent(baselines.in_order(rewards, counts))
    near = _near_zero(rewards, extent)
    numerator = near - baselines.leave_one_out_mean(near, counts)
    return numerator if std == "none" else _over_std(numerator, rewards, counts, extent, std, eps)


def _psr(rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    return _from_constant(0, rewards, counts, std, eps)


def _nsr(rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    return _from_constant(1, rewards, counts, std, eps)


def _from_constant(baseline: int, rewards: Array, counts: Array | None, std: Any, eps: Any) -> Array:
    """Return R - b over std + eps; without a divisor R - b in every group, the degenerate ones too."""
    numerator = rewards - baselines.constant_baseline(rewards, baseline)[..., None]
    if std == "none":
        return numerator
    return _over_std(numerator, rewards, counts, _extent(baselines.in_order(rewards, counts)), std, eps)


def _pos_mask(rewards: Array, counts: Array | None, k: Any, std: Any, eps: Any) -> Array:
    group = baselines.in_order(rewards, counts)
    hard = baselines.ordered_quantile(group, k)[..., None] == 0
    return _over_std(np.where(hard, rewards, 0) - (1 - rewards), rewards, counts, _extent(group), std, eps)


def _neg_mask(rewards: Array, counts: Array | None, k: Any, std: Any, eps: Any) -> Array:
    group = baselines.in_order(rewards, counts)
    hard = baselines.ordered_quantile(group, k)[..., None] == 0
    return _over_std(rewards - np.where(hard, 0, 1 - rewards), rewards, counts, _extent(group), std, eps)


def _extent(group: baselines.Ordered) -> _Extent:
    """Return the range of the rewards that count, or of all rewards of a group in which none counts."""
    low = baselines.order_statistic(group, np.minimum(group.sizes, 1))[..., None]
    return _Extent(low, baselines.order_statistic(group, group.sizes)[..., None] - low)


def _near_zero(rewards: Array, extent: _Extent) -> Array:
    """Return the rewards less their group's minimum where that is far from 0 as the range of the group goes.

    A mean near 1000 is rounded to 1e-13, which is much for rewards that differ by 1e-6. Differences from the minimum
    are exact or nearly so, and all 0 where the rewards are equal. Rewards that are not far stay as they are.
    """
    if is_exact(rewards):
        return rewards
    low, spread = extent
    far = np.maximum(np.abs(low), np.abs(low + spread)) > 4 * spread
    return rewards - np.where(far, low, 0.0) if far.any() else rewards


def _from_mean(rewards: Array, counts: Array | None, extent: _Extent) -> Array:
    near = _near_zero(rewards, extent)
    return near - baselines.group_mean(near, counts)[..., None]


def _over_std(numerator: Array, rewards: Array, counts: Array | None, extent: _Extent, std: Any, eps: Any) -> Array:
    """Return ``numerator / (std + eps)``, and 0 for a degenerate group.

    A group is degenerate if max = min, not if its std is small. ``std`` is a kind of :func:`checks.std_kind`, or the
    standard deviation of a batch, a number.
    """
    degenerate = extent.spread == 0
    if not isinstance(std, str):
        scale = std + _summand(eps, rewards)
    elif std == "none":
        scale = None
    else:
        scale = _deviation(rewards, counts, extent, std) + _summand(eps, rewards)
    if scale is not None:
        # A new array: the numerator of a rule is its own.
        numerator = numerator / np.where(degenerate, 1, scale)
    return np.where(degenerate, 0, numerator) if is_exact(rewards) or degenerate.any() else numerator


def _deviation(rewards: Array, counts: Array | None, extent: _Extent, std: str) -> Array:
    """Return the standard deviation of each group, ``[..., 1]``; 0 for a degenerate one."""
    low, spread = extent
    unit = np.where(spread == 0, 1, spread)
    # In units of the group's range the variance can neither overflow nor underflow.
    is_unit = not is_exact(rewards) and bool(np.all((low == 0) & (unit == 1)))
    scaled = rewards if is_unit else (rewards - low) / unit
    return np.asarray(unit * sqrt(baselines.group_variance(scaled, counts, std)[..., None]))


def _batch_std(rewards: Array, counts: Array | None) -> Any:
    """Return Bessel's standard deviation of all rewards of a batch that count, a number; 0 for an empty batch."""
    row, row_counts = rewards.reshape(1, -1), None if counts is None else counts.reshape(1, -1)
    if not row.size:
        return 0.0
    return _deviation(row, row_counts, _extent(baselines.in_order(row, row_counts)), "bessel").item()


def _summand(eps: Any, rewards: Array) -> Any:
    return checks.decimal_fraction(eps) if is_exact(rewards) else float(eps)


_GATE = MappingProxyType({"k": baselines.DEFAULT_K, "std": "population", "eps": 1e-6})
_UNDIVIDED = MappingProxyType({"std": "none", "eps": 1e-6})
register_estimator("grpo", _grpo, source="arXiv 2402.03300", defaults={"std": "population", "eps": 1e-6})
register_estimator("dr_grpo", _dr_grpo, source="arXiv 2503.20783", defaults=_UNDIVIDED)
register_estimator("rloo", _rloo, source="arXiv 2402.14740", defaults=_UNDIVIDED, least_group=2)
register_estimator("qae", _qae, source="arXiv 2509.22611, Eq. 3", defaults=_GATE)
register_estimator(
    "qae_linear", _qae_linear, source="released code of arXiv 2509.22611", defaults={**_GATE, "std": "bessel"}
)
register_estimator("psr", _psr, source="arXiv 2506.01347", defaults=_UNDIVIDED, binary_only=True)
register_estimator("nsr", _nsr, source="arXiv 2506.01347", defaults=_UNDIVIDED, binary_only=True)
register_estimator("pos_mask", _pos_mask, source="arXiv 2509.22611, Eq. 7", defaults=_GATE, binary_only=True)
register_estimator("neg_mask", _neg_mask, source="arXiv 2509.22611, Eq. 8", defaults=_GATE, binary_only=True)
