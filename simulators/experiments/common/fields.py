"""Types of configuration fields that several experiments have, so that bad values are refused before any work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from qae_theory.checks import quantile_level

T = TypeVar("T")
Some = Annotated[tuple[T, ...], Field(min_length=1)]  # a list that must not be empty

# With one arm, or one response in a group, there is nothing to compare: no entropy, and no spread of rewards.
Arms = Annotated[int, Field(ge=2)]
GroupSize = Annotated[int, Field(ge=2)]
Spread = Annotated[float, Field(ge=0)]


def _level(k: str) -> str:
    """Return a quantile level unchanged, if it is one."""
    quantile_level(k)
    return k


def _edges(values: Sequence[float]) -> Sequence[float]:
    """Return edges of bins unchanged, if they ascend from 0 to 1."""
    if values[0] != 0 or values[-1] != 1 or any(high <= low for low, high in pairwise(values)):
        raise ValueError(f"must ascend from 0 to 1; got {list(values)}")
    return values


Level = Annotated[str, AfterValidator(_level)]  # a quantile level K; it is text, from which a rational is read exactly
Edges = Annotated[tuple[float, ...], Field(min_length=2), AfterValidator(_edges)]  # edges of bins that cover [0, 1]
