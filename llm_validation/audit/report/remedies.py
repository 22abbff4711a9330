"""What the field's threads settled on for each diagnosis, and what the ledger says of it. Never an oracle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Remedy(NamedTuple):
    """Something to try, where it comes from, and the claim that speaks of it, if one does."""

    what: str
    source: str
    claim: str | None = None

    def record(self) -> dict[str, str | None]:
        """Return it in JSON's types, with the claim's verdict."""
        return {**self._asdict(), "ledger": verdicts().get(self.claim) if self.claim else "absent"}


@cache
def verdicts() -> dict[str, str]:
    """Return the verdict of each claim of the ledger, as it stood when this package was made."""
    text = (files("llm_validation.audit.report") / "verdicts.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def remedies(finding: str) -> Sequence[Remedy]:
    """Return what to try against a finding; empty where there is nothing to try."""
    return _REMEDIES.get(finding, ())


_REMEDIES: dict[str, Sequence[Remedy]] = {
    "uniform-groups": (
        Remedy("filter or resample uniform groups (dynamic sampling)", "arXiv 2503.14476; verl 953", "neutrality"),
        Remedy("a larger group: fewer groups are uniform at the same success rate", "DAPO 22", "neutrality"),
    ),
    "phantom-gradient": (Remedy("filter groups by `acc` instead of `score`", "verl-recipe PR 125", "gate-nonbinary"),),
}
