"""Figure 10: entropy, accuracy and response length over steps, DAPO against DAPO + QAE, Qwen3-8B-Base."""

from __future__ import annotations

from paper_figures.over_steps import MIDDLE, accuracy, entropy, length

TITLE = "Figure 10. Entropy, accuracy and response length with and without QAE (the paper: Qwen3-8B-Base)"
SHAPE = (1, 3)
PANELS = (
    ("entropy", entropy("entropy", MIDDLE)),
    ("accuracy", accuracy("accuracy", MIDDLE)),
    ("response length", length("response length", MIDDLE)),
)
