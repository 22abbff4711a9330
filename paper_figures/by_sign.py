"""Entropy of responses with positive and with negative advantage, of Figures 4 and 5."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from paper_figures import bandit, study
from paper_figures.cluster import metric_curves
from paper_figures.curves import Shown, curves_panel
from paper_figures.panels import Builder
from paper_figures.paper import default_k
from paper_figures.runs import Results

SIGNS = {"A > 0": "positive", "A < 0": "negative"}
ROWS = {"grpo": "qwen3-8b-clip-higher", "qae": "qwen3-8b-clip-higher-qae"}
SEEN = "Only steps at which every seed has such samples."


def by_sign(title: str, rules: Sequence[str]) -> Builder:
    """The panel with these rules, ``grpo`` or ``qae`` at the paper's K."""
    return curves_panel(title, *(partial(source, rules) for source in (_cluster, _study, _bandit)))


def _cluster(rules: Sequence[str], results: Results) -> Shown:
    parts = [
        metric_curves(
            results,
            {_label(rule, sign): ROWS[rule] for rule in rules},
            (f"probe/entropy/before/{name}", f"recomputed/probe/entropy/before/{name}"),
            "entropy (nats per token)",
        )
        for sign, name in SIGNS.items()
    ]
    ordered = [(part, _label(rule, sign)) for rule in rules for part, sign in zip(parts, SIGNS, strict=True)]
    merged = {label.replace("GRPO", "DAPO"): part.curves[label] for part, label in ordered}
    return parts[0]._replace(curves=merged, note=SEEN)


def _study(rules: Sequence[str], results: Results) -> Shown:
    where = {"grpo": study.grpo(), "qae": study.at_k(default_k())}
    columns = {sign: f"entropy_{name}" for sign, name in SIGNS.items()}
    found = study.study_curves(results, {f"{rule} ": where[rule] for rule in rules}, columns, study.ENTROPY)
    return _renamed(found, rules)


def _bandit(rules: Sequence[str], results: Results) -> Shown:
    columns = {sign: f"{name}_sample_entropy" for sign, name in SIGNS.items()}
    chosen: dict[str, dict[str, Any]] = {f"{rule} ": {"rule": rule} for rule in rules}
    return _renamed(bandit.bandit_curves(results, "sign-split", chosen, columns, bandit.ENTROPY), rules)


def _renamed(found: Shown, rules: Sequence[str]) -> Shown:
    names = {f"{rule} {sign}": _label(rule, sign) for rule in rules for sign in SIGNS}
    return found._replace(curves={names[label]: one for label, one in found.curves.items()}, note=SEEN)


def _label(rule: str, sign: str) -> str:
    return f"{sign}, GRPO" if rule == "grpo" else f"{sign}, QAE"
