"""Figure 4: entropy by the sign of the advantage; query weights on positive and on negative samples against p."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from paper_figures.curves import Curve, curve, draw_curves, ends_said, rows_where, seeds_said
from paper_figures.panels import Panel, first_found
from paper_figures.runs import Results, Run, columns_of
from qae_theory.objective import query_weights

TITLE = "Figure 4. Which samples move entropy, and how much a query weighs"
SHAPE = (1, 3)
K = "0.4"
GROUP = 100  # success rates p = m/100, of which the weights are functions

RULES = {"grpo": "GRPO", "qae": f"QAE, K = {K}"}


def by_sign(results: Results) -> Panel:
    """Entropy averaged over responses with A > 0 and A < 0 under GRPO."""
    run, where, curves = first_found(partial(_study, results), partial(_bandit, results))
    return Panel(
        "entropy by sign of A",
        f"Entropy of positive and negative samples ({where}; {seeds_said(curves.values())}): "
        f"{ends_said(curves, ' nats')}.",
        lambda axes: draw_curves(axes, curves, ylabel="entropy (nats per response)", xlabel="step"),
        sources=(run,),
        stand_in=where,
    )


def _study(results: Results) -> tuple[Run, str, dict[str, Curve]]:
    run = results.run("validate", command="qae validate")
    table = rows_where(run.parquet("runs.parquet"), task="addition", estimator="grpo")
    columns = {"A > 0": "entropy_positive", "A < 0": "entropy_negative"}
    return run, "tiny Qwen3, addition, GRPO", {name: curve(table, column) for name, column in columns.items()}


def _bandit(results: Results) -> tuple[Run, str, dict[str, Curve]]:
    run = results.run("sign-split", command="qae simulate sign-split")
    table = columns_of(run.records)
    condition = str(table["condition"][0])
    table = rows_where(table, rule="grpo", condition=condition)
    columns = {"A > 0": "positive_sample_entropy", "A < 0": "negative_sample_entropy"}
    curves = {name: curve(table, column) for name, column in columns.items()}
    return run, f"softmax bandit, GRPO, {condition}", curves


def weights(sign: str) -> Any:
    """The panel of one sign: exact weights of Prop. 4.1 at every success rate m/100."""

    def panel(results: Results) -> Panel:
        del results
        p = np.arange(GROUP + 1) / GROUP
        groups = np.arange(GROUP) < np.arange(GROUP + 1)[:, None]
        found = {
            name: query_weights(groups.astype(float), rule, k=K)[sign == "negative"] for rule, name in RULES.items()
        }
        most = {name: (float(w.max()), float(p[w.argmax()])) for name, w in found.items()}
        said = "; ".join(f"{name} at most {w:.3g}, at p = {at:.2g}" for name, (w, at) in most.items())

        def draw(axes: Any) -> None:
            for name, w in found.items():
                axes.plot(p, w, label=name, marker="")
            axes.axvline(float(1 - Fraction(K)), color="0.5", linewidth=0.8, linestyle=":", label="p = 1 - K")
            axes.set(xlabel="success rate p of the query", ylabel="weight in the objective", xlim=(0, 1), ylim=(0, 2))
            axes.legend()

        return Panel(f"weight of {sign} samples", f"Weight of {sign} samples (Prop. 4.1, eps = 0): {said}.", draw)

    return panel


PANELS = (
    ("entropy by sign of A", by_sign),
    ("weight of positive samples", weights("positive")),
    ("weight of negative samples", weights("negative")),
)
