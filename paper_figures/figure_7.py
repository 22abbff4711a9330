"""Figure 7: as Figure 2, under QAE."""

from __future__ import annotations

from paper_figures.anthropomorphic import accuracy_panel, words_panel
from paper_figures.paper import default_k

TITLE = "Figure 7. Anthropomorphic words and accuracy under QAE (the paper: Qwen3-8B-Base)"
SHAPE = (1, 2)
SIZE = (3.6, 2.7)


def rows() -> dict[str, str]:
    """The paper's row."""
    return {f"DAPO + QAE, K = {default_k()}": "qwen3-8b-clip-higher-qae"}


WORDS = "anthropomorphic words"
PANELS = ((WORDS, words_panel(WORDS, rows)), ("pass@1", accuracy_panel("pass@1", rows)))
