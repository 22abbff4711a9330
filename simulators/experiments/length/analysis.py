"""What the records of `length` say: closed form against enumeration, the token mean's decay, lengths after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval, proportion_interval
from simulators.experiments.base import Config, Record

# Sums of at most a few thousand products of size 1, each off by some 1e-16, and a quotient by a gain that may be 1e-3.
EXACT = 1e-10
# E[1/sum L] = (1/(N mu)) (1 + var/(N mu^2) + ...): from N = 32 on the local slope is
# within 1/16 of -1 where var <= 2 mu^2.
SLOPE_TOLERANCE = 0.1
STATED = 4  # intervals that the statements rest on
RUN = ("aggregation", "rule")


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """All figures, each with its interval, and the statements."""
    exact, decay, trained = ([row for row in records if row["part"] == part] for part in ("exact", "decay", "train"))
    half = (1 + config.level) / 2  # of the error rate: one half for the statements, one for the tables
    told = bonferroni(half, STATED)
    tabled = bonferroni(half, len(_keys(exact, "world", "aggregation", "rule")) + 3 * len(_keys(trained, *RUN)))
    return {
        "level_of_statements": told,
        "level_of_tables": tabled,
        "exact": exact_errors(exact),
        "first_order": first_order_lengths(exact, tabled),
        "decay": [
            {"world": world, "aggregation": name, **decay_slope(decay, world, name, told).record()}
            for world, name in _keys(decay, "world", "aggregation")
        ],
        "trained": trained_lengths(trained, tabled),
        "statements": [asdict(s) for s in _statements(exact, decay, trained, told)],
    }


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements that an analysis holds."""
    return [Statement(**s) for s in analysis["statements"]]


def exact_errors(exact: Sequence[Record]) -> dict[str, float | int]:
    """Largest error of the closed form, of the control's, and how many updates were compared."""
    compared = [row for row in exact if row["error"] is not None]
    return {
        "largest_error": max(row["error"] for row in compared),
        "largest_control_error": max(row["control_error"] for row in compared),
        "updates": len(compared),
    }


def decay_slope(decay: Sequence[Record], world: str, aggregation: str, level: float) -> Interval:
    """Slope of log |term| against log(responses sharing the normaliser), least squares for each seed."""
    rows = [row for row in decay if row["world"] == world and row["aggregation"] == aggregation]
    seeds = sorted({row["seed"] for row in rows})
    fits = []
    for seed in seeds:
        mine = [row for row in rows if row["seed"] == seed]
        fits.append(np.polyfit(np.log([row["sharing"] for row in mine]), np.log([row["size"] for row in mine]), 1)[0])
    return mean_interval(np.array(fits), level=level)


def first_order_lengths(exact: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """Exact change of E|o| per unit step less that of b = 0, and the share of seeds in which it is more."""
    found = []
    for labels, slopes in _groups(exact, "slope", "world", "aggregation", "rule"):
        over = slopes - _column(exact, "slope", **{**labels, "rule": "b=0"})
        over[np.abs(over) <= EXACT] = 0.0
        share = proportion_interval(int((over > 0).sum()), len(over), level=level)
        found.append({**labels, "over_b=0": mean_interval(over, level=level).record(), "longer": share.record()})
    return found


def trained_lengths(trained: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """E|o| and success at the end of each run, and E|o| less that of the same aggregation's run with b = 0."""
    found = []
    for labels, lengths in _groups(trained, "length", *RUN):
        zero = {**labels, "rule": "b=0"}
        at_equal_gain = _pairs(_column(trained, "length_at_gain", **labels), _column(trained, "length_at_gain", **zero))
        found.append(
            {
                **labels,
                "length": mean_interval(lengths, level=level).record(),
                "over_b=0": mean_interval(lengths - _column(trained, "length", **zero), level=level).record(),
                "over_b=0_at_gain": mean_interval(at_equal_gain, level=level).record()
                if len(at_equal_gain) > 1
                else None,
                "success": mean_interval(_column(trained, "success", **labels), level=level).record(),
            }
        )
    return found


def lengthening(trained: Sequence[Record], low: str, high: str, level: float) -> dict[str, Interval]:
    """Paired difference of E|o| under the sequence mean, rule ``high`` less ``low``: at the end, at equal gain."""
    runs = [{"aggregation": "sequence_mean", "rule": rule} for rule in (high, low)]
    found = {}
    for value in ("length", "length_at_gain"):
        pairs = _pairs(*(_column(trained, value, **run) for run in runs))
        if len(pairs) > 1:
            found[value] = mean_interval(pairs, level=level)
    return found


def _statements(
    exact: Sequence[Record], decay: Sequence[Record], trained: Sequence[Record], level: float
) -> list[Statement]:
    errors = exact_errors(exact)
    slopes = [decay_slope(decay, world, "token_mean", level) for world in ("bandit", "tree")]
    flat = [decay_slope(decay, world, "sequence_mean", level) for world in ("bandit", "tree")]
    longer, mirrored = (lengthening(trained, *pair, level) for pair in (("b=0", "b=1"), ("b=1", "b=0")))
    return [
        Statement(
            says="the baseline's exact first-order term in the update is -b grad E[1/|o|] under the sequence mean, "
            "-b Q grad E[1/sum L] under the token mean of Q queries, and none under the token sum",
            found=errors["largest_error"] <= EXACT,
            detail=f"largest error {errors['largest_error']:.1e} over {errors['updates']} updates",
            planted="1 - b for b in the closed form",
            control_found=errors["largest_control_error"] <= EXACT,
            control_detail=f"largest error {errors['largest_control_error']:.1e}",
        ),
        Statement(
            says="the token mean's term falls as 1/(responses sharing the normaliser)",
            found=all(_near_minus_one(x) for x in slopes),
            detail="; ".join(map(str, slopes)),
            planted="the sequence mean's term, which nothing shares",
            control_found=any(_near_minus_one(x) for x in flat),
            control_detail="; ".join(map(str, flat)),
        ),
        Statement(
            says="under the sequence mean a baseline of 1 makes longer responses than a baseline of 0, at the end and "
            "at equal gain of success",
            found=len(longer) == 2 and all(x.low > 0 for x in longer.values()),
            detail="; ".join(map(str, longer.values())),
            planted="the two runs exchanged",
            control_found=any(x.low > 0 for x in mirrored.values()),
            control_detail="; ".join(map(str, mirrored.values())),
        ),
    ]


def _near_minus_one(slope: Interval) -> bool:
    return max(abs(slope.low + 1), abs(slope.high + 1)) <= SLOPE_TOLERANCE


def _keys(records: Sequence[Record], *names: str) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(tuple(row[name] for name in names) for row in records))


def _groups(records: Sequence[Record], value: str, *names: str) -> list[tuple[dict[str, Any], Array]]:
    labels = [dict(zip(names, key, strict=True)) for key in _keys(records, *names)]
    return [(chosen, _column(records, value, **chosen)) for chosen in labels]


def _column(records: Sequence[Record], value: str, **labels: Any) -> Array:
    """One number a seed, in the seeds' order."""
    rows = [row for row in records if all(row[name] == wanted for name, wanted in labels.items())]
    ordered = sorted(rows, key=lambda row: row["seed"])
    return np.array([np.nan if row[value] is None else row[value] for row in ordered])


def _pairs(one: Array, other: Array) -> Array:
    """``one - other`` where a seed has both."""
    difference = one - other
    return difference[~np.isnan(difference)]
