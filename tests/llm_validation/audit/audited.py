"""Runs an audit and gives its JSON; no tests are here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llm_validation.audit.gather import gather
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.report.contract import record
from llm_validation.audit.report.report import Report, audit_log
from qae_theory.runs.settings import checked


def report_of(*paths: Path, **settings: Any) -> Report:
    return audit_log(gather(paths, checked(AuditSettings, [settings])))


def audited(*paths: Path, **settings: Any) -> dict[str, Any]:
    """The report as a reader of the JSON file sees it."""
    content: dict[str, Any] = json.loads(json.dumps(record(report_of(*paths, **settings)), allow_nan=False))
    return content


def found(content: dict[str, Any]) -> set[str]:
    return {one["id"] for one in content["findings"]}


def unchecked(content: dict[str, Any]) -> set[str]:
    return {one["check"] for one in content["unchecked"]}
