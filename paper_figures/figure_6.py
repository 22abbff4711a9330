"""Figure 6: pass@1 of Qwen3-14B-Base; both sides of the objective masked in turn, under weak and strong clipping.

Below are the masks of the study less its QAE, seed by seed, which the paper does not show.
"""

from __future__ import annotations

from paper_figures import bandit, cluster, study
from paper_figures.accuracy_points import Column, Request, points_panel
from paper_figures.curves import CurveSet, curves_panel
from paper_figures.over_steps import BENCHMARK, LARGE
from paper_figures.panels import Builder
from paper_figures.paper import Mark, default_k, level, table_1
from paper_figures.runs import Results
from qae_theory.paper import paper_facts

TITLE = "Figure 6. A larger model, and masking one side (the paper: Qwen3-14B-Base and Qwen3-8B-Base)"
SHAPE = (2, 3)
COLUMNS: tuple[Column, ...] = (("AIME25", 1), ("AIME24", 1))
RULES = {"QAE": "qae", "POS-MASK": "pos_mask", "NEG-MASK": "neg_mask"}
STEMS = {"weak": "qwen3-8b-", "strong": "qwen3-8b-eps020-"}


def clip_high(clip: str) -> float:
    """Return the upper clip range: the paper's own if ``weak``, and the smallest of its Table 1 if ``strong``."""
    return float(paper_facts()["training"]["clip_high"]) if clip == "weak" else min(map(float, table_1()))


def masks(title: str, clip: str) -> Builder:
    """Return the panel with the accuracy over steps of QAE and of both masks."""

    def on_cluster(results: Results) -> CurveSet:
        row_names = {label: f"{STEMS[clip]}{rule.replace('_', '-')}" for label, rule in RULES.items()}
        if clip == "weak":
            row_names["QAE"] = "qwen3-8b-clip-higher-qae"  # QAE's main run, which has a name of its own
        return cluster.accuracy_curves(results, row_names, BENCHMARK)

    def in_study(results: Results) -> CurveSet:
        rules = {
            label: study.at_k(default_k(), estimator=rule, clip_high=clip_high(clip)) for label, rule in RULES.items()
        }
        return study.study_curves(results, rules, "success", ylabel=study.SUCCESS)

    def on_bandit(results: Results) -> CurveSet:
        rules = {label: {"rule": rule, "clip": clip, "scale": "QAE's step size"} for label, rule in RULES.items()}
        shown = bandit.bandit_curves(results, "masks", rules, columns="success", ylabel=bandit.SUCCESS)
        settings = shown.sources[0].config["settings"]
        return shown._replace(stand_in=f"{shown.stand_in}, K = {settings['k']}, eps_high = {settings[clip]:g}")

    return curves_panel(title, on_cluster, in_study, on_bandit)


def less_qae(title: str, column: str, ylabel: str, clip: str) -> Builder:
    """Return the panel with a column of the study's masks less QAE's, seed by seed."""

    def in_study(results: Results) -> CurveSet:
        high = clip_high(clip)
        rules = {}
        for label, rule in list(RULES.items())[1:]:
            rules[label] = study.at_k(default_k(), estimator=rule, clip_high=high)
        base = study.at_k(default_k(), clip_high=high)
        return study.study_curves(results, rules, column, ylabel=f"{ylabel}, less QAE's", less=base)

    return curves_panel(title, in_study, zero=True)


def four_bars() -> list[Mark]:
    """Return the four values of Figure 6a as marks, as printed; which bar is whose is not certain.

    One entry of the legend stands for all four, and neighbouring values are written at different ends of their lines.
    """
    values = sorted(paper_facts()["figure_6a_qwen3_14b_pass_at_1"]["values"])
    name = "four bars, whose is not certain"
    marks = []
    for number, value in enumerate(values):
        marks.append(level(value, name, shown=number == 0, left=number % 2 == 1)._replace(text=""))
    text = f"paper: {name}: {', '.join(f'{value:g} %' for value in values)}"
    return [marks[0]._replace(text=text), *marks[1:]]


PANELS = (
    ("(a) pass@1", points_panel("(a) pass@1", Request(lambda: LARGE.row_names, COLUMNS, dict, marks=four_bars))),
    ("(b) masks, weak clipping", masks("(b) eps_high = 0.28", "weak")),
    ("(c) masks, strong clipping", masks("(c) eps_high = 0.2", "strong")),
    ("entropy, weak clipping", less_qae("entropy, eps_high = 0.28", "sequence_entropy", "nats per response", "weak")),
    ("success, weak clipping", less_qae("success, eps_high = 0.28", "pass1", "success", "weak")),
    ("success, strong clipping", less_qae("success, eps_high = 0.2", "pass1", "success", "strong")),
)
