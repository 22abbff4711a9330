"""Find groups of one response: they have no advantage under a centred rule, or, in verl, the bare reward.

verl takes mean 0 and standard deviation 1 for a group of one. It happens where every response gets an id of its own
(rllm PR 776).
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding, percent, rewards_lacking, share
from llm_validation.audit.model.log import Log

MANY = 0.5  # of the groups


def run(log: Log) -> list[Finding]:
    """Return a finding where a group of training has one response."""
    main = log.main
    if main is None or main.role == "evaluation":
        return []
    groups = main.groups
    alone = int((groups.size == 1).sum())
    if not alone:
        return []
    part = share(alone, len(groups))
    steps = np.unique(groups.step[groups.size == 1])
    return [
        Finding(
            "groups-of-one",
            "critical" if part >= MANY else "warning",
            f"{alone} of {len(groups)} groups ({percent(part)}) have one response, in {len(steps)} steps",
            "responses to one prompt share an id, or more than one response is sampled for a prompt",
            {"groups": alone, "of": len(groups), "share": part, "identity": main.identity, "steps": len(steps)},
            ("gate-hard", "neutrality"),
        )
    ]


CHECK = Check("groups-of-one", ("groups-of-one",), rewards_lacking, run)
