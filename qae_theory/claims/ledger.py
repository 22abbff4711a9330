"""Collect claims and evidence: the catalogue's statements, and what the installed packages can show for them.

The ledger refuses what would make a verdict ambiguous: ids and names that are taken, evidence without steps, and roles
that the kind of evidence or the claim does not allow. What the evidence says is judged in ``verdict``.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

from qae_theory.claims.model import REFUTING, Claim, Evidence, Kind, Reading, Role

EVIDENCE_GROUP = "qae.evidence"


class Ledger:
    """Hold claims and their evidence, in the order of the catalogue."""

    def __init__(self, claims: list[Claim]) -> None:
        """Start with these claims and no evidence."""
        self._claims: dict[str, Claim] = {}
        self._evidence: dict[tuple[str, str], Evidence] = {}
        for claim in claims:
            self.add_claim(claim)

    def add_claim(self, claim: Claim) -> None:
        """Add a line.

        Raises:
            ValueError: if its id is taken.
        """
        if claim.id in self._claims:
            raise ValueError(f"claim id {claim.id!r} is in the ledger already")
        self._claims[claim.id] = claim

    def add(self, evidence: Evidence) -> None:
        """Add evidence for a line that exists.

        Raises:
            ValueError: if the claim is unknown, the name is taken, there are no steps, or kind and role do not fit.
        """
        if evidence.claim not in self._claims:
            raise ValueError(f"claim id {evidence.claim!r} is not in the ledger; it has {', '.join(self._claims)}")
        if (evidence.claim, evidence.name) in self._evidence:
            raise ValueError(f"evidence {evidence.name!r} for {evidence.claim!r} is registered already")
        if not evidence.steps:
            raise ValueError(f"evidence {evidence.name!r} for {evidence.claim!r} has no steps")
        # Whether a proof is an argument only is computed from its steps; nobody may claim it by hand.
        if evidence.kind is Kind.ARGUMENT:
            raise ValueError(
                f"evidence {evidence.name!r} for {evidence.claim!r} must be registered as a symbolic proof: that it is "
                "a checked argument follows from its steps"
            )
        # One example proves no general statement.
        if evidence.kind is Kind.WITNESS and evidence.role is Role.FOR:
            raise ValueError(
                f"witness {evidence.name!r} for {evidence.claim!r} must speak against, or without an assumption"
            )
        # Only exact evidence refutes: a test that finds no effect may have looked too briefly.
        if evidence.role is Role.AGAINST and evidence.kind not in REFUTING:
            raise ValueError(
                f"{evidence.kind} {evidence.name!r} for {evidence.claim!r} cannot refute; register it as evidence for"
            )
        # A rescued line has its counterexample in the role WITHOUT; an unqualified one has no assumption to be under.
        under = evidence.role in (Role.UNDER, Role.WITHOUT)
        if under != (self._claims[evidence.claim].assumption is not None):
            raise ValueError(f"role of {evidence.name!r} for {evidence.claim!r}: assumption and role go together")
        self._evidence[evidence.claim, evidence.name] = evidence

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Return all claims, in the order of the catalogue."""
        return tuple(self._claims.values())

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all evidence, in the order of registration."""
        return tuple(self._evidence.values())

    def evidence_for(self, claim_id: str) -> tuple[Evidence, ...]:
        """Return the evidence of one claim."""
        return tuple(e for e in self._evidence.values() if e.claim == claim_id)

    def find(self, claim_id: str, name: str) -> Evidence:
        """Return one piece of evidence, given its claim and its name.

        Raises:
            KeyError: if there is none.
        """
        return self._evidence[claim_id, name]


def read_catalogue() -> list[Claim]:
    """Return the statements of all claims, from the TOML files of ``claims/catalogue``, in file-name order."""
    folder = files("qae_theory.claims") / "catalogue"
    # The names begin with numbers, so that the order of files is that of the pages.
    pages = sorted((page for page in folder.iterdir() if page.name.endswith(".toml")), key=lambda page: page.name)
    claims: list[Claim] = []
    for page in pages:
        content = tomllib.loads(page.read_text(encoding="utf-8"))
        # Each page gives its title once, and its claims take it as their section.
        claims += [_claim({"section": content["section"], **line}) for line in content["claim"]]
    return claims


def _claim(line: dict[str, Any]) -> Claim:
    return Claim(**{**line, "reading": Reading(line["reading"])})


def load_ledger() -> Ledger:
    """Return the catalogue with the evidence of every installed package that registers some in ``qae.evidence``."""
    ledger = Ledger(read_catalogue())
    # A fixed order: which package is asked first must not depend on how they were installed.
    for provider in sorted(entry_points(group=EVIDENCE_GROUP), key=lambda point: point.name):
        provider.load()(ledger)
    return ledger
