"""Find an entropy bonus in the loss: what entropy does then is not the advantages' doing alone."""

from __future__ import annotations

import numpy as np

from llm_validation.audit.findings.finding import Check, Finding
from llm_validation.audit.model.log import Log

GROWN = 1.5


def _lacking(log: Log) -> str | None:
    if log.settings.entropy_coefficient is not None:
        return None
    return "the entropy coefficient (the configuration, or --set entropy_coefficient=X)"


def run(log: Log) -> list[Finding]:
    """Return a finding where the coefficient is not 0."""
    coefficient = log.settings.entropy_coefficient
    if not coefficient:
        return []
    ends = _ends(log)
    course = "" if ends is None else f"; the entropy went from {ends[0]:.3g} to {ends[1]:.3g}"
    grown = ends is not None and ends[1] >= GROWN * ends[0]
    return [
        Finding(
            "entropy-bonus-on",
            "critical" if grown and coefficient > 0 else "warning",
            f"the loss has an entropy term with coefficient {coefficient:g}{course}",
            "entropy_coeff = 0",
            {
                "coefficient": coefficient,
                "first": None if ends is None else ends[0],
                "last": None if ends is None else ends[1],
            },
            (),
        )
    ]


def _ends(log: Log) -> tuple[float, float] | None:
    """Return the mean entropy of the first and the last tenth of the steps."""
    series = log.steps.series("entropy")
    known = np.zeros(0) if series is None else series[np.isfinite(series)]
    if len(known) < 2:
        return None
    tenth = max(1, len(known) // 10)
    return float(known[:tenth].mean()), float(known[-tenth:].mean())


CHECK = Check("entropy-bonus-on", ("entropy-bonus-on",), _lacking, run)
