"""Find advantages in groups of equal rewards: they are rounding, or the baseline is not the group's.

Equal rewards that are no binary fractions, such as 0.7, leave a remainder of their float32 mean. Divided by a standard
deviation of the same size it becomes an advantage of .05 to .1.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.estimator.identify import identify
from llm_validation.audit.estimator.made import by_rule
from llm_validation.audit.findings.finding import Check, Finding, advantages_lacking, percent, share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses
from qae_theory.arrays import Array

LEAST = 1e-3  # smaller ones move nothing
MUCH = 0.01  # of the advantages' mass


def run(log: Log) -> list[Finding]:
    """Return a finding where a group of equal rewards has an advantage that its rule does not mean."""
    table = log.table("advantage", "reward", grouped=True)
    if table is None:
        return []
    groups = table.groups
    logged = np.nan_to_num(table.column("advantage"))
    largest = np.maximum.reduceat(np.abs(logged), groups.start)
    phantom = groups.flat & (groups.size > 1) & (largest > LEAST) & ~_meant(log, table)
    if not phantom.any():
        return []
    part = share(np.add.reduceat(np.abs(logged), groups.start)[phantom].sum(), np.abs(logged).sum())
    count, flat = int(phantom.sum()), int(groups.flat.sum())
    return [
        Finding(
            "phantom-advantage",
            "critical" if part >= MUCH else "warning",
            f"{count} of {flat} groups of equal rewards have advantages, up to {largest[phantom].max():.3g}; they hold "
            f"{percent(part)} of the advantages' mass",
            "a group of equal rewards is found by max == min, not by a small standard deviation; or the baseline is "
            "the group's own",
            {"groups": count, "of": flat, "largest": float(largest[phantom].max()), "mass_share": part},
            ("phantom-advantage",),
        )
    ]


def _meant(log: Log, table: Responses) -> Array:
    """Return in which groups the identified rule itself gives equal rewards an advantage, as one without baseline."""
    found = identify(log)
    names = {member.name for member in found.members} if found is not None else set()
    meant = np.zeros(len(table.groups), dtype=bool)
    for name in names & {"psr", "nsr"}:
        try:
            made = by_rule(table, name, {})
        except ValueError:
            continue
        meant |= np.maximum.reduceat(np.abs(made), table.groups.start) > LEAST
    return meant


CHECK = Check("phantom-advantage", ("phantom-advantage",), advantages_lacking, run)
