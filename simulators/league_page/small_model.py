"""Make the table of the rules that were trained on a small language model, from the summary of `qae validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.statistics import bonferroni, mean_interval
from simulators.league_page.tables import interval_text, table

SUBSTRATE = "tiny-addition"
KEPT = ("rule", "condition", "seed", "steps", "success_first", "success_last", "entropy_first", "entropy_last")
LEVEL = 0.95
# The summary names a rule by its estimator. GSPO is GRPO's under a clip range of its own, which the condition names.
GSPO_CLIP = "clip0.0003-0.0004"


def records_of(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the training runs of a summary of `qae validate --preset league`.

    Raises:
        ValueError: the summary has no such substrate; the message names ``--small``.
    """
    substrates = summary.get("substrates", {})
    if SUBSTRATE not in substrates:
        raise ValueError(f"--small must be a summary with the substrate {SUBSTRATE!r}; got {sorted(substrates)}")
    records = []
    for run in substrates[SUBSTRATE]["runs"]:
        own = {"rule": "gspo"} if GSPO_CLIP in run["condition"] else {}
        records.append({**{name: run[name] for name in KEPT}, **own})
    return records


def small_model_table(runs: Sequence[Mapping[str, Any]], reference: str = "grpo") -> str:
    """Return each rule's success and entropy, and its differences to the reference, paired by seed.

    The differences are of the last tenth of the runs, with Student's intervals over the seeds, together over all rules
    and both figures at the level .95.
    """
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_rule.setdefault(run["rule"], []).append(run)
    others = [rule for rule in by_rule if rule != reference]
    level = bonferroni(LEVEL, 2 * len(others))
    rows = []
    for rule, of_rule in by_rule.items():
        cells = [f"`{rule}`", str(len(of_rule)), _ends(of_rule, "success"), _ends(of_rule, "entropy")]
        for figure in ("success_last", "entropy_last"):
            if rule == reference:
                cells.append("")
                continue
            difference = mean_interval(_by_seed(of_rule, figure) - _by_seed(by_rule[reference], figure), level=level)
            cells.append(interval_text([difference.estimate, difference.low, difference.high]))
        rows.append([*cells, f"{_per_success(of_rule):+.2f}"])
    head = ["rule", "seeds", "success", "entropy a token", "success, less GRPO's", "entropy, less GRPO's"]
    return table([*head, "entropy per success gained"], rows)


def _by_seed(runs: Sequence[Mapping[str, Any]], figure: str) -> Array:
    return np.array([run[figure] for run in sorted(runs, key=lambda run: run["seed"])], dtype=np.float64)


def _ends(runs: Sequence[Mapping[str, Any]], figure: str) -> str:
    first, last = (_by_seed(runs, f"{figure}_{end}").mean() for end in ("first", "last"))
    return f"{first:.2f} to {last:.2f}"


def _per_success(runs: Sequence[Mapping[str, Any]]) -> float:
    """Return the mean change of entropy over the mean gain of success, in nats."""
    return _mean_change(runs, "entropy") / _mean_change(runs, "success")


def _mean_change(runs: Sequence[Mapping[str, Any]], figure: str) -> float:
    return float((_by_seed(runs, f"{figure}_last") - _by_seed(runs, f"{figure}_first")).mean())
