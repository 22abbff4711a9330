"""Define the words of the ledger: claim, evidence, step, finding, outcome, verdict.

Evidence is a list of steps. A step is one check with its negative control: the same check of a planted falsehood, one
token away, which must be rejected by the same criterion. Nothing is computed here; see ``verdict``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast


class Kind(StrEnum):
    """Name the kinds of evidence, strongest first."""

    FORMAL = "formal proof"
    PROOF = "symbolic proof"
    ARGUMENT = "checked argument"
    CERTIFICATE = "certificate"
    WITNESS = "witness"
    PROPERTY = "property test"
    MONTE_CARLO = "Monte Carlo"
    TRAINING = "training run"


# Exact kinds: what they show against a statement refutes it. A statistical check that fails to find an effect does not.
# One exact counterexample is enough.
REFUTING = (Kind.FORMAL, Kind.PROOF, Kind.CERTIFICATE, Kind.WITNESS)


class Generality(StrEnum):
    """Tell how much of its statement a step's check covers."""

    GENERAL = "general"  # every case that the step speaks of
    INSTANCES = "instances"  # some cases only: sizes up to a bound, drawn inputs, listed examples


class Reading(StrEnum):
    """Tell whose statement a claim is."""

    AS_STATED = "as stated"  # the paper says it
    STRONGER = "stronger than stated"  # a reading that goes beyond the paper's words
    IMPLEMENTATIONS = "about implementations"  # about code that computes it, not about the paper
    OWN = "own result"  # new here


class Answer(StrEnum):
    """Tell what a statistical check found of an effect, given the smallest size of interest fixed beforehand."""

    FOUND = "found"  # the interval lies beyond the smallest size
    ABSENT = "absent"  # the interval lies inside plus or minus the smallest size: evidence of no effect
    OPPOSITE = "opposite"  # the interval lies beyond the smallest size on the other side
    UNDECIDED = "undecided"  # the interval is too wide to tell


class Role(StrEnum):
    """Tell what a piece of evidence says about the statement."""

    FOR = "for"
    AGAINST = "against"
    UNDER = "under the assumption"
    WITHOUT = "without the assumption"


class Verdict(StrEnum):
    """Tell what the evidence for a claim allows to say."""

    PROVED = "proved"
    UNDER_ASSUMPTION = "holds under an assumption"
    REFUTED = "refuted"
    SUPPORTED = "supported"
    ABSENT = "absent"
    OPPOSITE = "opposite"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"


class Status(StrEnum):
    """Tell what became of a piece of evidence. Only ``BROKEN`` makes a run fail."""

    PASSED = "passed"
    NEGATIVE = "negative"  # a statistical check that ran properly and did not find the effect
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Effort:
    """Tell how much a check may spend. ``quick`` shrinks sizes and never leaves a check out.

    Attributes:
        quick: whether the run is a quick one.
        seed: the seed of everything random.
    """

    quick: bool = False
    seed: int = 20260923

    def pick(self, full: Any, quick: Any) -> Any:
        """Return ``quick`` on a quick run, ``full`` otherwise.

        Args:
            full: the size, or whatever depends on the effort, at full effort.
            quick: the same on a quick run.
        """
        return quick if self.quick else full


@dataclass(frozen=True)
class Finding:
    """Hold what one check found.

    Attributes:
        passed: whether what the step states was found to hold.
        criterion: names the test that was applied; a control counts as rejected only by the criterion of its check.
        detail: what was seen, in a few words or figures.
        witness: a worked example to store beside it, as names and values.
        answer: what a statistical check says of the effect that it looked for; it has passed only if that is found.
    """

    passed: bool
    criterion: str
    detail: str
    witness: Mapping[str, str] | None = None
    answer: Answer | None = None


# A check whose size depends on the effort takes it; one that always does the same takes nothing.
Check = Callable[[Effort], Finding] | Callable[[], Finding]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Hold one checked step of an argument, with its negative control.

    Attributes:
        says: what the step states, as Markdown with ``$math$``.
        check: decides it.
        planted: says in words which falsehood ``control`` checks.
        control: the same check of that falsehood, which must be rejected by the same criterion.
        generality: whether the check covers every case that the step speaks of, or instances only.
        tie: whether the step ties a formula to the shipped code. It carries no part of the argument, so that its
            being checked on instances does not weaken the argument.
        citation: marks a named lemma that is used, not proved, here; its check then replays the lemma on instances.
    """

    says: str
    check: Check
    planted: str
    control: Check
    generality: Generality = Generality.INSTANCES
    tie: bool = False
    citation: str | None = None
    _run_check: Callable[[Effort], Finding] = field(init=False, repr=False, compare=False)
    _run_control: Callable[[Effort], Finding] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out once which of the two functions take the effort."""
        object.__setattr__(self, "_run_check", _with_effort(self.check))
        object.__setattr__(self, "_run_control", _with_effort(self.control))

    def run_check(self, effort: Effort) -> Finding:
        """Return what the check finds at this effort."""
        return self._run_check(effort)

    def run_control(self, effort: Effort) -> Finding:
        """Return what the same check finds of the planted falsehood."""
        return self._run_control(effort)

    @property
    def is_decisive(self) -> bool:
        """Return whether the argument stands or falls with this step's own check."""
        return not self.tie and self.citation is None

    @property
    def where(self) -> str:
        """Return file and line of the check."""
        return source_line(self.check)


