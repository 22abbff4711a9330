"""Figure 5: AIME24 pass@1 and pass@16; entropy by the sign of the advantage; shares of advantages over steps."""

from __future__ import annotations

from paper_figures import bandit, cluster, study
from paper_figures.accuracy_points import Asked, Column, dots_panel
from paper_figures.by_sign import by_sign
from paper_figures.curves import Shown, curves_panel
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
    methods = ("Clip-Higher", "Clip-Higher + QAE")
    return {
        label: {
            f"{benchmark} pass@{k}": table_2()[MIDDLE.model, method][f"{benchmark} pass@{k}"]
            for benchmark, k in COLUMNS
        }
        for label, method in zip(MIDDLE.rows, methods, strict=True)
    }


def _cluster(results: Results) -> Shown:
    parts = {
        label: cluster.metric_curves(
            results,
            {label: ROW},
            (f"probe/advantage/{name}_share", f"recomputed/rollouts/{name}_share"),
            "share of responses",
        )
        for name, label in SIGNS.items()
    }
    merged = {label: part.curves[label] for label, part in parts.items()}
    return parts[SIGNS["zero"]]._replace(curves=merged)


def _study(results: Results) -> Shown:
    columns = {"all groups": "zero_share", "mixed groups only": "mixed_zero_share"}
    found = study.study_curves(results, {"": study.at_k(default_k())}, columns, SHARE)
    return found._replace(stand_in=f"{found.stand_in}, QAE at K = {default_k()}")


def _bandit(results: Results) -> Shown:
    found = bandit.bandit_curves(results, "sparsity", {"": {"k": default_k()}}, READINGS, SHARE)
    others = [one["name"] for one in found.sources[0].config["settings"]["difficulties"][1:]]
    ends = {
        name: bandit.bandit_curves(
            results, "sparsity", {name: {"k": default_k()}}, READINGS["all groups"], SHARE, condition=name
        ).curves[name]
        for name in others
    }
    said = "; ".join(f"{name} from {one.mean[0]:.3g} to {one.mean[-1]:.3g}" for name, one in ends.items())
    note = f"All groups under other difficulties of this experiment: {said}." if said else ""
    return found._replace(stand_in=f"{found.stand_in}, QAE at K = {default_k()}", note=note)


PANELS = (
    (
        "(a) accuracy",
        dots_panel("(a) accuracy", Asked(lambda: MIDDLE.rows, COLUMNS, _paper)),
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
