"""State falsifiable results of a stored run, and what several of them together say for a claim.

An analysis makes statements, each with the same computation on planted data; the ledger turns them into findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qae_theory.claims.model import Finding
from qae_theory.claims.run import NEGATIVE_CRITERION
from qae_theory.runs.stored import StoredRun


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Hold one falsifiable statement of an analysis, with its figures and the same on planted data.

    Attributes:
        says: what is stated.
        found: whether the effect was found.
        detail: the figures.
        planted: says in words how the effect was taken away or turned round.
        control_found: what the same computation says of that planted data; the effect must not be found there.
        control_detail: its figures.
    """

    says: str
    found: bool
    detail: str
    planted: str
    control_found: bool
    control_detail: str


def all_found(run: StoredRun, statements: Sequence[Statement]) -> Finding:
    """Return a finding that passes only if there are statements and each of them is found.

    Args:
        run: the stored run, named in the detail.
        statements: what its analysis states.
    """
    # Every statement is told, found or not: the ledger shows what was looked at.
    said = "; ".join(
        f"{statement.says} {'found' if statement.found else 'NOT FOUND'}: {statement.detail}"
        for statement in statements
    )
    return Finding(
        bool(statements) and all(statement.found for statement in statements), NEGATIVE_CRITERION, f"{said} ({run})"
    )


def any_found_in_planted(statements: Sequence[Statement]) -> Finding:
    """Return the control of :func:`all_found`: rejected only if no statement is found in its planted data."""
    # One effect found in data that has none is enough: the computation finds what is not there.
    wrong = [statement for statement in statements if statement.control_found]
    shown = wrong or statements
    detail = "; ".join(f"{statement.planted}: {statement.control_detail}" for statement in shown)
    return Finding(bool(wrong), NEGATIVE_CRITERION, detail)
