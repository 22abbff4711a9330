"""From a baseline to advantages: the named estimators and their registry.

Every estimator is a kernel ``(rewards, counts, **options) -> advantages``, [..., G] -> [..., G]; ``counts`` is None or
says how often each reward occurs (see ``baselines``). What an advantage does to entropy is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

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


_BLOCK = 2**14  # floats worked on at a time: a block and its temporaries stay in cache

_REGISTRY: dict[str, Estimator] = {}
_OPTION_CHECKS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"k": checks.quantile_level, "std": checks.std_kind, "eps": checks.regulariser}
)


def advantages(rewards: Any, estimator: str = "qae", *, mask: Any = None, **options: Any) -> Array:
    r"""Advantages of each group's responses.

    :math:`A_i = (R_i - b)/(\mathrm{std} + \varepsilon)` for the standardised rules, b the rule's baseline of the group.

    Args:
        rewards: ``[..., G]``, finite; an object array of Fractions or SymPy numbers stays exact.
        estimator: ``grpo``, ``dr_grpo``, ``rloo``, ``qae``, ``qae_linear``, ``psr``, ``nsr``, ``pos_mask``,
            ``neg_mask``, or a name given to :func:`register_estimator`.
        mask: boolean ``[..., G]``, true where the response could be scored. The others (NaN allowed) stay out of
            baseline and std and have A = 0; a group with fewer than two scorable rows has A = 0 throughout.
        **options: ``k`` (default ``"0.4"``), ``std`` (``"population"``; ``"bessel"`` for ``qae_linear``), ``eps``
            (1e-6), as the estimator has them.

    Returns:
        ``[..., G]``. A degenerate group (max = min) has A = 0 under every standardised estimator.

    Raises:
        ValueError: naming ``rewards``, ``mask``, ``estimator`` or the option.

    Source: arXiv 2509.22611, Sec. 4; the rivals as named in the registry.

    >>> advantages([1, 0, 0, 0], "qae", k="0.4", eps=0).round(3).tolist()
    [2.309, 0.0, 0.0, 0.0]
    >>> advantages([1, 1, 1, 0], "qae", k="0.4", eps=0).round(3).tolist()
    [0.0, 0.0, 0.0, -2.309]
    >>> advantages([1, 0, 0, 0], "dr_grpo").tolist()
    [0.75, -0.25, -0.25, -0.25]
    """
    rule = get_estimator(estimator)
    settings = resolve_options(rule, options)
    values, counts = checks.rewards(rewards, mask)
    if values.shape[-1] < rule.least_group:
        checks.refuse("rewards", rewards, f"groups of at least {rule.least_group} responses for {rule.name!r}")
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
    """Advantages of checked groups in which reward j occurs ``counts[..., j]`` times, with resolved ``settings``."""
    if rule.binary_only:
        checks.binary("rewards", rewards)
    counted = baselines.group_sizes(rewards, counts)[..., None] >= 2
    if counts is not None:
        counted = counted & (counts > 0)
    return np.where(counted, rule.kernel(rewards, counts, **settings), checks.exact_zero(rewards))


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
        ValueError: if ``name`` is registered already.
    """
    if name in _REGISTRY:
        raise ValueError(f"name {name!r} is taken; registered estimators: {', '.join(estimator_names())}")
    _REGISTRY[name] = Estimator(name, kernel, MappingProxyType(dict(defaults)), binary_only, least_group, source)


def estimator_names() -> tuple[str, ...]:
    """Names of all registered estimators, in order of registration."""
    return tuple(_REGISTRY)


def get_estimator(name: str) -> Estimator:
    """The estimator of that name.

    Raises:
        ValueError: if there is none; the message lists the names that exist.
    """
    if not isinstance(name, str) or name not in _REGISTRY:
        checks.refuse("estimator", name, f"one of {', '.join(estimator_names())}")
    return _REGISTRY[name]


def resolve_options(rule: Estimator, options: Mapping[str, Any]) -> dict[str, Any]:
    """Checked options of an estimator, defaults filled in; refuses an option that it does not have."""
    for name in options:
        if name not in rule.defaults:
            checks.refuse(name, options[name], f"left out: {rule.name!r} has the options {list(rule.defaults)}")
    settings = {**rule.defaults, **options}
    return {name: _OPTION_CHECKS.get(name, lambda value: value)(value) for name, value in settings.items()}