@dataclass(frozen=True)
class Evidence:
    """Hold a named piece of evidence for one claim.

    Attributes:
        claim: the claim's id.
        name: a name that is the claim's only one of its kind.
        kind: what sort of evidence the steps are registered as.
        role: what it says about the statement.
        steps: the argument, in order.
        covers_statement: whether this is a certificate whose finite domain is the very domain that the statement names.
        requires: packages without which it is skipped.
        missing: says what else it lacks, stored results for example, and how to get it; it returns None where the
            evidence can run.
        prepare: is called once before any evidence runs, and does work whose cached result many pieces of evidence
            share.
    """

    claim: str
    name: str
    kind: Kind
    role: Role
    steps: tuple[Step, ...]
    covers_statement: bool = False
    requires: tuple[str, ...] = ()
    missing: Callable[[Effort], str | None] | None = None
    prepare: Callable[[], object] | None = None

    @property
    def where(self) -> str:
        """Return file and line of the first step's check."""
        return self.steps[0].where

    @property
    def strength(self) -> Kind:
        """Return the kind that the steps allow.

        A symbolic proof with a decisive step that is checked on instances only is a checked argument.
        """
        # A proof is as general as its least general deciding step; ties and cited lemmas do not decide.
        weak = any(step.is_decisive and step.generality is Generality.INSTANCES for step in self.steps)
        return Kind.ARGUMENT if self.kind is Kind.PROOF and weak else self.kind


@dataclass(frozen=True)
class StepOutcome:
    """Hold a step as it went.

    Attributes:
        says: what the step states.
        planted: the falsehood of its control.
        citation: the named lemma that it replays, if it does.
        where: file and line of the check.
        finding: what the check found.
        control_rejected: whether the control was rejected for the check's own reason.
        control_detail: what the control found.
        generality: how much of the step the check covers.
        tie: whether the step ties a formula to the shipped code.
    """

    says: str
    planted: str
    citation: str | None
    where: str
    finding: Finding
    control_rejected: bool
    control_detail: str
    generality: Generality = Generality.INSTANCES
    tie: bool = False


@dataclass(frozen=True)
class Outcome:
    """Hold a piece of evidence as it went: what it was, its status, and the steps that were run."""

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
    answer: Answer | None = None


@dataclass(frozen=True)
class Claim:
    """Hold one line of the ledger: an unqualified statement about one update, or its form under an assumption.

    Attributes:
        id: the line's name; a line of a family is named ``<family>@<substrate>/<condition>``.
        title: the statement in a few words.
        statement: the statement, as Markdown with ``$math$``.
        source: where it is stated.
        section: the page of the catalogue.
        needs: the package that brings its evidence; ``theory`` is this one.
        reading: whose statement it is.
        update: the update rule that it is about.
        assumption: under which the line of the same name without ``-if`` holds.
        note: what a reader should know beside the statement.
        family: the family that a line by condition belongs to.
        condition: the substrate and condition of such a line.
    """

    id: str
    title: str
    statement: str
    source: str
    section: str
    needs: str
    reading: Reading = Reading.OWN
    update: str = "not specific"
    assumption: str | None = None
    note: str | None = None
    family: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Entry:
    """Hold a claim with its verdict and the outcomes that the verdict was computed from.

    Attributes:
        claim: the claim.
        verdict: what the outcomes allow to say.
        outcomes: every piece of its evidence, as it went.
        problems: evidence that broke, and contradictions; with one of them nothing may be concluded.
    """

    claim: Claim
    verdict: Verdict
    outcomes: tuple[Outcome, ...] = field(default=())
    problems: tuple[str, ...] = field(default=())

    @property
    def witness(self) -> Mapping[str, str] | None:
        """Return the first stored witness, if any."""
        return next((outcome.witness for outcome in self.outcomes if outcome.witness), None)


def _with_effort(check: Check) -> Callable[[Effort], Finding]:
    """Return the check as a function of the effort, whether it takes one or not."""
    # A check with defaults for everything takes no effort, even if it could be given one.
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # A ``partial`` has given its keywords already; what is left to give by position is the effort.
    given_by_position = [
        parameter
        for parameter in inspect.signature(check).parameters.values()
        if parameter.kind in kinds and parameter.default is inspect.Parameter.empty
    ]
    if given_by_position:
        return cast(Callable[[Effort], Finding], check)
    without_effort = cast(Callable[[], Finding], check)
    return lambda effort: without_effort()


def source_line(function: Callable[..., Any]) -> str:
    """Return ``package/module.py:line`` of a function, seen through ``functools.partial``.

    A path outside this checkout is shortened to its last two parts: a report must not tell where it was made.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    path = Path(inspect.getfile(function))
    # A file of another package lies outside this checkout.
    root = Path(__file__).parents[2]
    shown = path.relative_to(root) if path.is_relative_to(root) else Path(*path.parts[-2:])
    return f"{shown.as_posix()}:{function.__code__.co_firstlineno}"
