"""Reward more than being right: components with weights, from which being right stays apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from llm_validation.verifiers import Outcome

_READABLE = frozenset({Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED})


class Facts(NamedTuple):
    """Hold what components look at.

    Attributes:
        outcome: what came of a response; None where the verifier does not say.
        tokens: the response's length.
        most_tokens: the longest response; None where it is not known.
    """

    outcome: Outcome | None
    tokens: int
    most_tokens: int | None


def _readable(facts: Facts) -> float:
    """Return 1 for a response whose answer could be read, right or wrong."""
    return float(facts.outcome in _READABLE)


def _ended(facts: Facts) -> float:
    """Return 1 for a response that ended by itself, 0 for one that was cut off."""
    return float(facts.most_tokens is None or facts.tokens < facts.most_tokens)


COMPONENTS: Mapping[str, Callable[[Facts], float]] = {"readable": _readable, "ended": _ended}


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights by component.

    Raises:
        ValueError: there is no such component.
    """
    for name in weights:
        if name not in COMPONENTS:
            raise ValueError(f"components must be of {', '.join(COMPONENTS)}; got {name!r}")
    return dict(weights)


def component_values(facts: Sequence[Facts], weights: Mapping[str, float]) -> dict[str, list[float]]:
    """Return each component's value of every response, in [0, 1], without its weight.

    >>> component_values([Facts(Outcome.WRONG, 3, 4), Facts(Outcome.UNREADABLE, 4, 4)], {"readable": 0.1, "ended": 0.2})
    {'readable': [1.0, 0.0], 'ended': [1.0, 0.0]}
    """
    values = {}
    for name in weights:
        values[name] = [COMPONENTS[name](one) for one in facts]
    return values


def weighted(
    rewards: Sequence[float | None], values: Mapping[str, Sequence[float]], weights: Mapping[str, float]
) -> list[float | None]:
    """Return the rewards with the weighted components added; None stays None.

    >>> weighted([1.0, None], {"readable": [1.0, 0.0]}, {"readable": 0.1})
    [1.1, None]
    """
    total: list[float | None] = []
    for row, reward in enumerate(rewards):
        extra = sum(weight * values[name][row] for name, weight in weights.items())
        total.append(None if reward is None else reward + extra)
    return total
