"""Say which option of a rule is its own hyper-parameter, and which other values of it a tuning tries.

The league asks every rule alike: how much is lost at half and at twice the value? A rule of another package takes part
with the first of its options that is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from simulators.methods import get_method, method_defaults

# Options of the estimators that are no remedy for entropy: the floor of a standard deviation, and which one it is.
COMMON = ("std", "eps")
# Rules whose remedy is not in their first number: OAR's threshold is a quantile, MILES' range is wide by design.
CHOSEN = {"oar": "beta", "adaptive_clip": "target"}


def own_option(rule: str) -> str | None:
    """Return the rule's own hyper-parameter: its first option that is a number other than 0, or text that reads as one.

    Options that every estimator has do not count. None where there is no such option.

    >>> own_option("qae"), own_option("kl_cov"), own_option("grpo")
    ('k', 'share', None)
    """
    defaults = method_defaults(rule)
    if CHOSEN.get(rule) in defaults:
        return CHOSEN[rule]
    for name, default in defaults.items():
        if name not in COMMON and _as_number(default) != 0:
            return name
    return None


def variants(rule: str, factors: Iterable[float]) -> dict[float, Mapping[str, Any]]:
    """Return the options that put the rule's own hyper-parameter at each of these multiples of its default.

    Args:
        rule: a registered name.
        factors: positive multiples; 1 is the default itself.

    Returns:
        Options by factor. A multiple that the rule refuses is left out, and all are if the rule has no own option; the
        factor 1 is always there.
    """
    option = own_option(rule)
    found: dict[float, Mapping[str, Any]] = {}
    for factor in factors:
        if factor == 1:
            found[factor] = {}
        elif option is not None:
            options = {option: scaled(method_defaults(rule)[option], factor)}
            if _accepts(rule, options):
                found[factor] = options
    return found


def scaled(value: Any, factor: float) -> Any:
    """Return a multiple of an option, of the option's own type: text stays text, a whole number stays one, >= 1.

    >>> scaled("0.4", 2), scaled(5, 0.5), scaled(0.1, 0.5)
    ('4/5', 2, 0.05)
    """
    if isinstance(value, str):
        return str(Fraction(value) * Fraction(factor))
    if isinstance(value, int):
        return max(1, round(value * factor))
    return value * factor


def _as_number(value: Any) -> float:
    """Return an option's value as a number, 0 where it is none."""
    if isinstance(value, bool):
        return 0.0
    try:
        return float(Fraction(value))
    except (TypeError, ValueError):
        return 0.0


def _accepts(rule: str, options: Mapping[str, Any]) -> bool:
    """Return whether the rule takes these options."""
    try:
        get_method(rule, **options)
    except ValueError:
        return False
    return True
