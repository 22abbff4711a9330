"""Define what a check says: evidence in figures, what would change it, how bad it is, how often it is wrong.

A check that compares exact counts with a threshold has no error rate; one that tests a hypothesis states its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_validation.audit.model.log import Log

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

# The error rate of all statistical checks of one audit together, fixed beforehand, and their number (Bonferroni).
FAMILY_ERROR = 0.05
STATISTICAL_CHECKS = 4  # uniform-groups, data-too-hard, data-too-easy, onset
ERROR_RATE = FAMILY_ERROR / STATISTICAL_CHECKS


@dataclass(frozen=True)
class Finding:
    """Say what a check found, with its figures and how grave it is.

    ``says`` is a sentence with the figures in it, ``evidence`` the figures by name, ``changes_if`` what would make it
    go away, ``claims`` the ledger's claims that it rests on.
    """

    id: str
    severity: Severity
    says: str
    changes_if: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    claims: Sequence[str] = ()
    error_rate: float | None = None


@dataclass(frozen=True)
class Check:
    """Hold a check and what it needs.

    ``lacks`` returns what of a log is missing, in words, or None where the check can run. ``finds`` lists the findings
    that it can make.
    """

    name: str
    finds: tuple[str, ...]
    lacks: Callable[[Log], str | None]
    run: Callable[[Log], list[Finding]]


def share(part: float, whole: float) -> float:
    """Return a share; 0 of nothing."""
    return float(part) / float(whole) if whole else 0.0


def percent(value: float) -> str:
    """Return a share as text.

    >>> percent(0.6312), percent(0.0004)
    ('63 %', '0.04 %')
    """
    return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"


def rewards_lacking(log: Log) -> str | None:
    """Say what is missing for a check of groups of rewards."""
    if log.table("reward") is None:
        return "responses with rewards (a dump of rollouts)"
    return None if log.table("reward", grouped=True) else "which responses form a group (an id, or --group-size)"


def correctness_lacking(log: Log) -> str | None:
    """Say what is missing for a check of which responses are right."""
    lacking = rewards_lacking(log)
    if lacking is not None:
        return lacking
    main = log.main
    known = main is not None and main.correct_from is not None
    return None if known else "which responses are right (more than two reward levels: --correct-above, or a column)"


def advantages_lacking(log: Log) -> str | None:
    """Say what is missing for a check of advantages within groups."""
    if log.table("advantage") is None:
        return "the advantage of each response"
    grouped = log.table("advantage", "reward", grouped=True)
    return None if grouped else "rewards beside the advantages, and which responses form a group"
