"""What the records of `stale` say: limits predicted and reached, sides of the transition, entropy against lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Config, Record

# From V_mu on the runner-up's log-ratio to the winner falls without bound: by the end nothing is left of its entropy.
ONE_ARM = 0.01
# Sampled steps leave the logits fluctuating with variance about step/(2 G c), 0.16 at step 1/2, G = 16, c = 0.1, which
# costs the entropy some hundredths of a nat; what time still leaves is as much again.
SAMPLED_TOLERANCE = 0.1
CLEAR = 0.1  # |b - V_mu| from which the sampled runs are held to the limit: nearer, the step's noise decides
STATED_TABLES = ("sampled", "sides")


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """All figures, each with its interval, and the statements."""
    parts = {part: [row for row in records if row["part"] == part] for part in ("flow", "sampled", "sides", "lag")}
    keys = {part: _keys(parts[part]) for part in parts}
    half = (1 + config.level) / 2  # of the error rate: one half for the statements, one for the tables
    told = bonferroni(half, 2 * sum(len(keys[part]) for part in STATED_TABLES) + 4)
    tabled = bonferroni(half, len(keys["sampled"]) + len(keys["sides"]) + 3 * len(keys["lag"]) + 2)
    return {
        "level_of_statements": told,
        "level_of_tables": tabled,
        "flow": flow_errors(parts["flow"]),
        "sampled": [_end(parts["sampled"], labels, tabled) for labels in keys["sampled"]],
        "sides": [{**_end(parts["sides"], labels, tabled), **side(parts["sides"], labels)} for labels in keys["sides"]],
        "lag": lag_table(parts["lag"], tabled),
        "bound_violations": int(sum(row["bound_violations"] for row in parts["lag"])),
        "bound_rows": int(sum(row["rows"] for row in parts["lag"])),
        "statements": [asdict(s) for s in _statements(parts, told)],
    }


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements that an analysis holds."""
    return [Statement(**s) for s in analysis["statements"]]


def flow_errors(flow: Sequence[Record]) -> list[dict[str, Any]]:
    """Largest entropy error of the limit, what is allowed, and the wrong theory's error, of each world and offset."""
    return [
        {
            **labels,
            "entropy": float(_column(flow, "entropy", **labels).mean()),
            "predicted": float(_column(flow, "predicted", **labels).mean()),
            "error": float(_column(flow, "error", **labels).max()),
            "control_error": float(_column(flow, "control_error", **labels).min()),
            "allowed": float(_column(flow, "allowed", **labels).max()) if labels["offset"] < 0 else ONE_ARM,
        }
        for labels in _keys(flow)
    ]


def limit_reached(errors: Sequence[Mapping[str, Any]], which: str) -> bool:
    """Whether every error is allowed; V = V_mu itself is left out, tied arms moving together there."""
    return all(row[which] <= row["allowed"] for row in errors if abs(row["offset"]) > 1e-9)


def side(sides: Sequence[Record], labels: Mapping[str, Any]) -> dict[str, Any]:
    """Effective baseline less V_mu, and what that means: pi is pulled back, pushed away, or neither."""
    offset = float(_column(sides, "effective_offset", **labels).mean())
    return {
        "effective_offset": offset,
        "side": "edge" if abs(offset) < 1e-6 else "holds" if offset < 0 else "collapses",
    }


def within(rows: Sequence[Record], labels: Mapping[str, Any], theory: str, level: float) -> bool:
    """Whether the sampled runs' mean distance from a theory's entropy lies, interval and all, within the tolerance."""
    gap = mean_interval(_column(rows, "entropy", **labels) - _column(rows, theory, **labels), level=level)
    return max(abs(gap.low), abs(gap.high)) <= SAMPLED_TOLERANCE


def lag_table(lag: Sequence[Record], level: float) -> list[dict[str, Any]]:
    """Entropy and success at the end of each run, and entropy less that of the same rule on-policy."""
    found = []
    for labels in _keys(lag):
        entropy, on_policy = (_column(lag, "entropy", **x) for x in (labels, {**labels, "lag": 1}))
        found.append(
            {
                **labels,
                "entropy": mean_interval(entropy, level=level).record(),
                "over_lag_1": mean_interval(entropy - on_policy, level=level).record(),
                "success": mean_interval(_column(lag, "success", **labels), level=level).record(),
            }
        )
    return found


def levels_part(lag: Sequence[Record], near: int, far: int, level: float) -> Interval:
    """How much more the lowest K's entropy exceeds the highest's at lag ``far`` than at ``near``, without ratio."""
    names = sorted({row["rule"] for row in lag if row["rule"].startswith("qae")})
    low, high = names[0], names[-1]
    effect = {
        steps: _column(lag, "entropy", rule=low, lag=steps, ratio=False)
        - _column(lag, "entropy", rule=high, lag=steps, ratio=False)
        for steps in (near, far)
    }
    return mean_interval(effect[far] - effect[near], level=level)


