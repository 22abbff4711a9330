"""Read the records of `length`: closed form against enumeration, the token mean's decay, lengths after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval, proportion_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.common.columns import run_labels, seed_values
from simulators.experiments.common.shares import in_records, read_statements

# The enumerated update sums at most a few thousand products of size 1, each off by some 1e-16, and the closed form
# divides by a gain that may be as small as 1e-3.
EXACT = 1e-10
# E[1/sum L] = (1/(N mu)) (1 + var/(N mu^2) + ...): from N = 32 on the local slope is within 1/16 of -1 where
# var <= 2 mu^2.
SLOPE_TOLERANCE = 0.1
STATED = 4  # the number of intervals that the statements rest on: two slopes and two differences of length
UPDATE = ("world", "aggregation", "rule")  # what tells enumerated updates apart
RUN = ("aggregation", "rule")  # what tells training runs apart


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Return all figures, each with its interval, and the statements.

    Half of the error rate belongs to the statements and half to the tables, so that both hold together with the
    configuration's level.

    Args:
        config: for the level of the intervals.
        records: of all three parts.
    """
    exact, decay, trained = (_of_part(records, part) for part in ("exact", "decay", "train"))
    half = (1 + config.level) / 2
    of_statements = bonferroni(half, STATED)
    of_tables = bonferroni(half, len(run_labels(exact, *UPDATE)) + 3 * len(run_labels(trained, *RUN)))
    slopes = []
    for labels in run_labels(decay, "world", "aggregation"):
        slopes.append({**labels, **decay_slope(decay, **labels, level=of_statements).record()})
    return {
        "level_of_statements": of_statements,
        "level_of_tables": of_tables,
        "exact": exact_errors(exact),
        "first_order": first_order_lengths(exact, of_tables),
        "decay": slopes,
        "trained": trained_lengths(trained, of_tables),
        "statements": in_records(_statements(exact, decay, trained, level=of_statements)),
    }


def _of_part(records: Sequence[Record], part: str) -> list[Record]:
    return [record for record in records if record["part"] == part]


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements that an analysis holds."""
    return read_statements(analysis)


def exact_errors(exact: Sequence[Record]) -> dict[str, float | int]:
    """Return the largest error of the closed form, that of the control, and how many updates were compared."""
    compared = [record for record in exact if record["error"] is not None]
    return {
        "largest_error": max(record["error"] for record in compared),
        "largest_control_error": max(record["control_error"] for record in compared),
        "updates": len(compared),
    }


def decay_slope(decay: Sequence[Record], world: str, aggregation: str, *, level: float) -> Interval:
    """Return the slope of log |term| against log(responses sharing the normaliser), fitted for each seed.

    Args:
        decay: records of the part ``decay``.
        world: ``bandit`` or ``tree``.
        aggregation: ``token_mean``, or ``sequence_mean`` for the control.
        level: of the interval over seeds.
    """
    of_run = [record for record in decay if record["world"] == world and record["aggregation"] == aggregation]
    slopes = []
    for seed in sorted({record["seed"] for record in of_run}):
        of_seed = [record for record in of_run if record["seed"] == seed]
        sharing, sizes = [record["sharing"] for record in of_seed], [record["size"] for record in of_seed]
        slope, _ = np.polyfit(np.log(sharing), np.log(sizes), 1)
        slopes.append(slope)
    return mean_interval(np.array(slopes), level=level)


def first_order_lengths(exact: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """Return the exact change of E|o| per unit step less that of b = 0, and the share of seeds in which it is more."""
    lengths = []
    for labels in run_labels(exact, *UPDATE):
        zero_baseline = seed_values(exact, "slope", **{**labels, "rule": "b=0"})
        over = seed_values(exact, "slope", **labels) - zero_baseline
        over[np.abs(over) <= EXACT] = 0.0  # rounding must not count as a longer response
        share = proportion_interval(int((over > 0).sum()), len(over), level=level)
        over_zero = mean_interval(over, level=level)
        lengths.append({**labels, "over_b=0": over_zero.record(), "longer": share.record()})
    return lengths


def trained_lengths(trained: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """Return E|o| and success at the end of each run, and E|o| less that of the run with b = 0.

    The two runs have the same aggregation. They are compared at the end, and at equal gain of success where at least
    two seeds get so far in both.
    """
    lengths = []
    for labels in run_labels(trained, *RUN):
        zero = {**labels, "rule": "b=0"}
        length = seed_values(trained, "length", **labels)
        over_zero = length - seed_values(trained, "length", **zero)
        at_gain = _paired(trained, "length_at_gain", labels, other=zero)
        lengths.append(
            {
                **labels,
                "length": mean_interval(length, level=level).record(),
                "over_b=0": mean_interval(over_zero, level=level).record(),
                "over_b=0_at_gain": mean_interval(at_gain, level=level).record() if len(at_gain) > 1 else None,
                "success": mean_interval(seed_values(trained, "success", **labels), level=level).record(),
            }
        )
    return lengths


def lengthening(trained: Sequence[Record], low: str, high: str, *, level: float) -> dict[str, Interval]:
    """Return how much longer responses get under rule ``high`` than under ``low``, with the sequence mean.

    The differences of E|o| are paired by seed, at the end and at equal gain of success; one that fewer than two seeds
    have is left out.
    """
    run_high = {"aggregation": "sequence_mean", "rule": high}
    run_low = {"aggregation": "sequence_mean", "rule": low}
    differences = {}
    for figure in ("length", "length_at_gain"):
        paired = _paired(trained, figure, run_high, other=run_low)
        if len(paired) > 1:
            differences[figure] = mean_interval(paired, level=level)
    return differences


def _statements(
    exact: Sequence[Record], decay: Sequence[Record], trained: Sequence[Record], *, level: float
) -> list[Statement]:
    """Return the statements about the closed form, the token mean's decay, and longer responses."""
    worlds = ("bandit", "tree")
    shared = [decay_slope(decay, world, "token_mean", level=level) for world in worlds]
    unshared = [decay_slope(decay, world, "sequence_mean", level=level) for world in worlds]
    return [
        _closed_form_statement(exact_errors(exact)),
        _decay_statement(shared, unshared),
        _lengthening_statement(
            longer=lengthening(trained, "b=0", "b=1", level=level),
            mirrored=lengthening(trained, "b=1", "b=0", level=level),
        ),
    ]


