"""Define the types of the JSON report; ``python -m llm_validation.audit.report.schema`` writes its schema.

A key with a default is there only where it says something.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "audit-schema.json"
Option = str | float


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Source(_Closed):
    """Describe one file: its format, how many rows were read and how many are used in the audit."""

    path: str
    format: str
    rows: int
    used: int
    note: str | None = None


class StepRange(_Closed):
    """Give the first and the last step and how many there are; null without steps."""

    first: int | None
    last: int | None
    count: int


class GroupCounts(_Closed):
    """Count groups; null where the sizes differ, or where it is not known which responses are right."""

    count: int
    size: int | None
    identity: Literal["id", "block", "prompt", "none"]
    all_wrong: int | None
    all_right: int | None
    mixed: int | None


class Rule(_Closed):
    """Name a candidate: an estimator of the registry and its options."""

    name: str
    options: dict[str, Option]


class Identified(Rule):
    """Say what the logged advantages are; ``name`` is "none" where no candidate fits, and then ``nearest`` is named."""

    max_deviation: float
    equivalents: list[Rule]
    nearest: Rule | None
    precision: str
    groups: int
    left_out: int


class LevelRow(_Closed):
    """Say what GRPO (``k`` null) or QAE at one K would make of the run's groups: shares, and the mean gain."""

    estimator: str
    k: str | None
    zero: float
    positive: float
    negative: float
    hard: float | None
    leaks: float | None
    gain: float


class Quarter(_Closed):
    """Describe a quarter of the responses by length, and its share of the advantages' mass of either sign."""

    quarter: Literal["shortest", "shorter", "longer", "longest"]
    mean_tokens: float
    positive: float
    negative: float


class Mass(_Closed):
    """Give shares of the sum of |A|."""

    advantages: str
    positive: float
    negative: float
    by_length: list[Quarter]
    truncated: float | None = None


class Component(_Closed):
    """Describe a reward function: its mean, where it tells responses apart, its share of the rewards' spread."""

    component: str
    weight: float
    mean: float | None
    tells: float
    within_share: float | None


class ClaimVerdict(_Closed):
    """Name a claim of the ledger and its stored verdict."""

    id: str
    verdict: str


class Try(_Closed):
    """Name something to try, where it comes from, and what the ledger says of it; null where no claim speaks of it."""

    what: str
    source: str
    claim: str | None
    ledger: str | None


class FindingRecord(_Closed):
    """Describe one diagnosis; ``evidence`` has its sentence under ``says``, and its figures by name."""

    id: str
    severity: Literal["info", "warning", "critical"]
    evidence: dict[str, Any]
    changes_if: str
    claims: list[ClaimVerdict]
    error_rate: float | None
    tries: list[Try] = Field(alias="try")


class UncheckedRecord(_Closed):
    """Name a check that could not run, and what it needs."""

    check: str
    needs: str


class RefusalRecord(_Closed):
    """Name a file that is left out, why, and how many groups were found of each size (or steps of each launch)."""

    path: str
    reason: str
    sizes: dict[str, int]


class Level(_Closed):
    """Give a level of success that two runs reach, and step and entropy of each where it first reaches it."""

    success: float
    steps: tuple[int, int]
    entropy: tuple[float, float]


class Differing(_Closed):
    """List the findings of one run, of the other, and of both."""

    only_first: list[str]
    only_second: list[str]
    both: list[str]


class Comparison(_Closed):
    """Compare two runs at equal success."""

    success: tuple[str, str]
    at_success: list[Level]
    entropy_per_success: tuple[float | None, float | None]
    groups: tuple[GroupCounts | None, GroupCounts | None]
    zero_advantage_share: tuple[float | None, float | None]
    findings: Differing


class AuditRecord(_Closed):
    """Describe the whole report."""

    schema_version: Literal[1] = Field(alias="schema")
    sources: list[Source]
    level: Literal["steps", "rewards", "advantages", "log-probs", "token entropies"] | None
    steps: StepRange
    groups: GroupCounts | None
    zero_advantage_share: float | None
    zero_advantage_basis: str | None
    estimator: Identified | None
    settings: dict[str, Any]
    series: dict[str, str]
    by_k: list[LevelRow]
    advantage_mass: Mass | None
    reward_components: list[Component]
    entropy_change: dict[str, str | int | float | None] | None
    findings: list[FindingRecord]
    unchecked: list[UncheckedRecord]
    refused: list[RefusalRecord]
    notes: list[str]
    comparison: Comparison | None = None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the report (draft 2020-12)."""
    made: dict[str, Any] = AuditRecord.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def main() -> None:
    """Write the schema into the documentation."""
    from qae_theory.runs.files import to_json, write_atomically

    write_atomically(SCHEMA_FILE, to_json(schema()))


if __name__ == "__main__":
    main()
