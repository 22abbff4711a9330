"""Figure 4: entropy by the sign of the advantage; query weights on positive and on negative samples against p."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from paper_figures.by_sign import by_sign
from paper_figures.curves import legend_above
from paper_figures.looks import looks
from paper_figures.panels import Builder, Panel
from paper_figures.paper import default_k
from paper_figures.runs import Results
from qae_theory.arrays import Array
from qae_theory.objective import query_weights

TITLE = "Figure 4. Which samples move entropy, and how much a query weighs"
SHAPE = (1, 3)
GROUP = 100  # responses of a group, so that the weights are drawn at every success rate p = m/100


def weights(sign: str) -> Builder:
    """Return the panel of one sign: the exact weights of Prop. 4.1 at every success rate m/100."""

    def panel(results: Results) -> Panel:
        """Return the panel, which reads no results."""
        del results
        k = default_k()
        p = np.arange(GROUP + 1) / GROUP
        # The group at index m has m correct responses.
        groups = (np.arange(GROUP) < np.arange(GROUP + 1)[:, None]).astype(float)
        rules = {"grpo": "GRPO", "qae": f"QAE, K = {k}"}
        by_rule = {name: query_weights(groups, rule, k=k)[sign == "negative"] for rule, name in rules.items()}
        largest = [f"{name} at most {w.max():.3g}, at p = {p[w.argmax()]:.2g}" for name, w in by_rule.items()]

        def draw(axes: Any) -> None:
            for (name, weight), look in zip(by_rule.items(), looks(list(by_rule)), strict=True):
                axes.plot(*_broken(p, weight, 1 - Fraction(k)), label=name, **{**look, "marker": ""})
            axes.axvline(float(1 - Fraction(k)), color="0.5", linewidth=0.8, linestyle=":", label="p = 1 - K")
            axes.set(xlabel="success rate p of the query", ylabel="weight in the objective", xlim=(0, 1), ylim=(0, 1.4))
            legend_above(axes)

        return Panel(
            title=f"weight of {sign} samples",
            caption=f"Weight of {sign} samples at p = m/{GROUP} (Prop. 4.1, eps = 0): {'; '.join(largest)}.",
            draw=draw,
        )

    return panel


def _broken(p: Array, weight: Array, threshold: Fraction) -> tuple[Array, Array]:
    """Return the curve with a gap where the gate changes, after the last p of at most 1 - K.

    Without the gap a line would join the two branches, on which no success rate lies.
    """
    gap = sum(Fraction(m, GROUP) <= threshold for m in range(GROUP + 1))
    return np.insert(p, gap, np.nan), np.insert(weight, gap, np.nan)


PANELS = (
    ("entropy by sign of A", by_sign("entropy by sign of A", ("grpo",))),
    ("weight of positive samples", weights("positive")),
    ("weight of negative samples", weights("negative")),
)
