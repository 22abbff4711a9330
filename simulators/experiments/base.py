"""What a named experiment is: a configuration, independent cells, an analysis and the evidence that it allows.

How cells are run, stored and resumed is in ``simulators.sweep``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field

from qae_theory.claims.model import Kind
from qae_theory.claims.statements import Statement
from qae_theory.runs.settings import Strict
from simulators.methods import get_method

Record = dict[str, Any]  # scalars in JSON's types; JSON has no NaN and no infinity: None, or leave the key out


def _known_rule(name: str) -> str:
    return get_method(name).name


# The name of a method of ``simulators.methods``, for a field such as ``rules: tuple[RuleName, ...]``.
RuleName = Annotated[str, AfterValidator(_known_rule)]


class Config(Strict):
    """What every experiment's configuration has; an experiment adds its own fields.

    Floats are finite; a field that may be infinite is a ``simulators.update.MaybeInfinite`` or a ``Clip``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = Field(default=20260923, ge=0)
    level: float = Field(default=0.99, gt=0, lt=1)  # of the intervals, over all comparisons of one analysis


@dataclass(frozen=True)
class Cell:
    """One piece of work. Cells with the same ``stream`` share their randomness (common random numbers).

    ``settings`` is all that ``run_cell`` gets, in JSON's types; ``name`` is shown and must be unique.
    """

    name: str
    settings: Mapping[str, Any]
    stream: int = 0


@dataclass(frozen=True)
class ClaimEvidence:
    """Statements of an analysis that together speak for a claim of the ledger (all must be found)."""

    claim: str
    name: str
    kind: Kind
    statements: Callable[[Mapping[str, Any]], Sequence[Statement]]  # of the analysis, in JSON's types


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A named experiment.

    ``cells(config)`` lists the work; ``run_cell(settings, seeds)`` does one and returns records; it must be a
    module-level function and depend on nothing else. ``analyse(config, records)`` gets every record with the name of
    its ``cell``, and returns the result in JSON's types, each figure with its interval, and under ``statements`` the
    records of its :class:`Statement`. ``sizes`` is the file with the shipped settings of
    each size.
    """

    name: str
    summary: str
    config: type[Config]
    cells: Callable[[Any], Sequence[Cell]]
    run_cell: Callable[[Mapping[str, Any], np.random.SeedSequence], list[Record]]
    analyse: Callable[[Any, Sequence[Record]], dict[str, Any]]
    sizes: Path
    claims: Sequence[ClaimEvidence] = field(default=())
