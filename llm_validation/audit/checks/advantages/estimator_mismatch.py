"""Find advantages that are not the configured estimator's, or those of none that has a name here."""

from __future__ import annotations

from llm_validation.audit.estimator.candidates import Candidate
from llm_validation.audit.estimator.identify import Identified, identify
from llm_validation.audit.findings.finding import Check, Finding, advantages_lacking
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.settings import AuditSettings
from qae_theory.advantages import get_estimator
from qae_theory.checks import decimal_fraction


def _lacking(log: Log) -> str | None:
    lacking = advantages_lacking(log)
    if lacking is not None:
        return lacking
    return None if identify(log) is not None else "a group of at least two responses with unequal rewards"


def run(log: Log) -> list[Finding]:
    """Return a finding where no candidate fits, or where those that fit are not what is configured."""
    found = identify(log)
    if found is None:
        return []
    if not found.fits:
        return [_nothing_fits(found, log.settings)]
    named = [one for one in found.members if one.name == log.settings.estimator]
    if log.settings.estimator is None or any(_agrees(one, log.settings) for one in named):
        return []
    first = found.members[0]
    return [
        Finding(
            "estimator-mismatch",
            "warning" if named else "critical",
            f"the advantages are those of {shown(first)}, not of {_configured(log.settings)} (largest deviation "
            f"{found.deviation:.2g}, {found.groups} groups)",
            "the configured estimator is registered and used; the options reach it",
            {"identified": first.record(), "configured": log.settings.estimator, "max_deviation": found.deviation},
            ("eq4-released-code",),
        )
    ]


def _nothing_fits(found: Identified, settings: AuditSettings) -> Finding:
    nearest = "none" if found.nearest is None else shown(found.nearest)
    return Finding(
        "estimator-mismatch",
        "critical" if settings.estimator is not None else "warning",
        f"the advantages are those of no estimator known here; the nearest is {nearest}, off by up to "
        f"{found.deviation:.2g} in {found.groups} groups",
        "the rewards in the log are those that the advantages were made from (weights, penalties), or the rule is "
        "registered",
        {"nearest": None if found.nearest is None else found.nearest.record(), "max_deviation": found.deviation},
        ("eq4-released-code",),
    )


def shown(candidate: Candidate) -> str:
    """Return a candidate in words."""
    options = ", ".join(f"{name}={value}" for name, value in candidate.options.items())
    return f"{candidate.name} ({options})" if options else candidate.name


def _agrees(candidate: Candidate, settings: AuditSettings) -> bool:
    """Return whether a candidate has the options that are configured.

    Where it names no standard deviation it has the rule's own; another option that it has not decides nothing.
    """
    options = candidate.options
    k = settings.k is None or "k" not in options or decimal_fraction(options["k"]) == decimal_fraction(settings.k)
    divisor = options.get("std", get_estimator(candidate.name).defaults.get("std"))
    std = None in (settings.std, divisor) or divisor == settings.std
    eps = settings.eps is None or "eps" not in options or options["eps"] == settings.eps
    return k and std and eps


def _configured(settings: AuditSettings) -> str:
    options = {"k": settings.k, "std": settings.std, "eps": settings.eps}
    known = {name: value for name, value in options.items() if value is not None}
    return shown(Candidate(settings.estimator or "", known))


CHECK = Check("estimator-mismatch", ("estimator-mismatch",), _lacking, run)
