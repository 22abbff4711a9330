"""Tell whether `adam-unsampled` carries over: what K does to entropy in one step, by optimiser and by Adam's eps.

The K-contrast is the mean over prompts of the change under QAE at the largest K less that at the smallest, on the same
rollouts, in nats per response. `adam-unsampled` says of a table of logits that Adam carries the contrast on logits
that are hardly ever sampled, and that it fades as Adam's eps passes the gradient's scale. A step of another size has
another contrast, so that ``share`` divides by the mean size of the two changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.common.resampling import Resampling, cluster_sums, codes_of, interval, resampled_totals
from llm_validation.common.tables import Table, need
from llm_validation.study.analysis.ladder import groups
from llm_validation.study.analysis.pairs import Pair, matched
from qae_theory.arrays import Array

MEASURES = ("change", "sampled", "first_order")  # measured, and what two rungs say of it


def k_contrasts(table: Table, how: Resampling) -> list[dict[str, Any]]:
    """Return one record for each task and setting; none where QAE has fewer than two K.

    Args:
        table: the probes table.
        how: resamples and level.

    Returns:
        ``contrast`` of each of ``MEASURES``, in nats per response, and ``share``, the measured one over the mean size
        of the two changes; each with its interval over probes.

    Raises:
        ValueError: a column is missing.
    """
    need(table, MEASURES)
    records = []
    for task, setting, group in groups(table):
        extremes = _extremes(group["arm"])
        if extremes is not None:
            records.append({"task": task, "setting": setting, **_facts(group), **_record(group, extremes, how)})
    return records


def _extremes(arms: Array) -> Pair | None:
    """Return the pair of QAE at its largest and its smallest K; None where there are fewer than two K."""
    levels = sorted({arm.partition("-")[2] for arm in arms.tolist() if arm.startswith("qae-")}, key=float)
    return Pair(f"qae-{levels[-1]}", f"qae-{levels[0]}", levels[-1], True) if len(levels) > 1 else None


def _facts(group: Table) -> dict[str, Any]:
    """Return what tells a setting from others, in JSON's types."""
    eps = float(group["adam_eps"][0])
    return {
        "optimiser": str(group["optimiser"][0]),
        "adam_eps": None if np.isnan(eps) else eps,
        "updates": int(group["updates"][0]),
        "clipped": bool(group["clipped"][0]),
    }


def _record(group: Table, pair: Pair, how: Resampling) -> dict[str, Any]:
    """Return the figures of one task and setting with their intervals."""
    largest, smallest = matched(group, [pair])[pair]
    codes, clusters = codes_of(group["probe"])
    size = (np.abs(group["change"][largest]) + np.abs(group["change"][smallest])) / 2
    differences = [group[name][largest] - group[name][smallest] for name in MEASURES]
    columns = [np.ones(len(largest)), *differences, size]
    # One step moves all prompts of a probe, which are therefore resampled together.
    sums = cluster_sums(codes[largest], clusters, np.stack(columns, axis=1))
    totals, resampled = sums.sum(axis=0), resampled_totals(sums, how)
    figures = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, name in enumerate(MEASURES, start=1):
            means = resampled[:, i] / resampled[:, 0]
            figures[name] = interval(totals[i] / totals[0], means, clusters, how.level)
        share = interval(totals[1] / totals[-1], resampled[:, 1] / resampled[:, -1], clusters, how.level)
    return {"pair": pair.name, "contrast": figures, "share": share, "rows": len(largest), "probes": clusters}
