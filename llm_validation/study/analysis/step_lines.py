"""Make the lines about one step: whether the identity predicts the measured change, and whether the order holds.

There is one line of each for each setting of SGD without clipping, by step size, on the plain arms r - b.
`ladder-qwen3` is the rank correlation of the identity's prediction with the measured change. `ordering-qwen3` is the
rate at which the order of Prop. 4.2 holds on mixed groups, less one half, which is a coin's. A substrate counts only
where the network's own second order predicts the change at the smallest size: the positive control of the ladder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llm_validation.common.tables import Table, select
from llm_validation.study.analysis.ladder import FLOOR, groups, rung_rows
from llm_validation.study.analysis.ordering import outcomes
from llm_validation.study.analysis.pairs import matched, pairs
from llm_validation.study.analysis.robust import median_relative_error, rank_correlation
from qae_theory.arrays import Array
from qae_theory.curves.outcomes import Line, line

RANK, ERROR = 0.95, 0.1  # rank correlation and median error that the second order must reach at the smallest size
LADDER, ORDERING = "ladder-qwen3", "ordering-qwen3"
SMALLEST = {LADDER: 0.3, ORDERING: 0.1}  # the smallest effects of interest, fixed before the runs
SAYS = {
    LADDER: "the identity's prediction has a rank correlation above .3 with the measured one-step change",
    ORDERING: "the order of Prop. 4.2 holds on mixed groups in more than .6 of the comparisons",
}


def step_lines(probes: Table, *, scale: float = 1.0, level: float = 0.95) -> tuple[list[Line], list[dict[str, Any]]]:
    """Return the lines, and what the positive control found in each setting that is out.

    The effect of a cluster is that of one probe, so that n counts probes.

    Args:
        probes: the probes table.
        scale: factor of the smallest effects of interest.
        level: confidence level of the intervals.
    """
    lines: list[Line] = []
    out: list[dict[str, Any]] = []
    controls: dict[str, dict[str, Any]] = {}
    for substrate, setting, plain in plain_sgd(probes):
        control = controls.setdefault(substrate, positive_control(plain))  # the smallest size comes first
        condition = f"{substrate}/{_name(plain)}"
        if not control["usable"]:
            out.append({"claim": LADDER, "condition": condition, "setting": setting, **control})
            continue
        for claim, effects in ((LADDER, _ranks(plain)), (ORDERING, _rates(plain))):
            sample = np.array(list(effects))
            lines.append(
                line(
                    sample,
                    SMALLEST[claim] * scale,
                    claim=claim,
                    condition=condition,
                    says=SAYS[claim],
                    unit="rank correlation" if claim == LADDER else "rate less one half",
                    level=level,
                )
            )
    return lines, out


def plain_sgd(probes: Table) -> Iterator[tuple[str, str, dict[str, Array]]]:
    """Yield substrate, setting and plain rows of each setting of SGD without clipping, by substrate and size."""
    listed = []
    for substrate, setting, group in groups(probes):
        plain = select(group, scaled=False)
        if _is_plain_sgd(plain):
            listed.append((substrate, _size(plain), setting, plain))
    for substrate, _, setting, plain in sorted(listed, key=lambda entry: entry[:2]):
        yield substrate, setting, plain


def positive_control(rows: Table) -> dict[str, Any]:
    """Return how well the network's second order predicts, and whether the setting can be used."""
    predicted, measured = rung_rows(rows, "second_order")[:2]
    rank, error = rank_correlation(predicted, measured), median_relative_error(predicted, measured)
    return {"rank": rank, "median_relative_error": error, "usable": bool(rank >= RANK and error <= ERROR)}


def _is_plain_sgd(rows: Table) -> bool:
    """Return whether rows are of one update of SGD without clipping and with no channel taken out."""
    if not len(rows["change"]):
        return False
    held = bool(rows["hold_unsampled"][0]) if "hold_unsampled" in rows else False
    return rows["optimiser"][0] == "sgd" and rows["updates"][0] == 1 and not rows["clipped"][0] and not held


def _size(rows: Table) -> float:
    """Return the size of a setting; 0 where it has a learning rate instead."""
    return float(np.nan_to_num(rows["size"][0])) if "size" in rows else 0.0


def _name(rows: Table) -> str:
    """Return the condition of a setting in the form that ids of lines have."""
    size = _size(rows)
    return f"sgd-1update-size{size:g}" if size else "sgd-1update"


def _by_probe(rows: Table) -> Iterator[dict[str, Array]]:
    """Yield the rows of each probe."""
    for probe in np.unique(rows["probe"]):
        yield select(rows, probe=str(probe))


def _ranks(rows: Table) -> Iterator[float]:
    """Yield, for each probe, the rank correlation of the identity's prediction with the measured change."""
    for probe in _by_probe(rows):
        yield rank_correlation(probe["identity"], probe["change"])


def _rates(rows: Table) -> Iterator[float]:
    """Yield, for each probe, the rate at which the order holds over all pairs and both regimes, less one half."""
    for probe in _by_probe(rows):
        listed = [pair for pair in pairs(probe["arm"]) if not pair.scaled]
        counts = np.zeros(2)
        matches = matched(probe, listed)
        for pair in listed:
            kinds, _, degenerate = outcomes(probe, pair, matches[pair], "group", FLOOR)
            counts += kinds[~degenerate][:, :2].sum(axis=0)
        yield counts[0] / counts.sum() - 0.5 if counts.sum() else float("nan")
