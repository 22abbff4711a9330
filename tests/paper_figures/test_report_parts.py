"""Entries from a ledger file, the commands that make them again, and which file is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paper_figures.ledger_file import ledger_file, with_ledger
from paper_figures.report.commands import of_claim
from paper_figures.report.details import reason, statements
from paper_figures.report.entries import REWORDED, STRANGE, WITHOUT_STEPS, LedgerLine, ledger_lines
from paper_figures.report.limits import limits
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Kind, Outcome, Status, StepOutcome, Verdict
from qae_theory.claims.serial import ledger_records
from qae_theory.claims.verdict import judge
from tests.paper_figures.stored import store
from tests.qae_theory.claims.samples import claim, evidence, ledger, step


def line(made: Ledger, *outcomes: Any, **changes: Any) -> LedgerLine:
    """A line from the record of the sample claim with these outcomes."""
    (known,) = [one for one in made.claims if one.id == "sum"]
    (one,) = ledger_records([judge(known, outcomes)])
    return ledger_lines([{**one, **changes}], made)[0]


def went(item: Evidence, status: Status, detail: str) -> Outcome:
    """The outcome of evidence whose steps all went like that; skipped and broken evidence has none to show."""
    passed = status is Status.PASSED
    finding = Finding(passed, "equality", detail)
    steps = [
        StepOutcome(one.says, one.planted, one.citation, one.where, finding, True, "", one.generality, one.tie)
        for one in item.steps
        if status in (Status.PASSED, Status.NEGATIVE)
    ]
    return Outcome(
        item.claim, item.name, item.strength, item.role, status, detail, 0.25, item.where, steps=tuple(steps)
    )


def test_steps_come_from_the_file_and_what_is_planted_from_the_registered_evidence() -> None:
    item = evidence("by-parts", steps=(step(), step(citation="A. Lemma")))
    found = line(ledger(item), went(item, Status.PASSED, "2 + 2 = 4"))
    (one,) = found.entry.outcomes
    assert (one.name, one.status, one.detail) == ("by-parts", Status.PASSED, "2 + 2 = 4")
    assert [s.planted for s in one.steps] == ["n + n = 5", "n + n = 5"]
    assert [s.citation for s in one.steps] == [None, "A. Lemma"]
    assert all(s.control_rejected and s.finding.passed for s in one.steps)
    assert found.doubts == ()
    assert "“by-parts” (2 steps)" in found.reason


def test_evidence_of_one_kind_is_matched_in_order() -> None:
    first, second = evidence("first"), evidence("second", steps=(step(), step()))
    found = line(ledger(first, second), *(went(item, Status.PASSED, item.name) for item in (first, second)))
    assert [(one.name, one.detail, len(one.steps)) for one in found.entry.outcomes] == [
        ("first", "first", 1),
        ("second", "second", 2),
    ]


@pytest.mark.parametrize(
    ("status", "detail", "steps"),
    [
        (Status.PASSED, "fine", 1),
        (Status.NEGATIVE, "The sum is $2n$. [effect not found] none", 1),
        (Status.BROKEN, "raised ZeroDivisionError: planted", 0),
        (Status.BROKEN, "The sum is $2n$. [equality] 2 + 2 = 5", 0),
        (Status.BROKEN, "The sum. The planted falsehood (x) was not rejected: equality: 2", 0),
        (Status.SKIPPED, "no results: run `qae simulate masks`", 0),
        (Status.SKIPPED, "not installed: torch", 0),
    ],
)
def test_what_became_of_evidence_is_read_back(status: Status, detail: str, steps: int) -> None:
    item = evidence(kind=Kind.TRAINING)
    found = line(ledger(item), went(item, status, detail))
    (one,) = found.entry.outcomes
    assert (one.status, len(one.steps)) == (status, steps)
    assert found.doubts == ()
    assert bool(found.entry.problems) == (status is Status.BROKEN)
    assert detail in found.reason or status in (Status.PASSED, Status.NEGATIVE)


def test_differences_between_file_and_suite_are_said() -> None:
    item = evidence()
    passed = went(item, Status.PASSED, "fine")
    assert line(ledger(item), passed, statement="Another.").doubts == (REWORDED,)
    assert line(ledger(item), passed, id="product").doubts == (STRANGE, WITHOUT_STEPS)
    assert line(ledger(), passed).doubts == (WITHOUT_STEPS,)
    (doubt,) = line(ledger(item), passed, verdict="refuted").doubts
    assert doubt.endswith("it would be 'proved'")


def test_a_note_belongs_to_the_statement_that_it_was_written_for() -> None:
    item = evidence()
    made = ledger(item, claims=(claim(note="So it is."),))
    passed = went(item, Status.PASSED, "fine")
    assert line(made, passed).entry.claim.note == "So it is."
    assert line(made, passed, statement="Another.").entry.claim.note is None


def test_the_file_decides_the_verdict() -> None:
    item = evidence()
    for verdict in Verdict:
        found = line(ledger(item), went(item, Status.PASSED, "fine"), verdict=verdict.value)
        assert found.entry.verdict is verdict


# What was found, statement by statement

DETAIL = "What `qae simulate masks` found. [effect not found] a found: 1; 2; b NOT FOUND: 0.1 [0, 1]; c NOT FOUND: x"


def test_statements_are_taken_apart() -> None:
    assert statements(DETAIL) == ["a found: 1; 2", "b NOT FOUND: 0.1 [0, 1]", "c NOT FOUND: x"]
    assert statements("z3: no countermodel; residual 0") == ["z3: no countermodel; residual 0"]
    assert statements("") == [""]


def test_the_reason_names_what_was_missed_only() -> None:
    item = evidence("masks", kind=Kind.TRAINING)
    found = line(ledger(item), went(item, Status.NEGATIVE, DETAIL))
    assert reason(found.entry) == "Undecided: looked for and not found. By masks: b; c."


# Commands


def commands(*outcomes: tuple[Status, str], says: str = "A step.", needs: str = "theory") -> list[str]:
    items = [evidence(f"number {i}", Kind.TRAINING, steps=(replace(step(), says=says),)) for i in range(len(outcomes))]
    made = ledger(*items, claims=(claim(needs=needs),))
    return of_claim(line(made, *(went(item, *one) for item, one in zip(items, outcomes, strict=True))).entry)


def test_a_proof_needs_no_data() -> None:
    assert commands((Status.PASSED, "fine")) == ["qae verify sum"]


def test_the_command_that_made_the_data_comes_first() -> None:
    says = "What `qae simulate masks` found."
    assert commands((Status.PASSED, "b (run 0123456789ab, full size)"), says=says) == [
        "qae simulate masks",
        "qae verify sum",
    ]
    assert commands((Status.PASSED, "b (run 0123456789ab, quick size, code changed since)"), says=says) == [
        "qae simulate masks --quick",
        "qae verify sum",
    ]
    assert commands((Status.NEGATIVE, DETAIL)) == ["qae simulate masks", "qae verify sum"]


def test_what_was_not_run_names_its_command() -> None:
    skipped = (Status.SKIPPED, "no results: run `qae cluster launch row-1` and then `qae cluster collect JOB_FOLDER`")
    assert commands(skipped, says="What `qae cluster collect` found.", needs="cluster") == [
        "qae cluster launch row-1",
        "qae cluster collect JOB_FOLDER",
        "qae verify sum",
    ]
    assert commands(needs="cluster") == ["qae cluster plan", "qae verify sum"]
    assert commands(needs="simulators") == ["qae simulate --list", "qae verify sum"]
    assert commands(needs="theory") == ["qae verify sum"]


# Limits


def test_small_and_old_runs_are_listed() -> None:
    first, second = evidence("a", Kind.TRAINING), evidence("b", Kind.TRAINING)
    found = line(
        ledger(first, second),
        went(first, Status.PASSED, "x (run aaaaaaaaaaaa, quick size)"),
        went(second, Status.PASSED, "y (run bbbbbbbbbbbb, full size, code changed since)"),
    )
    said = {one.title: one for one in limits([found], [])}
    runs = said["Small and old runs"]
    assert runs.sentence == "Runs that are named here: 2; of quick size: 1; made by code that has changed: 1."
    assert runs.items == ("of quick size: `aaaaaaaaaaaa`", "made by code that has changed since: `bbbbbbbbbbbb`")
    assert said["Claims that nobody has run here"].sentence == "0 of 1 claims."
    assert "Ledger file and installed suite differ" not in said


# Which ledger is taken


def test_the_file_in_the_results_folder_comes_first(tmp_path: Path) -> None:
    assert ledger_file(tmp_path) is None
    stored = verified(tmp_path, "a", "2026-01-02T00:00:00Z")
    assert ledger_file(tmp_path) == stored
    (tmp_path / "ledger.json").write_text("[]")
    assert ledger_file(tmp_path) == tmp_path / "ledger.json"


def test_of_runs_over_all_claims_the_newest_counts(tmp_path: Path) -> None:
    verified(tmp_path, "c", "2026-01-01T00:00:00Z")
    newest = verified(tmp_path, "b", "2026-01-03T00:00:00Z")
    verified(tmp_path, "a", "2026-01-02T00:00:00Z")
    verified(tmp_path, "d", "2026-01-04T00:00:00Z", claims=["gate-hard"])
    assert ledger_file(tmp_path) == newest
    assert with_ledger(tmp_path).file("ledger.json", command="-") == newest
    other = tmp_path / "other.json"
    other.write_text("[]")
    assert with_ledger(tmp_path, other).file("ledger.json", command="-") == other


def verified(root: Path, run: str, finished: str, claims: Any = "all") -> Path:
    folder = store(
        root, "verify", files={"ledger.json": json.loads("[]")}, config={"claims": claims}, run=run, finished=finished
    )
    return folder / "ledger.json"
