"""Tell how much of the measured change of entropy each term of the chain rule carries, and what moves unsampled.

``frozen`` is what a step does to the distributions at contexts that stay as likely as they were, ``visiting`` what it
does to how often contexts are visited. Where responses are listed both are exact and add up to the change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.common.resampling import Resampling, cluster_sums, codes_of, interval, resampled_totals
from llm_validation.common.tables import Table
from llm_validation.study.analysis.ladder import FLOOR, groups
from qae_theory.arrays import Array

SAMPLED = "contexts of sampled responses, frozen"


def chain_records(table: Table, how: Resampling) -> list[dict[str, Any]]:
    """Return one record for each substrate and setting.

    Args:
        table: the probes table.
        how: resamples and level.

    Returns:
        ``functional``; ``frozen_share``: mean size of the frozen term over the mean size of both; ``same_sign``: the
        share of rows where the frozen term alone has the sign of both together; ``error``: the largest difference of
        frozen plus visiting from the measured change, None where terms are estimated; ``unsampled_share``: probability
        that was moved on tokens never sampled over all that was moved. Intervals are over probes.
    """
    if "frozen" not in table:
        return []
    return [
        {"substrate": substrate, "setting": setting, **_record(group, how)}
        for substrate, setting, group in groups(table)
    ]


def _record(group: Table, how: Resampling) -> dict[str, Any]:
    """Return the shares of one substrate and setting with their intervals."""
    frozen, visiting = group["frozen"], group["visiting"]
    whole = frozen + visiting
    exact = group["functional"][0] != SAMPLED
    has_sign = np.abs(whole) > FLOOR
    # Numerator and denominator of each share, side by side.
    columns = [
        *(np.abs(frozen), np.abs(frozen) + np.abs(visiting)),
        *(has_sign & (np.sign(frozen) == np.sign(whole)), has_sign),
        *(group["moved_unsampled"], group["moved"]),
    ]
    codes, clusters = codes_of(group["probe"])
    sums = cluster_sums(codes, clusters, np.nan_to_num(np.stack(columns, axis=1).astype(np.float64)))
    totals, resampled = sums.sum(axis=0), resampled_totals(sums, how)
    shares = {}
    for column, name in ((0, "frozen_share"), (2, "same_sign"), (4, "unsampled_share")):
        shares[name] = interval(_ratio(totals, column), _ratio(resampled, column), clusters, how.level)
    return {
        "functional": str(group["functional"][0]),
        **shares,
        "error": float(np.abs(whole - group["change"]).max()) if exact else None,
        "open_mass": float(np.nanmax(group["open_mass"])) if exact else None,
        "rows": len(frozen),
        "probes": clusters,
    }


def _ratio(totals: Array, column: int) -> Any:
    """Return a column over the next one; a number for one row of totals, an array for resampled ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = totals[..., column] / totals[..., column + 1]
    return float(ratio) if np.ndim(ratio) == 0 else ratio
