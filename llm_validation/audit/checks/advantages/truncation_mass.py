"""Weigh how much of the advantages' mass lies on responses that were cut off at the limit on length.

A response that is cut off is wrong for its length. Where only the share of cut-off responses is logged, that is judged.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.estimator.made import advantages_of
from llm_validation.audit.findings.finding import Check, Finding, percent, share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses
from qae_theory.arrays import Array

LEAST, MUCH = 0.1, 0.25  # of the mass
FEW = 0.05  # of the responses: below it their mass is no pattern
LEAST_LOGGED, MUCH_LOGGED = 0.1, 0.3  # of the responses, where only that is logged
_CLAIMS = ("gate-nonbinary", "sampled-sign-law")
_CHANGES = "a longer limit, an overlong penalty that is soft, or cut-off responses masked out of the loss"


def truncated_of(log: Log, table: Responses) -> Array | None:
    """Return which responses were cut off, ``[N]`` of bool; None where neither the log nor the limit says it."""
    column = table.column("truncated")
    if np.isfinite(column).any():
        return np.nan_to_num(column) > 0.5
    tokens, limit = table.column("tokens"), log.settings.max_tokens
    if limit is None or not np.isfinite(tokens).any():
        return None
    return np.nan_to_num(tokens) >= limit


def _table(log: Log) -> tuple[Responses, Array] | None:
    for table in (log.table("reward", grouped=True), log.table("advantage")):
        cut = None if table is None else truncated_of(log, table)
        if table is not None and cut is not None:
            return table, cut
    return None


def _lacking(log: Log) -> str | None:
    if _table(log) is not None or log.steps.series("truncated_share") is not None:
        return None
    return "which responses were cut off (finish_reason, or lengths and --set max_tokens=N)"


def run(log: Log) -> list[Finding]:
    """Return a finding where cut-off responses hold at least a tenth of the mass."""
    found = _table(log)
    if found is None:
        return _from_steps(log)
    table, cut = found
    values = advantages_of(log, table).values
    of_responses = float(cut.mean())
    mass = np.abs(values)
    part, negative = share(mass[cut].sum(), mass.sum()), share(mass[cut & (values < 0)].sum(), mass[values < 0].sum())
    if of_responses < FEW or part < LEAST:
        return []
    return [
        Finding(
            "truncation-mass",
            "critical" if part >= MUCH else "warning",
            f"{percent(of_responses)} of the responses were cut off; they hold {percent(part)} of the advantages' mass "
            f"and {percent(negative)} of the negative mass",
            _CHANGES,
            {"responses_share": of_responses, "mass_share": part, "negative_mass_share": negative},
            _CLAIMS,
        )
    ]


def _from_steps(log: Log) -> list[Finding]:
    """Judge the logged share of cut-off responses over the last quarter of the run."""
    series = log.steps.series("truncated_share")
    known = np.zeros(0) if series is None else series[np.isfinite(series)]
    if not len(known):
        return []
    late = float(known[-max(1, len(known) // 4) :].mean())
    if late < LEAST_LOGGED:
        return []
    name = log.steps.name_of("truncated_share")
    return [
        Finding(
            "truncation-mass",
            "critical" if late >= MUCH_LOGGED else "warning",
            f"{percent(late)} of the responses were cut off in the last quarter of the steps ({name})",
            _CHANGES,
            {"responses_share": late, "metric": name},
            _CLAIMS,
        )
    ]


CHECK = Check("truncation-mass", ("truncation-mass",), _lacking, run)
