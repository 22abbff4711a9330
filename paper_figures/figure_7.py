"""Figure 7: anthropomorphic words and pass@1 over steps, DAPO + QAE."""

from __future__ import annotations

from paper_figures.anthropomorphic import accuracy_panel, word_count_panel
from paper_figures.paper import default_k

TITLE = "Figure 7. Anthropomorphic words and accuracy under QAE (the paper: Qwen3-8B-Base)"
SHAPE = (1, 2)
SIZE = (3.6, 2.7)


def row_names() -> dict[str, str]:
    """Return the name of the paper's row, by label."""
    return {f"DAPO + QAE, K = {default_k()}": "qwen3-8b-clip-higher-qae"}


WORDS = "anthropomorphic words"
PANELS = ((WORDS, word_count_panel(WORDS, row_names)), ("pass@1", accuracy_panel("pass@1", row_names)))
