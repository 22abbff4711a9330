"""The words of the ledger: claim, evidence, step, finding, outcome, verdict.

Evidence is a list of steps. A step is one check with its negative control: the same check of a planted falsehood, one
token away, which must be rejected by the same criterion. Computes nothing; see ``verdict``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """Kinds of evidence, strongest first."""

    PROOF = "symbolic proof"
    CERTIFICATE = "certificate"
    WITNESS = "witness"
    PROPERTY = "property test"
    MONTE_CARLO = "Monte Carlo"
    TRAINING = "training run"


# Exact kinds: what they show against a statement refutes it. A statistical check that fails to find an effect does not.
REFUTING = (Kind.PROOF, Kind.CERTIFICATE, Kind.WITNESS)


class Role(StrEnum):
    """What a piece of evidence says about the statement."""

    FOR = "for"
    AGAINST = "against"
    UNDER = "under the assumption"
    WITHOUT = "without the assumption"


class Verdict(StrEnum):
    """What the evidence for a claim allows to say."""

    PROVED = "proved"
    UNDER_ASSUMPTION = "holds under an assumption"
    REFUTED = "refuted"
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    NOT_RUN = "not run"


class Status(StrEnum):
    """What became of a piece of evidence. Only ``BROKEN`` makes a run fail."""

    PASSED = "passed"
    NEGATIVE = "negative"  # a statistical check that ran properly and did not find the effect
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Effort:
    """How much a check may spend. ``quick`` shrinks sizes and never leaves a check out."""

    quick: bool = False
    seed: int = 20260923

    def pick(self, full: Any, quick: Any) -> Any:
        """``quick`` on a quick run, ``full`` otherwise."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Finding:
    """What one check found.

    ``criterion`` names the test that was applied; a control counts as rejected only by the criterion of its check.
    """

    passed: bool
    criterion: str
    detail: str
    witness: Mapping[str, str] | None = None


Check = Callable[[Effort], Finding]


@dataclass(frozen=True)
class Step:
    """One checked step: what it says (Markdown with ``$math$``), its check, and its negative control.

    ``planted`` says in words what falsehood ``control`` checks. ``citation`` marks a named lemma that is used, not
    proved, here; its check then replays the lemma on instances.
    """

    says: str
    check: Check
    planted: str
    control: Check
    citation: str | None = None

    @property
    def where(self) -> str:
        """File and line of the check."""
        return source_line(self.check)


@dataclass(frozen=True)
class Evidence:
    """A named piece of evidence for one claim.

    ``covers_statement``: a certificate whose finite domain is the very domain that the statement names.
    ``requires``: packages without which it is skipped. ``missing``: says what else it lacks, stored results for
    example, and how to get it; None where it can run.
    """

    claim: str
    name: str
    kind: Kind
    role: Role
    steps: tuple[Step, ...]
    covers_statement: bool = False
    requires: tuple[str, ...] = ()
    missing: Callable[[Effort], str | None] | None = None

    @property
    def where(self) -> str:
        """File and line of the first step's check."""
        return self.steps[0].where


@dataclass(frozen=True)
class StepOutcome:
    """A step as it went: the finding of the check, and whether the control was rejected for the check's own reason."""

    says: str
    planted: str
    citation: str | None
    where: str
    finding: Finding
    control_rejected: bool
    control_detail: str


@dataclass(frozen=True)
class Outcome:
    """A piece of evidence as it went."""

    claim: str
    name: str
    kind: Kind
    role: Role
    status: Status
    detail: str
    seconds: float
    where: str
    covers_statement: bool = False
    steps: tuple[StepOutcome, ...] = ()
    witness: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Claim:
    """One line of the ledger: an unqualified statement about one update, or, with ``assumption``, its rescued form."""

    id: str
    title: str
    statement: str
    source: str
    section: str
    needs: str
    update: str = "not specific"
    assumption: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Entry:
    """A claim with its verdict and the outcomes that the verdict was computed from."""

    claim: Claim
    verdict: Verdict
    outcomes: tuple[Outcome, ...] = field(default=())
    problems: tuple[str, ...] = field(default=())

    @property
    def witness(self) -> Mapping[str, str] | None:
        """The first stored witness, if any."""
        return next((outcome.witness for outcome in self.outcomes if outcome.witness), None)


def source_line(function: Callable[..., Any]) -> str:
    """``package/module.py:line`` of a function, seen through ``functools.partial``."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    path = Path(inspect.getfile(function))
    root = Path(__file__).parents[2]
    shown = path.relative_to(root) if path.is_relative_to(root) else Path(*path.parts[-2:])
    return f"{shown.as_posix()}:{function.__code__.co_firstlineno}"
