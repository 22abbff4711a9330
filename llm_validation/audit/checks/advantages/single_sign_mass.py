"""Find updates that only push up or only push down: nearly all of the advantages' mass has one sign.

A rule that takes off the group's mean has as much mass above as below. QAE's hard groups have only positive advantages
and its easy ones only negative ones: on data of one kind the update has one sign.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding, percent, share
from llm_validation.audit.model.log import Log

ONE_SIDED = 0.95
LEAST_RESPONSES = 32
_BY_DESIGN = ("psr", "nsr")


def _lacking(log: Log) -> str | None:
    return None if log.table("advantage") is not None else "the advantage of each response"


def run(log: Log) -> list[Finding]:
    """Return a finding where at least 95 % of the mass has one sign."""
    table = log.table("advantage")
    if table is None:
        return []
    advantage = np.nan_to_num(table.column("advantage"))
    if int((advantage != 0).sum()) < LEAST_RESPONSES:
        return []
    positive = share(advantage[advantage > 0].sum(), np.abs(advantage).sum())
    side, part = ("positive", positive) if positive >= 0.5 else ("negative", 1 - positive)
    if part < ONE_SIDED:
        return []
    return [
        Finding(
            "single-sign-mass",
            "info" if log.settings.estimator in _BY_DESIGN else "warning",
            f"{percent(part)} of the advantages' mass is {side}, over {int((advantage != 0).sum())} responses",
            "a baseline between the rewards, a K with 1 - K near the data's success rate, or data of mixed difficulty",
            {"side": side, "share": part, "responses": int((advantage != 0).sum())},
            ("sampled-sign-law", "sign-share-law", "gate-hard", "gate-easy"),
        )
    ]


CHECK = Check("single-sign-mass", ("single-sign-mass",), _lacking, run)
