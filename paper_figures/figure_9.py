"""Figure 9: entropy, accuracy and response length over steps for four levels K."""

from __future__ import annotations

from functools import partial

from paper_figures import bandit, cluster, study
from paper_figures.curves import Shown, curves_panel
from paper_figures.over_steps import BENCHMARK, all_lengths
from paper_figures.paper import default_k
from paper_figures.runs import Results, Run
from qae_theory.paper import paper_facts
from qae_theory.runs import collected

TITLE = "Figure 9. The quantile level K: entropy, accuracy and response length (the paper: Qwen3-8B-Base)"
SHAPE = (1, 3)


def levels() -> dict[str, str]:
    """The paper's K, by label."""
    return {f"K = {k:g}": f"{k:g}" for k in paper_facts()["figure_9"]["k_values"]}


def _row(k: str) -> str:
    row = "qwen3-8b-clip-higher-qae"
    return row if k == default_k() else f"{row}-k{k.replace('.', '')}"


def _cluster(metrics: tuple[str, ...], ylabel: str, results: Results) -> Shown:
    return cluster.metric_curves(results, {label: _row(k) for label, k in levels().items()}, metrics, ylabel)


def _cluster_accuracy(results: Results) -> Shown:
    return cluster.accuracy_curves(results, {label: _row(k) for label, k in levels().items()}, BENCHMARK)


def _study(column: str, ylabel: str, results: Results) -> Shown:
    return study.study_curves(results, {label: study.at_k(k) for label, k in levels().items()}, column, ylabel)


def _study_length(results: Results) -> Shown:
    return study.length_curves(results, {label: study.at_k(k) for label, k in levels().items()})


def _bandit(column: str, ylabel: str, results: Results) -> Shown:
    rules = {label: {"k": k} for label, k in levels().items()}
    found = bandit.bandit_curves(results, "k-sweep", rules, column, ylabel)
    return found._replace(note=slopes_said(found.sources[0])) if column == "sequence_entropy" else found


def slopes_said(run: Run) -> str:
    """The slope of the last entropy in K under every condition, so that the one drawn does not stand for all."""
    slopes = run.analysis["slopes"]
    said = "; ".join(
        f"{condition} {one['estimate']:.3g} [{one['low']:.3g}, {one['high']:.3g}]"
        for condition, reading in slopes.items()
        for one in [reading["equal steps"]]
    )
    held = f"with intervals that hold together at {run.analysis['level']:.0%}"
    return f"Slope of the last entropy in K, nats per unit of K at equal steps, {held}: {said}."


PANELS = (
    (
        "entropy",
        curves_panel(
            "entropy",
            partial(_cluster, collected.ENTROPY, "entropy (nats per token)"),
            partial(_study, "entropy", study.ENTROPY),
            partial(_bandit, "sequence_entropy", bandit.ENTROPY),
        ),
    ),
    (
        "accuracy",
        curves_panel(
            "accuracy",
            _cluster_accuracy,
            partial(_study, "success", study.SUCCESS),
            partial(_bandit, "success", bandit.SUCCESS),
        ),
    ),
    (
        "response length",
        curves_panel("response length", partial(_cluster, cluster.LENGTH, study.LENGTH), _study_length, all_lengths),
    ),
)
