"""Find advantages that are the rewards themselves, so that no baseline is taken off."""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding, percent
from llm_validation.audit.model.log import Log

NEARLY_ALL = 0.99
CLOSE = 1e-5
WITHOUT_BASELINE = "psr"


def _lacking(log: Log) -> str | None:
    return None if log.table("advantage", "reward") is not None else "the advantage of each response beside its reward"


def run(log: Log) -> list[Finding]:
    """Return a finding where at least 99 % of the advantages equal their rewards."""
    table = log.table("advantage", "reward")
    if table is None or log.settings.estimator == WITHOUT_BASELINE:
        return []
    reward, advantage = table.reward, table.column("advantage")
    both = np.isfinite(reward) & np.isfinite(advantage)
    telling = both & ((reward != 0) | (advantage != 0))
    if not telling.any():
        return []
    equal = np.abs(advantage - reward) <= CLOSE * (1 + np.abs(reward))
    part = float(equal[telling].mean())
    if part < NEARLY_ALL:
        return []
    alone = table.grouped and bool((table.groups.size == 1).mean() >= NEARLY_ALL)
    why = "all groups have one response" if alone else "no baseline is taken off"
    return [
        Finding(
            "advantage-equals-reward",
            "critical",
            f"the advantage equals the reward in {percent(part)} of {int(telling.sum())} responses: {why}",
            "responses to one prompt form a group, or the estimator is meant to have no baseline (--estimator psr)",
            {"share": part, "responses": int(telling.sum()), "groups_of_one": alone},
            ("sampled-sign-law", "neutrality"),
        )
    ]


CHECK = Check("advantage-equals-reward", ("advantage-equals-reward",), _lacking, run)
