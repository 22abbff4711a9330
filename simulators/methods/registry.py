"""One protocol for all advantage rules and token masks, and their registry.

A method says how rewards become advantages and, if it needs to, what each sampled token's gradient is multiplied with
(``token_weights``) or what is added to it (``token_penalty``). Ratios, clipping and normalisation are in ``objective``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array


class TokenBatch(NamedTuple):
    """The sampled tokens of one inner pass, ``[..., Q, G, T]`` each; entries outside ``mask`` mean nothing.

    ``mask`` is true for tokens that exist and whose group is kept. ``advantages`` are broadcast over T. The axes from Q
    on are one mini-batch; axis 0 is the seed, and ``rngs[s]`` is its generator.
    """

    log_probs: Array
    old_log_probs: Array
    entropies: Array
    advantages: Array
    mask: Array
    rngs: Sequence[np.random.Generator]


NO_CLIP = inf


@dataclass(frozen=True)
class Method:
    """A named rule with its options filled in.

    ``advantages``: rewards ``[..., G] -> [..., G]``. ``token_weights``: factor on each token's coefficient (0 drops
    it). ``token_penalty``: gradient in the token's log-probability to be added, in units of an advantage.
    ``estimator``: name in ``qae_theory``'s registry if the advantage comes from there, with ``options``.
    ``ratio``: PPO's per token, or GSPO's per sequence. ``normalise_kept``: token mean over tokens of non-zero weight.
    ``across_groups``: the advantage depends on the other groups of the mini-batch too (rewards ``[..., Q, G]``).
    """

    name: str
    source: str
    advantages: Callable[[Array], Array]
    estimator: str | None = None
    options: Mapping[str, Any] | None = None
    token_weights: Callable[[TokenBatch], Array] | None = None
    token_penalty: Callable[[TokenBatch], Array] | None = None
    ratio: Literal["token", "sequence"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.28
    normalise_kept: bool = False
    binary_only: bool = False
    across_groups: bool = False

    @property
    def rewards_alone(self) -> bool:
        """Whether every coefficient depends on the group's rewards only (claim `neutrality` applies, on-policy)."""
        return self.token_weights is None and self.token_penalty is None and not self.across_groups


@dataclass(frozen=True)
class Entry:
    """A registered factory with its defaults and source."""

    factory: Callable[..., Method]
    defaults: Mapping[str, Any]
    source: str


_REGISTRY: dict[str, Entry] = {}


def register_method(name: str, factory: Callable[..., Method], *, source: str, **defaults: Any) -> None:
    """Give a method a name; ``factory(**options)`` makes it, ``defaults`` are all the options that it has.

    Raises:
        ValueError: the name is taken.
    """
    if name in _REGISTRY:
        raise ValueError(f"name {name!r} is taken; registered methods: {', '.join(method_names())}")
    _REGISTRY[name] = Entry(factory, dict(defaults), source)


def method_names() -> tuple[str, ...]:
    """Names of all registered methods, in order of registration."""
    return tuple(_REGISTRY)


def get_method(name: str, **options: Any) -> Method:
    """The method of that name with these options.

    Raises:
        ValueError: naming ``method``, with all names that exist, or the option that it does not have.
    """
    if not isinstance(name, str) or name not in _REGISTRY:
        checks.refuse("method", name, f"one of {', '.join(method_names())}")
    entry = _REGISTRY[name]
    for option in options:
        if option not in entry.defaults:
            checks.refuse(option, options[option], f"left out: {name!r} has the options {sorted(entry.defaults)}")
    return entry.factory(**{**entry.defaults, **options})


def finite_number(name: str, value: Any, *, least: float = -inf, most: float = inf, strict: bool = False) -> float:
    """An option that is one finite number in [least, most], or above ``least`` if ``strict``.

    Raises:
        ValueError: naming the option.
    """
    number = checks.numbers(name, value)
    if number.ndim or not np.isfinite(number) or not least <= number <= most or (strict and number == least):
        bounds = "" if least == -inf else f" {'>' if strict else '>='} {least:g}"
        bounds += "" if most == inf else f" and <= {most:g}"
        checks.refuse(name, value, f"one finite number{bounds}")
    return float(number)
