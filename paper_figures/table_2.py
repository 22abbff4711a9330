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


def table_rows(results: Results) -> Sequence[Row]:
    """Return the paper's rows in its order."""
    listed = []
    for (model, method), stated in paper.table_2().items():
        experiment = _experiment(model, method)
        listed.append(row_of(results, (model, method), experiment=experiment, paper=stated))
    return listed


def _experiment(model: str, method: str) -> str:
    """Return the experiment's name: ``qwen3-8b-clip-higher-qae`` for Qwen3-8B-Base and Clip-Higher + QAE."""
    return f"{MODELS[model]}-{method.replace(' + ', '-').lower()}"


def table(results: Results) -> Panel:
    """Return the panel with the table."""
    return table_panel("main results", HEADS, table_rows(results))


PANELS = (("main results", table),)
TEXTS = {
    "md": lambda results: markdown(TITLE, HEADS, table_rows(results)),
    "csv": lambda results: comma_separated(HEADS, table_rows(results)),
}
