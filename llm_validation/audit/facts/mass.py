"""Compute where the advantages' mass lies: by sign, by length, on cut-off responses."""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.audit.checks.advantages.truncation_mass import truncated_of
from llm_validation.audit.estimator.made import advantages_of
from llm_validation.audit.findings.finding import share
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses
from qae_theory.arrays import Array

QUARTERS = ("shortest", "shorter", "longer", "longest")


def table(log: Log) -> dict[str, Any] | None:
    """Return shares of the mass, the sum of |A|; None where there are neither advantages nor groups."""
    main = log.table("advantage", "reward", grouped=True) or log.table("reward", grouped=True) or log.table("advantage")
    if main is None:
        return None
    values, source = advantages_of(log, main)
    total = float(np.abs(values).sum())
    found: dict[str, Any] = {
        "advantages": source,
        "positive": share(values[values > 0].sum(), total),
        "negative": share(np.abs(values[values < 0]).sum(), total),
        "by_length": _by_length(main, values),
    }
    cut = truncated_of(log, main)
    if cut is not None:
        found["truncated"] = share(np.abs(values[cut]).sum(), total)
    return found


def _by_length(table: Responses, values: Array) -> list[dict[str, Any]]:
    """Return for each quarter of the responses by length its share of the mass of either sign.

    Responses of equal length are in one quarter, so that a quarter may be empty; such a one is left out.
    """
    tokens = table.column("tokens")
    there = np.isfinite(tokens)
    if there.sum() < len(QUARTERS):
        return []
    edges = np.quantile(tokens[there], (0.25, 0.5, 0.75))
    quarter = np.searchsorted(edges, tokens, side="left")
    total = float(np.abs(values[there]).sum())
    rows = []
    for number, name in enumerate(QUARTERS):
        chosen = there & (quarter == number)
        if not chosen.any():
            continue
        mean = float(tokens[chosen].mean())
        positive = share(values[chosen & (values > 0)].sum(), total)
        negative = share(np.abs(values[chosen & (values < 0)]).sum(), total)
        rows.append({"quarter": name, "mean_tokens": mean, "positive": positive, "negative": negative})
    return rows
