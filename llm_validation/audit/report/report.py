"""Put a log, its findings and what could not be checked together, with the exit status that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_validation.audit.checks.registry import CHECKS, Unchecked, run_checks
from llm_validation.audit.estimator.made import LOGGED, advantages_of
from llm_validation.audit.findings.finding import SEVERITIES, Finding
from llm_validation.audit.model.log import Log

FOUND_NOTHING, FOUND, REFUSED, NOTHING_CHECKED = 0, 1, 2, 3


@dataclass(frozen=True)
class Report:
    """Hold what an audit found, and in what."""

    log: Log
    findings: Sequence[Finding]
    unchecked: Sequence[Unchecked]

    @property
    def checked(self) -> int:
        """Return how many checks could run."""
        return len(CHECKS) - len(self.unchecked)

    def status(self, fail_on: str) -> int:
        """Return the exit status.

        2 where a file was refused, 3 where no check could run, 1 where a finding is at least as grave as ``fail_on``.
        """
        # A refusal before a finding: the file that was left out may hold what was not found.
        if self.log.refusals:
            return REFUSED
        if not self.checked or self.log.level is None:
            return NOTHING_CHECKED
        least = SEVERITIES.index(fail_on)
        grave = any(SEVERITIES.index(finding.severity) >= least for finding in self.findings)
        return FOUND if grave else FOUND_NOTHING


def audit_log(log: Log) -> Report:
    """Return the report of a log."""
    findings, unchecked = run_checks(log)
    return Report(log, findings, unchecked)


def group_facts(log: Log) -> dict[str, Any] | None:
    """Return the groups in figures; None where there are no responses.

    ``all_wrong``, ``all_right`` and ``mixed`` are counts of groups; None where it is not known what is right.
    """
    main = log.main
    if main is None:
        return None
    groups = main.groups
    judged = main.grouped and main.correct_from is not None and bool(groups.judged.any())
    counts = {
        name: int(getattr(groups, name).sum()) if judged else None for name in ("all_wrong", "all_right", "mixed")
    }
    return {"count": len(groups), "size": groups.common_size, "identity": main.identity, **counts}


def zero_share(log: Log) -> tuple[float, str] | None:
    """Return the share of scored responses without an advantage and what the advantages are; None without groups."""
    main = log.table("advantage", "reward", grouped=True) or log.table("reward", grouped=True)
    if main is None:
        return None
    made = advantages_of(log, main)
    counted = np.isfinite(main.reward)
    if made.source == LOGGED:
        counted &= np.isfinite(main.column("advantage"))
    return (float((made.values[counted] == 0).mean()), made.source) if counted.any() else None


def step_facts(log: Log) -> dict[str, Any]:
    """Return the first and the last step and how many there are, over responses and metrics."""
    parts = [table.step for table in log.tables if table.has_steps and table.role == "training"]
    # A log of validations alone has steps too.
    parts = parts or [table.step for table in log.tables if table.has_steps]
    steps = np.unique(np.concatenate([*parts, log.steps.step])) if parts or len(log.steps) else np.zeros(0)
    if not len(steps):
        return {"first": None, "last": None, "count": 0}
    return {"first": int(steps[0]), "last": int(steps[-1]), "count": len(steps)}
