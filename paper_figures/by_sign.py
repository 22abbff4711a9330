"""Entropy of responses with positive and with negative advantage, for Figures 4 and 5."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from paper_figures import bandit, study
from paper_figures.cluster import metric_curves
from paper_figures.curves import CurveSet, curves_panel
from paper_figures.panels import Builder
from paper_figures.paper import default_k
from paper_figures.runs import Results

SIGNS = {"A > 0": "positive", "A < 0": "negative"}
ROW_NAMES = {"grpo": "qwen3-8b-clip-higher", "qae": "qwen3-8b-clip-higher-qae"}  # the paper's row of each rule
NOTE = "Only steps at which every seed has such samples."
WHOLE = "Only seeds that have such samples at every step at which they were looked for."


def by_sign(title: str, rules: Sequence[str]) -> Builder:
    """Return the panel with these rules, ``grpo`` or ``qae`` at the paper's K."""
    return curves_panel(title, *(partial(source, rules) for source in (_cluster, _study, _bandit)))


def _cluster(rules: Sequence[str], results: Results) -> CurveSet:
    """Return the curves of the paper's own runs, whose GRPO is DAPO."""
    of_sign = {}
    for sign, name in SIGNS.items():
        of_sign[sign] = metric_curves(
            results,
            {_label(rule, sign): ROW_NAMES[rule] for rule in rules},
            (f"probe/entropy/before/{name}", f"recomputed/probe/entropy/before/{name}"),
            ylabel="entropy (nats per token)",
        )
    merged = {}
    for rule in rules:
        for sign, shown in of_sign.items():
            label = _label(rule, sign)
            merged[label.replace("GRPO", "DAPO")] = shown.curves[label]
    return of_sign[next(iter(SIGNS))]._replace(curves=merged, note=NOTE)


def _study(rules: Sequence[str], results: Results) -> CurveSet:
    """Return the curves of the study's runs, under the labels of the figure."""
    where = {"grpo": study.grpo(), "qae": study.at_k(default_k())}
    columns = {sign: f"entropy_{name}" for sign, name in SIGNS.items()}
    chosen = {f"{rule} ": where[rule] for rule in rules}
    shown = study.study_curves(results, chosen, columns, ylabel=study.ENTROPY, whole_seeds=True)
    return _renamed(shown, rules)._replace(note=WHOLE)


def _bandit(rules: Sequence[str], results: Results) -> CurveSet:
    """Return the curves of softmax bandits, under the labels of the figure."""
    columns = {sign: f"{name}_sample_entropy" for sign, name in SIGNS.items()}
    chosen: dict[str, dict[str, Any]] = {f"{rule} ": {"rule": rule} for rule in rules}
    shown = bandit.bandit_curves(results, "sign-split", chosen, columns=columns, ylabel=bandit.ENTROPY)
    return _renamed(shown, rules)


def _renamed(shown: CurveSet, rules: Sequence[str]) -> CurveSet:
    """Return the curves under the labels of the figure, in place of rule and column."""
    curves = {}
    for rule in rules:
        for sign in SIGNS:
            curves[_label(rule, sign)] = shown.curves[f"{rule} {sign}"]
    return shown._replace(curves=curves, note=NOTE)


def _label(rule: str, sign: str) -> str:
    return f"{sign}, GRPO" if rule == "grpo" else f"{sign}, QAE"
