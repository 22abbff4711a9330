"""Figure 10: entropy, accuracy and response length over steps, DAPO against DAPO + QAE, Qwen3-8B-Base.

Below are the differences of the study's runs, seed by seed, which the paper does not show.
"""

from __future__ import annotations

from paper_figures.over_steps import MIDDLE, accuracy, entropy, entropy_kept, length, length_kept, success_kept

TITLE = "Figure 10. Entropy, accuracy and response length with and without QAE (the paper: Qwen3-8B-Base)"
SHAPE = (2, 3)
PANELS = (
    ("entropy", entropy("entropy", MIDDLE)),
    ("accuracy", accuracy("accuracy", MIDDLE)),
    ("response length", length("response length", MIDDLE)),
    ("difference of entropy", entropy_kept("difference of entropy", MIDDLE)),
    ("difference of success", success_kept("difference of success", MIDDLE)),
    ("difference of length", length_kept("difference of length", MIDDLE)),
)
