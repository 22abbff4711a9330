"""Read the records of `stale`: limits predicted and reached, sides of the transition, entropy against lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.common.columns import run_labels, seed_values
from simulators.experiments.common.shares import in_records, read_statements

# For b >= V_mu the winner's log-ratio to the runner-up grows without bound, so that nothing is left of the entropy by
# the end.
ONE_ARM = 0.01
# Sampled steps leave the logits fluctuating with variance about step/(2 G c), which is 0.16 at step 1/2, G = 16 and
# c = 0.1. That costs the entropy some hundredths of a nat, and what the time still leaves is as much again.
SAMPLED_TOLERANCE = 0.1
CLEAR = 0.1  # |b - V_mu| from which sampled runs are held to the limit; nearer, the noise of the steps decides
TIED = 1e-9  # |b - V_mu| up to which tied arms move together, so that the flow need not end at one arm
EDGE = 1e-6  # |effective offset| up to which a rule counts as on the edge; an average over queries rounds to less
PARTS = ("flow", "sampled", "sides", "lag")
LABELS = ("world", "offset", "rule", "value", "lag", "ratio")  # what can tell the runs of a part apart


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Return all figures, each with its interval, and the statements.

    Half of the error rate belongs to the statements and half to the tables, so that both hold together with the
    configuration's level.

    Args:
        config: for the level of the intervals.
        records: of all four parts.
    """
    parts: dict[str, list[Record]] = {part: [] for part in PARTS}
    for record in records:
        if record["part"] in parts:
            parts[record["part"]].append(record)
    runs = {part: _runs(parts[part]) for part in PARTS}
    half = (1 + config.level) / 2
    # Each sampled run is held to two theories. Four more intervals belong to the transition and to the lag.
    of_statements = bonferroni(half, 2 * (len(runs["sampled"]) + len(runs["sides"])) + 4)
    of_tables = bonferroni(half, len(runs["sampled"]) + len(runs["sides"]) + 3 * len(runs["lag"]) + 2)
    sides = []
    for labels in runs["sides"]:
        sides.append({**_end(parts["sides"], labels, of_tables), **side(parts["sides"], labels)})
    return {
        "level_of_statements": of_statements,
        "level_of_tables": of_tables,
        "flow": flow_errors(parts["flow"]),
        "sampled": [_end(parts["sampled"], labels, of_tables) for labels in runs["sampled"]],
        "sides": sides,
        "lag": lag_table(parts["lag"], of_tables),
        "bound_violations": int(sum(record["bound_violations"] for record in parts["lag"])),
        "bound_rows": int(sum(record["rows"] for record in parts["lag"])),
        "statements": in_records(_statements(parts, of_statements)),
    }


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements that an analysis holds."""
    return read_statements(analysis)


def flow_errors(flow: Sequence[Record]) -> list[dict[str, Any]]:
    """Return, for each world and offset, the largest entropy error of the limit and what is allowed.

    ``control_error`` is the smallest error of the wrong theory, in which b and V_mu are exchanged.
    """
    errors = []
    for labels in _runs(flow):
        below = labels["offset"] < 0
        errors.append(
            {
                **labels,
                "entropy": float(seed_values(flow, "entropy", **labels).mean()),
                "predicted": float(seed_values(flow, "predicted", **labels).mean()),
                "error": float(seed_values(flow, "error", **labels).max()),
                "control_error": float(seed_values(flow, "control_error", **labels).min()),
                "allowed": float(seed_values(flow, "allowed", **labels).max()) if below else ONE_ARM,
            }
        )
    return errors


def limit_reached(errors: Sequence[Mapping[str, Any]], which: str) -> bool:
    """Return whether every error is allowed; b = V_mu itself is left out, where tied arms move together.

    Args:
        errors: from :func:`flow_errors`.
        which: ``error`` or ``control_error``.
    """
    return all(error[which] <= error["allowed"] for error in errors if abs(error["offset"]) > TIED)


def side(sides: Sequence[Record], labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's effective baseline less V_mu, and what it does to pi: hold it, let it collapse, or neither."""
    offset = float(seed_values(sides, "effective_offset", **labels).mean())
    if abs(offset) < EDGE:
        return {"effective_offset": offset, "side": "edge"}
    return {"effective_offset": offset, "side": "holds" if offset < 0 else "collapses"}


def within(records: Sequence[Record], labels: Mapping[str, Any], theory: str, *, level: float) -> bool:
    """Return whether the sampled runs' mean distance from a theory's entropy is within the tolerance.

    Both ends of the interval must lie within it.
    """
    distance = seed_values(records, "entropy", **labels) - seed_values(records, theory, **labels)
    interval = mean_interval(distance, level=level)
    return max(abs(interval.low), abs(interval.high)) <= SAMPLED_TOLERANCE


