"""The verdict follows from the outcomes, by the table of kinds, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from qae_theory.claims.model import Answer, Kind, Outcome, Role, Status, Verdict
from qae_theory.claims.report import verdict_reason
from qae_theory.claims.verdict import judge
from tests.qae_theory.claims.samples import claim, outcome

PLAIN = claim()
ASSUMING = claim("sum-if", assumption="$n$ is even.")


def looked_for(answer: Answer) -> Outcome:
    """A statistical check that ran and says this of its effect."""
    return replace(outcome(Kind.TRAINING, status=Status.NEGATIVE), answer=answer)


TABLE = [
    ("nothing", PLAIN, [], Verdict.NOT_RUN),
    ("proof", PLAIN, [outcome(Kind.PROOF)], Verdict.PROVED),
    ("covering certificate", PLAIN, [outcome(Kind.CERTIFICATE, covers=True)], Verdict.PROVED),
    ("certificate", PLAIN, [outcome(Kind.CERTIFICATE)], Verdict.SUPPORTED),
    ("property test", PLAIN, [outcome(Kind.PROPERTY)], Verdict.SUPPORTED),
    ("covering property test", PLAIN, [outcome(Kind.PROPERTY, covers=True)], Verdict.SUPPORTED),
    ("Monte Carlo", PLAIN, [outcome(Kind.MONTE_CARLO)], Verdict.SUPPORTED),
    ("training run", PLAIN, [outcome(Kind.TRAINING)], Verdict.SUPPORTED),
    ("witness", PLAIN, [outcome(Kind.WITNESS, Role.AGAINST)], Verdict.REFUTED),
    ("exact certificate against", PLAIN, [outcome(Kind.CERTIFICATE, Role.AGAINST)], Verdict.REFUTED),
    ("samples against", PLAIN, [outcome(Kind.MONTE_CARLO, Role.AGAINST)], Verdict.NOT_RUN),
    ("witness beside samples", PLAIN, [outcome(Kind.WITNESS, Role.AGAINST), outcome(Kind.PROPERTY)], Verdict.REFUTED),
    ("proof skipped", PLAIN, [outcome(status=Status.SKIPPED)], Verdict.NOT_RUN),
    ("witness skipped", PLAIN, [outcome(Kind.WITNESS, Role.AGAINST, Status.SKIPPED)], Verdict.NOT_RUN),
    ("proof beside skipped", PLAIN, [outcome(), outcome(Kind.PROPERTY, status=Status.SKIPPED)], Verdict.PROVED),
    ("formal proof", PLAIN, [outcome(Kind.FORMAL)], Verdict.PROVED),
    ("formal refutation", PLAIN, [outcome(Kind.FORMAL, Role.AGAINST)], Verdict.REFUTED),
    ("checked argument", PLAIN, [outcome(Kind.ARGUMENT)], Verdict.SUPPORTED),
    (
        "formal proof skipped beside an argument",
        PLAIN,
        [outcome(Kind.FORMAL, status=Status.SKIPPED), outcome(Kind.ARGUMENT)],
        Verdict.SUPPORTED,
    ),
    ("no effect", PLAIN, [outcome(Kind.MONTE_CARLO, status=Status.NEGATIVE)], Verdict.UNDECIDED),
    ("absent", PLAIN, [looked_for(Answer.ABSENT)], Verdict.ABSENT),
    ("opposite", PLAIN, [looked_for(Answer.OPPOSITE)], Verdict.OPPOSITE),
    ("undecided", PLAIN, [looked_for(Answer.UNDECIDED)], Verdict.UNDECIDED),
    ("absent twice", PLAIN, [looked_for(Answer.ABSENT), looked_for(Answer.ABSENT)], Verdict.ABSENT),
    ("absent and opposite", PLAIN, [looked_for(Answer.ABSENT), looked_for(Answer.OPPOSITE)], Verdict.UNDECIDED),
    (
        "under and without, formally",
        ASSUMING,
        [outcome(Kind.FORMAL, Role.UNDER), outcome(Kind.FORMAL, Role.WITHOUT)],
        Verdict.UNDER_ASSUMPTION,
    ),
    (
        "an argument under and a witness without",
        ASSUMING,
        [outcome(Kind.ARGUMENT, Role.UNDER), outcome(Kind.WITNESS, Role.WITHOUT)],
        Verdict.SUPPORTED,
    ),
    (
        "no effect beside support",
        PLAIN,
        [outcome(Kind.MONTE_CARLO, status=Status.NEGATIVE), outcome(Kind.PROPERTY)],
        Verdict.UNDECIDED,
    ),
    (
        "under and without",
        ASSUMING,
        [outcome(Kind.PROOF, Role.UNDER), outcome(Kind.WITNESS, Role.WITHOUT)],
        Verdict.UNDER_ASSUMPTION,
    ),
    ("under only", ASSUMING, [outcome(Kind.PROOF, Role.UNDER)], Verdict.SUPPORTED),
    ("without only", ASSUMING, [outcome(Kind.WITNESS, Role.WITHOUT)], Verdict.NOT_RUN),
    (
        "without by sampling",
        ASSUMING,
        [outcome(Kind.PROOF, Role.UNDER), outcome(Kind.PROPERTY, Role.WITHOUT)],
        Verdict.SUPPORTED,
    ),
    (
        "under by sampling",
        ASSUMING,
        [outcome(Kind.PROPERTY, Role.UNDER), outcome(Kind.WITNESS, Role.WITHOUT)],
        Verdict.SUPPORTED,
    ),
    (
        "witness without skipped",
        ASSUMING,
        [outcome(Kind.PROOF, Role.UNDER), outcome(Kind.WITNESS, Role.WITHOUT, Status.SKIPPED)],
        Verdict.SUPPORTED,
    ),
]


@pytest.mark.parametrize(
    ("line", "outcomes", "verdict"), [row[1:] for row in TABLE], ids=[row[0].replace(" ", "-") for row in TABLE]
)
def test_table(line: object, outcomes: list[Outcome], verdict: Verdict) -> None:
    entry = judge(line, outcomes)  # type: ignore[arg-type]
    assert entry.verdict is verdict
    assert entry.problems == ()
    assert entry.outcomes == tuple(outcomes)


@pytest.mark.parametrize("outcomes", [row[2] for row in TABLE if len(row[2]) > 1])
def test_order_of_the_outcomes_does_not_matter(outcomes: list[Outcome]) -> None:
    line = ASSUMING if any(o.role in (Role.UNDER, Role.WITHOUT) for o in outcomes) else PLAIN
    assert len({judge(line, shuffled).verdict for shuffled in permutations(outcomes)}) == 1


@pytest.mark.parametrize("proof", [outcome(Kind.PROOF), outcome(Kind.CERTIFICATE, covers=True)])
def test_proof_beside_witness_is_a_contradiction(proof: Outcome) -> None:
    entry = judge(PLAIN, [proof, outcome(Kind.WITNESS, Role.AGAINST)])
    assert entry.verdict is Verdict.UNDECIDED
    assert any("contradiction" in problem for problem in entry.problems)


@pytest.mark.parametrize(
    "others", [[], [outcome(Kind.PROOF)], [outcome(Kind.WITNESS, Role.AGAINST)]], ids=["alone", "proof", "witness"]
)
def test_broken_evidence_allows_nothing(others: list[Outcome]) -> None:
    broken = outcome(Kind.CERTIFICATE, status=Status.BROKEN, name="certificate")
    entry = judge(PLAIN, [*others, broken])
    assert entry.verdict is Verdict.UNDECIDED
    assert entry.problems == ("certificate: a detail",)


@pytest.mark.parametrize(
    ("line", "outcomes", "verdict"), [row[1:] for row in TABLE], ids=[row[0].replace(" ", "-") for row in TABLE]
)
def test_reason_names_the_verdict_and_what_decided_it(line: object, outcomes: list[Outcome], verdict: Verdict) -> None:
    entry = judge(line, outcomes)  # type: ignore[arg-type]
    reason = verdict_reason(entry)
    opening = "Holds under the assumption" if verdict is Verdict.UNDER_ASSUMPTION else verdict.value.capitalize()
    assert reason.startswith(opening)
    deciding = {
        Verdict.PROVED: {Role.FOR},
        Verdict.REFUTED: {Role.AGAINST},
        Verdict.UNDER_ASSUMPTION: {Role.UNDER, Role.WITHOUT},
    }.get(verdict, set())
    named = [o.name for o in outcomes if o.role in deciding and o.status is Status.PASSED]
    assert all(name in reason for name in named)
    assert "nothing" not in reason.replace("and nothing passed that would prove it", "")
