"""Figure 11: as Figure 10 for Qwen3-14B-Base, with another model of the study in its place."""

from __future__ import annotations

from paper_figures.over_steps import LARGE, accuracy, entropy, entropy_kept, length, length_kept, success_kept

TITLE = "Figure 11. As Figure 10 (the paper: Qwen3-14B-Base)"
SHAPE = (2, 3)
PANELS = (
    ("entropy", entropy("entropy", LARGE)),
    ("accuracy", accuracy("accuracy", LARGE)),
    ("response length", length("response length", LARGE)),
    ("difference of entropy", entropy_kept("difference of entropy", LARGE)),
    ("difference of success", success_kept("difference of success", LARGE)),
    ("difference of length", length_kept("difference of length", LARGE)),
)
