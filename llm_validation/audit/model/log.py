"""Hold everything that the files of a run say: it is what the checks are functions of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_validation.audit.model.refusal import Refusal
from llm_validation.audit.model.responses import Responses
from llm_validation.audit.model.series import NO_STEPS, Steps
from llm_validation.audit.model.settings import AuditSettings

LEVELS = ("steps", "rewards", "advantages", "log-probs", "token entropies")


@dataclass(frozen=True)
class Source:
    """Name one file and its part in the audit."""

    path: Path
    format: str
    rows: int
    used: int
    note: str | None = None

    def record(self) -> dict[str, Any]:
        """Return it in JSON's types; ``used`` counts rows."""
        noted = {} if self.note is None else {"note": self.note}
        return {"path": str(self.path), "format": self.format, "rows": self.rows, "used": self.used, **noted}


@dataclass(frozen=True, eq=False)
class Log:
    """Hold a run as its logs tell it.

    ``tables`` are the responses, a table a format; formats of one run may complement one another (rewards in one, token
    entropies in another).
    """

    tables: Sequence[Responses] = ()
    steps: Steps = NO_STEPS
    settings: AuditSettings = field(default_factory=AuditSettings)
    sources: Sequence[Source] = ()
    refusals: Sequence[Refusal] = ()
    notes: Sequence[str] = ()

    def table(self, *columns: str, grouped: bool = False) -> Responses | None:
        """Return the responses that have these columns: training before evaluation, then the most rows.

        Args:
            columns: names that must hold a number at least once.
            grouped: whether it must be known which responses form a group.
        """
        fits = [one for one in self.tables if len(one) and one.has(*columns) and (one.grouped or not grouped)]
        return max(fits, key=lambda one: (one.role == "training", len(one)), default=None)

    @property
    def main(self) -> Responses | None:
        """Return the table that groups are counted in: the one with most grouped responses, else any."""
        return self.table("reward", grouped=True) or self.table("reward") or self.table()

    @property
    def level(self) -> str | None:
        """Return how far the logs go; None where they hold nothing."""
        if self.table("entropy_before") is not None:
            return LEVELS[4]
        if self.table("logp_distance") is not None or self.table("logp_train", "logp_rollout") is not None:
            return LEVELS[3]
        if self.table("advantage") is not None:
            return LEVELS[2]
        if self.table("reward") is not None:
            return LEVELS[1]
        return LEVELS[0] if len(self.steps) else None
