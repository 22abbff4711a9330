"""List all checks in the order in which they are reported, and run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_validation.audit.checks.advantages import (
    advantage_equals_reward,
    estimator_mismatch,
    phantom_advantage,
    single_sign_mass,
    truncation_mass,
)
from llm_validation.audit.checks.rewards import (
    difficulty,
    gate_leak,
    groups_of_one,
    phantom_gradient,
    reward_component_dead,
    uniform_groups,
)
from llm_validation.audit.checks.steps import clip_inert, entropy_bonus_on, onset
from llm_validation.audit.checks.tokens import entropy_metric, logp_mismatch
from llm_validation.audit.findings.finding import SEVERITIES, Check, Finding
from llm_validation.audit.model.log import Log

CHECKS: Sequence[Check] = (
    groups_of_one.CHECK,
    uniform_groups.CHECK,
    difficulty.TOO_HARD,
    difficulty.TOO_EASY,
    phantom_gradient.CHECK,
    gate_leak.CHECK,
    reward_component_dead.CHECK,
    phantom_advantage.CHECK,
    advantage_equals_reward.CHECK,
    estimator_mismatch.CHECK,
    single_sign_mass.CHECK,
    truncation_mass.CHECK,
    logp_mismatch.CHECK,
    entropy_metric.CHECK,
    onset.COLLAPSE,
    onset.EXPLOSION,
    clip_inert.CHECK,
    entropy_bonus_on.CHECK,
)


class Unchecked(NamedTuple):
    """Name a check that could not run, and what it needs."""

    check: str
    needs: str


def run_checks(log: Log, checks: Sequence[Check] = CHECKS) -> tuple[list[Finding], list[Unchecked]]:
    """Return the findings, the gravest first, and the checks that could not run."""
    findings, unchecked = list[Finding](), list[Unchecked]()
    for check in checks:
        needs = check.lacks(log)
        if needs is None:
            findings += check.run(log)
        else:
            unchecked.append(Unchecked(check.name, needs))
    findings.sort(key=lambda finding: -SEVERITIES.index(finding.severity))
    return findings, unchecked
