"""Find a clip range that does nothing: with one update a batch the ratio is 1 where the gradient is taken.

Then epsilon, clip-higher and the dual clip do nothing, whatever they are set to.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding
from llm_validation.audit.model.log import Log

LEAST_STEPS = 10
_CLIPS = ("clip_together", "clip_low", "clip_high")


def _clipped(log: Log) -> list[np.ndarray]:
    return [series for name in _CLIPS if (series := log.steps.series(name)) is not None]


def _lacking(log: Log) -> str | None:
    if log.settings.updates_per_batch is not None or _clipped(log):
        return None
    return "updates on a batch of rollouts (the configuration, or --set updates_per_batch=N) or clip fractions"


def run(log: Log) -> list[Finding]:
    """Return a finding where clipping cannot bind, or never did."""
    settings, series = log.settings, _clipped(log)
    if settings.updates_per_batch is not None:
        if settings.updates_per_batch > 1:
            return []
        says = "one update is taken on each batch of rollouts: the clip range is inert"
    else:
        known = [np.abs(one[np.isfinite(one)]) for one in series]
        if any(one.any() for one in known) or max((len(one) for one in known), default=0) < LEAST_STEPS:
            return []
        says = "no token was clipped in any step: the clip range is inert, as with one update a batch"
    epsilons = {name: getattr(settings, name) for name in ("clip_low", "clip_high")}
    return [
        Finding(
            "clip-inert",
            "info",
            says,
            "more updates on each batch (smaller mini-batches or several epochs)",
            {"updates_per_batch": settings.updates_per_batch, **{k: v for k, v in epsilons.items() if v is not None}},
            ("clip-sides", "unsampled-logits"),
        )
    ]


CHECK = Check("clip-inert", ("clip-inert",), _lacking, run)
