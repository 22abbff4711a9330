"""Table 1: DAPO's accuracy against epsilon_high, the paper's numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from paper_figures import paper
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.tables import Row, comma_separated, markdown, row_of, table_panel
from qae_theory.paper import paper_facts

TITLE = "Table 1. Accuracy of DAPO against epsilon_high, Qwen3-8B-Base (%)"
SHAPE = (1, 1)
SIZE = (6.6, 2.4)
HEADS = ("epsilon_high",)
COLUMN = "AIME24 pass@1"


def table_rows(results: Results) -> Sequence[Row]:
    """Return a row for each upper clip range; the run with the paper's default range does not name it."""
    default = f"{paper_facts()['training']['clip_high']:.2f}"
    listed = []
    for level, value in paper.table_1().items():
        experiment = "qwen3-8b-clip-higher" if level == default else f"qwen3-8b-eps{level.replace('.', '')}"
        listed.append(row_of(results, (level,), experiment=experiment, paper={COLUMN: value}))
    return listed


def table(results: Results) -> Panel:
    """Return the panel with the table."""
    return table_panel("AIME24 by epsilon_high", HEADS, table_rows(results))


PANELS = (("AIME24 by epsilon_high", table),)
TEXTS = {
    "md": lambda results: markdown(TITLE, HEADS, table_rows(results)),
    "csv": lambda results: comma_separated(HEADS, table_rows(results)),
}
