"""Figure 6: pass@1 of Qwen3-14B-Base; both sides of the objective masked in turn, under weak and strong clipping."""

from __future__ import annotations

from paper_figures import bandit, cluster, study
from paper_figures.accuracy_points import Asked, Column, dots_panel
from paper_figures.curves import Shown, curves_panel
from paper_figures.over_steps import BENCHMARK, LARGE
from paper_figures.panels import Builder
from paper_figures.paper import Mark, default_k, level, table_1
from paper_figures.runs import Results
from qae_theory.paper import paper_facts

TITLE = "Figure 6. A larger model, and masking one side (the paper: Qwen3-14B-Base and Qwen3-8B-Base)"
SHAPE = (1, 3)
COLUMNS: tuple[Column, ...] = (("AIME25", 1), ("AIME24", 1))
RULES = {"QAE": "qae", "POS-MASK": "pos_mask", "NEG-MASK": "neg_mask"}
STEMS = {"weak": "qwen3-8b-", "strong": "qwen3-8b-eps020-"}


def clip_high(clip: str) -> float:
    """Upper clip range: the paper's own, and the smallest of its Table 1."""
    return float(paper_facts()["training"]["clip_high"]) if clip == "weak" else min(map(float, table_1()))


def masks(title: str, clip: str) -> Builder:
    """Accuracy over steps of QAE and of both masks."""

    def on_cluster(results: Results) -> Shown:
        rows = {label: f"{STEMS[clip]}{rule.replace('_', '-')}" for label, rule in RULES.items()}
        if clip == "weak":
            rows["QAE"] = "qwen3-8b-clip-higher-qae"
        return cluster.accuracy_curves(results, rows, BENCHMARK)

    def in_study(results: Results) -> Shown:
        rules = {
            label: study.at_k(default_k(), estimator=rule, clip_high=clip_high(clip)) for label, rule in RULES.items()
        }
        return study.study_curves(results, rules, "success", study.SUCCESS)

    def on_bandit(results: Results) -> Shown:
        rules = {label: {"rule": rule, "clip": clip, "scale": "QAE's step size"} for label, rule in RULES.items()}
        found = bandit.bandit_curves(results, "masks", rules, "success", bandit.SUCCESS)
        settings = found.sources[0].config["settings"]
        return found._replace(stand_in=f"{found.stand_in}, K = {settings['k']}, eps_high = {settings[clip]:g}")

    return curves_panel(title, on_cluster, in_study, on_bandit)


def four_bars() -> list[Mark]:
    """The values as printed."""
    values = sorted(paper_facts()["figure_6a_qwen3_14b_pass_at_1"]["values"])
    said = "four bars, whose is not certain"
    marks = [level(value, said, shown=not n, left=n % 2 == 1)._replace(text="") for n, value in enumerate(values)]
    return [marks[0]._replace(text=f"paper: {said}: {', '.join(f'{value:g} %' for value in values)}"), *marks[1:]]


PANELS = (
    ("(a) pass@1", dots_panel("(a) pass@1", Asked(lambda: LARGE.rows, COLUMNS, dict, four_bars))),
    ("(b) masks, weak clipping", masks("(b) eps_high = 0.28", "weak")),
    ("(c) masks, strong clipping", masks("(c) eps_high = 0.2", "strong")),
)
