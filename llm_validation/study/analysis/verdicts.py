"""`ladder-qwen3` and `ordering-qwen3`: what counts as found, fixed before looking, and the figures beside it.

Both are asked in the setting that favours the paper's prediction most: SGD, one update, no clipping, the plain
advantage r - b.

* `ladder-qwen3`: on each task the identity's R^2 is at least .5 and its sign agreement at least .9, the lower ends of
  their intervals. That a better rung passes the same test shows that the test can be passed. Control: the predictions
  dealt out anew among the rows.
* `ordering-qwen3`: on each task the rate at which the order holds is at least .99, its lower end, on hard and on easy
  prompts and for each K. By the group, whose quantile the arm takes, and groups with both rewards only; by V, which
  may lie on the other side of 1 - K, the rates stand beside it. Control: the changes with their signs turned round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.resampling import Resampling, at_least, shown
from llm_validation.common.tables import Table, select
from llm_validation.study.analysis.ladder import RUNGS, groups, ladder
from llm_validation.study.analysis.ordering import REGIMES, ordering, reversed_order
from llm_validation.study.analysis.pairs import FAVOURABLE
from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement

R2, SIGNS, RATE = 0.5, 0.9, 0.99
SEED = 20260923  # of the resamples and of the permutation


def resampling() -> Resampling:
    """A fresh stream: the same figures at every call."""
    return Resampling(np.random.default_rng(SEED))


def favourable(table: Table) -> dict[str, dict[str, Array]]:
    """Rows of the favourable setting, by task, plain arms only."""
    return {task: select(rows, scaled=False) for task, setting, rows in groups(table) if setting == FAVOURABLE}


def ladder_statements(table: Table) -> list[Statement]:
    """One statement for each task that has the favourable setting."""
    return [_ladder_statement(task, rows) for task, rows in favourable(table).items()]


def ordering_statements(table: Table) -> list[Statement]:
    """One statement for each task that has the favourable setting."""
    return [_ordering_statement(task, rows) for task, rows in favourable(table).items()]


def permuted(table: Table, rng: np.random.Generator) -> dict[str, Array]:
    """The table with every rung's predictions and bounds dealt out anew among the rows."""
    order = rng.permutation(len(table["change"]))
    dealt = {f"{rung}{end}": table[f"{rung}{end}"][order] for rung in RUNGS for end in ("", "_low", "_high")}
    return {**table, **dealt}


def passes(rung: Mapping[str, Any]) -> bool:
    """The criterion of `ladder-qwen3`."""
    return at_least(rung["r2"], R2) and at_least(rung["sign_agreement"], SIGNS)


def rates_hold(records: Sequence[Mapping[str, Any]]) -> bool:
    """The criterion of `ordering-qwen3`; a rate without comparisons is silent, each regime must speak."""
    speaking = [one for one in records if one["by"] == "group" and one["rate"]["estimate"] is not None]
    regimes = {record["regime"] for record in speaking}
    return regimes == set(REGIMES) and all(at_least(record["rate"], RATE) for record in speaking)


def _ladder_statement(task: str, rows: Table) -> Statement:
    found = ladder(rows, resampling())
    rungs = found["plain"][task][FAVOURABLE]
    compared = found["contrasts"][task][FAVOURABLE].get("quantile - others")
    said = "; ".join(_rung_said(name, rungs[name]) for name in RUNGS)
    contrast = f"; differences of two arms: {'; '.join(_rung_said(name, compared[name]) for name in RUNGS)}"
    planted = ladder(permuted(rows, np.random.default_rng(SEED)), resampling())["plain"][task][FAVOURABLE]["identity"]
    return Statement(
        says=f"on {task}, {FAVOURABLE}, the identity's R^2 is at least {R2} and its sign agreement at least {SIGNS}",
        found=passes(rungs["identity"]),
        detail=said + (contrast if compared else ""),
        planted="the predictions dealt out anew among the rows",
        control_found=passes(planted),
        control_detail=_rung_said("identity", planted),
    )


def _rung_said(name: str, rung: Mapping[str, Any]) -> str:
    verdict = "passes" if passes(rung) else "does not pass"
    figures = f"R^2 {shown(rung['r2'])}, signs {shown(rung['sign_agreement'])}, slope {shown(rung['slope'])}"
    return f"{name} {verdict}: {figures} ({rung['rows']} rows, {rung['probes']} probes)"


def _ordering_statement(task: str, rows: Table) -> Statement:
    records, planted = (_rates(ordering(table, resampling())) for table in (rows, reversed_order(rows)))
    return Statement(
        says=f"on {task}, {FAVOURABLE}, the order holds at a rate of at least {RATE} for each K, hard and easy",
        found=rates_hold(records),
        detail=_rates_said(records),
        planted="the changes with their signs turned round",
        control_found=rates_hold(planted),
        control_detail=_rates_said(planted),
    )


def _rates(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in records if one["other"] == "any" and one["groups"] == "mixed"]


def _rates_said(records: Sequence[Mapping[str, Any]]) -> str:
    said = [
        f"K = {one['k']}, {one['regime']} by {one['by']}: {shown(one['rate'])} of {one['holds'] + one['fails']}"
        for one in records
        if one["rate"]["estimate"] is not None
    ]
    return "; ".join(said) or "no comparison"
