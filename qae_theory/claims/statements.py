"""Falsifiable statements about a run's results, and what several of them together say for a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qae_theory.claims.model import Finding
from qae_theory.claims.run import NEGATIVE_CRITERION
from qae_theory.runs.stored import StoredRun


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One falsifiable statement of an analysis: found or not, with its figures, and the same on planted data.

    ``control`` is what the same computation says of data in which the effect has been taken away or turned round; it
    must not be found there.
    """

    says: str
    found: bool
    detail: str
    planted: str
    control_found: bool
    control_detail: str


def all_found(run: StoredRun, statements: Sequence[Statement]) -> Finding:
    """Return a finding that passes only if there are statements and each of them is found."""
    said = "; ".join(f"{one.says} {'found' if one.found else 'NOT FOUND'}: {one.detail}" for one in statements)
    return Finding(bool(statements) and all(one.found for one in statements), NEGATIVE_CRITERION, f"{said} ({run})")


def any_found_in_planted(statements: Sequence[Statement]) -> Finding:
    """Return the control of :func:`all_found`: rejected only if no statement is found in its planted data."""
    wrong = [one for one in statements if one.control_found]
    shown = wrong or statements
    detail = "; ".join(f"{one.planted}: {one.control_detail}" for one in shown)
    return Finding(bool(wrong), NEGATIVE_CRITERION, detail)
