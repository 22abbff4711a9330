"""Say in words what a report tells about the ledger: meanings, reasons and counts.

The words are laid out by ``report_markdown`` and ``report_html``. Every sentence about a verdict is made from the
outcomes by the rule of ``verdict``; none is written by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qae_theory.claims.model import Entry, Generality, Kind, Outcome, Role, Status, StepOutcome, Verdict
from qae_theory.claims.verdict import proves

TITLE = "Quantile Advantage Estimation: claims and verdicts"

INTRODUCTION = (
    "Each claim of the paper (arXiv 2509.22611), and each new result of this project, is one line: one statement about "
    "one update rule. Its verdict is computed from the evidence listed with it. Evidence is a list of steps. Every "
    "step checks something, and then checks a planted falsehood, one token away from the truth, in the same way; "
    "the step counts only if the falsehood is rejected, and by the same test."
)

VERDICT_MEANING = {
    Verdict.PROVED: "A proof, or an exhaustive check of the very domain that the statement names, goes through.",
    Verdict.UNDER_ASSUMPTION: "Proved under the assumption given with it; a stored example shows it failing without.",
    Verdict.REFUTED: "A stored counterexample to the statement as it stands replays exactly. This is a result, not an "
    "error.",
    Verdict.SUPPORTED: "Tests or samples agree with the statement; nothing proves it.",
    Verdict.ABSENT: "Looked for, and the interval lies inside plus or minus the smallest size of interest: evidence of "
    "no effect.",
    Verdict.OPPOSITE: "Looked for, and the interval lies beyond the smallest size of interest on the other side.",
    Verdict.UNDECIDED: "Looked for, and the interval is too wide to tell; or evidence broke, so that nothing may be "
    "concluded.",
    Verdict.NOT_RUN: "No evidence was run here: a package or a result that it needs is missing.",
}

KIND_MEANING = {
    Kind.FORMAL: "A theorem that Coq has checked for every case, from definitions that can be read in one file and the "
    "usual axioms of the real numbers; the statement is pinned.",
    Kind.ARGUMENT: "The same as a symbolic proof, but at least one step that decides is checked on instances only. It "
    "is a good argument and no proof.",
    Kind.PROOF: "An argument for every case, as steps that a computer algebra system (SymPy) or a solver (z3) checks; "
    "a lemma from the literature is cited and replayed on instances.",
    Kind.CERTIFICATE: "Exact arithmetic: every case of a finite domain, or a number enclosed in a ball that leaves no "
    "doubt.",
    Kind.WITNESS: "One concrete example, as small as possible, replayed exactly.",
    Kind.PROPERTY: "Random inputs chosen to break the statement (Hypothesis); none did.",
    Kind.MONTE_CARLO: "Sampling, with an interval and an error rate that were fixed beforehand.",
    Kind.TRAINING: "The logs of a training run.",
}

STATUS_WORDS = {
    Status.PASSED: "passed",
    Status.NEGATIVE: "effect not found",
    Status.BROKEN: "broken",
    Status.SKIPPED: "skipped",
}


@dataclass(frozen=True)
class RunFacts:
    """Hold what a report says about the run that it comes from.

    Attributes:
        run_id: the run's name.
        quick: whether the checks ran at their small sizes.
        seed: the seed of everything random.
        seconds: how long the run took.
        python: the version of Python.
        commit: the commit of the code, if it is known.
    """

    run_id: str
    quick: bool
    seed: int
    seconds: float
    python: str
    commit: str | None


def verdict_reason(entry: Entry) -> str:
    """Return one sentence in plain text that says how the verdict follows from the outcomes.

    Evidence that broke is named in place of a reason, since nothing may be concluded then.
    """
    if entry.problems:
        return f"Nothing may be concluded, because evidence broke: {'; '.join(entry.problems)}."
    return _REASONS[entry.verdict](entry)


def not_run_reason(entry: Entry) -> str:
    """Return why a claim has no verdict: what its evidence lacks, or that there is none."""
    skipped = [f"{outcome.name}: {outcome.detail}" for outcome in entry.outcomes if outcome.status is Status.SKIPPED]
    if skipped:
        return "; ".join(skipped)
    if entry.outcomes:
        return "the evidence that passed does not bear on the statement alone"
    return f"no evidence registered: needs {entry.claim.needs}"


def skipped_lines(entries: Iterable[Entry]) -> list[str]:
    """Return what was skipped of claims that have a verdict all the same.

    There is one line for each reason, however many pieces it held up, and one for all results that are not there.
    """
    claims: dict[str, dict[str, None]] = {}  # by reason, each a set that keeps the order
    commands: dict[str, None] = {}
    for entry in entries:
        if entry.verdict is not Verdict.NOT_RUN:
            for outcome in entry.outcomes:
                if outcome.status is Status.SKIPPED:
                    kind, found, command = outcome.detail.partition(_NO_RESULTS)
                    reason = _NO_RESULTS if found and not kind else outcome.detail
                    if reason == _NO_RESULTS:
                        commands[command] = None
                    claims.setdefault(reason, {})[entry.claim.id] = None
    lines = []
    for reason, ids in claims.items():
        whose = next(iter(ids)) if len(ids) == 1 else f"{len(ids)} claims with other evidence"
        missing = ", ".join(commands) if reason == _NO_RESULTS else ""
        lines.append(f"skipped, of {whose}: {reason}{missing}")
    return lines


_NO_RESULTS = "no results: run "


def counts(entries: Iterable[Entry]) -> dict[Verdict, int]:
    """Return the number of claims by verdict, in the order of the verdicts; verdicts that do not occur are left out."""
    return _counted(entry.verdict for entry in entries)


def counts_line(entries: Iterable[Entry]) -> str:
    """Return the counts as a phrase: ``3 proved, 1 refuted``."""
    return verdicts_line(entry.verdict for entry in entries)


def verdicts_line(verdicts: Iterable[Verdict]) -> str:
    """Return how often each verdict occurs, in the order of the verdicts, as a phrase like that of `counts_line`."""
    return ", ".join(f"{number} {verdict.value}" for verdict, number in _counted(verdicts).items()) or "no claims"


def _counted(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    number_of = Counter(verdicts)
    return {verdict: number_of[verdict] for verdict in Verdict if number_of[verdict]}


def apart(entries: Iterable[Entry]) -> tuple[list[Entry], dict[str, list[Entry]]]:
    """Return the claims, and the lines by condition of each family that is among the claims.

    A line whose family is not there stands among the claims.
    """
    entries = list(entries)
    ids = {entry.claim.id for entry in entries}
    claims: list[Entry] = []
    by_family: dict[str, list[Entry]] = {}
    for entry in entries:
        # A line whose family is not shown would be lost below it, and so is shown by itself.
        if entry.claim.condition is not None and entry.claim.family in ids:
            by_family.setdefault(entry.claim.family, []).append(entry)
        else:
            claims.append(entry)
    return claims, by_family


def named(entries: Sequence[Entry]) -> str:
    """Return the ids of claims, and how many lines by condition stand beside them.

    It reads like ``channels, and 12 lines by condition``.
    """
    ids = [entry.claim.id for entry in entries if entry.claim.condition is None]
    lines = [entry.claim.id for entry in entries if entry.claim.condition is not None]
    if len(lines) > 1:
        lines = [f"{len(lines)} lines by condition"]
    return ", and ".join([", ".join(ids), *lines] if ids else lines)


def by_section(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return the entries by section, in the order in which sections first occur."""
    sections: dict[str, list[Entry]] = {}
    for entry in entries:
        sections.setdefault(entry.claim.section, []).append(entry)
    return sections


