"""Find groups that are all right or all wrong and whose rewards differ: not to be right is learned there.

An overlong penalty, a format bonus or a length term ranks the responses of a group that are all right or all wrong.
Filtering groups by score (DAPO's ``metric=score``) keeps such groups; filtering by correctness does not.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.estimator.made import advantages_of
from llm_validation.audit.findings.finding import Check, Finding, correctness_lacking, percent, share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import of_groups

LEAST = 0.01  # of the advantages' mass before it is worth a finding
MUCH = 0.1


def run(log: Log) -> list[Finding]:
    """Return a finding where at least one percent of the advantages' mass is in groups uniform in correctness."""
    main = log.main
    if main is None or main.role == "evaluation":
        return []
    groups = main.groups
    uniform = groups.all_wrong | groups.all_right
    phantom = uniform & ~groups.flat
    made = advantages_of(log, main)
    mass = of_groups(np.abs(made.values), groups)
    part = share(mass[phantom].sum(), mass.sum())
    if not phantom.any() or part < LEAST:
        return []
    count = int(phantom.sum())
    return [
        Finding(
            "phantom-gradient",
            "critical" if part >= MUCH else "warning",
            f"{count} of {len(groups)} groups are all right or all wrong and have unequal rewards; they hold "
            f"{percent(part)} of the advantages' mass ({made.source})",
            "groups are filtered by correctness instead of score, or the other terms are left out of the advantage",
            {"groups": count, "of": len(groups), "mass_share": part, "advantages": made.source},
            ("gate-nonbinary",),
        )
    ]


CHECK = Check("phantom-gradient", ("phantom-gradient",), correctness_lacking, run)
