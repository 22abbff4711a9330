"""Read the records of `steered-k`: what held, where the loop began to oscillate, and where groups went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record
from simulators.experiments.common.columns import seed_columns
from simulators.experiments.common.shares import grouped, in_records, seed_share
from simulators.methods.steered.stability import largest_stable_gain

HELD = ("in_band", "in_band_free", "distance", "drift", "at_bound", "success_gain")
NEAR = 2.0  # a measured boundary within this factor of the predicted one counts as predicted
STEERED, OPEN_LOOP = "steered", "loop with both gains at 0"


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Return figures of the arms with intervals that hold together, boundaries by delay, the routing, and statements.

    Args:
        config: a ``SteeredKConfig``.
        records: of all cells.
    """
    holds = hold_figures(of_part(records, "hold"), config)
    edges = boundaries(of_part(records, "boundary"), config.factors)
    routes = of_part(records, "routing")
    statements = [*hold_statements(holds, config), *boundary_statements(edges), *routing_statements(routes)]
    return {
        "level": config.level,
        "hold": {
            condition: {arm: hold_record(figures) for arm, figures in by_arm.items()}
            for condition, by_arm in holds.items()
        },
        "boundary": edges,
        "routing": routes,
        "statements": in_records(statements),
    }


def hold_record(figures: Mapping[str, Interval | None]) -> dict[str, Any]:
    """Return an arm's figures in JSON's types."""
    return {name: None if one is None else one.record() for name, one in figures.items()}


def of_part(records: Sequence[Record], part: str) -> list[Record]:
    """Return the records of one part, without the labels that the runner adds."""
    chosen = []
    for record in records:
        if record["part"] == part:
            chosen.append({name: value for name, value in record.items() if name not in ("part", "cell")})
    return chosen


def hold_figures(records: Sequence[Record], config: Any) -> dict[str, dict[str, dict[str, Interval | None]]]:
    """Return the intervals of every measure by condition and arm."""
    columns = seed_columns(records, "condition", "arm")
    level = bonferroni(config.level, len(columns))
    found: dict[str, dict[str, dict[str, Interval | None]]] = {}
    for (condition, arm), measures in columns.items():
        found.setdefault(condition, {})[arm] = {name: _interval(measures[name], name, level) for name in HELD}
    return found


def hold_statements(holds: Mapping[str, Mapping[str, Mapping[str, Interval | None]]], config: Any) -> list[Statement]:
    """Return the statement that the loop holds where no fixed level does, for the first condition.

    The other conditions are where K is known to have little hold on entropy: they are reported, and nothing is stated
    of them.
    """
    condition = next(iter(holds))
    by_arm = holds[condition]
    shares = {arm: figures["in_band"] for arm, figures in by_arm.items()}
    in_band = {arm: share for arm, share in shares.items() if share is not None}
    fixed = {arm: share for arm, share in in_band.items() if arm not in (STEERED, OPEN_LOOP)}
    best = max(fixed.values(), key=lambda interval: interval.estimate)

    def only(arm: str) -> tuple[bool, str]:
        """Return whether an arm holds and no fixed level does, with the figures."""
        own = in_band[arm]
        return own.low > config.wanted > max(one.high for one in fixed.values()), f"{own}; best fixed level {best}"

    found, detail = only(STEERED)
    control, of_control = only(OPEN_LOOP)
    return [
        Statement(
            says=f"{condition}: the loop keeps entropy within {config.band:g} nats of its start in over "
            f"{config.wanted:.0%} of the window, and no fixed level does",
            found=found,
            detail=detail,
            planted=OPEN_LOOP,
            control_found=control,
            control_detail=of_control,
        )
    ]


def boundaries(records: Sequence[Record], factors: Sequence[float]) -> dict[str, Any]:
    """Return, by delay, the response, the share of seeds that swing at each multiple of the prediction, and the edge.

    The edge is the geometric mean of the largest multiple at which at most half the seeds swing, and of the next one.
    """
    found = {}
    for (delay,), of_delay in grouped(records, "delay").items():
        shares, growths = {}, {}
        for (factor,), of_factor in grouped(of_delay, "factor").items():
            if of_factor[0]["oscillates"] is not None:
                shares[f"{factor:g}"] = float(np.mean([record["oscillates"] for record in of_factor]))
                growths[f"{factor:g}"] = of_factor[0]["growth"]
        g = of_delay[0]["response"]
        largest = largest_stable_gain(persistence=1.0, delay=int(delay)) / g if g > 0 else None
        found[str(delay)] = {
            "response": g,
            "predicted_gain": largest,
            "swinging": shares,
            "growth_a_period": growths,
            "edge": edge(shares, factors) if shares else None,
        }
    return found


