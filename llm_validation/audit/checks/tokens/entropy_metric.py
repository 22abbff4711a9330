"""Compare the logged entropy with that of the dumped tokens, where both are means over all tokens.

Only for a run whose aggregation is known to be a mean over tokens: another mean of the same numbers is no error.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import mean_by_step

TOKEN_MEAN = "token-mean"
RELATIVE = 1e-2  # float32 sums over a batch leave far less


def _lacking(log: Log) -> str | None:
    if log.table("entropy_before", "tokens") is None:
        return "entropies of the tokens of each response"
    if log.steps.series("entropy") is None:
        return "the entropy that the trainer logs"
    known = log.settings.aggregation == TOKEN_MEAN
    return None if known else "how the trainer averages the entropy (--set aggregation='\"token-mean\"')"


def run(log: Log) -> list[Finding]:
    """Return a finding where the logged entropy is not that of the dumped tokens."""
    table = log.table("entropy_before", "tokens")
    names = [name for name in ("actor/entropy", "entropy") if name in log.steps.metrics]
    if table is None or not names:
        return []
    steps, mine = mean_by_step(table, "entropy_before", over="tokens")
    shared, there, here = np.intersect1d(log.steps.step, steps, return_indices=True)
    logged, mine = log.steps.metrics[names[0]][there], mine[here]
    off = np.abs(logged - mine) > RELATIVE * np.maximum(np.abs(logged), np.abs(mine))
    if not off.any():
        return []
    worst = int(np.nanargmax(np.where(off, np.abs(logged - mine), 0)))
    return [
        Finding(
            "entropy-metric",
            "warning",
            f"{names[0]} is not the mean over the dumped tokens in {int(off.sum())} of {len(shared)} steps: at step "
            f"{int(shared[worst])} logged {logged[worst]:.4g}, from the tokens {mine[worst]:.4g}",
            "the metric averages over all tokens that count, and over those alone",
            {"metric": names[0], "steps": int(off.sum()), "of": len(shared)},
            (),
        )
    ]


CHECK = Check("entropy-metric", ("entropy-metric",), _lacking, run)
