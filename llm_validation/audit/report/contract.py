"""Write the report as JSON: names, types and finding ids are a contract, described in ``docs/audit.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from llm_validation.audit.estimator.identify import identify
from llm_validation.audit.facts import by_k, components, entropy, mass
from llm_validation.audit.findings.finding import Finding
from llm_validation.audit.report.remedies import remedies
from llm_validation.audit.report.report import Report, group_facts, step_facts, zero_share
from llm_validation.audit.report.verdicts import NOT_RUN, verdicts

SCHEMA = 1


def record(report: Report, comparison: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the whole report in JSON's types; NaN and infinities as null. A comparison is there where one was made."""
    log, zero = report.log, zero_share(report.log)
    content = {
        "schema": SCHEMA,
        "sources": [source.record() for source in log.sources],
        "level": log.level,
        "steps": step_facts(log),
        "groups": group_facts(log),
        "zero_advantage_share": None if zero is None else zero[0],
        "zero_advantage_basis": None if zero is None else zero[1],
        "estimator": _estimator(report),
        "settings": log.settings.known(),
        "series": {name: log.steps.name_of(name) for name in log.steps.recognised},
        "by_k": by_k.table(log),
        "advantage_mass": mass.table(log),
        "reward_components": components.table(log),
        "entropy_change": entropy.table(log),
        "findings": [of_finding(finding) for finding in report.findings],
        "unchecked": [one._asdict() for one in report.unchecked],
        "refused": [refusal.record() for refusal in log.refusals],
        "notes": list(log.notes),
    }
    if comparison is not None:
        content["comparison"] = dict(comparison)
    plain: dict[str, Any] = in_json_types(content)
    return plain


def _estimator(report: Report) -> dict[str, Any] | None:
    found = identify(report.log)
    return None if found is None else found.record()


def of_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding; ``evidence`` holds its sentence as ``says`` and its figures by name."""
    known = verdicts()
    return {
        "id": finding.id,
        "severity": finding.severity,
        "evidence": {"says": finding.says, **finding.evidence},
        "changes_if": finding.changes_if,
        "claims": [{"id": claim, "verdict": known.get(claim, NOT_RUN)} for claim in finding.claims],
        "error_rate": finding.error_rate,
        "try": [remedy.record() for remedy in remedies(finding.id)],
    }


def in_json_types(value: Any) -> Any:
    """Return a value in JSON's types; NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(name): in_json_types(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [in_json_types(one) for one in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return in_json_types(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
