"""Figure 3: which tokens have a high entropy, at three steps under DAPO."""

from __future__ import annotations

from paper_figures.tokens import snapshots

TITLE = "Figure 3. High-entropy tokens under DAPO (the paper: Qwen3-8B-Base)"
SHAPE = (1, 3)
SHARED_Y = ((0, 1, 2),)
PANELS = snapshots("3", "grpo")
