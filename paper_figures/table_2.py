"""Table 2: the main results, the paper's numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from paper_figures import paper
from paper_figures.panels import Panel
from paper_figures.runs import Results
from paper_figures.tables import Row, comma_separated, markdown, row_of, table_panel

TITLE = "Table 2. Main results (%)"
SHAPE = (1, 1)
SIZE = (12.5, 4.6)
HEADS = ("model", "method")
MODELS = {"Qwen3-8B-Base": "qwen3-8b", "Qwen3-30B-A3B-Base": "qwen3-30b-a3b"}


def rows(results: Results) -> Sequence[Row]:
    """The paper's rows in its order."""
    return [
        row_of(results, (model, method), _experiment(model, method), stated)
        for (model, method), stated in paper.table_2().items()
    ]


def _experiment(model: str, method: str) -> str:
    """``qwen3-8b-clip-higher-qae`` for Qwen3-8B-Base and Clip-Higher + QAE."""
    return f"{MODELS[model]}-{method.replace(' + ', '-').lower()}"


def table(results: Results) -> Panel:
    """The panel."""
    return table_panel("main results", HEADS, rows(results))


PANELS = (("main results", table),)
TEXTS = {
    "md": lambda results: markdown(TITLE, HEADS, rows(results)),
    "csv": lambda results: comma_separated(HEADS, rows(results)),
}
