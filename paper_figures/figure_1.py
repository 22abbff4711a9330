"""Figure 1: entropy and pass@1 over steps, DAPO against DAPO + QAE, and the difference of entropy, Qwen3-8B-Base."""

from __future__ import annotations

from paper_figures.over_steps import MIDDLE, accuracy, entropy, entropy_kept

TITLE = "Figure 1. Entropy and accuracy with and without QAE (the paper: Qwen3-8B-Base)"
SHAPE = (1, 3)
PANELS = (
    ("entropy", entropy("entropy", MIDDLE)),
    ("pass@1", accuracy("pass@1", MIDDLE)),
    ("difference of entropy", entropy_kept("difference of entropy", MIDDLE)),
)