def lag_table(lag: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """Return entropy and success at the end of each run, and entropy less that of the same rule on-policy."""
    table = []
    for labels in _runs(lag):
        entropy = seed_values(lag, "entropy", **labels)
        on_policy = seed_values(lag, "entropy", **{**labels, "lag": 1})
        table.append(
            {
                **labels,
                "entropy": mean_interval(entropy, level=level).record(),
                "over_lag_1": mean_interval(entropy - on_policy, level=level).record(),
                "success": mean_interval(seed_values(lag, "success", **labels), level=level).record(),
            }
        )
    return table


def levels_part(lag: Sequence[Record], near: int, far: int, *, level: float) -> Interval:
    """Return how much more the lowest K's entropy exceeds the highest K's at lag ``far`` than at ``near``.

    The runs are those without importance ratio.
    """
    names = sorted({record["rule"] for record in lag if record["rule"].startswith("qae")})
    lowest, highest = names[0], names[-1]
    effect = {}
    for steps in (near, far):
        at_lowest = seed_values(lag, "entropy", rule=lowest, lag=steps, ratio=False)
        effect[steps] = at_lowest - seed_values(lag, "entropy", rule=highest, lag=steps, ratio=False)
    return mean_interval(effect[far] - effect[near], level=level)


def falls(sampled: Sequence[Record], below: float, above: float, *, level: float) -> list[Interval]:
    """Return the difference of the final entropies at two offsets, paired by seed, for each world."""
    differences = []
    for world in sorted({record["world"] for record in sampled}):
        entropy_below = seed_values(sampled, "entropy", world=world, offset=below)
        entropy_above = seed_values(sampled, "entropy", world=world, offset=above)
        differences.append(mean_interval(entropy_below - entropy_above, level=level))
    return differences


def _statements(parts: Mapping[str, Sequence[Record]], level: float) -> list[Statement]:
    """Return the statements about the flow, the transition, the limits of sampled runs, and the lag."""
    rule = "a rule, at its effective baseline -E[A|0]/w,"
    return [
        _flow_statement(flow_errors(parts["flow"])),
        _transition_statement(parts["sampled"], level),
        _limit_statement("a constant baseline", parts["sampled"], offset="offset", level=level),
        _limit_statement(rule, parts["sides"], offset="effective_offset", level=level),
        _lag_statement(parts["lag"], level),
    ]


def _flow_statement(errors: Sequence[Mapping[str, Any]]) -> Statement:
    """Return the statement that the flow ends where theory says."""
    off_the_edge = [error for error in errors if error["offset"]]
    largest = max(error["error"] for error in off_the_edge)
    control = max(error["control_error"] for error in off_the_edge)
    return Statement(
        says="without ratio the flow ends at (mu(r - b) - tau)_+/(V_mu - b) for b below V_mu, and at one arm above",
        found=limit_reached(errors, "error"),
        detail=f"largest entropy error {largest:.2g} nats; each within what the time run allows",
        planted="b and V_mu exchanged in the limit",
        control_found=limit_reached(errors, "control_error"),
        control_detail=f"largest entropy error {control:.2g} nats",
    )


def _transition_statement(sampled: Sequence[Record], level: float) -> Statement:
    """Return the statement that sampled runs lose their entropy where b passes V_mu."""
    offsets = sorted({record["offset"] for record in sampled if abs(record["offset"]) >= CLEAR}, key=abs)
    above = next(offset for offset in offsets if offset > 0)
    below = next(offset for offset in offsets if offset < 0)
    # The two offsets nearest to the transition that are still clear of it make the sharpest comparison.
    right = falls(sampled, below, above, level=level)
    mirrored = falls(sampled, above, below, level=level)
    return Statement(
        says=f"sampled: entropy falls as b passes V_mu, from {below:g} below to {above:g} above",
        found=all(fall.low > 0 for fall in right),
        detail="; ".join(map(str, right)),
        planted="the two sides exchanged",
        control_found=any(fall.low > 0 for fall in mirrored),
        control_detail="; ".join(map(str, mirrored)),
    )


def _limit_statement(what: str, records: Sequence[Record], *, offset: str, level: float) -> Statement:
    """Return the statement that sampled runs far enough from the transition end at the limit's entropy."""
    clear = []
    for labels in _runs(records):
        # A rule's effective offset is an average, which may round to a little less than the threshold.
        if abs(seed_values(records, offset, **labels).mean()) >= CLEAR - EDGE:
            clear.append(labels)
    found = [within(records, labels, "predicted", level=level) for labels in clear]
    control = [within(records, labels, "exchanged", level=level) for labels in clear]
    return Statement(
        says=f"sampled: {what} with |b - V_mu| >= {CLEAR:g} ends within {SAMPLED_TOLERANCE:g} nats of the limit's "
        "entropy",
        found=bool(found) and all(found),
        detail=f"{sum(found)} of {len(found)} runs",
        planted="b and V_mu exchanged in the limit",
        control_found=bool(control) and all(control),
        control_detail=f"{sum(control)} of {len(control)} runs",
    )


def _lag_statement(lag: Sequence[Record], level: float) -> Statement:
    """Return the statement that a lower K adds more entropy when the behaviour policy lags."""
    longest = max(record["lag"] for record in lag)
    grows = levels_part(lag, 1, longest, level=level)
    mirrored = levels_part(lag, longest, 1, level=level)
    return Statement(
        says=f"without ratio, what a lower K adds to the final entropy is more at lag {longest} than on-policy",
        found=grows.low > 0,
        detail=str(grows),
        planted="the two lags exchanged",
        control_found=mirrored.low > 0,
        control_detail=str(mirrored),
    )


def _end(records: Sequence[Record], labels: Mapping[str, Any], level: float) -> dict[str, Any]:
    """Return a run's entropy at the end with its interval, the predicted entropy, and success."""
    return {
        **labels,
        "entropy": mean_interval(seed_values(records, "entropy", **labels), level=level).record(),
        "predicted": float(seed_values(records, "predicted", **labels).mean()),
        "success": float(seed_values(records, "success", **labels).mean()),
    }


def _runs(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the labels of each run of a part; a part has only some of the labels."""
    if not records:
        return []
    return run_labels(records, *(name for name in LABELS if name in records[0]))
