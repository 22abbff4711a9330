r"""Find a sampler and a trainer that disagree on the sampled tokens: the update is off-policy unawares.

From log-probabilities of tokens: the mean distance, the effective sample size of the importance ratios,
:math:`(\sum w)^2/(n\sum w^2)`, and the share of ratios outside the clip range. Else from what the trainer logs of it.
"""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding, percent
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.series import SCALED_AS_PROBABILITY

FAR, VERY_FAR = 0.02, 0.1  # nats a token; bf16 against another kernel leaves some thousandths
PROBABLE_FAR, PROBABLE_VERY_FAR = 0.01, 0.05  # of differences of probabilities
FEW, VERY_FEW = 0.9, 0.5  # effective share of the tokens
_CLAIMS = ("clip-sides",)
_CHANGES = "one temperature and one top-p in both, log-probabilities of the sampler's own kernels, or a correction"


def _lacking(log: Log) -> str | None:
    if log.table("logp_distance") is not None or log.steps.series("logp_gap") is not None:
        return None
    return "log-probabilities of sampler and trainer for the same tokens"


def run(log: Log) -> list[Finding]:
    """Return a finding where the log-probabilities are far apart."""
    table = log.table("logp_distance")
    if table is None:
        return _from_steps(log)
    compared = np.isfinite(table.column("logp_distance"))
    tokens = float(np.nansum(table.column("tokens")[compared]))
    if not tokens:
        return []
    distance = float(np.nansum(table.column("logp_distance"))) / tokens
    squares = float(np.nansum(table.column("ratio_squares")))
    effective = float(np.nansum(table.column("ratio_sum"))) ** 2 / (tokens * squares) if squares else 0.0
    outside = float(np.nansum(table.column("ratio_outside"))) / tokens
    if distance < FAR and effective > FEW:
        return []
    settings = {name: getattr(log.settings, name) for name in ("temperature", "top_p")}
    return [
        Finding(
            "logp-mismatch",
            "critical" if distance >= VERY_FAR or effective <= VERY_FEW else "warning",
            f"sampler and trainer differ by {distance:.3g} nats a token in the mean; effective sample size "
            f"{percent(effective)}, {percent(outside)} of the ratios outside the clip range before any update",
            _CHANGES,
            {
                "mean_distance": distance,
                "effective_share": effective,
                "outside_clip_share": outside,
                "tokens": tokens,
                **{name: value for name, value in settings.items() if value is not None},
            },
            _CLAIMS,
        )
    ]


def _from_steps(log: Log) -> list[Finding]:
    series, name = log.steps.series("logp_gap"), log.steps.name_of("logp_gap")
    if series is None:
        return []
    mean = float(np.nanmean(series))
    probable = name in SCALED_AS_PROBABILITY
    far, very_far = (PROBABLE_FAR, PROBABLE_VERY_FAR) if probable else (FAR, VERY_FAR)
    if mean < far:
        return []
    unit = "in probability" if probable else "nats"
    return [
        Finding(
            "logp-mismatch",
            "critical" if mean >= very_far else "warning",
            f"sampler and trainer differ by {mean:.3g} {unit} a token in the mean ({name})",
            _CHANGES,
            {"mean_distance": mean, "metric": name},
            _CLAIMS,
        )
    ]


CHECK = Check("logp-mismatch", ("logp-mismatch",), _lacking, run)
