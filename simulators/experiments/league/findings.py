"""State which rules held in each situation, beside the same judgement on data from which every difference was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from simulators.experiments.league.situations import Columns

HELD = ("held", "at a price")


def found_in(judgement: Mapping[str, Any], on_turned: Mapping[str, Any], *, reference: str) -> Statement:
    """Return the statement that some rule held in all conditions of a situation.

    Args:
        judgement: of the situation, as :func:`~simulators.experiments.league.situations.judged` returns it.
        on_turned: the same on the data of :func:`alternated_to`, where no rule may hold.
        reference: the rule that the others are compared with.
    """
    here, there = holding(judgement), holding(on_turned)
    return Statement(
        says=f"where {judgement['name']}, a rule is better than {reference} in all of {len(judgement['conditions'])}",
        found=bool(here),
        detail=", ".join(here) or "none",
        planted="every difference turned round in every other seed",
        control_found=bool(there),
        control_detail=", ".join(there) or "none",
    )


def holding(judgement: Mapping[str, Any]) -> list[str]:
    """Return the rules that are better than the reference in every condition of the situation, at a price or not."""
    return [rule for rule, found in judgement["rules"].items() if found["verdict"] in HELD]


def alternated_to(columns: Columns, reference: str) -> dict[str, dict[str, Array]]:
    """Return the columns with every rule's difference to the reference turned round in the seeds 1, 3, ...

    That leaves the sizes of the differences and takes their sign.

    Args:
        columns: measures ``[S]`` by rule.
        reference: the rule that stays as it is.
    """
    turned: dict[str, dict[str, Array]] = {}
    for rule, measures in columns.items():
        turned[rule] = {}
        for name, column in measures.items():
            base = columns[reference][name]
            sign = np.where(np.arange(len(column)) % 2 == 0, 1.0, -1.0)
            turned[rule][name] = base + sign * (column - base)
    return turned
