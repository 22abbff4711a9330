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


def rows(results: Results) -> Sequence[Row]:
    """A row for each level; the paper's default range is the plain row."""
    plain = f"{paper_facts()['training']['clip_high']:.2f}"
    return [
        row_of(
            results,
            (level,),
            "qwen3-8b-clip-higher" if level == plain else f"qwen3-8b-eps{level.replace('.', '')}",
            {COLUMN: value},
        )
        for level, value in paper.table_1().items()
    ]


def table(results: Results) -> Panel:
    """The panel."""
    return table_panel("AIME24 by epsilon_high", HEADS, rows(results))


PANELS = (("AIME24 by epsilon_high", table),)
TEXTS = {
    "md": lambda results: markdown(TITLE, HEADS, rows(results)),
    "csv": lambda results: comma_separated(HEADS, rows(results)),
}
