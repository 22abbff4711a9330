"""Define what a named experiment is: a configuration, independent cells, an analysis, and evidence for claims.

``simulators.sweep`` runs, stores and resumes the cells.
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

# A record holds scalars in JSON's types. JSON has no NaN and no infinity: a record has None there, or lacks the key.
Record = dict[str, Any]


def _known_rule(name: str) -> str:
    """Return the name of a registered method unchanged."""
    return get_method(name).name


# The name of a method of ``simulators.methods``, for a field such as ``rules: tuple[RuleName, ...]``.
RuleName = Annotated[str, AfterValidator(_known_rule)]


class Config(Strict):
    """Hold what every experiment's configuration has; an experiment adds its own fields.

    Floats are finite; a field that may be infinite is a ``simulators.update.MaybeInfinite`` or a ``Clip``. ``level`` is
    that of the intervals, over all comparisons of one analysis.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = Field(default=20260923, ge=0)
    level: float = Field(default=0.99, gt=0, lt=1)


@dataclass(frozen=True)
class Cell:
    """Hold one piece of work.

    ``settings`` is all that ``run_cell`` gets, in JSON's types. ``name`` is shown and must be unique. Cells with the
    same ``stream`` share their randomness (common random numbers), so that what is compared between them is compared on
    the same draws.
    """

    name: str
    settings: Mapping[str, Any]
    stream: int = 0


@dataclass(frozen=True)
class ClaimEvidence:
    """Statements of an analysis that together speak for a claim of the ledger: all of them must be found.

    ``statements`` reads them from the analysis, which is in JSON's types.
    """

    claim: str
    name: str
    kind: Kind
    statements: Callable[[Mapping[str, Any]], Sequence[Statement]]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Hold a named experiment.

    Attributes:
        name: on the command line and in the results folder.
        summary: one line for ``qae simulate --list``.
        config: the type of its configuration.
        cells: lists the work that a configuration asks for.
        run_cell: does one cell from its settings and seed sequence, and returns records. It must be a module-level
            function and depend on nothing else, since workers import it.
        analyse: gets every record with the name of its ``cell``. It returns the result in JSON's types, each figure
            with its interval, and under ``statements`` the records of its :class:`Statement`.
        sizes: the file with the shipped settings of each size.
        claims: what the analysis says for claims of the ledger.
    """

    name: str
    summary: str
    config: type[Config]
    cells: Callable[[Any], Sequence[Cell]]
    run_cell: Callable[[Mapping[str, Any], np.random.SeedSequence], list[Record]]
    analyse: Callable[[Any, Sequence[Record]], dict[str, Any]]
    sizes: Path
    claims: Sequence[ClaimEvidence] = field(default=())
