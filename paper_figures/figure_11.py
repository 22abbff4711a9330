"""Figure 11: entropy, accuracy and response length over steps, DAPO against DAPO + QAE, Qwen3-14B-Base."""

from __future__ import annotations

from paper_figures.over_steps import LARGE, accuracy, entropy, length

TITLE = "Figure 11. As Figure 10 (the paper: Qwen3-14B-Base)"
SHAPE = (1, 3)
PANELS = (
    ("entropy", entropy("entropy", LARGE)),
    ("accuracy", accuracy("accuracy", LARGE)),
    ("response length", length("response length", LARGE)),
)
