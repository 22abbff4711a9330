"""Figure 5: AIME24 pass@1 and pass@16; entropy by the sign of the advantage; shares of advantages over steps."""

from __future__ import annotations

from paper_figures import bandit, cluster, study
from paper_figures.accuracy_points import Column, Request, points_panel
from paper_figures.by_sign import by_sign
from paper_figures.curves import CurveSet, curves_panel
from paper_figures.over_steps import BENCHMARK, MIDDLE
from paper_figures.paper import default_k, level, table_2, zero_share
from paper_figures.runs import Results

TITLE = "Figure 5. Accuracy, entropy by sign, and shares of zero advantages (the paper: Qwen3-8B-Base)"
SHAPE = (1, 3)
COLUMNS: tuple[Column, ...] = ((BENCHMARK, 1), (BENCHMARK, 16))
ROW = "qwen3-8b-clip-higher-qae"
SIGNS = {"zero": "A = 0", "positive": "A > 0", "negative": "A < 0"}
SHARE = "share of zero advantages"
READINGS = {"all groups": "zero_share", "mixed groups only": "zero_share_mixed"}


def _paper() -> dict[str, dict[str, float]]:
    """Return what Table 2 states for the two rows, by label and column."""
    methods = ("Clip-Higher", "Clip-Higher + QAE")
    columns = [f"{benchmark} pass@{k}" for benchmark, k in COLUMNS]
    stated = {}
    for label, method in zip(MIDDLE.row_names, methods, strict=True):
        of_method = table_2()[MIDDLE.model, method]
        stated[label] = {column: of_method[column] for column in columns}
    return stated


def _cluster(results: Results) -> CurveSet:
    """Return the shares of the paper's own run under QAE, by sign of the advantage."""
    by_label = {}
    for name, label in SIGNS.items():
        metrics = (f"probe/advantage/{name}_share", f"recomputed/rollouts/{name}_share")
        by_label[label] = cluster.metric_curves(results, {label: ROW}, metrics, ylabel="share of responses")
    merged = {label: shown.curves[label] for label, shown in by_label.items()}
    return by_label[SIGNS["zero"]]._replace(curves=merged)


def _study(results: Results) -> CurveSet:
    columns = {"all groups": "zero_share", "mixed groups only": "mixed_zero_share"}
    shown = study.study_curves(results, {"": study.at_k(default_k())}, columns, ylabel=SHARE)
    return shown._replace(stand_in=f"{shown.stand_in}, QAE at K = {default_k()}")


def _bandit(results: Results) -> CurveSet:
    """Return the shares under the first distribution of difficulty, and those under the others in a note."""
    # One distribution of difficulty must not stand for all of them, as the share of zeros depends on it.
    where = {"k": default_k()}
    shown = bandit.bandit_curves(results, "sparsity", {"": where}, columns=READINGS, ylabel=SHARE)
    ends = []
    for difficulty in shown.sources[0].config["settings"]["difficulties"][1:]:
        name = difficulty["name"]
        other = bandit.bandit_curves(
            results, "sparsity", {name: where}, columns=READINGS["all groups"], ylabel=SHARE, condition=name
        ).curves[name]
        ends.append(f"{name} from {other.mean[0]:.3g} to {other.mean[-1]:.3g}")
    note = f"All groups under other difficulties of this experiment: {'; '.join(ends)}." if ends else ""
    return shown._replace(stand_in=f"{shown.stand_in}, QAE at K = {default_k()}", note=note)


PANELS = (
    (
        "(a) accuracy",
        points_panel("(a) accuracy", Request(lambda: MIDDLE.row_names, COLUMNS, _paper)),
    ),
    ("(b) entropy by sign of A", by_sign("(b) entropy by sign", ("grpo", "qae"))),
    (
        "(c) zero advantages",
        curves_panel(
            "(c) zero advantages",
            _cluster,
            _study,
            _bandit,
            marks=lambda shown: (level(zero_share(), f"about {zero_share():.0%} zero"),),
        ),
    ),
)
