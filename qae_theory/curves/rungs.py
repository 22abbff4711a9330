"""The rungs of the prediction ladder: the predictions of one entropy change, from the exact one to the simplest."""

from __future__ import annotations

# The columns of a probe's table and the order in which reports show them. What each holds fixed and what it leaves out
# is in `llm_validation.probe.predictions`.
RUNGS = ("identity", "centred", "sampled", "first_order", "second_order")
