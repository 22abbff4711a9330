"""Figure 2: anthropomorphic words and pass@1 over steps, DAPO with and without clip-higher."""

from __future__ import annotations

from paper_figures.anthropomorphic import accuracy_panel, word_count_panel
from paper_figures.paper import table_1
from qae_theory.paper import paper_facts

TITLE = "Figure 2. Anthropomorphic words and accuracy under DAPO (the paper: Qwen3-8B-Base)"
SHAPE = (1, 2)
SIZE = (3.6, 2.7)


def row_names() -> dict[str, str]:
    """Return the names of the paper's rows without and with clip-higher, by label."""
    strong, weak = min(map(float, table_1())), paper_facts()["training"]["clip_high"]
    return {f"eps_high = {strong:.2f}": "qwen3-8b-eps020", f"eps_high = {weak:.2f}": "qwen3-8b-clip-higher"}


WORDS = "anthropomorphic words"
PANELS = ((WORDS, word_count_panel(WORDS, row_names)), ("pass@1", accuracy_panel("pass@1", row_names)))
