"""All checks, in the order in which they are reported, and how they are run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_validation.audit.checks.finding import SEVERITIES, Check, Finding
from llm_validation.audit.checks.rewards import phantom_gradient, uniform_groups
from llm_validation.audit.model.log import Log

CHECKS: Sequence[Check] = (
    uniform_groups.CHECK,
    phantom_gradient.CHECK,
)


class Unchecked(NamedTuple):
    """A check that could not run, and what it needs."""

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
