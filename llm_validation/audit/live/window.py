"""Check the responses of the last steps every N steps, and make metrics of what is found.

Identifying the estimator takes as long as all other checks a hundred times over and its answer does not change: it is
done once, with the first window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.audit.checks.advantages import (
    advantage_equals_reward,
    estimator_mismatch,
    single_sign_mass,
    truncation_mass,
)
from llm_validation.audit.checks.registry import run_checks
from llm_validation.audit.checks.rewards import (
    difficulty,
    groups_of_one,
    phantom_gradient,
    reward_component_dead,
    uniform_groups,
)
from llm_validation.audit.findings.finding import SEVERITIES, Check, Finding
from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.model.table import make_table
from llm_validation.audit.report.report import group_facts, zero_share
from qae_theory.checks import refuse

PREFIX = "audit/"
EVERY = 10
EACH_TIME: Sequence[Check] = (
    groups_of_one.CHECK,
    uniform_groups.CHECK,
    difficulty.TOO_HARD,
    difficulty.TOO_EASY,
    phantom_gradient.CHECK,
    reward_component_dead.CHECK,
    advantage_equals_reward.CHECK,
    single_sign_mass.CHECK,
    truncation_mass.CHECK,
)
ONCE: Sequence[Check] = (estimator_mismatch.CHECK,)


class Window:
    """Keep the batches of the last ``every`` steps, and check them when there are so many."""

    def __init__(self, every: int = EVERY, settings: AuditSettings | None = None) -> None:
        """Open an empty window.

        Args:
            every: after how many batches the checks run.
            settings: of the run, as for ``qae audit``.

        Raises:
            ValueError: ``every`` is not at least 1.
        """
        if every < 1:
            refuse("every", every, "a whole number of at least 1")
        self.every = every
        self.settings = settings or AuditSettings()
        self.findings: Sequence[Finding] = ()
        self._batches: deque[Chunk] = deque(maxlen=every)
        self._since = 0
        self._identified: list[Finding] | None = None

    def add(
        self,
        step: int,
        groups: Sequence[Any],
        rewards: Any,
        advantages: Any = None,
        *,
        components: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> dict[str, float]:
        """Take a batch; returns metrics if it fills the window, else nothing.

        Args:
            step: of the trainer.
            groups: ``[N]``, a name of each response's group.
            rewards: ``[N]``; NaN for a response that could not be scored.
            advantages: ``[N]``.
            components: scores of the reward functions, ``[N]`` each.
            **columns: other columns of the model (``tokens``, ``truncated``, ``correct``), ``[N]`` each.

        Raises:
            ValueError: columns of different lengths or unknown names.
        """
        _, key = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)
        known = {name: column for name, column in {"advantage": advantages, **columns}.items() if column is not None}
        self._batches.append(
            Chunk(
                Path("live"),
                "id",
                np.full(len(key), step, dtype=np.int64),
                np.asarray(rewards, dtype=np.float64),
                key=key.astype(np.uint64),
                columns={name: np.asarray(column, dtype=np.float64) for name, column in known.items()},
                components={name: np.asarray(one, dtype=np.float64) for name, one in (components or {}).items()},
            )
        )
        self._since += 1
        if self._since < self.every:
            return {}
        self._since = 0
        return self._checked()

    def _checked(self) -> dict[str, float]:
        log = Log([make_table("live", list(self._batches), self.settings).responses], settings=self.settings)
        found, _ = run_checks(log, EACH_TIME)
        if self._identified is None and not any(check.lacks(log) for check in ONCE):
            self._identified, _ = run_checks(log, ONCE)
        self.findings = [*found, *(self._identified or [])]
        return metrics_of(log, self.findings)


def metrics_of(log: Log, findings: Sequence[Finding]) -> dict[str, float]:
    """Return metrics: shares of groups and of zeros, and for each check 0, or 1 to 3 for its finding's severity."""
    found = {f"{PREFIX}{name}": 0.0 for check in (*EACH_TIME, *ONCE) for name in check.finds}
    for finding in findings:
        found[f"{PREFIX}{finding.id}"] = 1.0 + SEVERITIES.index(finding.severity)
    groups, zero = group_facts(log), zero_share(log)
    if groups is not None and groups["mixed"] is not None and groups["count"]:
        for name in ("all_wrong", "mixed", "all_right"):
            found[f"{PREFIX}groups/{name}"] = groups[name] / groups["count"]
    if zero is not None:
        found[f"{PREFIX}zero_advantage_share"] = zero[0]
    return found