def run_line(facts: RunFacts) -> str:
    """Return one line that says which run this is."""
    # A quick run has the same verdicts from smaller sizes; the report says which it was.
    size = "quick sizes" if facts.quick else "full sizes"
    code = f", commit {facts.commit[:12]}" if facts.commit else ""
    return f"Run {facts.run_id}{code}, {size}, seed {facts.seed}, {facts.seconds:.1f} s, Python {facts.python}."


def outcome_line(outcome: Outcome) -> str:
    """Return one line on a piece of evidence."""
    number = len(outcome.steps)
    steps = f"{number} step{'' if number == 1 else 's'}"
    status = STATUS_WORDS[outcome.status]
    return f"{outcome.kind.value}, {outcome.role.value}: {outcome.name} ({steps}, {status}, {outcome.seconds:.2f} s)"


def coverage(step: StepOutcome) -> str:
    """Return in words how much of what a step says its check covers."""
    if step.generality is Generality.GENERAL:
        return "in general"
    if step.citation is not None:
        return "on instances: a cited lemma, replayed"
    return "on instances: it ties a formula to the shipped code" if step.tie else "on instances"


def _passed(entry: Entry, *roles: Role) -> str:
    """Return the evidence in these roles that passed, strongest first, as words."""
    chosen = [o for o in entry.outcomes if o.status is Status.PASSED and o.role in roles]
    # The strongest evidence is named first.
    ordered = sorted(chosen, key=lambda outcome: list(Kind).index(outcome.kind))
    return _listing([f"the {outcome.kind.value} “{outcome.name}”" for outcome in ordered])