def falls(sampled: Sequence[Record], below: float, above: float, level: float) -> list[Interval]:
    """Paired difference of the final entropies at two offsets, of each world."""
    worlds = sorted({row["world"] for row in sampled})
    return [
        mean_interval(
            _column(sampled, "entropy", world=w, offset=below) - _column(sampled, "entropy", world=w, offset=above),
            level=level,
        )
        for w in worlds
    ]


def _statements(parts: Mapping[str, Sequence[Record]], level: float) -> list[Statement]:
    return [
        _flow_statement(flow_errors(parts["flow"])),
        _transition_statement(parts["sampled"], level),
        _limit_statement("a constant baseline", parts["sampled"], "offset", level),
        _limit_statement("a rule, at its effective baseline -E[A|0]/w,", parts["sides"], "effective_offset", level),
        _lag_statement(parts["lag"], level),
    ]


def _flow_statement(errors: Sequence[Mapping[str, Any]]) -> Statement:
    largest, control = (max(row[name] for row in errors if row["offset"]) for name in ("error", "control_error"))
    return Statement(
        says="without ratio the flow ends at (mu(r - b) - tau)_+/(V_mu - b) for b below V_mu, and at one arm above",
        found=limit_reached(errors, "error"),
        detail=f"largest entropy error {largest:.2g} nats; each within what the time run allows",
        planted="b and V_mu exchanged in the limit",
        control_found=limit_reached(errors, "control_error"),
        control_detail=f"largest entropy error {control:.2g} nats",
    )


def _transition_statement(sampled: Sequence[Record], level: float) -> Statement:
    offsets = sorted({row["offset"] for row in sampled if abs(row["offset"]) >= CLEAR}, key=abs)
    above = next(x for x in offsets if x > 0)
    below = next(x for x in offsets if x < 0)
    right, mirrored = falls(sampled, below, above, level), falls(sampled, above, below, level)
    return Statement(
        says=f"sampled: entropy falls as b passes V_mu, from {below:g} below to {above:g} above",
        found=all(x.low > 0 for x in right),
        detail="; ".join(map(str, right)),
        planted="the two sides exchanged",
        control_found=any(x.low > 0 for x in mirrored),
        control_detail="; ".join(map(str, mirrored)),
    )


def _limit_statement(what: str, rows: Sequence[Record], offset: str, level: float) -> Statement:
    clear = [labels for labels in _keys(rows) if abs(_column(rows, offset, **labels).mean()) >= CLEAR - 1e-6]
    found, control = (
        [within(rows, labels, theory, level) for labels in clear] for theory in ("predicted", "exchanged")
    )
    return Statement(
        says=f"sampled: {what} with |b - V_mu| >= {CLEAR:g} ends within {SAMPLED_TOLERANCE:g} nats "
        "of the limit's entropy",
        found=bool(found) and all(found),
        detail=f"{sum(found)} of {len(found)} runs",
        planted="b and V_mu exchanged in the limit",
        control_found=bool(control) and all(control),
        control_detail=f"{sum(control)} of {len(control)} runs",
    )


def _lag_statement(lag: Sequence[Record], level: float) -> Statement:
    longest = max(row["lag"] for row in lag)
    grows, mirrored = levels_part(lag, 1, longest, level), levels_part(lag, longest, 1, level)
    return Statement(
        says=f"without ratio, what a lower K adds to the final entropy is more at lag {longest} than on-policy",
        found=grows.low > 0,
        detail=str(grows),
        planted="the two lags exchanged",
        control_found=mirrored.low > 0,
        control_detail=str(mirrored),
    )


def _end(rows: Sequence[Record], labels: Mapping[str, Any], level: float) -> dict[str, Any]:
    return {
        **labels,
        "entropy": mean_interval(_column(rows, "entropy", **labels), level=level).record(),
        "predicted": float(_column(rows, "predicted", **labels).mean()),
        "success": float(_column(rows, "success", **labels).mean()),
    }


def _keys(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """What tells the runs of a part apart, one entry a run."""
    names = [name for name in ("world", "offset", "rule", "value", "lag", "ratio") if rows and name in rows[0]]
    return [dict(zip(names, key, strict=True)) for key in dict.fromkeys(tuple(row[n] for n in names) for row in rows)]


def _column(rows: Sequence[Record], figure: str, /, **labels: Any) -> Array:
    """One number a seed, in the seeds' order."""
    chosen = [row for row in rows if all(row[name] == wanted for name, wanted in labels.items())]
    return np.array([row[figure] for row in sorted(chosen, key=lambda row: row["seed"])])