def edge(shares: Mapping[str, float], factors: Sequence[float]) -> float | None:
    """Return where the share of swinging seeds passes one half, None where it does not within the sweep."""
    swings = [shares[f"{factor:g}"] > 0.5 for factor in factors]
    if all(swings) or not any(swings):
        return None
    first = swings.index(True)
    return sqrt(factors[first - 1] * factors[first]) if first else None


def boundary_statements(edges: Mapping[str, Mapping[str, Any]]) -> list[Statement]:
    """Return the statement that the measured edge is the predicted one, at every delay, within a factor of two."""

    def near(multiple_of: Mapping[str, float]) -> tuple[bool, str]:
        """Return whether all edges are near these multiples of the prediction, with the edges."""
        texts, good = [], []
        for delay, found in edges.items():
            at = None if found["edge"] is None else found["edge"] / multiple_of[delay]
            good.append(at is not None and 1 / NEAR <= at <= NEAR)
            texts.append(f"delay {delay}: {'not within the sweep' if at is None else f'{at:.2f} of the prediction'}")
        return all(good), "; ".join(texts)

    # Without its delay the loop would be stable up to 2/g: that prediction has to fail.
    undelayed = {d: 2.0 / largest_stable_gain(persistence=1.0, delay=int(d)) for d in edges}
    found, detail = near(dict.fromkeys(edges, 1.0))
    control, of_control = near(undelayed)
    return [
        Statement(
            says="the loop begins to swing at the gain that the delayed integrator predicts",
            found=found,
            detail=detail,
            planted="the prediction without the delay",
            control_found=control,
            control_detail=of_control,
        )
    ]


def routing_statements(routes: Sequence[Record]) -> list[Statement]:
    """Return the statements that the corrected threshold helps against independent errors, and harms where shared.

    A group's threshold moves in steps of 1/G, so that a correction may leave the gate where it was.
    """
    uneven = [one for one in routes if one["false_positive"] != one["false_negative"]]
    independent = [one for one in uneven if one["shared"] == 0]
    shared = [one for one in uneven if one["shared"] == 1]
    return [
        routed("with independent errors of unequal rates the corrected threshold never misroutes more", independent, 1),
        routed("with errors shared by the group the corrected threshold never misroutes fewer", shared, -1),
    ]


def routed(sentence: str, routes: Sequence[Record], sign: int) -> Statement:
    """Return the statement that the correction lowers (sign 1) or raises (-1) misrouting, or leaves the gate there.

    Args:
        sentence: what is stated.
        routes: the combinations of noise, G and K that it is about.
        sign: which way.
    """
    fewer = sum(one["wrong_corrected"] < one["wrong"] for one in routes)
    more = sum(one["wrong_corrected"] > one["wrong"] for one in routes)
    most = max((sign * (one["wrong"] - one["wrong_corrected"]) for one in routes), default=0.0)
    this_way, other_way = (fewer, more) if sign == 1 else (more, fewer)
    return Statement(
        says=sentence,
        found=this_way > 0 == other_way,
        detail=f"{'fewer' if sign == 1 else 'more'} in {this_way} of {len(routes)} combinations of noise, G and K, by "
        f"up to {most:.3f} of all groups; the other way in {other_way}",
        planted="both thresholds exchanged",
        control_found=other_way > 0 == this_way,
        control_detail=f"{other_way} of {len(routes)}",
    )


def _interval(values: Array, name: str, level: float) -> Interval | None:
    """Return the interval of a mean over the seeds that have a value, None for fewer than two.

    One of shares keeps to [0, 1] and has a width where all seeds agree.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < 2:
        return None
    if name in ("in_band", "in_band_free", "at_bound"):
        return seed_share(defined, np.ones_like(defined), level=level)
    return mean_interval(defined, level=level)
