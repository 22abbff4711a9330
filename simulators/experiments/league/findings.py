"""State which rules held in each situation, beside the same judgement on data from which every difference was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from simulators.experiments.league.situations import Columns, Situation, judged

HELD = ("held", "at a price")


def found_in(
    situations: Sequence[Situation], by_condition: Mapping[str, Columns], *, reference: str, level: float
) -> list[Statement]:
    """Return a statement for each situation: some rule held in all of its conditions.

    In the control every rule's difference to the reference is turned round in every other seed, which leaves its size
    and takes its sign: no rule may hold there.

    Args:
        situations: what is asked.
        by_condition: the measures of every rule, by condition.
        reference: the rule that the others are compared with.
        level: confidence level of each situation.
    """
    turned = {name: alternated_to(columns, reference) for name, columns in by_condition.items()}
    statements = []
    for situation in situations:
        here = holding(situation, by_condition, reference=reference, level=level)
        there = holding(situation, turned, reference=reference, level=level)
        statements.append(
            Statement(
                says=f"where {situation.name}, a rule is better than {reference} in all of {len(situation.conditions)}",
                found=bool(here),
                detail=", ".join(here) or "none",
                planted="every difference turned round in every other seed",
                control_found=bool(there),
                control_detail=", ".join(there) or "none",
            )
        )
    return statements


def holding(situation: Situation, by_condition: Mapping[str, Columns], *, reference: str, level: float) -> list[str]:
    """Return the rules that are better than the reference in every condition of the situation, at a price or not."""
    rules = judged(situation, by_condition, reference=reference, level=level)["rules"]
    return [rule for rule, found in rules.items() if found["verdict"] in HELD]


def alternated_to(columns: Columns, reference: str) -> dict[str, dict[str, Array]]:
    """Return the columns with every rule's difference to the reference turned round in the seeds 1, 3, ...

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
