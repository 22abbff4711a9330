"""Define what an advantage rule, a token mask or a remedy for entropy is, and keep them by name.

A method says how rewards become advantages. If it needs to, it also says what each sampled token's gradient is
multiplied with (``token_weights``) or what is added to it (``token_penalty``), what else pushes on the logits
(``direction``), and what it remembers from one update to the next (``start``, ``remember``). ``simulators.objective``
has importance ratios, clipping and normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.tabular.policy import Policy
from simulators.tabular.trees import Tree

# What a rule knows from earlier updates: arrays by name, with axis 0 the seed.
Memory = Mapping[str, Array]


class Context(NamedTuple):
    """Hold what a rule may see of an update besides the rewards of one group.

    ``responses``, ``verdicts`` (0 or 1, of a verifier that may err), ``rewards`` (what the advantages are computed
    from) and ``lengths`` are ``[..., Q, G]``. ``arm_rewards`` ``[..., Q, R]`` is what a verifier without noise says of
    every response of the ``tree``. ``behaviour`` is the policy that sampled and ``reference`` the one that training
    started from, ``[..., Q, N, A]`` each. ``memory`` is the rule's own. Axis 0 is the seed, and ``rngs[s]`` is its
    generator.
    """

    responses: Array
    verdicts: Array
    rewards: Array
    lengths: Array
    arm_rewards: Array
    tree: Tree
    behaviour: Policy
    reference: Policy
    memory: Memory
    rngs: Sequence[np.random.Generator]


class TokenBatch(NamedTuple):
    """Hold the sampled tokens of one inner pass, ``[..., Q, G, T]`` each; entries outside ``mask`` mean nothing.

    ``mask`` is true for tokens that exist and whose group is kept. ``advantages`` are broadcast over T. The axes from Q
    on are one mini-batch. Axis 0 is the seed, and ``rngs[s]`` is its generator. ``policy`` is the one of this pass,
    ``[..., Q, N, A]``, and ``context`` what else the rule may see; rules that look at sampled tokens alone do without.
    """

    log_probs: Array
    old_log_probs: Array
    entropies: Array
    advantages: Array
    mask: Array
    rngs: Sequence[np.random.Generator]
    policy: Policy | None = None
    context: Context | None = None


NO_CLIP = inf  # a clip range that no importance ratio reaches


@dataclass(frozen=True)
class Method:
    """Hold a named rule with its options filled in.

    Attributes:
        name: as registered.
        source: the paper or released code that it comes from.
        advantages: the function of rewards, ``[..., G] -> [..., G]``.
        estimator: its name in ``qae_theory``'s registry, if the advantage comes from there.
        options: the estimator's options.
        token_weights: factor on each token's coefficient; 0 drops the token.
        token_penalty: gradient in the token's log-probability that is added, in units of an advantage.
        ratio: PPO's importance ratio per token, GSPO's per sequence, or none: every token then counts as if the current
            policy had sampled it.
        clip_low: the lower clip range, as the rule's paper has it.
        clip_high: the upper clip range.
        normalise_kept: whether the token mean goes over tokens of non-zero weight only.
        binary_only: whether the rule refuses rewards other than 0 and 1.
        across_groups: whether the advantage depends on the other groups of the mini-batch too; ``advantages`` then
            takes rewards ``[..., Q, G]``.
        start: makes the memory before the first update, from the context of that update, whose own memory is empty.
        context_advantages: the advantages ``[..., Q, G]`` where they depend on more than rewards; ``advantages`` is
            then what they are with nothing remembered and nothing else to see.
        clip: the clip range (low, high) that the memory asks for, each a number or an array that broadcasts against
            ``[..., Q, G, T]``; it counts before ``clip_low`` and ``clip_high``.
        direction: a further ascent direction on the logits ``[..., Q, N, A]``, from the tokens of a pass and the weight
            ``[..., Q, G, T]`` that the normaliser gives each of them.
        remember: the memory after the update, from the context before it and the policy after it.
    """

    name: str
    source: str
    advantages: Callable[[Array], Array]
    estimator: str | None = None
    options: Mapping[str, Any] | None = None
    token_weights: Callable[[TokenBatch], Array] | None = None
    token_penalty: Callable[[TokenBatch], Array] | None = None
    ratio: Literal["token", "sequence", "none"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.28
    normalise_kept: bool = False
    binary_only: bool = False
    across_groups: bool = False
    start: Callable[[Context], Memory] | None = None
    context_advantages: Callable[[Context], Array] | None = None
    clip: Callable[[Memory], tuple[Array | float, Array | float]] | None = None
    direction: Callable[[TokenBatch, Array], Array] | None = None
    remember: Callable[[Context, Policy], Memory] | None = None

    @property
    def rewards_alone(self) -> bool:
        """Return whether every coefficient depends on the group's rewards only.

        On-policy, claim `neutrality` then applies.
        """
        beyond = (self.token_weights, self.token_penalty, self.context_advantages, self.direction)
        return not self.across_groups and all(hook is None for hook in beyond)


@dataclass(frozen=True)
class Entry:
    """Hold a registered factory with its default options and its source."""

    factory: Callable[..., Method]
    defaults: Mapping[str, Any]
    source: str


_REGISTRY: dict[str, Entry] = {}


def register_method(name: str, factory: Callable[..., Method], *, source: str, **defaults: Any) -> None:
    """Give a method a name under which :func:`get_method` finds it.

    Args:
        name: a name that is not taken.
        factory: ``factory(**options)`` makes the method.
        source: the paper or released code that it comes from.
        **defaults: all the options that it has, with their defaults.

    Raises:
        ValueError: the name is taken; the message lists the names that are.
    """
    if name in _REGISTRY:
        raise ValueError(f"name {name!r} is taken; registered methods: {', '.join(method_names())}")
    _REGISTRY[name] = Entry(factory, dict(defaults), source)


def method_names() -> tuple[str, ...]:
    """Return the names of all registered methods, in order of registration."""
    return tuple(_REGISTRY)


def get_method(name: str, **options: Any) -> Method:
    """Return the method of that name with these options, and the defaults for the others.

    Raises:
        ValueError: there is no such method (the message lists all), or it has no such option (the message lists its
            own).
    """
    if not isinstance(name, str) or name not in _REGISTRY:
        checks.refuse("method", name, f"one of {', '.join(method_names())}")
    entry = _REGISTRY[name]
    # The factory would refuse an unknown option too, but not with the list of those that it has.
    for option in options:
        if option not in entry.defaults:
            checks.refuse(option, options[option], f"left out: {name!r} has the options {sorted(entry.defaults)}")
    return entry.factory(**{**entry.defaults, **options})


def method_defaults(name: str) -> Mapping[str, Any]:
    """Return the options of a registered method with their defaults, in the order of registration.

    Raises:
        ValueError: there is no such method; the message lists all.
    """
    get_method(name)
    return dict(_REGISTRY[name].defaults)


def finite_number(name: str, value: Any, *, least: float = -inf, most: float = inf, strict: bool = False) -> float:
    """Return an option that has to be one finite number in [least, most].

    Args:
        name: of the option.
        value: what was given for it.
        least: the smallest number allowed.
        most: the largest number allowed.
        strict: whether ``least`` itself is refused.

    Raises:
        ValueError: it is none; the message names the option.
    """
    number = checks.numbers(name, value)
    if number.ndim or not np.isfinite(number) or not least <= number <= most or (strict and number == least):
        bounds = "" if least == -inf else f" {'>' if strict else '>='} {least:g}"
        bounds += "" if most == inf else f" and <= {most:g}"
        checks.refuse(name, value, f"one finite number{bounds}")
    return float(number)


def number_or_inf(name: str, value: Any, *, least: float = -inf, strict: bool = False) -> float:
    """Return an option that has to be one number of at least ``least``, finite or inf: a bound that may be left off.

    The arguments and the refusal are those of :func:`finite_number`.
    """
    if isinstance(value, float) and value == inf:
        return inf
    return finite_number(name, value, least=least, strict=strict)