def _strongest(entry: Entry, *roles: Role) -> str:
    """Return the evidence in these roles that passed and proves, as words with its number of steps."""
    proofs = [o for o in entry.outcomes if o.status is Status.PASSED and o.role in roles and proves(o)]
    return _listing([f"the {o.kind.value} “{o.name}”{_steps_checked(o)}" for o in proofs])


def _steps_checked(outcome: Outcome) -> str:
    number = len(outcome.steps)
    return f" ({number} step{'' if number == 1 else 's'})"


def _listing(items: list[str]) -> str:
    """Return items as "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "nothing"


def _proved(entry: Entry) -> str:
    return f"Proved, because {_strongest(entry, Role.FOR)} passed, and so did its negative controls."


def _refuted(entry: Entry) -> str:
    return f"Refuted, because {_passed(entry, Role.AGAINST)} against the statement passed."


def _under_assumption(entry: Entry) -> str:
    return (
        f"Holds under the assumption, because {_strongest(entry, Role.UNDER)} passed under it and "
        f"{_passed(entry, Role.WITHOUT)} shows the statement failing without it."
    )


def _supported(entry: Entry) -> str:
    supported = f"Supported, not proved: {_passed(entry, Role.FOR, Role.UNDER)} passed"
    # What keeps an argument from being a proof is told, step by step.
    weak = [step.says for outcome in entry.outcomes if outcome.kind is Kind.ARGUMENT for step in weak_steps(outcome)]
    if not weak:
        return f"{supported}, and nothing passed that would prove it."
    return f"{supported}; what keeps it from being a proof is checked on instances only: {' '.join(weak)}"


def weak_steps(outcome: Outcome) -> list[StepOutcome]:
    """Return the steps that carry the argument and were checked on instances only."""
    return [
        step
        for step in outcome.steps
        if step.generality is Generality.INSTANCES and not step.tie and step.citation is None
    ]


def _looked_for(entry: Entry) -> str:
    """Return what statistical checks found in place of their effect."""
    said = {
        Verdict.ABSENT: "Absent: the effect was looked for, and its interval leaves no room for one of interest",
        Verdict.OPPOSITE: "Opposite: the effect was looked for, and one of the other sign was found",
        Verdict.UNDECIDED: "Undecided: the effect was looked for, and its interval is too wide to tell",
    }
    negative = [f"{o.name}: {o.detail}" for o in entry.outcomes if o.status is Status.NEGATIVE]
    return f"{said[entry.verdict]} ({'; '.join(negative)})."


def _not_run(entry: Entry) -> str:
    return f"Not run: {not_run_reason(entry)}."


_REASONS = {
    Verdict.PROVED: _proved,
    Verdict.REFUTED: _refuted,
    Verdict.UNDER_ASSUMPTION: _under_assumption,
    Verdict.SUPPORTED: _supported,
    Verdict.ABSENT: _looked_for,
    Verdict.OPPOSITE: _looked_for,
    Verdict.UNDECIDED: _looked_for,
    Verdict.NOT_RUN: _not_run,
}
