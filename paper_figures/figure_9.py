"""Figure 9: entropy, accuracy and response length over steps for four levels K."""

from __future__ import annotations

from functools import partial

from paper_figures import bandit, cluster, study
from paper_figures.curves import CurveSet, curves_panel
from paper_figures.over_steps import BENCHMARK, all_lengths
from paper_figures.paper import default_k
from paper_figures.runs import Results, Run
from qae_theory.paper import paper_facts
from qae_theory.runs import collected

TITLE = "Figure 9. The quantile level K: entropy, accuracy and response length (the paper: Qwen3-8B-Base)"
SHAPE = (2, 3)


def levels() -> dict[str, str]:
    """Return the paper's K, by label."""
    return {f"K = {k:g}": f"{k:g}" for k in paper_facts()["figure_9"]["k_values"]}


def _row_names() -> dict[str, str]:
    """Return the names of the paper's rows, by label; that of the default K does not name its K."""
    stem = "qwen3-8b-clip-higher-qae"
    names = {}
    for label, k in levels().items():
        names[label] = stem if k == default_k() else f"{stem}-k{k.replace('.', '')}"
    return names


def _in_study() -> dict[str, study.Where]:
    """Return what selects the runs of each K in the study, by label."""
    return {label: study.at_k(k) for label, k in levels().items()}


def _cluster(metrics: tuple[str, ...], ylabel: str, results: Results) -> CurveSet:
    return cluster.metric_curves(results, _row_names(), metrics, ylabel=ylabel)


def _cluster_accuracy(results: Results) -> CurveSet:
    return cluster.accuracy_curves(results, _row_names(), BENCHMARK)


def _study(column: str, ylabel: str, results: Results) -> CurveSet:
    return study.study_curves(results, _in_study(), column, ylabel=ylabel)


def _less_grpo(column: str, ylabel: str, results: Results) -> CurveSet:
    return study.study_curves(results, _in_study(), column, ylabel=f"{ylabel}, less GRPO's", less=study.grpo())


def _bandit(column: str, ylabel: str, results: Results) -> CurveSet:
    rules = {label: {"k": k} for label, k in levels().items()}
    shown = bandit.bandit_curves(results, "k-sweep", rules, columns=column, ylabel=ylabel)
    return shown._replace(note=slopes_text(shown.sources[0])) if column == "sequence_entropy" else shown


def slopes_text(run: Run) -> str:
    """Return the slope of the last entropy in K under every condition, as a sentence for the caption.

    Only one condition is drawn, and it must not stand for all.
    """
    slopes = []
    for condition, readings in run.analysis["slopes"].items():
        slope = readings["equal steps"]
        slopes.append(f"{condition} {slope['estimate']:.3g} [{slope['low']:.3g}, {slope['high']:.3g}]")
    held = f"with intervals that hold together at {run.analysis['level']:.0%}"
    return f"Slope of the last entropy in K, nats per unit of K at equal steps, {held}: {'; '.join(slopes)}."


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
        curves_panel(
            "response length",
            partial(_cluster, cluster.LENGTH, study.LENGTH),
            partial(_study, "length", study.LENGTH),
            all_lengths,
        ),
    ),
    *(
        (f"difference of {name}", curves_panel(f"difference of {name}", partial(_less_grpo, column, ylabel), zero=True))
        for name, column, ylabel in (
            ("entropy", "sequence_entropy", "nats per response"),
            ("success", "pass1", "success"),
            ("length", "length", "tokens"),
        )
    ),
)
