"""Tell what changes if one choice of the analysis were another, for the alternatives stated before the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from llm_validation.common.tables import Table
from llm_validation.study.analysis.curve_lines import USUAL, Choices, shape_lines
from qae_theory.claims.model import Answer
from qae_theory.curves.outcomes import Line

ALTERNATIVES: Mapping[str, Choices] = MappingProxyType(
    {
        "smallest effects halved": USUAL._replace(scale=0.5),
        "smallest effects doubled": USUAL._replace(scale=2.0),
        "equal success at the largest common level only": USUAL._replace(levels=1),
        "equal success by the training batches": USUAL._replace(success="batch_success"),
        "late is the last tenth": USUAL._replace(late=0.1),
        "late is the last checkpoint": USUAL._replace(late=1e-9),
        "even seeds only": USUAL._replace(seeds="even"),
        "odd seeds only": USUAL._replace(seeds="odd"),
        "99 % intervals": USUAL._replace(level=0.99),
    }
)


def sensitivity(tables: Mapping[str, Table], lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return one record for each alternative.

    Args:
        tables: as ``curve_lines.shape_lines`` takes them.
        lines: the lines by the choices that were made.

    Returns:
        ``alternative``; ``compared``, the number of lines that there are under both; ``same``, how many keep their
        outcome; ``turned``, those that are decided under both, and differently; ``outcomes``, how many there are of
        each.
    """
    standing = {line.id: line.outcome for line in lines}
    return [{"alternative": name, **_record(standing, tables, choices)} for name, choices in ALTERNATIVES.items()]


def _record(standing: Mapping[str, Answer], tables: Mapping[str, Table], choices: Choices) -> dict[str, Any]:
    """Return how the lines fare under one alternative."""
    other = {line.id: line.outcome for line in shape_lines(tables, choices).lines}
    common = [name for name in standing if name in other]
    return {
        "compared": len(common),
        "same": sum(standing[name] is other[name] for name in common),
        "turned": list(_turned(standing, other, common)),
        "outcomes": dict(Counter(str(outcome) for outcome in other.values())),
    }


def _turned(
    standing: Mapping[str, Answer], other: Mapping[str, Answer], common: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yield the lines that are decided under both choices, and differently."""
    for name in common:
        pair = standing[name], other[name]
        if Answer.UNDECIDED not in pair and pair[0] is not pair[1]:
            yield {"line": name, "stands": str(pair[0]), "alternative": str(pair[1])}