def _closed_form_statement(errors: Mapping[str, float | int]) -> Statement:
    """Return the statement that the closed form of the baseline's term is the enumerated one."""
    return Statement(
        says="the baseline's exact first-order term in the update is -b grad E[1/|o|] under the sequence mean, "
        "-b Q grad E[1/sum L] under the token mean of Q queries, and none under the token sum",
        found=errors["largest_error"] <= EXACT,
        detail=f"largest error {errors['largest_error']:.1e} over {errors['updates']} updates",
        planted="1 - b for b in the closed form",
        control_found=errors["largest_control_error"] <= EXACT,
        control_detail=f"largest error {errors['largest_control_error']:.1e}",
    )


def _decay_statement(shared: Sequence[Interval], unshared: Sequence[Interval]) -> Statement:
    """Return the statement that the token mean's term falls as one over the responses that share the normaliser."""
    return Statement(
        says="the token mean's term falls as 1/(responses sharing the normaliser)",
        found=all(_is_near_minus_one(slope) for slope in shared),
        detail="; ".join(map(str, shared)),
        planted="the sequence mean's term, which nothing shares",
        control_found=any(_is_near_minus_one(slope) for slope in unshared),
        control_detail="; ".join(map(str, unshared)),
    )


def _lengthening_statement(*, longer: Mapping[str, Interval], mirrored: Mapping[str, Interval]) -> Statement:
    """Return the statement that a baseline of 1 makes longer responses than a baseline of 0."""
    return Statement(
        says="under the sequence mean a baseline of 1 makes longer responses than a baseline of 0, at the end and "
        "at equal gain of success",
        found=len(longer) == 2 and all(difference.low > 0 for difference in longer.values()),
        detail="; ".join(map(str, longer.values())),
        planted="the two runs exchanged",
        control_found=any(difference.low > 0 for difference in mirrored.values()),
        control_detail="; ".join(map(str, mirrored.values())),
    )


def _is_near_minus_one(slope: Interval) -> bool:
    return max(abs(slope.low + 1), abs(slope.high + 1)) <= SLOPE_TOLERANCE


def _paired(records: Sequence[Record], figure: str, run: Mapping[str, Any], *, other: Mapping[str, Any]) -> Array:
    """Return the figure of one run less that of another, for the seeds that have both."""
    difference = seed_values(records, figure, **run) - seed_values(records, figure, **other)
    return difference[~np.isnan(difference)]
