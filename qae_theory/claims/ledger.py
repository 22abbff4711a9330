"""Collects claims and evidence: the catalogue's statements and whatever the installed packages can show for them."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

from qae_theory.claims.model import REFUTING, Claim, Evidence, Kind, Reading, Role

EVIDENCE_GROUP = "qae.evidence"


class Ledger:
    """Claims and their evidence, in the order of the catalogue. Refuses what would make a verdict ambiguous."""

    def __init__(self, claims: list[Claim]) -> None:
        """Start with these claims and no evidence."""
        self._claims: dict[str, Claim] = {}
        self._evidence: dict[tuple[str, str], Evidence] = {}
        for claim in claims:
            self.add_claim(claim)

    def add_claim(self, claim: Claim) -> None:
        """Add a line; its id must be new."""
        if claim.id in self._claims:
            raise ValueError(f"claim id {claim.id!r} is in the ledger already")
        self._claims[claim.id] = claim

    def add(self, evidence: Evidence) -> None:
        """Add evidence for a line that exists, under a name that is new for that line."""
        if evidence.claim not in self._claims:
            raise ValueError(f"claim id {evidence.claim!r} is not in the ledger; it has {', '.join(self._claims)}")
        if (evidence.claim, evidence.name) in self._evidence:
            raise ValueError(f"evidence {evidence.name!r} for {evidence.claim!r} is registered already")
        if not evidence.steps:
            raise ValueError(f"evidence {evidence.name!r} for {evidence.claim!r} has no steps")
        if evidence.kind is Kind.ARGUMENT:
            raise ValueError(
                f"evidence {evidence.name!r} for {evidence.claim!r} must be registered as a symbolic proof: that it is "
                "a checked argument follows from its steps"
            )
        if evidence.kind is Kind.WITNESS and evidence.role is Role.FOR:
            raise ValueError(
                f"witness {evidence.name!r} for {evidence.claim!r} must speak against, or without an assumption"
            )
        if evidence.role is Role.AGAINST and evidence.kind not in REFUTING:
            raise ValueError(
                f"{evidence.kind} {evidence.name!r} for {evidence.claim!r} cannot refute; register it as evidence for"
            )
        under = evidence.role in (Role.UNDER, Role.WITHOUT)
        if under != (self._claims[evidence.claim].assumption is not None):
            raise ValueError(f"role of {evidence.name!r} for {evidence.claim!r}: assumption and role go together")
        self._evidence[evidence.claim, evidence.name] = evidence

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Return all claims."""
        return tuple(self._claims.values())

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all evidence."""
        return tuple(self._evidence.values())

    def evidence_for(self, claim_id: str) -> tuple[Evidence, ...]:
        """Return the evidence of one claim."""
        return tuple(e for e in self._evidence.values() if e.claim == claim_id)

    def find(self, claim_id: str, name: str) -> Evidence:
        """Return one piece of evidence."""
        return self._evidence[claim_id, name]


def read_catalogue() -> list[Claim]:
    """Return the statements of all claims, from the TOML files of ``claims/catalogue``, in file-name order."""
    folder = files("qae_theory.claims") / "catalogue"
    pages = sorted((page for page in folder.iterdir() if page.name.endswith(".toml")), key=lambda page: page.name)
    claims: list[Claim] = []
    for page in pages:
        content = tomllib.loads(page.read_text(encoding="utf-8"))
        claims += [_claim({"section": content["section"], **line}) for line in content["claim"]]
    return claims


def _claim(line: dict[str, Any]) -> Claim:
    return Claim(**{**line, "reading": Reading(line["reading"])})


def load_ledger() -> Ledger:
    """Return the catalogue with the evidence of every installed package that registers some in ``qae.evidence``."""
    ledger = Ledger(read_catalogue())
    for provider in sorted(entry_points(group=EVIDENCE_GROUP), key=lambda point: point.name):
        provider.load()(ledger)
    return ledger