def _grpo(rewards: Array, counts: Array | None, std: str, eps: Any) -> Array:
    return _standardised(rewards, counts, baselines.group_mean(rewards, counts), std, eps)


def _qae(rewards: Array, counts: Array | None, k: Any, std: str, eps: Any) -> Array:
    return _standardised(rewards, counts, baselines.quantile(rewards, counts, k), std, eps)


def _qae_linear(rewards: Array, counts: Array | None, k: Any, std: str, eps: Any) -> Array:
    return _standardised(rewards, counts, baselines.interpolated_quantile(rewards, counts, k), std, eps)


def _dr_grpo(rewards: Array, counts: Array | None) -> Array:
    return rewards - baselines.group_mean(rewards, counts)[..., None]


def _rloo(rewards: Array, counts: Array | None) -> Array:
    return rewards - baselines.leave_one_out_mean(rewards, counts)


def _psr(rewards: Array, counts: Array | None) -> Array:
    return rewards - baselines.constant_baseline(rewards, 0)[..., None]


def _nsr(rewards: Array, counts: Array | None) -> Array:
    return rewards - baselines.constant_baseline(rewards, 1)[..., None]


def _pos_mask(rewards: Array, counts: Array | None, k: Any, std: str, eps: Any) -> Array:
    hard = baselines.quantile(rewards, counts, k)[..., None] == 0
    return _over_std(np.where(hard, rewards, 0) - (1 - rewards), rewards, counts, std, eps)


def _neg_mask(rewards: Array, counts: Array | None, k: Any, std: str, eps: Any) -> Array:
    hard = baselines.quantile(rewards, counts, k)[..., None] == 0
    return _over_std(rewards - np.where(hard, 0, 1 - rewards), rewards, counts, std, eps)


def _standardised(rewards: Array, counts: Array | None, baseline: Array, std: str, eps: Any) -> Array:
    return _over_std(rewards - baseline[..., None], rewards, counts, std, eps)


def _over_std(numerator: Array, rewards: Array, counts: Array | None, std: str, eps: Any) -> Array:
    """``numerator / (std + eps)``; 0 for a degenerate group, which is one with max = min, not one with a small std."""
    low, spread = _range(rewards, counts)
    degenerate = spread == 0
    unit = np.where(degenerate, 1, spread)
    # In units of the group's range the variance can neither overflow nor underflow.
    variance = baselines.group_variance((rewards - low) / unit, counts, std)[..., None]
    scale = unit * sqrt(variance) + (checks.decimal_fraction(eps) if is_exact(rewards) else float(eps))
    return np.where(degenerate, 0, numerator / np.where(degenerate, 1, scale))


def _range(rewards: Array, counts: Array | None) -> tuple[Array, Array]:
    """Minimum and max - min over the rewards that count, ``[..., 1]`` each."""
    if counts is not None:
        counted = counts > 0
        first = np.take_along_axis(rewards, counted.argmax(axis=-1)[..., None], axis=-1)
        rewards = np.where(counted, rewards, first)
    ordered = np.sort(rewards, axis=-1)  # on short rows a sort is faster than min and max
    low = ordered[..., :1]
    return low, ordered[..., -1:] - low


_GATE = MappingProxyType({"k": "0.4", "std": "population", "eps": 1e-6})
register_estimator("grpo", _grpo, source="arXiv 2402.03300", defaults={"std": "population", "eps": 1e-6})
register_estimator("dr_grpo", _dr_grpo, source="arXiv 2503.20783")
register_estimator("rloo", _rloo, source="arXiv 2402.14740", least_group=2)
register_estimator("qae", _qae, source="arXiv 2509.22611, Eq. 3", defaults=_GATE)
register_estimator(
    "qae_linear", _qae_linear, source="released code of arXiv 2509.22611", defaults={**_GATE, "std": "bessel"}
)
register_estimator("psr", _psr, source="arXiv 2506.01347", binary_only=True)
register_estimator("nsr", _nsr, source="arXiv 2506.01347", binary_only=True)
register_estimator("pos_mask", _pos_mask, source="arXiv 2509.22611, Eq. 7", defaults=_GATE, binary_only=True)
register_estimator("neg_mask", _neg_mask, source="arXiv 2509.22611, Eq. 8", defaults=_GATE, binary_only=True)
